package strict

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// read reads a whole text.
func read(text []byte) error {
	var r Reader
	r.Reset(text)
	if err := r.Skip(); err != nil {
		return err
	}
	return r.End()
}

func TestRefuses(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		err := read([]byte(in))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %s", in, err, want)
		}
	}
	long := strings.Repeat("x", 50)
	f(``, io.ErrUnexpectedEOF.Error())
	f(`{"a":1,"a":2}`, `duplicate member name "a" at offset 7`)
	f(`{"a":1,"\u0061":2}`, `duplicate member name "a" at offset 7`)
	f(`[{"a":{"b":1,"b":2}}]`, `duplicate member name "b" at offset 13`)
	f(`{"":1,"":2}`, `duplicate member name ""`)
	f(`{"`+long+`":1,"`+long+`":2}`, `duplicate member name`)
	f(`"`+long+"\x01"+`"`, `invalid character '\x01' at offset 51`)
	f(`"`+long+"\xff"+`"`, `invalid UTF-8 at offset 51`)
	f("\"\xff\"", `invalid UTF-8 at offset 1`)
	f(`"`+long+`\x"`, `invalid escape sequence "\\x" at offset 51`)
	f(`"\ud800"`, `invalid surrogate pair "\\ud800" at offset 1`)
	f(`"\udc00\ud800"`, `invalid surrogate pair`)
	f(`"\ud800\u0041"`, `invalid surrogate pair`)
	f(`"\u12g4"`, `invalid escape sequence "\\u12g4" at offset 1`)
	f(`[1,]`, `invalid character ']' at offset 3`)
	f(`[,1]`, `invalid character ',' at offset 1`)
	f(`{"a":1,}`, `invalid character '}' at offset 7`)
	f(`{"a" 1}`, `invalid character '1' at offset 5`)
	f(`{a:1}`, `invalid character 'a' at offset 1`)
	f(`[1 2]`, `invalid character '2' at offset 3`)
	f(`01`, `more after the object, at offset 1`)
	f(`1.`, io.ErrUnexpectedEOF.Error())
	f(`-a`, `invalid character 'a' at offset 1`)
	f(`nul`, io.ErrUnexpectedEOF.Error())
	f(`nulx`, `invalid character 'x' at offset 3`)
	f(`{} {}`, `more after the object, at offset 3`)
	f(strings.Repeat("[", MaxDepth+1), `nested deeper than 10000 levels at offset 10000`)
}

// A large object's names are told apart as those of a small one.
func TestManyNames(t *testing.T) {
	var in strings.Builder
	for n := range 5 * fewNames {
		in.WriteString(`,"n` + strconv.Itoa(n) + `":{"n` + strconv.Itoa(n) + `":1}`)
	}
	good := "{" + in.String()[1:] + "}"
	if err := read([]byte(good)); err != nil {
		t.Error(err)
	}
	for _, n := range []int{0, fewNames - 1, fewNames, 5*fewNames - 1} {
		bad := "{" + in.String()[1:] + `,"n` + strconv.Itoa(n) + `":1}`
		if err := read([]byte(bad)); err == nil || !strings.Contains(err.Error(), "duplicate") {
			t.Errorf("n%d twice: %v", n, err)
		}
	}
}

func TestUnquote(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := Unquote([]byte(in)); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
	f(`""`, "")
	f(`"a/b"`, "a/b")
	f(`"\u0061\n\ud83d\ude00"`, "a\n😀")
	f(`12`, "")
	f(`null`, "")
}

// FuzzReader: a text passes exactly where it passes the strict parser of a
// well-known library.
func FuzzReader(f *testing.F) {
	for _, in := range []string{
		`{"a":[1,2.5e-3,{"b":null}],"c":"d\n\u00e9\ud83d\ude00","e":true,"f":false}`, ` [ ] `, `"aaaaaaaaaaaaaaaaaaaaaaaaé"`,
		`{"a":1,"\u0061":2}`, `-0`, `1E+2`, `"\ud800"`, "\"\xed\xa0\x80\"", `{"a":{},"b":{"a":1}}`, `[[[[]]],{}]`, "\ufeff1",
	} {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		dec := jsontext.NewDecoder(bytes.NewReader(in))
		want := dec.SkipValue()
		if want == nil {
			if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
				want = errors.New("more")
			}
		}
		if got := read(in); (got == nil) != (want == nil) {
			t.Fatalf("%q: %v, the other says %v", in, got, want)
		}
	})
}

func BenchmarkSkip(b *testing.B) {
	f := func(name, text string) {
		in := []byte(`{"model":"m","messages":[{"role":"user","content":"` + strings.Repeat(text, 100_000/len(text)) + `"}]}`)
		b.Run(name, func(b *testing.B) {
			var r Reader
			b.ReportAllocs()
			b.SetBytes(int64(len(in)))
			for b.Loop() {
				r.Reset(in)
				if r.Skip() != nil || r.End() != nil {
					b.Fatal("refused")
				}
			}
		})
	}
	f("ascii", "lorem ipsum ")
	f("escapes", `if a == \"b\" {\n\treturn\n}\n`)
	f("chinese", "负载均衡网关")
}
