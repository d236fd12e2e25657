package relay_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// A model whose providers speak different formats fails over between them.
func TestMessagesFailOverBetweenFormats(t *testing.T) {
	var b *berry
	f := func(model, want string) {
		t.Helper()
		if a := b.postTo(dialect.Messages, say(model, "")); a.Status != 200 || !strings.Contains(a.Body, want) || !strings.Contains(a.Body, `"type":"message"`) {
			t.Errorf("%s: %d %s", model, a.Status, a.Body)
		}
	}
	// From one that needs no translation to one that does, and the other way.
	b = startFormats(t, map[string]mockllm.Script{
		"c":  always(mockllm.JSON(503, nil, "{}")),
		"u2": always(mockllm.JSON(200, nil, mockllm.Completion("from u2", 1, 1))),
	})
	f("both", "from u2")
	if n := b.u["c"].Count(); n == 0 {
		t.Error("c was not asked")
	}
	b = startFormats(t, map[string]mockllm.Script{
		"c":  always(mockllm.JSON(200, nil, mockllm.ClaudeMessage(`[{"type":"text","text":"from c"}]`, "end_turn"))),
		"u2": always(mockllm.JSON(503, nil, "{}")),
	})
	f("reverse", "from c")
	if n := b.u["u2"].Count(); n == 0 {
		t.Error("u2 was not asked")
	}
	b = startFormats(t, map[string]mockllm.Script{
		"u1": always(mockllm.JSON(502, nil, "<html>")),
		"u2": always(mockllm.JSON(200, nil, mockllm.Completion("from u2", 1, 1))),
	})
	f("pool", "from u2")
	// A stream that fails before its first content moves on too, in either form.
	b = startFormats(t, map[string]mockllm.Script{
		"c":  always(mockllm.ClaudeEvents(mockllm.ClaudeStart(1), mockllm.ClaudeFault("overloaded_error", "Overloaded"))),
		"u2": always(mockllm.SSE(mockllm.TextStream("from ", "u2")...)),
	})
	got := events(t, b.postTo(dialect.Messages, say("both", `,"stream":true`)))
	if strings.Count(strings.Join(got, ""), "message_start") != 1 || !strings.Contains(strings.Join(got, ""), `"u2"`) || got[len(got)-1] != `{"type":"message_stop"}` {
		t.Errorf("%q", got)
	}
}

// Failures are told in Anthropic's form, whoever had them.
func TestP39Errors(t *testing.T) {
	b := startFormats(t, map[string]mockllm.Script{
		"u1": always(mockllm.JSON(429, http.Header{"Retry-After": {"7"}}, mockllm.Fault("slow down", "rate_limit_error", "", "x"))),
		"c":  always(mockllm.JSON(400, nil, mockllm.ClaudeFault("invalid_request_error", "max_tokens: too many"))),
		"u2": always(mockllm.JSON(400, nil, mockllm.Fault("bad temp", "invalid_request_error", "temperature", "x"))),
	})
	f := func(e dialect.Endpoint, body string, status int, kind, message string) {
		t.Helper()
		a := b.postTo(e, body)
		got := readClaudeFault(t, a.Body)
		if a.Status != status || got.Error.Type != kind || !strings.Contains(got.Error.Message, message) || a.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s", body, a.Status, a.Body)
		}
	}
	m := dialect.Messages
	f(m, `{`, 400, "invalid_request_error", "not valid JSON")
	f(m, `{"messages":[]}`, 400, "invalid_request_error", "names no model")
	f(m, `{"model":"gpt-a","model":"claude-x"}`, 400, "invalid_request_error", "model")
	f(m, say("gpt-a", `,"stream":"yes"`), 400, "invalid_request_error", "stream")
	f(m, say("nope", ""), 404, "not_found_error", "nope")
	f(m, say("gpt-a", `,"backend":"u1"`), 403, "permission_error", "administrator")
	f(m, `{"model":"gpt-a","max_tokens":5,"messages":[{"role":"user","content":[{"type":"odd"}]}]}`, 400, "invalid_request_error", "odd")
	f(m, `{"model":"gpt-a"}`, 400, "invalid_request_error", "messages")
	f(m, say("gpt-a", ""), 429, "rate_limit_error", "rate limit")
	f(m, say("claude-x", ""), 400, "invalid_request_error", "max_tokens: too many")
	f(m, say("claude-x", `,"stream":true`), 400, "invalid_request_error", "max_tokens: too many")
	f(dialect.CountTokens, say("nope", ""), 404, "not_found_error", "nope")
	f(dialect.CountTokens, `{"model":"gpt-a","messages":7}`, 400, "invalid_request_error", "messages")
	if a := b.postTo(m, say("gpt-a", "")); a.Header.Get("Retry-After") == "" {
		t.Errorf("no retry-after: %v", a.Header)
	}
	for _, p := range []string{"u1", "u2"} {
		for _, r := range b.u[p].Requests() {
			if strings.Contains(string(r.Body), "odd") {
				t.Errorf("%s was asked for what cannot be said: %s", p, r.Body)
			}
		}
	}
}

