package dialect_test

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

func bodyOf(s string) *dialect.Body {
	b := dialect.NewBody(len(s))
	b.Set(append(b.Bytes(), s...))
	return b
}

func TestSplice(t *testing.T) {
	f := func(in, want string, edits ...dialect.Edit) {
		t.Helper()
		b := bodyOf(in)
		defer b.Release()
		for name, wrap := range map[string]func(io.Reader) io.Reader{"whole": nil, "bytewise": iotest.OneByteReader, "halves": iotest.HalfReader} {
			s, n := b.Splice(edits)
			var r io.Reader = s
			if wrap != nil {
				r = wrap(r)
			}
			got, err := io.ReadAll(r)
			if string(got) != want || n != int64(len(want)) || err != nil {
				t.Errorf("%s: %q (%d), %v, want %q", name, got, n, err, want)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if _, err := s.Read(make([]byte, 1)); err == nil {
				t.Error("a read after Close succeeds")
			}
		}
	}
	edit := func(from, to int, text string) dialect.Edit {
		return dialect.Edit{Span: dialect.Span{Start: from, End: to}, Text: []byte(text)}
	}
	f("", "")
	f("abc", "abc")
	f("abc", "xbc", edit(0, 1, "x"))
	f("abc", "abx", edit(2, 3, "x"))
	f("abc", "xyz", edit(0, 3, "xyz"))
	f("abc", "", edit(0, 3, ""))
	f("abc", "abcx", edit(3, 3, "x"))
	f("abc", "xabyc", edit(0, 0, "x"), edit(2, 2, "y"))
	f("abc", "c", edit(0, 1, ""), edit(1, 2, ""))
	f("abcdef", "aWXYZdf", edit(1, 3, "WXYZ"), edit(4, 5, ""))
}

func TestRemoveMembers(t *testing.T) {
	// Members are named in order; each ~ marks where a member to take out
	// begins (the end of the value before it), each ^ where it ends.
	f := func(in, want string) {
		t.Helper()
		var members []dialect.Span
		var plain strings.Builder
		for _, ch := range in {
			switch ch {
			case '~':
				members = append(members, dialect.Span{Start: plain.Len()})
			case '^':
				members[len(members)-1].End = plain.Len()
			default:
				plain.WriteRune(ch)
			}
		}
		b := bodyOf(plain.String())
		r, _ := b.Splice(dialect.RemoveMembers(nil, b.Bytes(), 1, members...))
		got, err := io.ReadAll(r)
		if string(got) != want || err != nil {
			t.Errorf("%s: %q, %v, want %q", in, got, err, want)
		}
	}
	f(`{"a":1}`, `{"a":1}`)
	f(`{~"a":1^,"b":2}`, `{"b":2}`)
	f(`{~ "a":1^ , "b":2}`, `{ "b":2}`)
	f(`{"a":1~,"b":2^}`, `{"a":1}`)
	f(`{"a":1~ , "b":2^,"c":3}`, `{"a":1,"c":3}`)
	f(`{~"a":1^~,"b":2^,"c":3}`, `{"c":3}`)
	f(`{~"a":1^~ ,"b":2^}`, `{}`)
	f(`{~"a":1^,"b":2~,"c":3^,"d":4}`, `{"b":2,"d":4}`)
	f(`{"a":1~,"b":2^~,"c":3^}`, `{"a":1}`)
}
