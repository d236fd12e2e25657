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
	googles = "https://generativelanguage.googleapis.com/v1beta/openai"
	openAI  = "https://api.openai.com/v1"
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
	f(googles, call, stop, call, end)
	f(googles, call, text, text, stop, call, text, text, end)
	f(googles, call, long, call, long)
	f(googles, call, end, call, end)
	f(googles, text, stop, text, stop)
	f(googles, none, stop, none, stop)
	f(googles, call, second, call, second)
	f(googles, both, mended)
	f(googles, two, split)
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
	g(googles, "tool_calls")
	g(openAI, "stop")
}

// Google's layer leaves the index of a tool call out, gives a call whole or in
// pieces, and its signature with it or behind it.
func TestGoogleNumbersToolCalls(t *testing.T) {
	f := func(base string, pairs ...string) {
		t.Helper()
		s := at(t, base).Stream(&dialect.Meta{Model: []byte(`"m"`)})
		for i := 0; i < len(pairs); i += 2 {
			want := ""
			if pairs[i+1] != "" {
				want = `data: {"choices":[` + pairs[i+1] + "]}\n\n"
			}
			got, _, err := s.Event(nil, nil, []byte(`{"choices":[`+pairs[i]+`]}`))
			if d := cmp.Diff(want, string(got)); d != "" || err != nil {
				t.Errorf("%s %s: %v (-want +got):\n%s", base, pairs[i], err, d)
			}
		}
	}
	delta := func(calls string) string { return `{"delta":{"tool_calls":[` + calls + `]},"index":0}` }
	const (
		first  = `{"extra_content":{"google":{"thought_signature":"s"}},"function":{"arguments":"{}","name":"f"},"id":"a","type":"function"}`
		firstN = `{"index":0,"extra_content":{"google":{"thought_signature":"s"}},"function":{"arguments":"{}","name":"f"},"id":"a","type":"function"}`
		other  = `{"id":"b","function":{"name":"g","arguments":"{"}}`
		otherN = `{"index":1,"id":"b","function":{"name":"g","arguments":"{"}}`
		more   = `{"id":"","type":"","function":{"name":"","arguments":"}"}}`
		moreN  = `{"index":1,"id":"","type":"","function":{"name":"","arguments":"}"}}`
		third  = `{"function":{"name":"h"}}`
		thirdN = `{"index":2,"function":{"name":"h"}}`
	)
	// One after the other, several in one, and in pieces; a name alone begins a call.
	f(googles, delta(first), delta(firstN), delta(other), delta(otherN), delta(more), delta(moreN), delta(third), delta(thirdN))
	f(googles, delta(first+`, `+other+`,`+more), delta(firstN+`, `+otherN+`,`+moreN), delta(third), delta(thirdN))
	// What has a number keeps it, and is counted.
	f(googles, delta(firstN), delta(firstN), delta(other), delta(otherN), delta(`{"id":"c","index":5}`), delta(`{"id":"c","index":5}`),
		delta(`{"id":"d"}`), delta(`{"index":6,"id":"d"}`), delta(`{"index":null,"id":"e"}`), delta(`{"index":null,"id":"e"}`))
	// More of a call that never began, and one that says nothing.
	f(googles, delta(`{"function":{"arguments":"}"}}`), delta(`{"index":0,"function":{"arguments":"}"}}`), delta(`{}`), delta(`{"index":0}`))
	// Each choice counts by itself, also where it says its number last.
	f(googles,
		delta(first)+`,{"index":1,"delta":{"tool_calls":[`+first+`]}}`, delta(firstN)+`,{"index":1,"delta":{"tool_calls":[`+firstN+`]}}`,
		`{"index":1,"delta":{"tool_calls":[`+other+`]}},`+delta(other), `{"index":1,"delta":{"tool_calls":[`+otherN+`]}},`+delta(otherN))
	// What cannot be read is not counted, and does not disturb the next.
	f(googles, `{"delta":{"tool_calls":[`+first+`]},"index":}`, "", delta(first), delta(firstN))
	f(googles, delta(`"odd",null,`+first), delta(`"odd",null,`+firstN))
	f(googles, `{"delta":{"tool_calls":null},"index":0}`, `{"delta":{"tool_calls":null},"index":0}`)
	f(openAI, delta(first), delta(first))
}
