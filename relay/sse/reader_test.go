package sse_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/relay/sse"
)

type event struct{ Name, Data string }

func readAll(t *testing.T, r *sse.Reader) ([]event, error) {
	t.Helper()
	var all []event
	for {
		e, err := r.Next()
		if err != nil {
			return all, err
		}
		all = append(all, event{string(e.Name), string(e.Data)})
	}
}

func TestNextReadsWhatTheStandardAllows(t *testing.T) {
	f := func(in string, want ...event) {
		t.Helper()
		for name, src := range map[string]io.Reader{
			"whole":    strings.NewReader(in),
			"bytewise": iotest.OneByteReader(strings.NewReader(in)),
			"with end": iotest.DataErrReader(strings.NewReader(in)),
		} {
			got, err := readAll(t, sse.NewReader(src, 1<<20))
			if !errors.Is(err, io.EOF) {
				t.Errorf("%s: %q: error %v, want EOF", name, in, err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s: %q (-want +got):\n%s", name, in, d)
			}
		}
		for i := range in {
			for name, src := range map[string]io.Reader{
				"read": io.MultiReader(strings.NewReader(in[:i]), strings.NewReader(in[i:])),
				"lent": &lender{pieces: []string{in[:i], in[i:]}},
			} {
				got, err := readAll(t, sse.NewReader(src, 1<<20))
				if d := cmp.Diff(want, got); d != "" || !errors.Is(err, io.EOF) {
					t.Errorf("%s: %q and %q: error %v (-want +got):\n%s", name, in[:i], in[i:], err, d)
				}
			}
		}
	}
	f("")
	f("data: a\n\nevent: e\ndata: b\n\n", event{"", "a"}, event{"e", "b"})
	f("\n\n\n")
	f("data: a\n\n", event{"", "a"})
	f("data:a\n\ndata:  b\n\n", event{"", "a"}, event{"", " b"})
	f("data: a\r\n\r\ndata: b\r\n\r\n", event{"", "a"}, event{"", "b"})
	f("data: a\r\rdata: b\r\r", event{"", "a"}, event{"", "b"})
	f("data: a\r\n\ndata: b\n\r\n", event{"", "a"}, event{"", "b"})
	f("\xef\xbb\xbfdata: a\n\n", event{"", "a"})
	f(": ping\n\ndata: a\n: in between\n\n", event{"", "a"})
	f("event: error\ndata: x\n\ndata: y\n\n", event{"error", "x"}, event{"", "y"})
	f("event: alone\n\ndata: y\n\n", event{"", "y"})
	f("data: a\ndata: b\ndata\n\n", event{"", "a\nb\n"})
	f("id: 1\nretry: 5\ndatax: no\ndata: a\n\n", event{"", "a"})
	f("data\n\n", event{"", ""})
	// Beyond the standard: what the end of the stream cuts short of its empty line.
	f("data: a\n\ndata: b\n", event{"", "a"}, event{"", "b"})
	f("data: a\n\ndata: b", event{"", "a"}, event{"", "b"})
	f("data: a\n\nevent: x\n", event{"", "a"})
}

// lender lends its pieces, and is read where the reader wants more behind one, as a
// connection is: from one array with room behind what came, which the next call
// overwrites. Behind an error it is not to be called.
type lender struct {
	pieces []string
	room   [64]byte
	over   bool
}

func (l *lender) next(p []byte) (int, error) {
	for i := range l.room {
		l.room[i] = '#'
	}
	for len(l.pieces) > 0 && l.pieces[0] == "" {
		l.pieces = l.pieces[1:]
	}
	switch {
	case l.over:
		return 0, errors.New("called behind the end")
	case len(l.pieces) == 0:
		l.over = true
		return 0, io.EOF
	}
	n := copy(p, l.pieces[0])
	l.pieces[0] = l.pieces[0][n:]
	return n, nil
}

func (l *lender) Lend() ([]byte, error) {
	var came [64]byte
	n, err := l.next(came[:])
	return l.room[:copy(l.room[:], came[:n])], err
}

func (l *lender) Read(p []byte) (int, error) { return l.next(p) }

// roomy is a source that notes the room it is given.
type roomy struct {
	io.Reader
	rooms []int
}

func (r *roomy) Read(p []byte) (int, error) {
	r.rooms = append(r.rooms, len(p))
	return r.Reader.Read(p)
}

// A reader that is used again neither calls its last source nor writes to what that
// lent, and keeps its own storage unless that grew large.
func TestReset(t *testing.T) {
	lent := &lender{pieces: []string{"data: lent\n\nda", "never"}}
	r := sse.NewReader(lent, 1<<20)
	if e, err := r.Next(); err != nil || string(e.Data) != "lent" {
		t.Fatalf("%q, %v", e.Data, err)
	}
	was := lent.room
	read := func(want string) (rooms []int) {
		t.Helper()
		src := &roomy{Reader: strings.NewReader("data: " + want + "\n\n")}
		r.Reset(src, 1<<20)
		if e, err := r.Next(); err != nil || string(e.Data) != want {
			t.Errorf("%d bytes, want %d: %v", len(e.Data), len(want), err)
		}
		return src.rooms
	}
	if d := cmp.Diff([]int{4 << 10}, read("read")); d != "" {
		t.Errorf("room (-want +got):\n%s", d)
	}
	if lent.room != was || len(lent.pieces) != 2 {
		t.Errorf("the last source: %q, %q", lent.room, lent.pieces)
	}
	read(strings.Repeat("x", 5<<10))
	if d := cmp.Diff([]int{8 << 10}, read("again")); d != "" {
		t.Errorf("room behind a longer event (-want +got):\n%s", d)
	}
	read(strings.Repeat("x", 40<<10))
	if d := cmp.Diff([]int{4 << 10}, read("again")); d != "" {
		t.Errorf("room behind a long event (-want +got):\n%s", d)
	}
}

func TestNextRefusesAnEventBeyondTheLimit(t *testing.T) {
	const limit = 10 << 10
	r := sse.NewReader(strings.NewReader("data: ok\n\ndata: "+strings.Repeat("x", limit)+"\n\n"), limit)
	got, err := readAll(t, r)
	if d := cmp.Diff([]event{{"", "ok"}}, got); d != "" || !errors.Is(err, sse.ErrTooLong) {
		t.Errorf("error %v, events (-want +got):\n%s", err, d)
	}
}

func TestNextTakesAnEventJustBelowTheLimit(t *testing.T) {
	const limit = 10 << 10
	data := strings.Repeat("x", limit-len("data: \n\n"))
	got, err := readAll(t, sse.NewReader(strings.NewReader("data: "+data+"\n\n"), limit))
	if len(got) != 1 || got[0].Data != data || !errors.Is(err, io.EOF) {
		t.Errorf("%d events, error %v", len(got), err)
	}
}

func TestNextHandsOverWhatCameBeforeAnError(t *testing.T) {
	broken := errors.New("broken")
	src := io.MultiReader(strings.NewReader("data: a\n\ndata: half"), iotest.ErrReader(broken))
	got, err := readAll(t, sse.NewReader(src, 1<<10))
	if d := cmp.Diff([]event{{"", "a"}}, got); d != "" || !errors.Is(err, broken) {
		t.Errorf("error %v, events (-want +got):\n%s", err, d)
	}
}

func TestBufferedTellsWhetherNextWouldRead(t *testing.T) {
	r := sse.NewReader(strings.NewReader("data: a\n\ndata: b\n\ndata: c"), 1<<10)
	for i, want := range []bool{true, false, false} {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		if got := r.Buffered(); got != want {
			t.Errorf("after event %d: Buffered is %v, want %v", i, got, want)
		}
	}
}

// FuzzNext holds the reader against a plain reading of the standard, however
// the bytes are cut into reads.
func FuzzNext(f *testing.F) {
	f.Add([]byte("data: a\n\nevent: e\r\ndata: b\r\ndata: c\r\n\r\n"), 3)
	f.Add([]byte("\xef\xbb\xbf:c\ndata\n\ndata:x"), 1)
	f.Add([]byte("data: a\r\r\ndata: b"), 2)
	f.Fuzz(func(t *testing.T, in []byte, step int) {
		want := plain(string(in))
		step = 1 + (step&0xffff)%(20<<10)
		for name, src := range map[string]io.Reader{
			"read": &stepReader{in, step}, "lent": &lending{stepReader: stepReader{in, step}},
		} {
			got, err := readAll(t, sse.NewReader(src, 1<<20))
			if !errors.Is(err, io.EOF) {
				t.Fatalf("%s: error %v", name, err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Fatalf("%s: %q by %d (-want +got):\n%s", name, in, step, d)
			}
		}
	})
}

// lending is a stepReader of which every second step can be lent, until the next
// call overwrites it.
type lending struct {
	stepReader
	lent []byte
	odd  bool
}

func (r *lending) Lend() ([]byte, error) {
	r.spoil()
	if r.odd = !r.odd; !r.odd {
		return nil, nil
	}
	r.lent = make([]byte, r.step)
	n, err := r.stepReader.Read(r.lent)
	return r.lent[:n], err
}

func (r *lending) Read(p []byte) (int, error) {
	r.spoil()
	return r.stepReader.Read(p)
}

func (r *lending) spoil() {
	for i := range r.lent {
		r.lent[i] = '\n'
	}
}

type stepReader struct {
	rest []byte
	step int
}

func (r *stepReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.rest[:min(r.step, len(r.rest))])
	r.rest = r.rest[n:]
	return n, nil
}

// plain reads a whole stream the slow way.
func plain(in string) []event {
	in = strings.ReplaceAll(in, "\r\n", "\n")
	in = strings.ReplaceAll(in, "\r", "\n")
	var all []event
	var e event
	var data []string
	first := true
	end := func() {
		if data != nil {
			e.Data = strings.Join(data, "\n")
			all = append(all, e)
		}
		e, data = event{}, nil
	}
	lines := strings.Split(in, "\n")
	for i, line := range lines {
		if line == "" && i == len(lines)-1 {
			break
		}
		if line == "" {
			end()
			continue
		}
		if first {
			line = strings.TrimPrefix(line, "\xef\xbb\xbf")
			first = false
		}
		key, val, _ := strings.Cut(line, ":")
		val = strings.TrimPrefix(val, " ")
		switch key {
		case "event":
			e.Name = val
		case "data":
			data = append(data, val)
		}
	}
	end()
	return all
}

func BenchmarkNext(b *testing.B) {
	const one = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"m","choices":[{"index":0,"delta":{"content":"hello"},"finish_reason":null}]}` + "\n\n"
	stream := strings.Repeat(one, 1000)
	r := sse.NewReader(nil, 0)
	b.ReportAllocs()
	b.SetBytes(int64(len(one)))
	for n := 0; n < b.N; {
		r.Reset(strings.NewReader(stream), 1<<20)
		for {
			if _, err := r.Next(); err != nil {
				break
			}
			n++
		}
	}
}
