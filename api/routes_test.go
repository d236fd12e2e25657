package api_test

import (
	"net/http"
	"strings"
	"testing"
)

func TestUnknownRoutes(t *testing.T) {
	b := start(t, setup{})
	const notFound = `{"error":{"message":"no such route; the API is under /v1, as /v1/chat/completions and /v1/models","type":"invalid_request_error","param":null,"code":"not_found"}}`
	for _, route := range []string{
		"GET /v1/zzz", "GET /v1", "GET /v1/", "GET /health/", "POST /nothing", "GET /V1/models", "GET //v1/models",
		"GET /v1/chat/completionsx", "BREW /coffee", "OPTIONS /nothing", "GET /smart-ai/models/pool",
		"POST /admin/nothing", "GET /admin/decision", "GET /favicon.ico",
	} {
		method, path, _ := strings.Cut(route, " ")
		wantJSON(t, b.ask(method, path, adminToken), 404, notFound)
	}
	f := func(route, allow string) {
		t.Helper()
		method, path, _ := strings.Cut(route, " ")
		a := b.ask(method, path, annToken)
		wantJSON(t, a, 405, `{"error":{"message":"method not allowed here, allowed: `+allow+`","type":"invalid_request_error","param":null,"code":"method_not_allowed"}}`)
		if got := a.header.Get("Allow"); got != allow {
			t.Errorf("%s: Allow is %q, want %q", route, got, allow)
		}
	}
	f("DELETE /v1/chat/completions", "POST")
	f("POST /v1/models", "GET, HEAD")
	f("POST /v1/models/pool", "GET, HEAD")
	f("DELETE /", "GET, HEAD")
	f("BREW /health", "GET, HEAD")
	f("OPTIONS /health", "GET, HEAD")
	f("POST /admin/config", "GET, HEAD")
	f("GET /v1/embeddings", "POST")

	// A line for each that says what was asked, and none that says who might be.
	lines := b.lines("Request completed")
	if len(lines) != 21 { // the one under /smart-ai/models/ is of a route that logs at debug
		t.Errorf("%d lines, want 21", len(lines))
	}
	want := `{"timestamp":"TIME", "level":"INFO", "target":"berry_api::api", "message":"Request completed","fields":{"request_id":"ID",` +
		`"method":"GET","path":"other","url_path":"/v1/zzz","status":404,"latency_ms":0,"error":"not_found"}}`
	if got := plain(lines[0].raw); got != want {
		t.Errorf("line %s\nwant %s", got, want)
	}
}

// P29: ids of a safe form are adopted, others replaced; they are in the log.
func TestP29RequestIDs(t *testing.T) {
	b := start(t, setup{})
	f := func(path, sent string, adopted bool) {
		t.Helper()
		a := b.ask("GET", path, annToken, withHeader("X-Request-Id", sent))
		got := a.header.Get("X-Request-Id")
		if adopted != (got == sent) {
			t.Errorf("%s with %.20q: answered %q", path, sent, got)
		}
		if !adopted && plain(`"`+got+`"`) != `"ID"` {
			t.Errorf("%s with %.20q: %q is no id of ours", path, sent, got)
		}
	}
	f("/v1/models", "abc-DEF_123", true)
	f("/nothing", "a", true)
	f("/v1/models", strings.Repeat("x", 128), true)
	f("/v1/models", strings.Repeat("x", 129), false)
	f("/v1/models", strings.Repeat("x", 30000), false)
	f("/v1/models", "a b", false)
	f("/v1/models", "a\tb", false)
	f("/v1/models", "ä", false)
	f("/v1/models", "", false)
	two := b.ask("GET", "/v1/models", annToken, withHeader("X-Request-Id", "one"), withHeader("X-Request-Id", "two"))
	if got := two.header.Get("X-Request-Id"); plain(`"`+got+`"`) != `"ID"` {
		t.Errorf("two ids: answered %q", got)
	}
	seen := map[string]bool{}
	for range 50 {
		seen[b.ask("GET", "/livez", "").header.Get("X-Request-Id")] = true
	}
	if len(seen) != 50 {
		t.Errorf("%d different ids of 50", len(seen))
	}
	if lines := b.lines("Request completed"); lines[0].Fields["request_id"] != "abc-DEF_123" {
		t.Errorf("logged as %v", lines[0].Fields["request_id"])
	}
}

func TestCORS(t *testing.T) {
	b := start(t, setup{settings: `cors_allowed_origins = ["https://chat.example.com"]` + "\n"})
	const good, bad = "https://chat.example.com", "https://evil.example.com"
	a := b.ask("GET", "/v1/models", annToken, withHeader("Origin", good))
	if a.header.Get("Access-Control-Allow-Origin") != good || a.header.Get("Vary") != "Origin" ||
		!strings.Contains(a.header.Get("Access-Control-Expose-Headers"), "X-Request-Id") ||
		a.header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("a good origin: %v", a.header)
	}
	// An error must be readable too, or the page sees a network error.
	if a := b.ask("GET", "/v1/models", "", withHeader("Origin", good)); a.status != 401 || a.header.Get("Access-Control-Allow-Origin") != good {
		t.Errorf("an error: %d %v", a.status, a.header)
	}
	if a := b.ask("GET", "/v1/models", annToken, withHeader("Origin", bad)); a.header.Get("Access-Control-Allow-Origin") != "" || a.header.Get("Vary") != "Origin" {
		t.Errorf("a bad origin: %v", a.header)
	}
	if a := b.ask("GET", "/v1/models", annToken); a.header.Get("Access-Control-Allow-Origin") != "" || a.header.Get("Vary") != "Origin" {
		t.Errorf("no origin: %v", a.header)
	}

	preflight := func(origin, path, method string) answer {
		t.Helper()
		return b.ask("OPTIONS", path, "", withHeader("Origin", origin), withHeader("Access-Control-Request-Method", method),
			withHeader("Access-Control-Request-Headers", "authorization,x-stainless-lang"))
	}
	a = preflight(good, "/v1/chat/completions", "POST")
	want := map[string]string{
		"Access-Control-Allow-Origin": good, "Access-Control-Allow-Methods": "POST",
		"Access-Control-Allow-Headers": "authorization,x-stainless-lang", "Access-Control-Max-Age": "600",
	}
	if a.status != http.StatusNoContent || a.body != "" {
		t.Errorf("preflight: %d %q", a.status, a.body)
	}
	for name, value := range want {
		if got := a.header.Get(name); got != value {
			t.Errorf("preflight: %s is %q, want %q", name, got, value)
		}
	}
	if a := preflight(bad, "/v1/chat/completions", "POST"); a.status != 405 || a.header.Get("Access-Control-Allow-Methods") != "" {
		t.Errorf("preflight of a bad origin: %d %v", a.status, a.header)
	}
	if a := preflight(good, "/nothing", "POST"); a.status != 404 {
		t.Errorf("preflight of an unknown path: %d", a.status)
	}

	b = start(t, setup{settings: `cors_allowed_origins = ["*"]` + "\n"})
	if a := b.ask("GET", "/v1/models", annToken, withHeader("Origin", bad)); a.header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("any origin: %v", a.header)
	}
	b = start(t, setup{})
	if a := b.ask("GET", "/v1/models", annToken, withHeader("Origin", good)); a.header.Get("Access-Control-Allow-Origin") != "" || a.header.Get("Vary") != "" {
		t.Errorf("CORS is off: %v", a.header)
	}
}
