package chat

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

func TestAnswer(t *testing.T) {
	f := func(a Answer, m dialect.Meta, want string) {
		t.Helper()
		m.Model = []byte(`"asked"`)
		a.ID, a.Created = "i", 5
		if d := cmp.Diff(`{"id":"i","object":"chat.completion","created":5,"model":"asked","choices":[`+want, string(a.Append(nil, &m))); d != "" {
			t.Error(d)
		}
	}
	const noUsage = `"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0,"prompt_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}}`
	f(Answer{Content: "a\"\n", Reasoning: "r", Finish: "stop", Usage: dialect.Usage{Input: 1, Output: 2, CachedInput: 3, CacheWrite: 4, Reasoning: 5}}, dialect.Meta{},
		`{"index":0,"message":{"role":"assistant","content":"a\"\n","refusal":null,"reasoning_content":"r"},"logprobs":null,"finish_reason":"stop"}],`+
			`"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,"prompt_tokens_details":{"cached_tokens":3,"cache_write_tokens":4},"completion_tokens_details":{"reasoning_tokens":5}}}`)
	f(Answer{Reasoning: "r", Refusal: "no", Finish: "content_filter", Native: "x"}, dialect.Meta{DropReasoning: true},
		`{"index":0,"message":{"role":"assistant","content":null,"refusal":"no"},"logprobs":null,"finish_reason":"content_filter","native_finish_reason":"x"}],`+noUsage)
	f(Answer{Finish: "tool_calls", Calls: []AnswerCall{{ID: "1", Name: "f", Arguments: `{"a":1}`}, {ID: "2", Name: "g", Arguments: "{}", Extra: `"x":1`}}}, dialect.Meta{},
		`{"index":0,"message":{"role":"assistant","content":null,"refusal":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},`+
			`{"id":"2","type":"function","function":{"name":"g","arguments":"{}"},"x":1}]},"logprobs":null,"finish_reason":"tool_calls"}],`+noUsage)
	older := dialect.Meta{OlderCalls: true}
	f(Answer{Finish: "tool_calls", Calls: []AnswerCall{{ID: "1", Name: "f", Arguments: `{"a":1}`, Extra: `"x":1`}, {ID: "2", Name: "g"}}}, older,
		`{"index":0,"message":{"role":"assistant","content":null,"refusal":null,"function_call":{"name":"f","arguments":"{\"a\":1}"}},"logprobs":null,"finish_reason":"function_call"}],`+noUsage)
	f(Answer{Content: "a", Finish: "stop", Citations: []Citation{{From: 0, To: 1, URL: "https://e", Title: "\""}}}, older,
		`{"index":0,"message":{"role":"assistant","content":"a","refusal":null,"annotations":[{"type":"url_citation","url_citation":`+
			`{"start_index":0,"end_index":1,"title":"\"","url":"https://e"}}]},"logprobs":null,"finish_reason":"stop"}],`+noUsage)
}

func TestChunks(t *testing.T) {
	c := NewChunks("i\xff", 5, &dialect.Meta{Model: []byte(`"asked"`)})
	f := func(got []byte, want string) {
		t.Helper()
		if d := cmp.Diff("before"+`data: {"id":"i�","object":"chat.completion.chunk","created":5,"model":"asked","choices":[`+want+"}\n\n", string(got)); d != "" {
			t.Error(d)
		}
	}
	dst := func() []byte { return []byte("before") }
	delta := func(s string) string { return `{"index":0,"delta":{` + s + `},"finish_reason":null}]` }
	f(c.Role(dst()), delta(`"role":"assistant","content":""`))
	f(c.Content(dst(), []byte(`"a"`)), delta(`"content":"a"`))
	f(c.Reasoning(dst(), `"a"`), delta(`"reasoning_content":"a"`))
	f(c.Refusal(dst(), `"a"`), delta(`"refusal":"a"`))
	f(c.Call(dst(), CallHead{Index: 1, ID: "t", Name: "f"}), delta(`"tool_calls":[{"index":1,"id":"t","type":"function","function":{"name":"f","arguments":""}}]`))
	f(c.Call(dst(), CallHead{ID: "t", Name: "f", Extra: `"x":1`}), delta(`"tool_calls":[{"index":0,"id":"t","type":"function","function":{"name":"f","arguments":""},"x":1}]`))
	f(c.Arguments(dst(), 1, `"{"`), delta(`"tool_calls":[{"index":1,"function":{"arguments":"{"}}]`))
	f(c.Annotations(dst(), []Citation{{From: 1, To: 2, URL: "u", Title: "t"}}),
		delta(`"annotations":[{"type":"url_citation","url_citation":{"start_index":1,"end_index":2,"title":"t","url":"u"}}]`))
	f(c.Finish(dst(), "stop", ""), `{"index":0,"delta":{},"finish_reason":"stop"}]`)
	f(c.Finish(dst(), "stop", "other"), `{"index":0,"delta":{},"finish_reason":"stop","native_finish_reason":"other"}]`)
	f(c.Usage(dst(), dialect.Usage{Input: 1, Output: 2}), `],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,"prompt_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}`)
}

func TestOlderChunks(t *testing.T) {
	c := NewChunks("i", 5, &dialect.Meta{Model: []byte(`"asked"`), OlderCalls: true})
	f := func(got []byte, want string) {
		t.Helper()
		if want != "" {
			want = `data: {"id":"i","object":"chat.completion.chunk","created":5,"model":"asked","choices":[{"index":0,"delta":` + want + "}]}\n\n"
		}
		if d := cmp.Diff(want, string(got)); d != "" {
			t.Error(d)
		}
	}
	f(c.Call(nil, CallHead{ID: "t", Name: "f", Extra: `"x":1`}), `{"function_call":{"name":"f","arguments":""}},"finish_reason":null`)
	f(c.Arguments(nil, 0, `"{"`), `{"function_call":{"arguments":"{"}},"finish_reason":null`)
	f(c.Call(nil, CallHead{Index: 1, ID: "t", Name: "f"}), "") // there is no place for a second
	f(c.Arguments(nil, 1, `"{"`), "")
	f(c.Finish(nil, FinishTools, ""), `{},"finish_reason":"function_call"`)
	f(c.Finish(nil, FinishStop, ""), `{},"finish_reason":"stop"`)
}
