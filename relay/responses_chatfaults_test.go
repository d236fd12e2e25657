package relay_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// A model whose providers have responses and not fails over between them.
func TestResponsesFailOverBetweenFormats(t *testing.T) {
	const kept = `{"id":"resp_up","object":"response","status":"completed","model":"up","output":[]}`
	f := func(model, more, want string, scripts map[string]mockllm.Script) {
		t.Helper()
		b := startFormats(t, scripts)
		a := b.postTo(dialect.Responses, respond(model, more))
		if a.Status != 200 || !strings.Contains(a.Body, want) || !strings.Contains(a.Body, `"model":"`+model+`"`) || len(b.record(0).Attempts) < 2 {
			t.Errorf("%s: %d %v %s", model, a.Status, a.Header, a.Body)
		}
		if more != "" {
			got := events(t, a)
			if strings.Count(a.Body, "event: response.created\n") != 1 || !strings.HasPrefix(got[len(got)-1], `{"type":"response.completed"`) {
				t.Errorf("%s: %q", model, got)
			}
		}
	}
	down := always(mockllm.JSON(503, nil, "{}"))
	claude := always(mockllm.JSON(200, nil, mockllm.ClaudeMessage(`[{"type":"text","text":"from c"}]`, "end_turn")))
	f("both", "", "resp_up", map[string]mockllm.Script{"c": down, "u2": always(mockllm.JSON(200, nil, kept))})
	f("reverse", "", "from c", map[string]mockllm.Script{"u2": down, "c": claude})
	// A stream that fails before its first content moves on too, in either form.
	const stream = `,"stream":true`
	f("both", stream, "resp_1", map[string]mockllm.Script{
		"c":  always(mockllm.ClaudeEvents(mockllm.ClaudeStart(1), mockllm.ClaudeFault("overloaded_error", "Overloaded"))),
		"u2": always(sse(), begins(), says(3, "hello"), mockllm.Body(mockllm.ResponseEvent(4, "response.completed", `"response":{`+responseHead+`}`))),
	})
	f("reverse", stream, "from ", map[string]mockllm.Script{
		"u2": always(sse(), begins(), mockllm.EOF()), "c": always(mockllm.ClaudeEvents(mockllm.ClaudeTextStream("from ", "c")...)),
	})
	f("both", stream, "resp_1", map[string]mockllm.Script{
		"c":  always(sse()), // empty
		"u2": always(sse(), begins(), says(3, "hello"), mockllm.Body(mockllm.ResponseEvent(4, "response.completed", `"response":{`+responseHead+`}`))),
	})
}

// What breaks a translated stream after its first content ends it as one of the
// provider's own would end, and not well.
func TestResponsesBrokenTranslatedStreams(t *testing.T) {
	own := mockllm.ClaudeEvents(mockllm.ClaudeStart(1), mockllm.ClaudeBlock(0, `{"type":"text","text":""}`), mockllm.ClaudeText("he"))
	f := func(name, code, message string, steps ...mockllm.Step) {
		t.Helper()
		b := startFormats(t, map[string]mockllm.Script{"c": always(append([]mockllm.Step{own}, steps...)...)})
		got := steadyEvents(t, b.postTo(dialect.Responses, respond("both", `,"stream":true`)))
		want := `{"type":"response.failed","sequence_number":5,"response":{"id":"resp_X","object":"response","created_at":1,"status":"failed","completed_at":null,` +
			`"error":{"code":"` + code + `","message":"` + message + `"},"incomplete_details":null,"model":"both","output":[],"usage":null}}`
		if d := cmp.Diff(want, got[len(got)-1]); d != "" || !strings.Contains(got[4], `"delta":"he"`) || len(got) != 6 {
			t.Errorf("%s: %q (-want +got):\n%s", name, got, d)
		}
		if rec := b.record(0); rec.Last().Kind == loadbalance.Success || len(rec.Attempts) != 1 || rec.Error == nil || b.u["u2"].Count() != 0 {
			t.Errorf("%s: taken for %v in %d attempts", name, rec.Last().Kind, len(rec.Attempts))
		}
	}
	const cut = "the provider broke the stream off; the answer is not complete"
	f("cut", "stream_interrupted", cut, mockllm.EOF())
	f("reset", "stream_interrupted", cut, mockllm.Reset())
	f("silent", "stream_interrupted", "the provider fell silent in the middle of the stream; the answer is not complete", mockllm.Hang())
	f("error", "upstream_overloaded", "Overloaded", mockllm.ClaudeEvents(mockllm.ClaudeFault("overloaded_error", "Overloaded")))
	f("stopped without a reason", "stream_interrupted", cut, mockllm.ClaudeEvents(mockllm.ClaudeStop()))
}

// Half a call has no good end.
func TestResponsesHalfACall(t *testing.T) {
	b := startFormats(t, map[string]mockllm.Script{"c": always(mockllm.ClaudeEvents(mockllm.ClaudeStart(1),
		mockllm.ClaudeBlock(0, `{"type":"tool_use","id":"t","name":"f","input":{}}`), mockllm.ClaudeDelta(0, `{"type":"input_json_delta","partial_json":"{\"a\":"}`),
		mockllm.ClaudeBlockStop(0), mockllm.ClaudeFinish("tool_use", 7), mockllm.ClaudeStop()))})
	got := steadyEvents(t, b.postTo(dialect.Responses, respond("claude-x", `,"stream":true`)))
	if last := got[len(got)-1]; !strings.HasPrefix(last, `{"type":"response.failed","sequence_number":4,`) || !strings.Contains(last, "tool call") {
		t.Errorf("%q", got)
	}
}