// What breaks a stream after its first content ends it with an event that
// clients raise as an error, and with nothing that looks like a good end.
func TestMessagesBrokenStreams(t *testing.T) {
	text := mockllm.SSE(mockllm.Role(), mockllm.Text("he"))
	own := mockllm.ClaudeEvents(mockllm.ClaudeStart(1), mockllm.ClaudeBlock(0, `{"type":"text","text":""}`), mockllm.ClaudeText("he"))
	f := func(name, model, kind, message string, script mockllm.Script) {
		t.Helper()
		b := startFormats(t, map[string]mockllm.Script{"u1": script, "c": script})
		got := events(t, b.postTo(dialect.Messages, say(model, `,"stream":true`)))
		all := strings.Join(got, "\n")
		fault := readClaudeFault(t, got[len(got)-1])
		if fault.Error.Type != kind || !strings.Contains(fault.Error.Message, message) || fault.ID != "id" {
			t.Errorf("%s: %s", name, got[len(got)-1])
		}
		if !strings.Contains(all, `"he"`) || strings.Contains(all, "message_stop") || strings.Contains(all, "stop_reason\":\"") || strings.Contains(all, "DONE") {
			t.Errorf("%s:\n%s", name, all)
		}
		if rec := b.record(0); rec.Last().Kind == loadbalance.Success || len(rec.Attempts) != 1 {
			t.Errorf("%s: taken for %v in %d attempts", name, rec.Last().Kind, len(rec.Attempts))
		}
	}
	const cut = "broke the stream off"
	f("chunks cut", "gpt-a", "api_error", cut, always(text, mockllm.EOF()))
	f("chunks reset", "gpt-a", "api_error", cut, always(text, mockllm.Reset()))
	f("chunks silent", "gpt-a", "api_error", "fell silent", always(text, mockllm.Hang()))
	f("error in chunks", "gpt-a", "api_error", "boom", always(text, mockllm.SSE(mockllm.Fault("boom", "server_error", "", "x"))))
	f("half a call", "gpt-a", "api_error", "tool call", always(text, mockllm.SSE(
		mockllm.Chunk(`{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\":"}}]}`, ""), mockllm.Finish("tool_calls"), mockllm.Done)))
	f("half a call and done", "gpt-a", "api_error", "tool call", always(text, mockllm.SSE(
		mockllm.Chunk(`{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\":"}}]}`, ""), mockllm.Done)))
	f("events cut", "claude-x", "api_error", cut, always(own, mockllm.EOF()))
	f("error event", "claude-x", "overloaded_error", "Overloaded", always(own, mockllm.ClaudeEvents(mockllm.ClaudeFault("overloaded_error", "Overloaded"))))
	f("stopped without a reason", "claude-x", "api_error", cut, always(own, mockllm.ClaudeEvents(mockllm.ClaudeStop())))
}

