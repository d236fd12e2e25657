package relay_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

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
	f("a path as the parameter", fault(404, "Invalid path", "path", "not_found"), true)
	f("a router that writes None", fault(404, "The route /v1/responses is not available", "None", "404"), true)
	f("200 for any path", mockllm.JSON(200, nil, `{"error":"Unexpected endpoint or method. (POST /v1/responses)"}`), true)
	f("a gateway without translation", fault(500, "not implemented (request id: 1)", "", "convert_request_failed"), true)
	f("an API that is too old", fault(400, "Azure OpenAI Responses API is enabled only for api-version 2025-03-01-preview and later", "", "BadRequest"), true)
	f("a model without, as a 400", fault(400, "model gpt-4o is not supported via Responses API.", "", "unsupported_api_for_model"), true)
	f("a parameter of the other API", fault(400, "Unsupported parameter: 'response_format'. In the Responses API, this parameter has moved to 'text.format'.", "response_format", "unsupported_parameter"), false)
	f("the same without its name", fault(400, "Unsupported parameter: 'response_format'. In the Responses API, this parameter has moved to 'text.format'.", "", ""), false)
	f("a container", fault(404, "Container with id 'cntr_1' not found.", "", ""), false)
	f("an earlier response", fault(404, "Response with id 'resp_1' not found.", "", ""), false)
	f("a model that is not there", fault(404, "The model `x` does not exist", "", "model_not_found"), false)
	f("a parameter", fault(404, "not found", "model", ""), false)
	f("an item", fault(404, "Item with id 'rs_1' not found.", "", ""), false)
	f("a deployment", fault(404, "The API deployment for this resource does not exist", "", "DeploymentNotFound"), false)
	f("400", fault(400, "bad", "", ""), false)
}

// What such a server cannot be asked by a chat is refused in words that say what
// to send, and not with its 404.
func TestResponsesThatNeedMoreThanChats(t *testing.T) {
	b := startFormats(t, map[string]mockllm.Script{"u1": always(mockllm.JSON(404, nil, `{"detail":"Not Found"}`))})
	f := func(more, param string) {
		t.Helper()
		a := b.postTo(dialect.Responses, respond("gpt-a", more))
		if a.Status != 400 || !strings.Contains(a.Body, `"param":"`+param+`"`) || !strings.Contains(a.Body, `"code":"invalid_value"`) {
			t.Errorf("%s: %d %s", more, a.Status, a.Body)
		}
	}
	f(`,"previous_response_id":"resp_0"`, "previous_response_id")
	f(`,"conversation":{"id":"conv_0"}`, "conversation")
	f(`,"background":true`, "background")
	f(`,"tools":[{"type":"mcp","server_label":"s"}]`, "tools[0].type")
	if got := b.u["u1"].Count(); got != 4 {
		t.Errorf("%d requests", got)
	}
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
