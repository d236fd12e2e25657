package direct

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http/httputil"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// chunksOf reads a chunked body with reads of size bytes.
func chunksOf(src io.Reader, size int) (string, error) {
	c := &conn{nc: nopConn{}}
	c.in.over(src)
	b := &body{c: c, ctx: context.Background(), stop: func() bool { return false }, chunked: true, left: -1}
	var all bytes.Buffer
	_, err := io.CopyBuffer(struct{ io.Writer }{&all}, struct{ io.Reader }{b}, make([]byte, size))
	return all.String(), err
}

// lentOf reads a chunked body as a reader of events does: what can be lent is, the
// rest is read with reads of size bytes.
func lentOf(src io.Reader, size int) (string, error) {
	c := &conn{nc: nopConn{}}
	c.in.over(src)
	b := &body{c: c, ctx: context.Background(), stop: func() bool { return false }, chunked: true, left: -1}
	var all []byte
	p := make([]byte, size)
	for {
		lent, err := b.Lend()
		all = append(all, lent...)
		if len(lent) == 0 && err == nil {
			var n int
			n, err = b.Read(p)
			all = append(all, p[:n]...)
		}
		switch {
		case errors.Is(err, io.EOF):
			return string(all), nil
		case err != nil:
			return string(all), err
		}
	}
}

// What comes by itself is lent, and what comes together is read together.
func TestLend(t *testing.T) {
	f := func(want string, reads ...string) {
		t.Helper()
		var srcs []io.Reader
		for _, s := range reads {
			srcs = append(srcs, strings.NewReader(s))
		}
		c := &conn{nc: nopConn{}}
		c.in.over(io.MultiReader(srcs...))
		b := &body{c: c, ctx: context.Background(), stop: func() bool { return false }, chunked: true, left: -1}
		var got []string
		for {
			lent, err := b.Lend()
			if len(lent) > 0 {
				got = append(got, "lent "+string(lent))
				continue
			}
			var n int
			p := make([]byte, 64)
			if err == nil {
				n, err = b.Read(p)
			}
			if n > 0 {
				got = append(got, "read "+string(p[:n]))
			}
			if err != nil {
				got = append(got, err.Error())
				break
			}
		}
		if d := cmp.Diff(want, strings.Join(got, ", ")); d != "" {
			t.Errorf("%q (-want +got):\n%s", reads, d)
		}
	}
	f("lent hello, lent world, EOF", "5\r\nhello\r\n", "5\r\nworld\r\n", "0\r\n\r\n")
	f("lent hello, read world, EOF", "5\r\nhello\r\n", "5\r\nworld\r\n0\r\n\r\n")
	f("read helloworld, lent !, EOF", "5\r\nhello\r\n5\r\nworld\r\n", "1\r\n!\r\n", "0\r\n\r\n")
	f("read hello, lent world, EOF", "5\r\nhello\r\n5", "\r\nworld\r\n", "0\r\n\r\n")
	f("lent hello, lent world, EOF", "5\r\nhello\r", "\n5\r\nworld", "\r\n0\r\n\r\n")
	f("lent hel, lent lo, EOF", "5\r\nhel", "lo\r\n", "0\r\n\r\n")
	f("lent hello, unexpected EOF", "5\r\nhello\r\n")
	f("lent hel, unexpected EOF", "5\r\nhel")
	f("direct: the answer's chunks are malformed", "x\r\n")
}

// Finish takes the end that has come, and nothing else.
func TestFinish(t *testing.T) {
	f := func(stream string, want bool, left string) {
		t.Helper()
		c := &conn{nc: nopConn{}}
		c.in.over(strings.NewReader(stream))
		b := &body{c: c, ctx: context.Background(), stop: func() bool { return false }, chunked: true, left: -1}
		var first [5]byte
		if _, err := io.ReadFull(b, first[:]); err != nil {
			t.Fatal(err)
		}
		got := b.Finish()
		rest, _ := io.ReadAll(b)
		if got != want || string(rest) != left {
			t.Errorf("%q: %v, %q is left", stream, got, rest)
		}
	}
	f("5\r\nhello\r\n0\r\n\r\n", true, "")
	f("5\r\nhello\r\n0\r\nT: x\r\n\r\n", true, "")
	f("5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", false, "!")
	f("6\r\nhello!\r\n0\r\n\r\n", false, "!")
	f("5\r\nhello\r\n0\r\n", false, "")
	f("5\r\nhello\r\n", false, "")
	f("5\r\nhelloX\r\n0\r\n\r\n", false, "")
}

// FuzzChunks: whatever comes, and however it is cut, is read as the standard
// library reads it: the same bytes, and whole or not alike.
func FuzzChunks(f *testing.F) {
	f.Add([]byte("5\r\nhello\r\n6;x\r\n world\r\n0\r\nT: 1\r\n\r\n"), 3)
	f.Add([]byte("1\na\n0\n\n"), 100)
	f.Add([]byte("1\r\naX\r\n0\r\n\r\n"), 1)
	f.Add([]byte("0\r\n"), 1)
	f.Add([]byte(strings.Repeat("a\r\n0123456789\r\n", 700)+"0\r\n\r\n"), 16<<10)
	f.Fuzz(func(t *testing.T, in []byte, size int) {
		size = 1 + (size&0xffff)%(20<<10)
		std := bufio.NewReader(bytes.NewReader(in))
		want, wantErr := io.ReadAll(httputil.NewChunkedReader(std))
		reads := []func() io.Reader{
			func() io.Reader { return bytes.NewReader(in) },
			func() io.Reader { return iotest.OneByteReader(bytes.NewReader(in)) },
			func() io.Reader { return iotest.DataErrReader(bytes.NewReader(in)) },
		}
		for _, src := range reads {
			got, err := chunksOf(src(), size)
			if lent, lentErr := lentOf(src(), size); lent != got || (lentErr == nil) != (err == nil) {
				t.Fatalf("%q: lent %q %v, read %q %v", in, lent, lentErr, got, err)
			}
			if wantErr != nil {
				if err == nil {
					t.Fatalf("%q is whole, the standard library says %v", in, wantErr)
				}
				continue
			}
			// The standard reader leaves the trailer to its caller; ours reads it,
			// and refuses some spellings that the other one takes.
			if err == nil && got != string(want) {
				t.Fatalf("%q: %q, want %q", in, got, want)
			}
		}
	})
}

// nopConn can be closed.
type nopConn struct{ net.Conn }

func (nopConn) Close() error { return nil }
