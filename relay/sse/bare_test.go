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

func readBare(src io.Reader) (all []sse.Event, err error) {
	r := sse.NewReader(src, 1<<10)
	r.ReadBare()
	for {
		e, err := r.Next()
		if err != nil {
			return all, err
		}
		all = append(all, sse.Event{Name: []byte(string(e.Name)), Data: []byte(string(e.Data)), Bare: e.Bare})
	}
}

func TestReadBare(t *testing.T) {
	plain := func(data string) sse.Event { return sse.Event{Name: []byte{}, Data: []byte(data)} }
	bare := func(data string) sse.Event { return sse.Event{Name: []byte{}, Data: []byte(data), Bare: true} }
	f := func(in string, want ...sse.Event) {
		t.Helper()
		for name, src := range map[string]io.Reader{
			"whole":    strings.NewReader(in),
			"bytewise": iotest.OneByteReader(strings.NewReader(in)),
		} {
			got, err := readBare(src)
			if !errors.Is(err, io.EOF) {
				t.Errorf("%s: %q: error %v, want EOF", name, in, err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s: %q (-want +got):\n%s", name, in, d)
			}
		}
	}
	f("")
	f("data: {\"a\":1}\n\n", plain(`{"a":1}`))
	f(`{"error":{}}`, bare(`{"error":{}}`))
	f("data: a\n\n{\n \"e\": {\"m\": \"x}\\\"{\"}\n}\n", plain("a"), bare("{\n \"e\": {\"m\": \"x}\\\"{\"}\n}"))
	f("data: a\n\n{\"e\":1}\r\n\r\ndata: b\n\n", plain("a"), bare(`{"e":1}`), plain("b"))
	f("[{\"a\":[1,{}]}\n,\r\n{\"b\":2}\n]\n", bare(`{"a":[1,{}]}`), bare(`{"b":2}`))
	f("[{\"a\":1},{\"b\":2}]", bare(`{"a":1}`), bare(`{"b":2}`))
	f("[\n{\"a\":1}\n]", bare(`{"a":1}`))
	f("data: a\n\n[\n  {\"a\":1},\r\n  {\"b\":2}\n]\n\ndata: b\n\n", plain("a"), bare(`{"a":1}`), bare(`{"b":2}`), plain("b"))
	f("data: a\n\n[\n  {\n   \"e\": 1\n  }\n]", plain("a"), bare("{\n   \"e\": 1\n  }"))
	// The end of the stream hands out what there is; it is no JSON then.
	f("data: a\n\n{\"e\":", plain("a"), bare(`{"e":`))
	// What belongs to an event is not bare.
	f("event: x\n{\"e\":1}\ndata: a\n\n", sse.Event{Name: []byte("x"), Data: []byte("a")})
	f("junk\n[DONE]\ndata: a\n\n", plain("a"))

	if _, err := readBare(strings.NewReader("{" + strings.Repeat(" ", 2<<10))); !errors.Is(err, sse.ErrTooLong) {
		t.Errorf("an endless object: %v", err)
	}
}

// A reader that was not asked to treats bare text as the lines without meaning
// that it always was.
func TestBareTextIsPassedOver(t *testing.T) {
	for _, in := range []string{"{\"e\":1}\n\ndata: a\n\n", "[{\"e\":\n1}]\ndata: a\n\n", "{\ndata: a\n\n"} {
		got, err := readAll(t, sse.NewReader(strings.NewReader(in), 1<<10))
		if d := cmp.Diff([]event{{"", "a"}}, got); d != "" || !errors.Is(err, io.EOF) {
			t.Errorf("%q: %v, %v", in, got, err)
		}
	}
}

func FuzzReadBare(f *testing.F) {
	f.Add("data: a\n\n{\"e\":\"}\"}\n", 3)
	f.Add("[{\"a\":1}\n,\n{\"b\":[2]}]", 7)
	f.Fuzz(func(t *testing.T, in string, cut int) {
		whole, err := readBare(strings.NewReader(in))
		cut = min(max(cut, 0), len(in))
		halves, err2 := readBare(io.MultiReader(strings.NewReader(in[:cut]), strings.NewReader(in[cut:])))
		if d := cmp.Diff(whole, halves); d != "" || errors.Is(err, io.EOF) != errors.Is(err2, io.EOF) {
			t.Errorf("%q cut at %d: %v, %v (-whole +halves):\n%s", in, cut, err, err2, d)
		}
	})
}
