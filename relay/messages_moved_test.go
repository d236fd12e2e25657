package relay_test

import (
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// Reasoning that another provider showed has no signature. Anthropic would
// refuse a conversation with it.
func TestUnsignedThinkingStaysAway(t *testing.T) {
	f := func(messages, want string) {
		t.Helper()
		b := startFormats(t, map[string]mockllm.Script{"c": always(mockllm.JSON(200, nil, mockllm.ClaudeMessage(`[{"type":"text","text":"ok"}]`, "end_turn")))})
		a := b.postTo(dialect.Messages, `{"model":"claude-x","max_tokens":5,"messages":`+messages+`}`)
		if a.Status != 200 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		if got := string(b.u["c"].Requests()[0].Body); got != `{"model":"claude-up","max_tokens":5,"messages":`+want+`}` {
			t.Errorf("%s\nbecame %s\nwant   %s", messages, got, want)
		}
	}
	const user, unsigned = `{"role":"user","content":"q"}`, `{"type":"thinking","thinking":"hm","signature":""}`
	const signed, text = `{"type":"thinking","signature":"s","thinking":"hm"}`, `{"type":"text","text":"a"}`
	assistant := func(blocks string) string { return `{"role":"assistant","content":[` + blocks + `]}` }
	same := func(messages string) { t.Helper(); f(messages, messages) }
	same(`[` + user + `,` + assistant(signed+`,`+text) + `,` + user + `]`)
	f(`[`+user+`,`+assistant(unsigned+` , `+text)+`,`+user+`]`, `[`+user+`,`+assistant(` `+text)+`,`+user+`]`)
	f(`[`+user+`,`+assistant(text+`,`+unsigned)+`]`, `[`+user+`,`+assistant(text)+`]`)
	f(`[`+user+`,`+assistant(unsigned+`,`+unsigned+`,`+text+`,`+unsigned+`,`+signed)+`]`, `[`+user+`,`+assistant(text+`,`+signed)+`]`)
	f(`[`+user+`,`+assistant(unsigned)+`,`+user+`]`, `[`+user+`,`+user+`]`)
	f(`[`+assistant(unsigned)+`,`+user+`,`+assistant(`{"thinking":"x","type":"thinking"},`+text)+`]`, `[`+user+`,`+assistant(text)+`]`)
	same(`[` + assistant(unsigned) + `]`) // the provider says what is wrong with that
	same(`[{"role":"assistant","content":"thinking"},7,{"content":{"type":"thinking"}}]`)
	same(`"no list"`)
	same(`[` + user + `,` + assistant("") + `]`)
	same(`[]`)
}

// In the middle of calls that another provider's model made without reasoning,
// or with reasoning that is not signed, Claude refuses to think on.
func TestThinkingIsOffMidway(t *testing.T) {
	b := startFormats(t, map[string]mockllm.Script{"c": always(mockllm.JSON(200, nil, mockllm.ClaudeMessage(`[{"type":"text","text":"ok"}]`, "end_turn")))})
	const on = `{"type":"enabled","budget_tokens":2000}`
	const call, result = `{"type":"tool_use","id":"t","name":"f","input":{}}`, `{"role":"user","content":[{"type":"tool_result","tool_use_id":"t"}]}`
	f := func(thinking, messages string, off bool) {
		t.Helper()
		a := b.postTo(dialect.Messages, `{"model":"claude-x","messages":`+messages+`,"thinking": `+thinking+` ,"max_tokens":5000}`)
		seen := b.u["c"].Requests()
		got := string(seen[len(seen)-1].Body)
		if is := strings.Contains(got, `,"thinking": {"type":"disabled"} ,"max_tokens"`); a.Status != 200 || is != off || is != (a.Header.Get("X-Berry-Dropped-Params") == "thinking") {
			t.Errorf("%s %s: off %v, %v: %s", thinking, messages, is, a.Header, got)
		}
	}
	messages := func(assistant, user string) string {
		return `[{"role":"user","content":"q"},{"role":"assistant","content":[` + assistant + `]},` + user + `]`
	}
	f(on, messages(call, result), true)
	f(on, messages(`{"type":"thinking","thinking":"hm","signature":""},`+call, result), true)
	f(on, messages(`{"type":"text","text":"a"},`+call, result), true)
	f(on, messages(`{"type":"thinking","thinking":"hm","signature":"s"},`+call, result), false)
	f(on, messages(`{"type":"redacted_thinking","data":"x"},`+call, result), false)
	f(on, messages(call, result+`,{"role":"assistant","content":"a"},{"role":"user","content":"next"}`), false)
	f(on, messages(`{"type":"text","text":"a"}`, `{"role":"user","content":"b"}`), false)
	f(`{"type":"adaptive"}`, messages(call, result), false)
	f(`null`, messages(call, result), false)
	f(`"odd"`, messages(call, result), false)
}

// A provider that wants its own reasoning back gets what a client of
// Anthropic's kept of it; others would refuse the field.
func TestReasoningGoesBack(t *testing.T) {
	f := func(back bool) {
		t.Helper()
		b := start(t, setup{
			scripts:  one(always(mockllm.JSON(200, nil, mockllm.Completion("x", 1, 1)))),
			provider: func(_ string, p *config.Provider) { p.ReasoningBack = back },
		})
		a := b.postTo(dialect.Messages, `{"model":"gpt-a","max_tokens":5,"messages":[{"role":"user","content":"q"},`+
			`{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":""},{"type":"text","text":"a"}]},{"role":"user","content":"b"}]}`)
		got := string(b.u["u1"].Requests()[0].Body)
		if a.Status != 200 || strings.Contains(got, `{"role":"assistant","content":"a","reasoning_content":"hm"}`) != back || strings.Contains(got, "reasoning") != back {
			t.Errorf("%v: %d %s", back, a.Status, got)
		}
	}
	f(true)
	f(false)
}

// A prompt that is too long moves on until a model takes it, be it the third one
// and the first that is asked in the client's own form.
func TestTooLongTwice(t *testing.T) {
	long := always(mockllm.JSON(400, nil, mockllm.Fault("too long", "invalid_request_error", "messages", "context_length_exceeded")))
	b := startFormatsOf(t, usual+`
[models.short]
context_fallback = "longer"
backends = [ { provider = "u1", model = "m" } ]
[models.longer]
context_fallback = "longest"
backends = [ { provider = "u2", model = "m" } ]
[models.longest]
backends = [ { provider = "c", model = "claude-up" } ]
`, map[string]mockllm.Script{"u1": long, "u2": long, "c": always(mockllm.JSON(200, nil, mockllm.ClaudeMessage(`[{"type":"text","text":"from c"}]`, "end_turn")))})
	a := b.postTo(dialect.Messages, say("short", ""))
	if a.Status != 200 || !strings.Contains(a.Body, "from c") || a.Header.Get("X-Berry-Attempts") != "3" {
		t.Errorf("%d %v %s", a.Status, a.Header, a.Body)
	}
	if got := string(b.u["c"].Requests()[0].Body); got != say("claude-up", "") {
		t.Errorf("c was asked %s", got)
	}
}
