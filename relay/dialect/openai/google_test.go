package openai

import (
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

// at is the dialect at a provider.
func at(t *testing.T, base string) *Dialect {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	return New(dialect.Upstream{Base: u})
}

const (
	google = "https://generativelanguage.googleapis.com/v1beta/openai"
	openAI = "https://api.openai.com/v1"
)

// Google's layer says "stop" at the end of a stream with tool calls; agents took
// their work for done. Others are left to say what they say.
func TestGoogleEndsWithToolCalls(t *testing.T) {
	const (
		call = `{"choices":[{"index":0,"delta":{"role":"assistant","tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]}}]}`
		none = `{"choices":[{"index":0,"delta":{"tool_calls":[]}}]}`
		text = `{"choices":[{"index":0,"delta":{"content":"a"}}]}`
		stop = `{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`
		end  = `{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}`
		long = `{"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}`
		// The end and the call in one, in both orders, beside another choice, and
		// with what else must change.
		both   = `{"model":"x","choices":[{"finish_reason":"stop","delta":{"tool_calls":[{"index":0}]},"index":0}],"usage":null}`
		mended = `{"model":"m","choices":[{"finish_reason":"tool_calls","delta":{"tool_calls":[{"index":0}]},"index":0}]}`
		two    = `{"choices":[{"index":1,"delta":{"tool_calls":[{"index":0}]},"finish_reason": "stop"},{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}`
		split  = `{"choices":[{"index":1,"delta":{"tool_calls":[{"index":0}]},"finish_reason": "tool_calls"},{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}`
		second = `{"choices":[{"index":1,"delta":{},"finish_reason":"stop"}]}`
	)
	f := func(base string, chunks ...string) {
		t.Helper()
		in, want := chunks[:len(chunks)/2], chunks[len(chunks)/2:]
		s := at(t, base).Stream(&dialect.Meta{Model: []byte(`"m"`)})
		for i, data := range in {
			got, _, err := s.Event(nil, nil, []byte(data))
			if d := cmp.Diff("data: "+want[i]+"\n\n", string(got)); d != "" || err != nil {
				t.Errorf("%s %s: %v (-want +got):\n%s", base, in, err, d)
			}
		}
	}
	f(google, call, stop, call, end)
	f(google, call, text, text, stop, call, text, text, end)
	f(google, call, long, call, long)
	f(google, call, end, call, end)
	f(google, text, stop, text, stop)
	f(google, none, stop, none, stop)
	f(google, call, second, call, second)
	f(google, both, mended)
	f(google, two, split)
	f(openAI, call, stop, call, stop)
	f("https://googleapis.com.example/v1", call, stop, call, stop)

	g := func(base, finish string) {
		t.Helper()
		const whole = `{"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":null,"tool_calls":[{"id":"a"}]}}]}`
		got, _, err := at(t, base).Decode([]byte(whole), &dialect.Meta{Model: []byte(`"m"`)})
		want := `{"choices":[{"index":0,"finish_reason":"` + finish + `","message":{"role":"assistant","content":null,"tool_calls":[{"id":"a"}]}}]}`
		if string(got) != want || err != nil {
			t.Errorf("%s: %s, %v", base, got, err)
		}
	}
	g(google, "tool_calls")
	g(openAI, "stop")
}
