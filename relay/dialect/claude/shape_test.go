package claude

import (
	"net/url"
	"testing"
	"time"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

// An event read by the shape of the one before it says the same as if it were
// read whole.
func FuzzShape(f *testing.F) {
	const head, tail = `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"`, `"}}`
	f.Add(head+"he"+tail, head+"llo"+tail)
	f.Add(head+"he"+tail, head+`l\n`+tail)
	f.Add(head+"he"+tail, head+`é`+tail)
	f.Add(head+"he"+tail, head+"\xff"+tail)
	f.Add(head+"he"+tail, head+`","type":"x","y":"`+tail)
	f.Add(head+"he"+tail, head+tail)
	f.Add(`{"type":"content_block_delta","delta":{"type":"text_delta","text":"a","x":"a"}}`, `{"type":"content_block_delta","delta":{"type":"text_delta","text":"a","x":"b"}}`)
	f.Add(`{"delta":{"text":"a","type":"text_delta"},"type":"content_block_delta","x":{"y":1,"text":"a"}}`, `{"delta":{"text":"a","type":"text_delta"},"type":"content_block_delta","x":{"y":1,"text":"b"}}`)
	base, err := url.Parse("https://p.example")
	if err != nil {
		f.Fatal(err)
	}
	d := New(dialect.Upstream{Base: base}, &Thoughts{})
	d.now = func() time.Time { return time.Unix(1, 0) }
	m := &dialect.Meta{Model: []byte(`"m"`)}
	begun := func() *decoder {
		dec := d.Stream(m).(*decoder)
		for _, e := range []string{
			`{"type":"message_start","message":{"id":"msg_1"}}`, `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`,
		} {
			if _, _, err := dec.Event(nil, nil, []byte(e)); err != nil {
				f.Fatal(err)
			}
		}
		return dec
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		shaped, fresh := begun(), begun()
		if _, _, err := shaped.Event(nil, nil, []byte(first)); err != nil || len(shaped.open) != 1 || shaped.finished || shaped.calls > 0 {
			return
		}
		text, at := shaped.text, shaped.cites.at
		got, gotState, gotErr := shaped.Event(nil, nil, []byte(second))
		want, wantState, wantErr := fresh.Event(nil, nil, []byte(second))
		if string(got) != string(want) || gotState != wantState || (gotErr == nil) != (wantErr == nil) {
			t.Fatalf("%q after %q: %q, state %d, %v; alone %q, state %d, %v", second, first, got, gotState, gotErr, want, wantState, wantErr)
		}
		if shaped.text-text != fresh.text || shaped.cites.at-at != fresh.cites.at {
			t.Fatalf("%q after %q: %d bytes, %d characters; alone %d, %d", second, first, shaped.text-text, shaped.cites.at-at, fresh.text, fresh.cites.at)
		}
	})
}
