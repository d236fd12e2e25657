package direct

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// rooms is a source that notes what room its reads have, and fills some of it.
type rooms struct {
	brings []int
	had    []int
}

func (r *rooms) Read(p []byte) (int, error) {
	r.had = append(r.had, len(p))
	n := min(len(p), r.brings[0])
	r.brings = r.brings[1:]
	return n, nil
}

// A buffer has one piece of storage at a time: a small one, a large one behind a read
// that left no room, or its own where what is unused needs more. What it does not
// use it has given back.
func TestOneStorageAtATime(t *testing.T) {
	src := &rooms{brings: []int{100, firstIn, burstIn, 10, firstIn, firstIn, 5, 1}}
	var in buffer
	in.over(src)
	var got []string
	fill := func() {
		t.Helper()
		if err := in.fill(); err != nil {
			t.Fatal(err)
		}
		switch {
		case in.first != nil && in.burst == nil && &in.b[0] == &in.first[0] && len(in.b) == firstIn:
			got = append(got, "first")
		case in.burst != nil && in.first == nil && &in.b[0] == &in.burst[0] && len(in.b) == burstIn:
			got = append(got, "burst")
		case in.first == nil && in.burst == nil && len(in.b) > 0:
			got = append(got, "own")
		default:
			t.Fatalf("%v: %d bytes, first %t, burst %t", got, len(in.b), in.first != nil, in.burst != nil)
		}
	}
	for range 4 {
		fill()
		in.skip(len(in.bytes()))
	}
	fill()
	in.skip(4000)
	in.room()
	fill()
	in.room()
	fill()
	in.skip(len(in.bytes()))
	fill()
	if d := cmp.Diff([]string{"first", "first", "burst", "burst", "first", "first", "own", "first"}, got); d != "" {
		t.Errorf("storage (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]int{firstIn, firstIn, burstIn, burstIn, firstIn, 4000, firstIn, firstIn}, src.had); d != "" {
		t.Errorf("room (-want +got):\n%s", d)
	}
	in.skip(len(in.bytes()))
	src.brings, src.had = []int{10}, nil
	_, _ = in.header(5) // a header has room for what comes with it
	if d := cmp.Diff([]int{burstIn}, src.had); d != "" {
		t.Errorf("room for a header (-want +got):\n%s", d)
	}
	if in.release(); in.b != nil || in.first != nil || in.burst != nil {
		t.Error("something is kept")
	}
}

// Storage is given back by a read that does not need it, by the answer's end before
// the connection can be another's, and by closing.
func TestStorageIsGivenBack(t *testing.T) {
	answer := func(b body) (*body, io.Writer) {
		near, far := tcp(t)
		b.c, b.ctx, b.stop, b.keep = newConn(New("", Options{MaxIdle: 1}), near), context.Background(), func() bool { return true }, true
		return &b, far
	}
	read := func(b *body, far io.Writer, say, want string) {
		t.Helper()
		if _, err := io.WriteString(far, say); err != nil {
			t.Fatal(err)
		}
		p := make([]byte, len(want))
		if _, err := io.ReadFull(b, p); err != nil || string(p) != want {
			t.Fatalf("%q, %v", p, err)
		}
	}
	has := func(what string, b *body, want bool) {
		t.Helper()
		if got := b.c.in.b != nil; got != want {
			t.Errorf("%s: storage %t, want %t", what, got, want)
		}
	}

	b, far := answer(body{left: 10 + 2*firstIn})
	read(b, far, "hello", "hello")
	has("a small read", b, true)
	if _, err := io.WriteString(far, "more"); err != nil {
		t.Fatal(err)
	}
	if n, err := b.Read(make([]byte, firstIn)); n != 4 || err != nil {
		t.Fatal(n, err)
	}
	has("a large read", b, false)
	rest := strings.Repeat("x", 1+2*firstIn)
	read(b, far, rest, rest)
	has("the end", b, false)
	if len(b.c.t.idle) != 1 || b.c.in.full {
		t.Errorf("%d idle, full %t", len(b.c.t.idle), b.c.in.full)
	}
	if lent, err := b.Lend(); lent != nil || !errors.Is(err, io.EOF) {
		t.Errorf("lent behind the end: %q, %v", lent, err)
	}
	b.c.t.CloseIdleConnections()

	b, far = answer(body{chunked: true, left: -1})
	read(b, far, "5\r\nhello\r\n", "hell")
	has("something is unread", b, true)
	_ = b.Close()
	has("closed", b, false)
	if lent, err := b.Lend(); lent != nil || !errors.Is(err, errClosed) {
		t.Errorf("lent of a closed body: %q, %v", lent, err)
	}
}

// tcp is a connection on loopback.
func tcp(t *testing.T) (near, far net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if near, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = near.Close() })
	if far, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = far.Close() })
	return near, far
}

// How a connection ends is told as it is, and nothing is read by it.
func TestEndsOfConnections(t *testing.T) {
	f := func(end func(near, far *net.TCPConn), want error) {
		t.Helper()
		near, far := tcp(t)
		c := newConn(nil, near)
		if _, err := far.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		if err := c.in.fill(); err != nil || string(c.in.bytes()) != "hello" {
			t.Fatalf("%q, %v", c.in.bytes(), err)
		}
		end(near.(*net.TCPConn), far.(*net.TCPConn))
		for range 2 { // with something unread, and without
			unread := string(c.in.bytes())
			if err := c.in.fill(); !errors.Is(err, want) || string(c.in.bytes()) != unread {
				t.Errorf("%v, want %v; %q is unread, before %q", err, want, c.in.bytes(), unread)
			}
			c.in.skip(len(unread))
		}
	}
	f(func(_, far *net.TCPConn) { _ = far.Close() }, io.EOF)
	f(func(near, _ *net.TCPConn) { _ = near.Close() }, net.ErrClosed)
	f(func(near, _ *net.TCPConn) { _ = near.SetReadDeadline(past) }, os.ErrDeadlineExceeded)
}

// A reset is no end in order.
func TestResetConnection(t *testing.T) {
	near, far := tcp(t)
	c := newConn(nil, near)
	_ = far.(*net.TCPConn).SetLinger(0)
	_ = far.Close()
	if err := c.in.fill(); err == nil || errors.Is(err, io.EOF) || len(c.in.bytes()) > 0 {
		t.Errorf("%v, %q", err, c.in.bytes())
	}
}
