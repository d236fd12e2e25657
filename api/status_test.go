package api_test

import (
	"net/http"
	"strings"
	"testing"
)

func TestStatusRoutes(t *testing.T) {
	b := start(t, setup{})
	wantJSON(t, b.ask("GET", "/health", ""), 200, `{"status":"healthy","timestamp":"TIME","version":"1.2.3","uptime_seconds":0,
		"providers":{"total":2,"healthy":2},"models":{"total":2,"healthy":2}}`)
	wantJSON(t, b.ask("GET", "/v1/health", ""), 200, `{"status":"ok","models_available":2,"timestamp":"TIME",
		"providers":{"total":2,"healthy":2},"models":{"total":2,"healthy":2}}`)

	text := func(path, want string) {
		t.Helper()
		a := b.ask("GET", path, "")
		if a.status != 200 || a.body != want || a.header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("%s: %d %q %q", path, a.status, a.header.Get("Content-Type"), a.body)
		}
	}
	text("/livez", "ok\n")
	text("/readyz", "ready\n")
	text("/", "Berry API 1.2.3: the API is under /v1, its state under /health and /metrics, the dashboard under /status\n")

	if a := b.ask("HEAD", "/health", ""); a.status != 200 || a.body != "" {
		t.Errorf("HEAD: %d %q", a.status, a.body)
	}
}

func TestHealthFollowsTheModels(t *testing.T) {
	const second = `
[models.other]
backends = [{ provider = "two", model = "up-2" }]
`
	const first = `
[providers.one]
base_url = "%[1]s"
[providers.two]
base_url = "%[2]s"
enabled = false
[models.pool]
backends = [{ provider = "one", model = "up-1" }]
`
	b := start(t, setup{config: first + second})
	wantJSON(t, b.ask("GET", "/health", ""), 200, `{"status":"degraded","timestamp":"TIME","version":"1.2.3","uptime_seconds":0,
		"providers":{"total":1,"healthy":1},"models":{"total":2,"healthy":1}}`)
	wantJSON(t, b.ask("GET", "/v1/health", ""), 200, `{"status":"ok","models_available":1,"timestamp":"TIME",
		"providers":{"total":1,"healthy":1},"models":{"total":2,"healthy":1}}`)

	const none = `
[providers.one]
base_url = "%[1]s"
enabled = false
[providers.two]
base_url = "%[2]s"
enabled = false
` + second
	b = start(t, setup{config: none})
	wantJSON(t, b.ask("GET", "/health", ""), 503, `{"status":"unhealthy","timestamp":"TIME","version":"1.2.3","uptime_seconds":0,
		"providers":{"total":0,"healthy":0},"models":{"total":1,"healthy":0}}`)
	wantJSON(t, b.ask("GET", "/v1/health", ""), 503, `{"status":"error","models_available":0,"timestamp":"TIME",
		"providers":{"total":0,"healthy":0},"models":{"total":1,"healthy":0}}`)
}

func TestSecurityHeaders(t *testing.T) {
	b := start(t, setup{settings: "hsts = true\nsecurity_headers = true\n"})
	a := b.ask("GET", "/", "")
	for name, want := range map[string]string{
		"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff",
		"X-Xss-Protection": "1; mode=block", "Strict-Transport-Security": "max-age=31536000",
	} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if got := b.ask("GET", "/v1/models", annToken).header.Get("Strict-Transport-Security"); got == "" {
		t.Error("no HSTS on the API")
	}
	b = start(t, setup{})
	a = b.ask("GET", "/", "")
	if a.header.Get("X-Frame-Options") != "" || a.header.Get("Strict-Transport-Security") != "" {
		t.Errorf("without TLS: %v", a.header)
	}
}

func TestModels(t *testing.T) {
	b := start(t, setup{})
	const pool = `{"id":"pool","object":"model","created":1677610602,"owned_by":"berry-api"}`
	const slash = `{"id":"org/m1","object":"model","created":1677610602,"owned_by":"berry-api"}`
	for _, path := range []string{"/v1/models", "/models", "/v1/models/"} {
		wantJSON(t, b.ask("GET", path, annToken), 200, `{"object":"list","data":[`+slash+`,`+pool+`]}`)
	}
	wantJSON(t, b.ask("GET", "/v1/models", narrowTok), 200, `{"object":"list","data":[`+pool+`]}`)
	for _, path := range []string{"/v1/models/org/m1", "/v1/models/org%2Fm1", "/models/org/m1", "/models/org%2fm1"} {
		wantJSON(t, b.ask("GET", path, annToken), 200, slash)
	}
	wantJSON(t, b.ask("GET", "/v1/models/pool", narrowTok), 200, pool)
	wantJSON(t, b.ask("GET", "/v1/models/swimming", annToken), 200,
		`{"id":"swimming","object":"model","created":1677610602,"owned_by":"berry-api"}`)

	const missing = `{"error":{"message":"the model \"%s\" does not exist; GET /v1/models lists those you may use","type":"invalid_request_error","param":"model","code":"model_not_found"}}`
	f := func(path, token, name string) {
		t.Helper()
		a := b.ask("GET", path, token)
		if want := replace(missing, name); a.status != http.StatusNotFound || a.body != want {
			t.Errorf("%s: %d %s, want %s", path, a.status, a.body, want)
		}
	}
	f("/v1/models/nope", annToken, "nope")
	f("/v1/models/a+b", annToken, "a+b")
	f("/v1/models/org/m1", narrowTok, "org/m1")
	f("/v1/models/pool/", annToken, "pool/")
}

// A model of which the user's tags leave no backend does not exist to it.
func TestModelsByTags(t *testing.T) {
	b := start(t, setup{config: usual + `
[models.gold]
backends = [{ provider = "two", model = "up-2", tags = ["gold"] }]
[users.plain]
token = "berry-canary-11-basic"
tags = ["basic"]
[users.rich]
token = "berry-canary-12-gold"
tags = ["gold", "basic"]
`})
	f := func(token string, listed, gold int) {
		t.Helper()
		if got := strings.Count(b.ask("GET", "/v1/models", token).body, `"object":"model"`); got != listed {
			t.Errorf("%s: %d models, want %d", token, got, listed)
		}
		if a := b.ask("GET", "/v1/models/gold", token); a.status != gold {
			t.Errorf("%s: %d %s", token, a.status, a.body)
		}
	}
	f("berry-canary-11-basic", 2, 404)
	f("berry-canary-12-gold", 3, 200)
	f(annToken, 3, 200)
	f(adminToken, 3, 200)
}
