package api_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/api"
	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/core/auth"
)

func replace(format string, args ...any) string { return fmt.Sprintf(format, args...) }

var (
	userRoutes   = []string{"GET /v1/models", "GET /models", "GET /v1/models/pool", "POST /v1/chat/completions", "POST /chat/completions"}
	statusRoutes = []string{"GET /metrics", "GET /prometheus", "GET /smart-ai/weights", "GET /smart-ai/models/org/m1/weights"}
	adminRoutes  = []string{"GET /admin/model-weights", "GET /admin/backend-health", "GET /admin/system-stats", "GET /admin/rate-limit-usage", "GET /admin/history", "GET /admin/config"}
	openRoutes   = []string{"GET /", "GET /status", "GET /health", "GET /livez", "GET /readyz", "GET /v1/health"}
)

// outcome is a status and the error's code.
func (b *berry) outcome(route, token string) string {
	b.t.Helper()
	method, path, _ := strings.Cut(route, " ")
	a := b.ask(method, path, token, withBody(hello("pool")))
	return strings.TrimSpace(fmt.Sprint(a.status, " ", a.code()))
}

func TestAccess(t *testing.T) {
	b := start(t, setup{})
	f := func(routes []string, token, want string) {
		t.Helper()
		for _, route := range routes {
			if got := b.outcome(route, token); got != want {
				t.Errorf("%s: %s, want %s", route, got, want)
			}
		}
	}
	f(openRoutes, "", "200")
	f(openRoutes, badToken, "200")
	f(statusRoutes, "", "200")

	f(userRoutes, "", "401 missing_api_key")
	f(userRoutes[:2], badToken, "401 invalid_api_key")
	f(userRoutes, offToken, "403 user_disabled")
	f(userRoutes, annToken, "200")
	f(userRoutes, adminToken, "200")

	f(adminRoutes, "", "401 missing_api_key")
	f(adminRoutes[:2], badToken, "401 invalid_api_key")
	f(adminRoutes, annToken, "403 admin_required")
	f(adminRoutes, offToken, "403 user_disabled")
	f(adminRoutes, adminToken, "200")
}

func TestPublicStatusOff(t *testing.T) {
	b := start(t, setup{settings: "public_status = false\n"})
	f := func(routes []string, token, want string) {
		t.Helper()
		for _, route := range routes {
			if got := b.outcome(route, token); got != want {
				t.Errorf("%s: %s, want %s", route, got, want)
			}
		}
	}
	f(openRoutes, "", "200")
	f(statusRoutes, "", "401 missing_api_key")
	f(statusRoutes, annToken, "403 admin_required")
	f(statusRoutes, adminToken, "200")
}

// P09: who has no good credential gets 401, and no upstream hears of it.
func TestP09ClientAuth(t *testing.T) {
	b := start(t, setup{})
	f := func(want string, edit func(*http.Request)) {
		t.Helper()
		a := b.ask("POST", "/v1/chat/completions", "", withBody(hello("pool")), edit)
		if a.status != 401 || a.code() != want || a.header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%d %s %q, want 401 %s", a.status, a.body, a.header.Get("WWW-Authenticate"), want)
		}
	}
	f("missing_api_key", func(*http.Request) {})
	f("missing_api_key", withHeader("Authorization", "Basic YWJj"))
	f("missing_api_key", func(r *http.Request) { r.URL.RawQuery = "api_key=" + annToken })
	f("invalid_api_key", withHeader("Authorization", "Bearer "+badToken))
	f("invalid_api_key", withHeader("x-api-key", badToken))
	f("invalid_api_key", withHeader("api-key", badToken))
	if n := len(b.one.Requests()) + len(b.two.Requests()); n != 0 {
		t.Errorf("%d requests went upstream", n)
	}
	// Clients of Anthropic's send both when they were given both: one good key will do.
	for _, edit := range []func(*http.Request){withHeader("x-api-key", annToken), withHeader("api-key", annToken)} {
		if a := b.ask("GET", "/v1/models", badToken, edit); a.status != 200 {
			t.Errorf("beside a bad bearer token: %d %s", a.status, a.body)
		}
	}
	if a := b.ask("GET", "/v1/models", annToken, withHeader("x-api-key", badToken)); a.status != 200 {
		t.Errorf("beside a bad x-api-key: %d %s", a.status, a.body)
	}
	for _, name := range []string{"x-api-key", "api-key"} {
		if a := b.ask("GET", "/v1/models", "", withHeader(name, annToken)); a.status != 200 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := b.ask("POST", "/openai/deployments/pool/chat/completions?api-version=x", "", withBody(hello("pool"))); a.status != 404 || a.code() != "not_found" {
		t.Errorf("Azure's route: %d %s", a.status, a.body)
	}

	lines := b.lines("Authentication failed")
	if len(lines) != 6 {
		t.Fatalf("%d lines, want 6", len(lines))
	}
	want := ` "level":"WARN", "target":"berry_api::auth", "message":"Authentication failed","fields":{"request_id":"ID","method":"POST",` +
		`"path":"/v1/chat/completions","status":401,"latency_ms":0,"error":"missing_api_key","client":"127.0.0.1"}}`
	if got := plain(lines[0].raw); got != `{"timestamp":"TIME",`+want {
		t.Errorf("line %s", got)
	}
}

