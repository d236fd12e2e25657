package claude

import (
	"net/url"
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/azure"
	"github.com/PPKunOfficial/berry-api/relay/dialect/openai"
)

// BenchmarkEvent is the work on one event of text: translated, mended, and
// passed through, which is the measure.
func BenchmarkEvent(b *testing.B) {
	base, err := url.Parse("https://p.example")
	if err != nil {
		b.Fatal(err)
	}
	m := &dialect.Meta{Model: []byte(`"asked"`)}
	f := func(name string, dec dialect.StreamDecoder, events ...string) {
		b.Run(name, func(b *testing.B) {
			var dst []byte
			for _, e := range events[:len(events)-1] {
				if dst, _, err = dec.Event(dst[:0], nil, []byte(e)); err != nil {
					b.Fatal(err)
				}
			}
			event := events[len(events)-1]
			data := [][]byte{[]byte(event), []byte(strings.Replace(event, " word and another", " more", 1))}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				var state dialect.State
				if dst, state, err = dec.Event(dst[:0], nil, data[i%2]); err != nil || state != dialect.Content {
					b.Fatal(state, err)
				}
			}
		})
	}
	const chunk = `{"id":"chatcmpl-0123456789","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4o-2024-08-06","choices":[{"index":0,"delta":{"content":" word and another"},"logprobs":null,"finish_reason":null}]}`
	f("openai", openai.New(dialect.Upstream{Base: base}).Stream(m), chunk)
	f("azure", azure.New(dialect.Upstream{Base: base}).Stream(m), chunk)
	f("claude", New(dialect.Upstream{Base: base}, &Thoughts{}).Stream(m),
		`{"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":1}}}`,
		`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" word and another"}}`)
	f("claude, its own clients", New(dialect.Upstream{Base: base}, &Thoughts{}).Stream(&dialect.Meta{Model: m.Model, Endpoint: dialect.Messages}),
		`{"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":1}}}`,
		`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" word and another"}}`)
}
