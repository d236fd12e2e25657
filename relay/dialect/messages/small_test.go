package messages_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/messages"
)

// The effort is what the client asks for, unless it wants no thinking.
func TestEffort(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		r, err := messages.Parse([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Effort("gpt-5.2"); got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
	f(`{"messages":[]}`, "")
	f(`{"output_config":{"effort":"max"},"messages":[]}`, "xhigh")
	f(`{"thinking":{"type":"disabled"},"output_config":{"effort":"high"}}`, "none")
}

func TestFault(t *testing.T) {
	f := func(e *apierror.Error, want string) {
		t.Helper()
		if got := string(messages.Fault(e, "req_1")); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	typed := func(status int, typ string) {
		t.Helper()
		f(&apierror.Error{Status: status, Message: "m"}, `{"type":"error","error":{"type":"`+typ+`","message":"m"},"request_id":"req_1"}`)
	}
	typed(400, "invalid_request_error")
	typed(401, "authentication_error")
	typed(402, "billing_error")
	typed(403, "permission_error")
	typed(404, "not_found_error")
	typed(405, "invalid_request_error")
	typed(408, "timeout_error")
	typed(413, "request_too_large")
	typed(422, "invalid_request_error")
	typed(429, "rate_limit_error")
	typed(500, "api_error")
	typed(502, "api_error")
	typed(503, "overloaded_error")
	typed(504, "timeout_error")
	typed(529, "overloaded_error")
	f(&apierror.Error{Status: 404, Code: "model_not_found", Message: "no \"x\"", Raw: []byte(`{"error":"other"}`)},
		`{"type":"error","error":{"type":"not_found_error","message":"no \"x\"","code":"model_not_found"},"request_id":"req_1"}`)
	f(&apierror.Error{Status: 400, Code: messages.TooLong, Message: "at most 9 tokens"},
		`{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: at most 9 tokens","code":"context_length_exceeded"},"request_id":"req_1"}`)
	f(&apierror.Error{Status: 400, Code: messages.TooLong, Message: "Prompt is too long: 10 > 9"},
		`{"type":"error","error":{"type":"invalid_request_error","message":"Prompt is too long: 10 > 9","code":"context_length_exceeded"},"request_id":"req_1"}`)
	f(&apierror.Error{Status: 503}, `{"type":"error","error":{"type":"overloaded_error","message":"Service Unavailable"},"request_id":"req_1"}`)
	f(&apierror.Error{Status: 400, Message: "bad \xff"}, `{"type":"error","error":{"type":"api_error","message":"the request failed"}}`)
	frame := string(messages.AppendFault([]byte("x"), &apierror.Error{Status: 503, Message: "m"}, ""))
	if want := "xevent: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"m\"}}\n\n"; frame != want {
		t.Errorf("got %q, want %q", frame, want)
	}
}

// A whole message and the stream made of it say the same.
func TestEvents(t *testing.T) {
	out, err := messages.AppendEvents(nil, []byte(`{"id":"m1","type":"message","role":"assistant","model":"asked","content":[
		{"type":"thinking","thinking":"hm","signature":"sig"},{"type":"redacted_thinking","data":"xx"},
		{"type":"text","text":"a","citations":[{"type":"char_location"}]},
		{"type":"tool_use","id":"t1","name":"f","input":{"a":"\""}},{"type":"tool_use","id":"t2","name":"g","input":{}}],
		"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":4},"later":[1]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"type":"message_start","message":{"id":"m1","type":"message","role":"assistant","model":"asked","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":4},"later":[1]}}
{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}
{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}
{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"sig"}}
{"type":"content_block_stop","index":0}
{"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"xx"}}
{"type":"content_block_stop","index":1}
{"type":"content_block_start","index":2,"content_block":{"type":"text","text":""}}
{"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"a"}}
{"type":"content_block_delta","index":2,"delta":{"type":"citations_delta","citation":{"type":"char_location"}}}
{"type":"content_block_stop","index":2}
{"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"t1","name":"f","input":{}}}
{"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"{\"a\":\"\\\"\"}"}}
{"type":"content_block_stop","index":3}
{"type":"content_block_start","index":4,"content_block":{"type":"tool_use","id":"t2","name":"g","input":{}}}
{"type":"content_block_stop","index":4}
{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"input_tokens":3,"output_tokens":4}}
{"type":"message_stop"}
`
	if got := short(t, string(out)); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if last, err := checkOrder(string(out)); last != "message_stop" || err != nil {
		t.Errorf("ends with %s, %v", last, err)
	}
	for _, bad := range []string{"", "[]", `{"type":"message"}`, `{"content":[]} x`} {
		if out, err := messages.AppendEvents([]byte("x"), []byte(bad)); err == nil || string(out) != "x" {
			t.Errorf("%s became %s", bad, out)
		}
	}
}

// Reasoning is shown to a client that asked for it.
func TestShowsThinking(t *testing.T) {
	f := func(thinking string, want bool) {
		t.Helper()
		r, err := messages.Parse([]byte(`{"thinking":` + thinking + `}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := r.ShowsThinking(); got != want {
			t.Errorf("%s: %v", thinking, got)
		}
	}
	f(`null`, false)
	f(`{"type":"disabled"}`, false)
	f(`{"type":"enabled","budget_tokens":2000}`, true)
	f(`{"type":"adaptive"}`, true)
	f(`{"type":"adaptive","display":"omitted"}`, false)
	f(`{"type":"adaptive","display":"summarized"}`, true)
}

// A stream that is asked without thinking has none, also where the provider reasons aloud.
func TestReasoningNotAskedFor(t *testing.T) {
	c, err := toChat([]byte(`{"messages":[{"role":"user","content":"hi"}]}`), "")
	if err != nil {
		t.Fatal(err)
	}
	dec := c.Stream(upstream(t).Stream(meta()), meta().Model)
	out, _, err := dec.Event(nil, nil, []byte(`{"id":"x","choices":[{"index":0,"delta":{"reasoning_content":"hm","content":"a"},"finish_reason":"stop"}]}`))
	if err != nil || strings.Contains(string(out), "thinking") || !strings.Contains(string(out), `"text":"a"`) {
		t.Errorf("%s %v", out, err)
	}
	got, err := c.Answer([]byte(`{"choices":[{"message":{"reasoning_content":"hm","content":"a"}}]}`), []byte(`"m"`), dec.Usage())
	if err != nil || strings.Contains(string(got), "thinking") {
		t.Errorf("%s %v", got, err)
	}
}

// A request that was let go is as long as it was.
func TestSettle(t *testing.T) {
	body := `{"messages":[{"role":"user","content":"` + strings.Repeat("some words ", 40<<10) + `"}]}`
	c, err := toChat([]byte(body), "")
	if err != nil {
		t.Fatal(err)
	}
	const answer = `{"id":"a","choices":[{"message":{"content":"x"}}]}`
	before, err := c.Answer([]byte(answer), []byte(`"m"`), dialect.Usage{})
	if err != nil {
		t.Fatal(err)
	}
	c.Settle()
	after, err := c.Answer([]byte(answer), []byte(`"m"`), dialect.Usage{})
	if err != nil || string(before) != string(after) || c.Body != nil || strings.Contains(string(after), `"input_tokens":0,`) {
		t.Errorf("%s\nbecame %s, %v", before, after, err)
	}
}

// Some servers count what came from their cache apart.
func TestUsageIsNeverNegative(t *testing.T) {
	c, err := toChat([]byte(`{"messages":[{"role":"user","content":"hi"}]}`), "")
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Answer([]byte(`{"choices":[{"message":{"content":"a"}}]}`), []byte(`"m"`), dialect.Usage{Input: 3, CachedInput: 5, Output: 1})
	if err != nil || !strings.Contains(string(got), `"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":5,"output_tokens":1}`) {
		t.Errorf("%s %v", got, err)
	}
}

// Calls wait for the one that is being told, but not without end.
func TestCallsThatWait(t *testing.T) {
	c, err := toChat([]byte(`{"messages":[{"role":"user","content":"hi"}]}`), "")
	if err != nil {
		t.Fatal(err)
	}
	dec := c.Stream(upstream(t).Stream(meta()), meta().Model)
	for i := range 2000 {
		_, _, err = dec.Event(nil, nil, fmt.Appendf(nil, `{"id":"x","choices":[{"index":0,"delta":{"tool_calls":[{"index":%d,"id":"c%d","function":{"name":"f","arguments":"{"}}]},"finish_reason":null}]}`, i, i))
		if err != nil {
			if i < 1000 {
				t.Errorf("%d calls are too many: %v", i, err)
			}
			return
		}
	}
	t.Error("2000 calls wait")
}

// Names that the chat format takes stay as they are.
func TestNames(t *testing.T) {
	f := func(name string, stays bool) {
		t.Helper()
		c, err := toChat([]byte(`{"messages":[{"role":"user","content":"a"}],"tools":[{"name":"`+name+`"}]}`), "")
		if err != nil {
			t.Fatal(err)
		}
		var out struct {
			Tools []struct{ Function struct{ Name string } }
		}
		if err := json.Unmarshal(c.Body, &out); err != nil {
			t.Fatal(err)
		}
		got := out.Tools[0].Function.Name
		if (got == name) != stays || len(got) > 64 {
			t.Errorf("%s became %s", name, got)
		}
		back, err := c.Answer([]byte(`{"choices":[{"message":{"tool_calls":[{"id":"c","function":{"name":"`+got+`","arguments":"{}"}}]}}]}`), []byte(`"m"`), dialect.Usage{})
		if err != nil || !strings.Contains(string(back), `"name":"`+name+`"`) {
			t.Errorf("%s came back as %s, %v", name, back, err)
		}
	}
	f(strings.Repeat("a", 64), true)
	f(strings.Repeat("a", 65), false)
	f("mcp__my-server__Read_2", true)
	f("mcp.server/read", false)
	f("größe", false)
}

// A tool is strict where OpenAI takes its schema so, and only there.
func TestStrict(t *testing.T) {
	f := func(schema string, want bool) {
		t.Helper()
		c, err := toChat([]byte(`{"messages":[{"role":"user","content":"a"}],"tools":[{"name":"f","strict":true,"input_schema":`+schema+`}]}`), "")
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(c.Body), `"strict":true`); got != want {
			t.Errorf("%s: %v", schema, got)
		}
	}
	f(`{"type":"object","properties":{},"additionalProperties":false}`, true)
	f(`{"type":"object","properties":{}}`, false)
}