func TestGuessingTokens(t *testing.T) {
	b := start(t, setup{})
	var got []string
	for range 13 {
		got = append(got, b.outcome("GET /v1/models", badToken))
	}
	for i, o := range got {
		want := "401 invalid_api_key"
		if i >= 10 {
			want = "429 rate_limit_exceeded"
		}
		if o != want {
			t.Errorf("try %d: %s, want %s", i+1, o, want)
		}
	}
	if a := b.ask("GET", "/v1/models", badToken); a.header.Get("Retry-After") == "" {
		t.Errorf("no Retry-After: %v", a.header)
	}
	if o := b.outcome("GET /v1/models", annToken); o != "200" {
		t.Errorf("a good token from that address: %s", o)
	}
	if o := b.outcome("GET /v1/models", ""); o != "401 missing_api_key" {
		t.Errorf("no token from that address: %s", o)
	}
	// Ten of 401, one for the block, one without a token.
	if lines := b.lines("Authentication failed"); len(lines) != 12 {
		t.Errorf("%d lines, want 12", len(lines))
	}
}

func TestClientAddress(t *testing.T) {
	// Each attacker behind the proxy has a count of his own, as the log shows.
	f := func(settings, want string, forwarded ...string) {
		t.Helper()
		b := start(t, setup{settings: settings})
		b.ask("GET", "/v1/models", badToken, func(r *http.Request) { r.Header["X-Forwarded-For"] = forwarded })
		lines := b.lines("Authentication failed")
		if len(lines) != 1 || lines[0].Fields["client"] != want {
			t.Errorf("%v: %v, want %s", forwarded, lines, want)
		}
	}
	const trust = `trusted_proxies = ["127.0.0.0/8", "10.1.1.1", "2001:db8::/32"]` + "\n"
	f("", "127.0.0.1", "9.9.9.9")
	f(trust, "127.0.0.1")
	f(trust, "9.9.9.9", "9.9.9.9")
	f(trust, "9.9.9.9", "6.6.6.6, 9.9.9.9")
	f(trust, "9.9.9.9", "6.6.6.6", "9.9.9.9, 10.1.1.1")
	f(trust, "9.9.9.9", "9.9.9.9:4711")
	f(trust, "fe80::1", "[fe80::1]:80")
	f(trust, "fe80::1", "fe80::1, 2001:db8::5")
	f(trust, "10.1.1.1", "junk, 10.1.1.1")
	f(`trusted_proxies = ["::ffff:127.0.0.1"]`+"\n", "9.9.9.9", "9.9.9.9")
	f(trust, "127.0.0.1", "9.9.9.9, junk")
}

// authenticator takes the user's id from a header, as a proxy might send it.
type authenticator struct{}

func (authenticator) Authenticate(r *http.Request, keys *auth.Keyring) (*auth.User, error) {
	switch id := r.Header.Get("X-User"); id {
	case "":
		return nil, apierror.New(apierror.MissingAPIKey, "no user")
	case "broken":
		return nil, errors.New("the service said " + badToken)
	case "nil":
		return nil, nil
	default:
		u, _ := keys.User(id)
		return u, nil
	}
}

func TestAuthenticator(t *testing.T) {
	b := start(t, setup{options: func(o *api.Options) { o.Authenticator = authenticator{} }})
	f := func(path, user, want string) {
		t.Helper()
		a := b.ask("GET", path, annToken, withHeader("X-User", user))
		if got := strings.TrimSpace(fmt.Sprint(a.status, " ", a.code())); got != want {
			t.Errorf("%s as %q: %s, want %s", path, user, got, want)
		}
	}
	f("/v1/models", "ann", "200")
	f("/v1/models", "", "401 missing_api_key")
	f("/v1/models", "broken", "401 invalid_api_key")
	f("/v1/models", "nil", "401 invalid_api_key")
	f("/v1/models", "nobody", "401 invalid_api_key")
	f("/v1/models", "off", "403 user_disabled")
	f("/admin/config", "ann", "403 admin_required")
	f("/admin/config", "boss", "200")
}

func TestUnmaskedTokensShowTheirEnds(t *testing.T) {
	const guess = "guessed-0123456789-token"
	b := start(t, setup{settings: "log_level = \"debug\"\nmask_api_keys = false\n"})
	b.ask("GET", "/v1/models", guess)
	b.ask("GET", "/v1/models", "short")
	lines := b.lines("Authentication failed")
	if len(lines) != 2 || lines[0].Fields["token"] != "gues***oken" || lines[1].Fields["token"] != "***" {
		t.Errorf("%+v", lines)
	}
	if strings.Contains(b.log.String(), guess) || strings.Contains(b.log.String(), "short") {
		t.Error("the log holds a whole token")
	}
}
