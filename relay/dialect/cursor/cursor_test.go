package cursor_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/cursor"
)

// whole reports whether text is one JSON value, as the cursor sees it.
func whole(text []byte) bool {
	c := cursor.New(text)
	_, ok := c.Value()
	return ok && c.Done()
}

func TestValue(t *testing.T) {
	f := func(text string, want bool) {
		t.Helper()
		if got := whole([]byte(text)); got != want || want != json.Valid([]byte(text)) {
			t.Errorf("%s: %v", text, got)
		}
	}
	for _, good := range []string{
		`{}`, `[]`, ` { "a" : [ ] , "b" : { } } `, `[1,-0.5e+9,0,true,false,null,"x"]`, `"\"\\\/\b\f\n\r\t\u00e9é"`, `0`, `{"a":{"b":[{"c":[[]]}]}}`,
	} {
		f(good, true)
	}
	for _, bad := range []string{
		``, ` `, `{`, `[`, `{]`, `[}`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `[,]`, `[1,]`, `[1 2]`, `{"a":1 "b":2}`, `{a:1}`, `{"a":1}}`, `1 2`,
		`01`, `-`, `1.`, `.5`, `1e`, `+1`, `tru`, `nul`, `"`, `"\x"`, `"\u12"`, `"\u12g4"`, "\"\n\"", `'a'`,
	} {
		f(bad, false)
	}
	const deep = 600
	if whole([]byte(strings.Repeat("[", deep) + strings.Repeat("]", deep))) {
		t.Error("any depth is walked")
	}
}

// An object's members can be left out, each with the one comma that is its own.
func TestObjectDropping(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		c := cursor.New([]byte(text))
		var spans []dialect.Span
		ok := c.ObjectDropping(func(key []byte) bool {
			_, ok := c.Value()
			if string(key) == "x" {
				c.Drop()
			}
			return ok
		}, func(s dialect.Span) { spans = append(spans, s) })
		var out []byte
		pos := 0
		for _, s := range spans {
			out = append(out, text[pos:s.Start]...)
			pos = s.End
		}
		if out = append(out, text[pos:]...); string(out) != want || !ok || !c.Done() {
			t.Errorf("%s: %s, %v, want %s", text, out, ok, want)
		}
	}
	f(`{}`, `{}`)
	f(`{"a":1}`, `{"a":1}`)
	f(`{"x":1}`, `{}`)
	f(`{"x":1,"a":2}`, `{"a":2}`)
	f(`{"a":1,"x":{"x":1},"b":2}`, `{"a":1,"b":2}`)
	f(`{"a":1 , "x":2}`, `{"a":1 }`)
}

func TestNumbers(t *testing.T) {
	f := func(text string, want int) {
		t.Helper()
		c := cursor.New([]byte(text))
		got := -1
		if !c.Into(&got) || !c.Done() || got != want {
			t.Errorf("%s: %d, want %d", text, got, want)
		}
	}
	f(`7`, 7)
	f(`7.0`, 7)
	f(`-7`, 0)
	f(`99999999999999999999`, 1<<31-1)
	f(`"7"`, 0)
	f(`null`, 0)
	f(`{"a":[7]}`, 0)
}

// FuzzValue compares the cursor with the standard library.
func FuzzValue(f *testing.F) {
	f.Add([]byte(`{"a":[1,2.5e-3,"\u00e9",null,true,{"b":{}}]}`))
	f.Add([]byte(`[[[[`))
	f.Fuzz(func(t *testing.T, in []byte) {
		if bytes.Count(in, []byte("["))+bytes.Count(in, []byte("{")) > 500 {
			return // the depth is bounded
		}
		if got, want := whole(in), json.Valid(in); got != want {
			t.Errorf("%q: %v, want %v", in, got, want)
		}
	})
}
