package gemini

import (
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/openai"
)

// BenchmarkEvent compares a translated event of text with one that passes
// through. From event to event the text and the counts differ, as they do.
func BenchmarkEvent(b *testing.B) {
	m := &dialect.Meta{Model: []byte(`"public"`)}
	f := func(name, event string, dec dialect.StreamDecoder) {
		b.Run(name, func(b *testing.B) {
			other := strings.NewReplacer(" lorem ipsum dolor", " sit amet", `:5,`, `:12,`, `:15,`, `:22,`).Replace(event)
			data := [][]byte{[]byte(event), []byte(other)}
			dst := make([]byte, 0, 4096)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				out, state, err := dec.Event(dst, nil, data[i%2])
				if err != nil || state != dialect.Content || len(out) == 0 {
					b.Fatal(state, err)
				}
			}
		})
	}
	f("translated", `{"candidates":[{"content":{"parts":[{"text":" lorem ipsum dolor"}],"role":"model"},"index":0}],`+
		`"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":15,"promptTokensDetails":[{"modality":"TEXT","tokenCount":10}]},`+
		`"modelVersion":"gemini-2.5-flash","responseId":"Wc4RadO4LNmGvdIPq8u5sQ4"}`, dialectFor(b).Stream(m))
	f("passed on", `{"id":"chatcmpl-123","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4o-mini","system_fingerprint":"fp_1",`+
		`"choices":[{"index":0,"delta":{"content":" lorem ipsum dolor"},"logprobs":null,"finish_reason":null}]}`, new(openai.Dialect).Stream(m))
}
