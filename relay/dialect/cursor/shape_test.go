package cursor_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/cursor"
)

// spanOf is where part stands in text.
func spanOf(text, part string) dialect.Span {
	i := strings.Index(text, part)
	return dialect.Span{Start: i, End: i + len(part)}
}

func TestShape(t *testing.T) {
	const first = `{"a":1,"text":"he","n":[10,{"m":20}],"z":0}`
	var shape cursor.Shape
	f := func(text, want string) {
		t.Helper()
		counts := make([]int, 2)
		hole, ok := shape.Match([]byte(text), counts)
		got := "no"
		if ok {
			got = fmt.Sprintf("%s %v", text[hole.Start:hole.End], counts)
		}
		if got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	f(first, "no") // nothing is learnt yet
	shape.Learn([]byte(first), spanOf(first, `"he"`), spanOf(first, "10"), spanOf(first, "20"))
	f(first, `"he" [10 20]`)
	f(`{"a":1,"text":"x","n":[0,{"m":123456789}],"z":0}`, `"x" [0 123456789]`)
	f(`{"a":1,"text":"","n":[0,{"m":1}],"z":0}`, "no")
	f(`{"a":1,"text":"l\"\u00e9","n":[1,{"m":2}],"z":0}`, `"l\"\u00e9" [1 2]`)
	for _, other := range []string{
		``, `{"a":1,"text":`, `{"a":2,"text":"he","n":[10,{"m":20}],"z":0}`, `{"a":1,"text":null,"n":[10,{"m":20}],"z":0}`,
		`{"a":1,"text":"he","n":[10,{"m":20}],"z":1}`, `{"a":1,"text":"he","n":[10,{"m":20}],"z":0}}`, `{"a":1,"text":"he","n":[10,{"m":20}]`,
		`{"a":1,"text":"he","n":[,{"m":20}],"z":0}`, `{"a":1,"text":"he","n":[01,{"m":20}],"z":0}`, `{"a":1,"text":"he","n":[1e3,{"m":20}],"z":0}`,
		`{"a":1,"text":"he","n":[-1,{"m":20}],"z":0}`, `{"a":1,"text":"he","n":[1234567890,{"m":20}],"z":0}`,
		`{"a":1,"text":"he\","n":[10,{"m":20}],"z":0}`, "{\"a\":1,\"text\":\"\xff\",\"n\":[10,{\"m\":20}],\"z\":0}", "{\"a\":1,\"text\":\"\n\",\"n\":[10,{\"m\":20}],\"z\":0}",
	} {
		f(other, "no")
	}
	// A count in the place of what stands before it.
	f(`{"a":1,"text":"he"5,{"m":20}],"z":0}`, "no")
	f(`{"a":1,"text":"he","n":[1020}],"z":0}`, "no")
	f(`{"a":1,"text":"he"1,{"m":20}],"z":0}`, "no")
	shape.Learn([]byte(first), spanOf(first, `"he"`), spanOf(first, "10"), spanOf(first, "20"))
	f(first, `"he" [10 20]`) // the same once more
	if _, ok := shape.Match([]byte(first), make([]int, 1)); ok {
		t.Error("with another number of counts than were learnt")
	}
	shape.Learn([]byte(first), spanOf(first, `"he"`), spanOf(first, "1"), spanOf(first, "20"))
	f(first, "no") // a count before the string
	long := `{"x":"` + strings.Repeat("x", 4<<10) + `","text":"he"}`
	shape.Learn([]byte(long), spanOf(long, `"he"`))
	if _, ok := shape.Match([]byte(long), nil); ok {
		t.Error("any length is learnt")
	}
}

// FuzzShape: what matches is JSON, and nothing but the string and the count differ.
func FuzzShape(f *testing.F) {
	f.Add(`{"t":"a\n","n":5}`)
	f.Add(`{"t":"","n":50}`)
	f.Add(`{"t":"\","n":5}`)
	const first = `{"t":"he","n":10}`
	f.Fuzz(func(t *testing.T, text string) {
		var shape cursor.Shape
		shape.Learn([]byte(first), spanOf(first, `"he"`), spanOf(first, "10"))
		counts := []int{0}
		hole, ok := shape.Match([]byte(text), counts)
		if !ok {
			return
		}
		str := text[hole.Start:hole.End]
		var got struct {
			T string
			N int
		}
		var words string
		if err := json.Unmarshal([]byte(text), &got); err != nil || json.Unmarshal([]byte(str), &words) != nil {
			t.Fatalf("%q matches: %v", text, err)
		}
		if again := fmt.Sprintf(`{"t":%s,"n":%d}`, str, counts[0]); again != text || got.T != words || got.N != counts[0] {
			t.Fatalf("%q is read as %q", text, again)
		}
	})
}
