package openai

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

// A chunk read by the shape of the one before it comes out as if it were the
// first of its stream.
func FuzzShape(f *testing.F) {
	const head, tail = `{"id":"c","model":"up","choices":[{"index":0,"delta":{"content":"`, `"},"finish_reason":null}],"usage":null}`
	f.Add(head+"he"+tail, head+"llo"+tail)
	f.Add(head+"he"+tail, head+`l\"`+tail)
	f.Add(head+"he"+tail, head+`","finish_reason":"stop","x":"`+tail)
	f.Add(head+"he"+tail, head+`\`+tail)
	f.Add(head+"he"+tail, head+"\xff"+tail)
	f.Add(head+"he"+tail, head+"a\nb"+tail)
	f.Add(head+"he"+tail, head+tail)
	f.Add("{\r"+head[1:]+"he"+tail, "{\r"+head[1:]+"llo"+tail)
	f.Add("{\n"+head[1:]+"he"+tail, "{\n"+head[1:]+"llo"+tail)
	f.Add(head+"he"+tail, head+`"`+tail)
	f.Add(`{"error":null,"choices":[{"delta":{"reasoning":"a"}}],"model":1}`, `{"error":null,"choices":[{"delta":{"reasoning":"bb"}}],"model":1}`)
	f.Add(`{"model":"up","choices":[{"delta":{"content":"he","reasoning":"x"}}]}`, `{"model":"up","choices":[{"delta":{"content":"l\"lo","reasoning":"x"}}]}`)
	f.Add(`{"choices":[{"delta":{"content":"hello"}}],"usage":null,"model":"up"}`, `{"choices":[{"delta":{"content":"h"}}],"usage":null,"model":"up"}`)
	f.Add(`{"choices":[{"text":"a"},{"text":"b"}]}`, `{"choices":[{"text":"a"},{"text":"c"}]}`)
	f.Add(`{"choices":[{"index":0,"text":"a","finish_reason":"stop"}]}`, `{"choices":[{"index":0,"text":"b","finish_reason":"stop"}]}`)
	f.Fuzz(func(t *testing.T, first, second string) {
		for _, m := range []dialect.Meta{{}, {WantUsage: true}, {DropReasoning: true}} {
			m.Model = []byte(`"m"`)
			d, fresh := decoderFor(m).(*Decoder), decoderFor(m).(*Decoder)
			if _, _, err := d.Event(nil, nil, []byte(first)); err != nil {
				return
			}
			before := d.textBytes
			got, gotState, gotErr := d.Event(nil, nil, []byte(second))
			want, wantState, wantErr := fresh.Event(nil, nil, []byte(second))
			if string(got) != string(want) || gotState != wantState || (gotErr == nil) != (wantErr == nil) {
				t.Fatalf("%q after %q: %q, state %d, %v; alone %q, state %d, %v", second, first, got, gotState, gotErr, want, wantState, wantErr)
			}
			if d.textBytes-before != fresh.textBytes || d.began|fresh.began != d.began || d.ended|fresh.ended != d.ended {
				t.Fatalf("%q after %q: %d bytes of text, %b began, %b ended; alone %d, %b, %b", second, first,
					d.textBytes-before, d.began, d.ended, fresh.textBytes, fresh.began, fresh.ended)
			}
		}
	})
}

// The shape is used where it fits, and only there.
func TestShape(t *testing.T) {
	d := decoderFor(dialect.Meta{}).(*Decoder)
	type step struct {
		Out     string
		ByShape bool
	}
	var got []step
	for _, text := range []string{"he", "llo", "", `\n`, `\`} {
		data := []byte(`{"id":"c","model":"up","choices":[{"index":0,"delta":{"content":"` + text + `"},"finish_reason":null}]}`)
		_, fits := d.shape.Match(data, nil)
		out, _, err := d.Event(nil, nil, data)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, step{string(out), fits})
	}
	event := func(text string) string {
		return `data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"` + text + `"},"finish_reason":null}]}` + "\n\n"
	}
	want := []step{{event("he"), false}, {event("llo"), true}, {event(""), false}, {event(`\n`), true}, {"", false}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// What was learnt stands while other chunks come by, and does not grow.
func TestShapeStands(t *testing.T) {
	d := decoderFor(dialect.Meta{}).(*Decoder)
	chunk := func(text string) string {
		return `{"model":"up","choices":[{"index":0,"delta":{"content":"` + text + `"}}],"usage":null}`
	}
	const other = `{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{}"}}]}}],"obj":"x","model":"another","usage":null,"error":null}`
	for _, text := range []string{"a", "bcd", "ef"} {
		for _, data := range []string{chunk(text), other, chunk(text + text)} {
			got, _, err := d.Event(nil, nil, []byte(data))
			want, _, _ := decoderFor(dialect.Meta{}).Event(nil, nil, []byte(data))
			if err != nil || string(got) != string(want) {
				t.Errorf("%s: %q, want %q: %v", data, got, want, err)
			}
		}
	}
	for i := range 100 { // shapes of their own
		data := []byte(`{"model":"up","n` + strings.Repeat("n", i) + `":1,"choices":[{"index":0,"delta":{"content":"a"}}]}`)
		if _, _, err := d.Event(nil, nil, data); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(d.shape.store); n != len(d.model) {
		t.Errorf("%d bytes of changes are kept, want %d", n, len(d.model))
	}
}
