package browser

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/e2e/process"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

const (
	adminToken = "sk-berry-admin-canary-1"
	userToken  = "sk-berry-user-canary-2"
	wrongToken = "sk-berry-wrong-canary-3"
	alphaKey   = "up-alpha-canary-4"
	betaKey    = "up-beta-canary-5"
	// What a provider says when it is down; the page must not repeat it.
	upstreamWords = "spilled by the provider: up-words-canary-6"
)

// world is what the browser sees: some servers in front of two providers.
type world struct {
	providers map[string]*mockllm.Server
	main      *process.Berry
	private   *process.Berry // public_status is off
	apart     *process.Berry // the operator's routes have an address of their own
	empty     *process.Berry // nothing is configured
	control   *httptest.Server
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	binary, err := process.Build(dir)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{providers: map[string]*mockllm.Server{"alpha": mockllm.Start(t, nil), "beta": mockllm.Start(t, nil)}}
	w.set(t, "alpha", mockllm.Behaviour{Name: "alpha", Key: alphaKey, Models: []string{"up-1"}})
	w.set(t, "beta", mockllm.Behaviour{Name: "beta", Key: betaKey, Models: []string{"up-2"}})
	start := func(config string) *process.Berry {
		file, err := process.File(dir, config)
		if err != nil {
			t.Fatal(err)
		}
		var log process.Log
		b, err := process.Start(binary, file, process.Options{Env: process.BareEnv(), Log: &log})
		if err != nil {
			t.Fatalf("%v\n%s", err, log.String())
		}
		t.Cleanup(func() {
			if err := b.Stop(); err != nil {
				t.Error(err)
			}
			if strings.Contains(log.String(), "-canary-") {
				t.Error("a server's log holds a secret")
			}
		})
		return b
	}
	w.main = start(w.config(""))
	w.private = start(w.config("public_status = false\n"))
	w.apart = start(w.config("admin_bind_address = \"127.0.0.1:0\"\n"))
	w.empty = start(fmt.Sprintf("[settings]\nbind_address = \"127.0.0.1:0\"\nlog_format = \"json\"\n[users.boss]\ntoken = %q\ntags = [\"admin\"]\n", adminToken))
	w.control = httptest.NewServer(http.HandlerFunc(w.serve))
	t.Cleanup(w.control.Close)
	return w
}

func (w *world) set(t *testing.T, provider string, b mockllm.Behaviour) {
	t.Helper()
	if err := w.providers[provider].SetBehaviour(b); err != nil {
		t.Fatal(err)
	}
}

func (w *world) config(settings string) string {
	return fmt.Sprintf(`[settings]
bind_address = "127.0.0.1:0"
log_format = "json"
health_check_interval_seconds = 1
recovery_check_interval_seconds = 1
circuit_breaker_failure_threshold = 3
circuit_breaker_timeout_seconds = 1
%s
[providers.alpha]
base_url = %q
api_key = %q
[providers.beta]
base_url = %q
api_key = %q

[models.pool]
strategy = "failover"
backends = [{ provider = "alpha", model = "up-1", priority = 1 }, { provider = "beta", model = "up-2", priority = 2 }]
[models.solo]
backends = [{ provider = "alpha", model = "up-1" }]
[models.clever]
strategy = "smart_ai"
backends = [{ provider = "alpha", model = "up-1" }, { provider = "beta", model = "up-2", tags = ["premium"] }]

[users.boss]
token = %q
tags = ["admin"]
[users.ann]
token = %q
rate_limit = { requests_per_minute = 500, concurrent_requests = 7 }
`, settings, w.providers["alpha"].URL, alphaKey, w.providers["beta"].URL, betaKey, adminToken, userToken)
}

// serve lets the scripts change the world: POST /down?provider=alpha and /up, and
// POST /chat?model=pool, which asks the main server and tells what it answered.
func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	switch r.URL.Path {
	case "/down":
		w.providers[q.Get("provider")].SetScript(mockllm.Always(mockllm.JSON(503, nil, mockllm.Fault(upstreamWords, "server_error", "", ""))))
	case "/up":
		w.providers[q.Get("provider")].SetScript(nil)
	case "/chat":
		w.chat(rw, q.Get("model"), q.Get("stream") == "true")
	default:
		http.NotFound(rw, r)
	}
}

func (w *world) chat(rw http.ResponseWriter, model string, stream bool) {
	body := fmt.Sprintf(`{"model":%q,"stream":%t,"messages":[{"role":"user","content":"Hello"}]}`, model, stream)
	r, err := http.NewRequest(http.MethodPost, w.main.URL()+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		http.Error(rw, err.Error(), http.StatusInternalServerError)
		return
	}
	r.Header.Set("Authorization", "Bearer "+userToken)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadGateway)
		return
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	_ = json.NewEncoder(rw).Encode(map[string]any{
		"status": res.StatusCode, "id": res.Header.Get("X-Request-Id"), "provider": res.Header.Get("X-Berry-Provider"),
	})
}
