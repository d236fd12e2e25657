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

// A backend whose server has chats only is asked for a response once, and then for
// chats, until the configuration changes.
func TestResponsesOfAServerWithChatsOnly(t *testing.T) {
	refused := func(step mockllm.Step) mockllm.Script {
		return func(r *mockllm.Seen) []mockllm.Step {
			if r.Path == "/v1/responses" {
				return []mockllm.Step{step}
			}
			return []mockllm.Step{mockllm.JSON(200, nil, mockllm.Completion("fine", 7, 2))}
		}
	}
	f := func(name string, step mockllm.Step, again bool) {
		t.Helper()
		b := startFormats(t, map[string]mockllm.Script{"u1": refused(step)})
		paths := func() (all []string) {
			for _, r := range b.u["u1"].Requests() {
				all = append(all, strings.TrimPrefix(r.Path, "/v1/"))
			}
			return all
		}
		a := b.postTo(dialect.Responses, respond("gpt-a", ""))
		if !again {
			if a.Status == 200 || b.u["u1"].Count() != 1 {
				t.Errorf("%s: %d %s after %q", name, a.Status, a.Body, paths())
			}
			return
		}
		if a.Status != 200 || !strings.Contains(a.Body, `"text":"fine"`) {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
		if rec := b.record(0); len(rec.Attempts) != 1 || rec.Last().Kind != loadbalance.Success || rec.Usage.Input != 7 {
			t.Errorf("%s: %+v", name, rec)
		}
		b.postTo(dialect.Responses, respond("gpt-a", ""))
		if d := cmp.Diff([]string{"responses", "chat/completions", "chat/completions"}, paths()); d != "" {
			t.Errorf("%s: (-want +got):\n%s", name, d)
		}
		// What only responses can do is asked for as such.
		b.postTo(dialect.Responses, respond("gpt-a", `,"previous_response_id":"resp_0"`))
		if err := b.gw.Reload(b.gw.Current().Config); err != nil {
			t.Fatal(err)
		}
		b.postTo(dialect.Responses, respond("gpt-a", ""))
		if d := cmp.Diff([]string{"responses", "responses", "chat/completions"}, paths()[3:]); d != "" {
			t.Errorf("%s: (-want +got):\n%s", name, d)
		}
	}
	fault := func(status int, message, param, code string) mockllm.Step {
		return mockllm.JSON(status, nil, mockllm.Fault(message, "invalid_request_error", param, code))
	}
	f("a proxy", mockllm.JSON(404, http.Header{"Content-Type": {"text/html"}}, "<html>404</html>"), true)
	f("vLLM", mockllm.JSON(404, nil, `{"detail":"Not Found"}`), true)
	f("llama.cpp", mockllm.JSON(404, nil, `{"error":{"code":404,"message":"File Not Found","type":"not_found_error"}}`), true)
	f("a reseller", fault(404, "Invalid URL (POST /v1/responses)", "", ""), true)
	f("a model without", fault(404, "This model does not support the Responses API", "", ""), true)
	f("405", mockllm.JSON(405, nil, `{"detail":"Method Not Allowed"}`), true)
	f("501", mockllm.JSON(501, nil, `{"error":"not implemented"}`), true)
	f("a model that is not there", fault(404, "The model `x` does not exist", "", "model_not_found"), false)
	f("a parameter", fault(404, "not found", "model", ""), false)
	f("an item", fault(404, "Item with id 'rs_1' not found.", "", ""), false)
	f("a deployment", fault(404, "The API deployment for this resource does not exist", "", "DeploymentNotFound"), false)
	f("400", fault(400, "bad", "", ""), false)
}

// Where neither is there, that is no verdict on the backend, which may have
// something else.
func TestResponsesOfAServerWithNeither(t *testing.T) {
	b := startFormats(t, map[string]mockllm.Script{"u1": always(mockllm.JSON(404, nil, `{"detail":"Not Found"}`)), "u2": always(mockllm.JSON(200, nil, `{"id":"resp_up","object":"response","status":"completed","model":"up","output":[]}`))})
	a := b.postTo(dialect.Responses, respond("pool", ""))
	rec := b.record(0)
	if a.Status != 200 || len(rec.Attempts) != 2 || rec.Attempts[0].Kind != loadbalance.Caller || b.u["u1"].Count() != 2 {
		t.Errorf("%d %s: %+v", a.Status, a.Body, rec.Attempts)
	}
	// Nothing was learnt of it: it is asked for both again.
	b.postTo(dialect.Responses, respond("pool", ""))
	if got := b.u["u1"].Requests(); len(got) != 4 || got[2].Path != "/v1/responses" {
		t.Errorf("%d requests", len(got))
	}
}

// A server with chats only may have models that do not reason, too.
func TestResponsesEffortThatIsRefused(t *testing.T) {
	b := startFormats(t, map[string]mockllm.Script{"u1": func(r *mockllm.Seen) []mockllm.Step {
		switch {
		case r.Path == "/v1/responses":
			return []mockllm.Step{mockllm.JSON(404, nil, `{"detail":"Not Found"}`)}
		case strings.Contains(string(r.Body), "reasoning_effort"):
			return []mockllm.Step{mockllm.JSON(400, nil, mockllm.Fault("Unsupported parameter", "invalid_request_error", "reasoning_effort", "unsupported_parameter"))}
		}
		return []mockllm.Step{mockllm.JSON(200, nil, mockllm.Completion("fine", 1, 1))}
	}})
	for n, asked := range []int{3, 4} {
		a := b.postTo(dialect.Responses, respond("gpt-a", `,"reasoning":{"effort":"high"}`))
		if a.Status != 200 || a.Header.Get("X-Berry-Dropped-Params") != "reasoning.effort" || b.u["u1"].Count() != asked || len(b.record(n).Attempts) != 1 {
			t.Errorf("%d %v %s after %d requests", a.Status, a.Header, a.Body, b.u["u1"].Count())
		}
	}
}