// The client's leaving ends the provider's work.
func TestResponsesClientLeaves(t *testing.T) {
	b := startFormats(t, map[string]mockllm.Script{"c": always(mockllm.ClaudeEvents(mockllm.ClaudeStart(1), mockllm.ClaudeBlock(0, `{"type":"text","text":""}`), mockllm.ClaudeText("hello")), mockllm.Hang())})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	resp := b.openOn(ctx, dialect.Responses, respond("claude-x", `,"stream":true`))
	defer resp.Body.Close()
	if _, err := resp.Body.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := b.u["c"].Requests()[0].WaitLeft(t.Context()); err != nil {
		t.Error(err)
	}
	if rec := b.record(0); !rec.Disconnected || rec.Last().Kind != loadbalance.Cancelled || rec.Usage.Output == 0 {
		t.Errorf("%+v", rec)
	}
}

// A silent provider does not let the client's connection fall silent, before the
// first content and after it.
func TestTranslatedResponsesAreKeptAlive(t *testing.T) {
	b := startFormats(t, map[string]mockllm.Script{"c": always(mockllm.ClaudeEvents(mockllm.ClaudeStart(1)), mockllm.Sleep(hold+2*keepalive),
		mockllm.ClaudeEvents(mockllm.ClaudeTextStream("a")[1:]...))})
	a := b.postTo(dialect.Responses, respond("claude-x", `,"stream":true`))
	before, _, _ := strings.Cut(a.Body, "event: response.created\n")
	if n := strings.Count(before, ": keep-alive\n\n"); n < 2 {
		t.Errorf("%d comments: %s", n, a.Body)
	}
	if got := events(t, a); !strings.HasPrefix(got[len(got)-1], `{"type":"response.completed"`) {
		t.Errorf("%q", got)
	}
}

// What only a provider with responses can do goes to one that has them, if the
// model has one, and else says what to do instead.
func TestResponsesThatOnlyOneFormatSays(t *testing.T) {
	b := startFormats(t, map[string]mockllm.Script{"u2": always(mockllm.JSON(200, nil, `{"id":"resp_up","object":"response","status":"completed","model":"up","output":[]}`))})
	for n, more := range []string{`,"previous_response_id":"resp_0"`, `,"conversation":"conv_0"`, `,"background":true`, `,"prompt":{"id":"p"}`, `,"tools":[{"type":"mcp","server_label":"x"}]`} {
		if a := b.postTo(dialect.Responses, respond("both", more)); a.Status != 200 || !strings.Contains(a.Body, "resp_up") {
			t.Errorf("%s: %d %s", more, a.Status, a.Body)
		}
		if rec := b.record(2 * n); len(rec.Attempts) != 2 || rec.Attempts[0].Kind != loadbalance.Caller || b.u["c"].Count() != 0 {
			t.Errorf("%s: %+v", more, rec.Attempts)
		}
		param, _, _ := strings.Cut(more[2:], `"`)
		a := b.postTo(dialect.Responses, respond("claude-x", more))
		if e := b.fault(a); a.Status != 400 || !strings.HasPrefix(deref(e.Param), param) || deref(e.Code) != "invalid_value" {
			t.Errorf("%s: %d %s", more, a.Status, a.Body)
		}
	}
}

// What Berry answered is known to nobody afterwards, and says so.
func TestTranslatedResponsesAreNotKept(t *testing.T) {
	b := startResponses(t, setup{behaviours: map[string]mockllm.Behaviour{"u1": {Format: mockllm.Claude}}, provider: func(id string, p *config.Provider) {
		if id == "u1" {
			p.BackendType = config.TypeClaude
		}
	}})
	a := b.make(`{"model":"pool","input":"hi","store":true}`)
	id := b.read(a).ID
	if !strings.Contains(a.Body, `"store":false`) || a.Header.Get("X-Berry-Dropped-Params") != "store" {
		t.Errorf("%v %s", a.Header, a.Body)
	}
	b.events(b.make(`{"model":"pool","input":"hi","stream":true}`))
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		if a := b.ask(userToken, method, "/"+id, ""); a.Status != 404 || deref(b.fault(a).Code) != "not_found" {
			t.Errorf("%s: %d %s", method, a.Status, a.Body)
		}
	}
	if a := b.make(`{"model":"gpt-a","input":"hi","previous_response_id":"` + id + `"}`); a.Status != 400 || deref(b.fault(a).Param) != "previous_response_id" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// Reasoning that Berry made of another provider's does not go to one that has
// responses: it would look for it in vain.
func TestOwnReasoningStaysHere(t *testing.T) {
	b := startResponses(t, setup{})
	const own = `{"id":"rs_berry_0123456789abcdef01234567_0","type":"reasoning","summary":[]}`
	f := func(input, want string) {
		t.Helper()
		n := len(b.u["u1"].Requests())
		b.make(`{"model":"gpt-a","input":` + input + `}`)
		if got := string(b.u["u1"].Requests()[n].Body); got != `{"model":"gpt-a-up","input":`+want+`}` {
			t.Errorf("%s went out as %s", input, got)
		}
	}
	f(`[{"role":"user","content":"a"},`+own+`,{"id":"rs_0","type":"reasoning","summary":[]}]`, `[{"role":"user","content":"a"},{"id":"rs_0","type":"reasoning","summary":[]}]`)
	f(`[`+own+`,{"role":"user","content":"a"}]`, `[{"role":"user","content":"a"}]`)
	f(`[`+own+`]`, `[`+own+`]`)
	f(`"hi"`, `"hi"`)
}
