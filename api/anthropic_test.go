package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// inAnthropicsForm checks an error of a route whose clients are Anthropic's.
func inAnthropicsForm(t *testing.T, what string, a answer, status int, kind, code string) {
	t.Helper()
	var got struct {
		Type  string
		Error struct{ Type, Message, Code string }
		ID    string `json:"request_id"`
	}
	d := json.NewDecoder(strings.NewReader(a.body))
	d.DisallowUnknownFields()
	if err := d.Decode(&got); err != nil {
		t.Errorf("%s: %v: %s", what, err, a.body)
		return
	}
	if a.status != status || got.Type != "error" || got.Error.Type != kind || got.Error.Code != code || got.Error.Message == "" || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("%s: %d %s", what, a.status, a.body)
	}
	if got.ID == "" || got.ID != a.header.Get("Request-Id") {
		t.Errorf("%s: request_id %q, header %q", what, got.ID, a.header.Get("Request-Id"))
	}
}

// P39: every failure of the route has Anthropic's form, with the request's id.
func TestMessagesErrors(t *testing.T) {
	b := start(t, setup{settings: "max_request_body_bytes = 500\n"})
	post := func(token, body string, edits ...func(*http.Request)) answer {
		return b.ask("POST", "/v1/messages?beta=true", token, append(edits, withBody(body))...)
	}
	f := func(what string, a answer, status int, kind, code string) {
		t.Helper()
		inAnthropicsForm(t, what, a, status, kind, code)
	}
	f("no key", post("", hello("pool")), 401, "authentication_error", "missing_api_key")
	f("a bad key", post(badToken, hello("pool")), 401, "authentication_error", "invalid_api_key")
	f("a bad x-api-key", post("", hello("pool"), withHeader("X-Api-Key", badToken)), 401, "authentication_error", "invalid_api_key")
	f("a disabled user", post(offToken, hello("pool")), 403, "permission_error", "user_disabled")
	f("a model that is not theirs", post(narrowTok, hello("org/m1")), 403, "permission_error", "model_not_allowed")
	f("no such model", post(annToken, hello("nope")), 404, "not_found_error", "model_not_found")
	f("no JSON", post(annToken, "{"), 400, "invalid_request_error", "invalid_json")
	f("too large", post(annToken, hello(strings.Repeat("x", 600))), 413, "request_too_large", "request_too_large")
	f("the wrong method", b.ask("GET", "/v1/messages", annToken), 405, "invalid_request_error", "method_not_allowed")
	f("no such route", b.ask("POST", "/v1/messages/odd", annToken), 404, "not_found_error", "not_found")
	f("batches", b.ask("POST", "/v1/messages/batches", annToken), 404, "not_found_error", "unsupported_endpoint")
	f("no such route of Anthropic's", b.ask("GET", "/v1/organizations/me", annToken, withHeader("Anthropic-Version", "2023-06-01")), 404, "not_found_error", "not_found")
	f("what Berry does not keep", b.ask("POST", "/v1/files", annToken, withHeader("Anthropic-Version", "2023-06-01")), 404, "not_found_error", "unsupported_endpoint")
	f("counting", b.ask("POST", "/v1/messages/count_tokens", annToken, withBody(hello("nope"))), 404, "not_found_error", "model_not_found")
	for range 2 {
		post(narrowTok, hello("pool"))
	}
	limited := post(narrowTok, hello("pool"))
	f("over the limit", limited, 429, "rate_limit_error", "rate_limit_exceeded")
	if limited.header.Get("Retry-After") == "" {
		t.Errorf("no retry-after: %v", limited.header)
	}
	// Other routes keep OpenAI's form, whoever asks.
	if a := b.ask("POST", "/v1/chat/completions", annToken, withBody(hello("nope")), withHeader("Anthropic-Version", "2023-06-01")); a.code() != "model_not_found" || strings.Contains(a.body, "request_id") {
		t.Errorf("chat: %s", a.body)
	}
}

