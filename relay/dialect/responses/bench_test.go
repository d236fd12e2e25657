package responses_test

import (
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

// BenchmarkEvent is what one chunk of text costs on its way into an event, what the
// provider's own dialect does with it included.
func BenchmarkEvent(b *testing.B) {
	const chunk = `{"id":"chatcmpl-0123456789","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4o-2024-08-06","choices":[{"index":0,"delta":{"content":" word and another"},"logprobs":null,"finish_reason":null}]}`
	dec := asking(b).Stream(upstream(b).Stream(meta()), meta().Model)
	data := [][]byte{[]byte(chunk), []byte(strings.Replace(chunk, " word and another", " more", 1))}
	dst, _, err := dec.Event(nil, nil, data[0])
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%4096 == 4095 { // an answer has an end
			dec = asking(b).Stream(upstream(b).Stream(meta()), meta().Model)
		}
		var state dialect.State
		if dst, state, err = dec.Event(dst[:0], nil, data[i%2]); err != nil || state != dialect.Content {
			b.Fatal(state, err)
		}
	}
}
