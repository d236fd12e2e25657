package api_test

import (
	"strings"
	"testing"
)

// What OpenAI has and Berry has not is said to be so, whoever asks, and never
// goes to a provider that happens to be there.
func TestUnofferedRoutes(t *testing.T) {
	b := start(t, setup{})
	for _, route := range []string{
		"GET /v1/files", "POST /v1/files", "DELETE /v1/files/file-1", "GET /files/file-1/content", "POST /v1/uploads", "POST /v1/batches",
		"GET /v1/batches/b/", "GET /v1/assistants", "POST /v1/threads/t/runs", "POST /v1/fine_tuning/jobs", "GET /v1/vector_stores",
		"GET /v1/realtime", "POST /v1/realtime/sessions",
		"GET /v1/chat/completions/abc", "DELETE /v1/chat/completions/abc", "POST /v1/chat/completions/abc", "GET /v1/chat/completions/abc/messages",
	} {
		method, path, _ := strings.Cut(route, " ")
		a := b.ask(method, path, annToken, withBody(`{"model":"pool"}`))
		wantJSON(t, a, 404, `{"error":{"message":"`+route+` is not offered by this gateway: what it is about is kept in one provider's account; ask that provider itself",`+
			`"type":"invalid_request_error","param":null,"code":"unsupported_endpoint"}}`)
		if a.header.Get("Allow") != "" {
			t.Errorf("%s allows %s", route, a.header.Get("Allow"))
		}
	}
	for _, path := range []string{"/v1/chat/completions", "/chat/completions"} {
		wantJSON(t, b.ask("GET", path, annToken), 404, `{"error":{"message":"GET `+path+` is not offered by this gateway: what it is about is kept in one `+
			`provider's account; ask that provider itself; a chat is sent with POST","type":"invalid_request_error","param":null,"code":"unsupported_endpoint"}}`)
	}
	for _, path := range []string{"/v1/filesx", "/v1/file", "/v1/v1/files", "/v1/chat/completions/", "/v1/chat"} {
		if a := b.ask("GET", path, annToken); a.status != 404 || a.code() != "not_found" {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	for _, route := range []string{"POST /v1/messages/batches", "GET /messages/batches/b/results"} {
		method, path, _ := strings.Cut(route, " ")
		if a := b.ask(method, path, annToken); a.status != 404 || !strings.HasPrefix(a.body, `{"type":"error","error":{"type":"not_found_error","message":"`+route+` is not offered`) {
			t.Errorf("%s: %d %s", route, a.status, a.body)
		}
	}
	// A key in the path is masked.
	if a := b.ask("GET", "/v1/files/"+keyOne, annToken); a.status != 404 || !strings.Contains(a.body, "***") {
		t.Error(a.body)
	}
	if b.one.Count()+b.two.Count() != 0 {
		t.Error("a provider was asked")
	}
}

// An endpoint is another way to a model: who may do what is the same, and so is
// what is written down.
func TestEndpointsThroughTheDoor(t *testing.T) {
	b := start(t, setup{})
	f := func(path, token, body string, status int, code string) {
		t.Helper()
		a := b.ask("POST", path, token, withBody(body))
		if a.status != status || a.code() != code {
			t.Errorf("%s: %d %s, want %d %s", path, a.status, a.body, status, code)
		}
	}
	for _, path := range []string{"/v1/completions", "/completions", "/v1/embeddings", "/embeddings", "/v1/moderations", "/moderations"} {
		f(path, "", `{}`, 401, "missing_api_key")
		f(path, badToken, `{}`, 401, "invalid_api_key")
		f(path, offToken, `{}`, 403, "user_disabled")
		f(path, annToken, `{"model":"nope"}`, 404, "model_not_found")
		f(path, narrowTok, `{"model":"org/m1"}`, 403, "model_not_allowed")
		f(path, annToken, `{"model":"pool","backend":"one"}`, 403, "backend_pin_not_allowed")
		f(path, annToken, `{"model":"pool","model":"org/m1"}`, 400, "invalid_json")
		f(path, adminToken, `{"backend":"two","model":"pool","prompt":"a","input":"a"}`, 200, "")
		f(path, annToken, `{"model":"swimming","prompt":"a","input":"a"}`, 200, "")
	}
	for _, path := range []string{"/v1/completions", "/v1/embeddings"} {
		f(path, annToken, `{}`, 400, "invalid_value")
	}
	f("/v1/moderations", annToken, `{"input":"a"}`, 404, "model_not_found")
	f("/v1/embeddings", narrowTok, `{"model":"pool","input":"a"}`, 200, "")
	f("/v1/chat/completions", narrowTok, hello("pool"), 200, "")
	f("/v1/embeddings", narrowTok, `{"model":"pool","input":"a"}`, 429, "rate_limit_exceeded")
	a := b.ask("GET", "/admin/decisions?limit=1", adminToken)
	if !strings.Contains(a.body, `"endpoint":"chat/completions"`) {
		t.Error(a.body)
	}
	counted := map[string]int{}
	for _, l := range b.lines("Backend selected") {
		counted[l.Fields["endpoint"].(string)]++
	}
	if counted["completions"] != 4 || counted["embeddings"] != 5 || counted["moderations"] != 4 || counted["chat/completions"] != 1 {
		t.Errorf("logged: %v", counted)
	}
}