// P27 for messages: the client's leaving ends the provider's work, in either form.
func TestMessagesClientLeaves(t *testing.T) {
	f := func(model, provider string, steps ...mockllm.Step) {
		t.Helper()
		b := startFormats(t, map[string]mockllm.Script{provider: always(append(steps, mockllm.Hang())...)})
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		resp := b.openOn(ctx, dialect.Messages, say(model, `,"stream":true`))
		defer resp.Body.Close()
		if _, err := resp.Body.Read(make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
		cancel()
		seen := b.u[provider].Requests()[0]
		if _, err := seen.WaitLeft(t.Context()); err != nil {
			t.Error(err)
		}
		if rec := b.record(0); !rec.Disconnected || rec.Last().Kind != loadbalance.Cancelled || rec.Usage.Output == 0 {
			t.Errorf("%s: %+v", model, rec)
		}
	}
	f("gpt-a", "u1", mockllm.SSE(mockllm.Role(), mockllm.Text("hello")))
	f("claude-x", "c", mockllm.ClaudeEvents(mockllm.ClaudeStart(1), mockllm.ClaudeBlock(0, `{"type":"text","text":""}`), mockllm.ClaudeText("hello")))
}

// A silent provider does not let the client's connection fall silent.
func TestMessagesKeepAlive(t *testing.T) {
	b := startFormats(t, map[string]mockllm.Script{"u1": always(mockllm.SSE(mockllm.Role(), mockllm.Text("a")), mockllm.Sleep(3*keepalive),
		mockllm.SSE(mockllm.Finish("stop"), mockllm.Done))})
	a := b.postTo(dialect.Messages, say("gpt-a", `,"stream":true`))
	if strings.Count(a.Body, ": keep-alive\n\n") == 0 {
		t.Errorf("no comment: %s", a.Body)
	}
	if got := events(t, a); got[len(got)-1] != `{"type":"message_stop"}` {
		t.Errorf("%q", got)
	}
}

// Clients shorten a conversation when they read Anthropic's words for a prompt
// that is too long.
func TestMessagesTooLong(t *testing.T) {
	b := startFormats(t, map[string]mockllm.Script{
		"u1": always(mockllm.JSON(400, nil, mockllm.Fault("This model's maximum context length is 9 tokens.", "invalid_request_error", "messages", ""))),
		"c":  always(mockllm.JSON(400, nil, mockllm.ClaudeFault("invalid_request_error", "prompt is too long: 10 tokens > 9 maximum"))),
	})
	f := func(model, want string) {
		t.Helper()
		a := b.postTo(dialect.Messages, say(model, ""))
		if got := readClaudeFault(t, a.Body); a.Status != 400 || got.Error.Message != want {
			t.Errorf("%s: %d %s", model, a.Status, a.Body)
		}
	}
	f("gpt-a", "prompt is too long: This model's maximum context length is 9 tokens.")
	f("claude-x", "prompt is too long: 10 tokens > 9 maximum")
}

// What only Anthropic's format can say goes to a backend that speaks it, if the model has one.
func TestMessagesThatOnlyOneFormatSays(t *testing.T) {
	const tool = `,"tools":[{"type":"bash_20250124","name":"bash"}]`
	scripts := map[string]mockllm.Script{
		"c":  always(mockllm.JSON(200, nil, mockllm.ClaudeMessage(`[{"type":"text","text":"from c"}]`, "end_turn"))),
		"u1": always(mockllm.JSON(200, nil, mockllm.Completion("from u1", 1, 1))),
		"u2": always(mockllm.JSON(200, nil, mockllm.Completion("from u2", 1, 1))),
	}
	b := startFormats(t, scripts)
	if a := b.postTo(dialect.Messages, say("reverse", tool)); a.Status != 200 || !strings.Contains(a.Body, "from c") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if n := b.u["u2"].Count(); n != 0 {
		t.Errorf("u2 was asked %d times for what it cannot be asked", n)
	}
	if s := b.record(0); len(s.Attempts) != 2 || s.Attempts[0].Kind != loadbalance.Caller {
		t.Errorf("%+v", s.Attempts)
	}
	if a := b.postTo(dialect.Messages, say("pool", tool)); a.Status != 400 || !strings.Contains(a.Body, "bash_20250124") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if s := b.record(1); len(s.Attempts) != 1 {
		t.Errorf("%d attempts where no backend can be asked", len(s.Attempts))
	}
	// If that one fails, its failure is the answer.
	scripts["c"] = always(mockllm.JSON(529, nil, mockllm.ClaudeFault("overloaded_error", "Overloaded")))
	b = startFormats(t, scripts)
	a := b.postTo(dialect.Messages, say("reverse", tool))
	if got := readClaudeFault(t, a.Body); got.Error.Type != "overloaded_error" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}