func TestMessagesAndCount(t *testing.T) {
	b := start(t, setup{one: said("Hello to you")})
	a := b.ask("POST", "/v1/messages", "", withBody(hello("pool")), withHeader("X-Api-Key", annToken))
	if a.status != 200 || !strings.Contains(a.body, `"text":"Hello to you"`) || !strings.Contains(a.body, `"model":"pool"`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	a = b.ask("POST", "/messages/count_tokens", annToken, withBody(hello("pool")))
	if a.status != 200 || a.body != `{"input_tokens":11}` || a.header.Get("X-Berry-Estimated") != "input_tokens" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if lines := b.lines("Backend selected"); len(lines) != 1 || lines[0].Fields["endpoint"] != "messages" || lines[0].Fields["provider"] != "one" || lines[0].Fields["status"] != 200.0 {
		t.Errorf("%+v", lines)
	}
	if lines := b.lines("Request completed"); len(lines) != 1 || lines[0].Fields["path"] != "/messages/count_tokens" || lines[0].Fields["model"] != "pool" || lines[0].Fields["status"] != 200.0 {
		t.Errorf("%+v", lines)
	}
}

// P19 for Anthropic's clients: its own form of the list, in pages.
func TestClaudeModels(t *testing.T) {
	b := start(t, setup{})
	version := withHeader("Anthropic-Version", "2023-06-01")
	f := func(query, want string) {
		t.Helper()
		wantJSON(t, b.ask("GET", "/v1/models"+query, annToken, version), 200, want)
	}
	const slash = `{"type":"model","id":"org/m1","display_name":"org/m1","created_at":"TIME"}`
	const pool = `{"type":"model","id":"pool","display_name":"pool","created_at":"TIME"}`
	list := func(data, more, first, last string) string {
		return `{"data":[` + data + `],"has_more":` + more + `,"first_id":` + first + `,"last_id":` + last + `}`
	}
	both := list(slash+","+pool, "false", `"org/m1"`, `"pool"`)
	f("", both)
	f("?limit=1000", both)
	f("?limit=1", list(slash, "true", `"org/m1"`, `"org/m1"`))
	f("?limit=1&after_id=org/m1", list(pool, "false", `"pool"`, `"pool"`))
	f("?after_id=pool", list("", "false", "null", "null"))
	f("?before_id=pool", list(slash, "false", `"org/m1"`, `"org/m1"`))
	f("?limit=1&before_id=pool", list(slash, "false", `"org/m1"`, `"org/m1"`))
	f("?before_id=org/m1", list("", "false", "null", "null"))
	f("/org%2Fm1", slash)
	f("/org/m1", slash)
	if d := cmp.Diff(2, strings.Count(b.ask("GET", "/v1/models", annToken).body, `"object":"model"`)); d != "" {
		t.Errorf("OpenAI's form has other models: %s", d)
	}
	bad := func(path, token string, status int, kind, code string) {
		t.Helper()
		inAnthropicsForm(t, path, b.ask("GET", path, token, version), status, kind, code)
	}
	bad("/v1/models/nope", annToken, 404, "not_found_error", "model_not_found")
	bad("/v1/models", badToken, 401, "authentication_error", "invalid_api_key")
	bad("/v1/models?limit=0", annToken, 400, "invalid_request_error", "invalid_value")
	bad("/v1/models?limit=x", annToken, 400, "invalid_request_error", "invalid_value")
	bad("/v1/models?limit=1001", annToken, 400, "invalid_request_error", "invalid_value")
	bad("/v1/models?after_id=nope", annToken, 400, "invalid_request_error", "invalid_value")
	bad("/v1/models?before_id=nope", annToken, 400, "invalid_request_error", "invalid_value")
}

// What ends a stream badly names the request, as a whole error does.
func TestMessagesBrokenStreamHasTheRequestsID(t *testing.T) {
	b := start(t, setup{one: mockllm.Always(mockllm.SSE(mockllm.Role(), mockllm.Text("he")), mockllm.EOF())})
	a := b.ask("POST", "/v1/messages", annToken, withBody(`{"model":"pool","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}`))
	if id := a.header.Get("Request-Id"); a.status != 200 || !strings.Contains(a.body, "event: error\n") || !strings.Contains(a.body, `"request_id":"`+id+`"`) {
		t.Errorf("%d %s", a.status, a.body)
	}
}
