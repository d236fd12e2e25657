package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// discovering is a configuration whose two providers are discovered.
const discovering = `
[providers.one]
base_url = "%[1]s"
api_key = "` + keyOne + `"
discover = true
[providers.two]
base_url = "%[2]s"
api_key = "` + keyTwo + `"
discover = true
[models.pool]
backends = [{ provider = "one", model = "up-1" }]

[users.ann]
token = "` + annToken + `"
[users.boss]
token = "` + adminToken + `"
tags = ["admin"]
[users.narrow]
token = "` + narrowTok + `"
allowed_models = ["late"]
`

// owners are the models that a user sees, as name=owner.
func (b *berry) owners(token string) []string {
	b.t.Helper()
	var list struct {
		Data []struct {
			ID      string
			OwnedBy string `json:"owned_by"`
		}
	}
	a := b.ask("GET", "/v1/models", token)
	if err := json.Unmarshal([]byte(a.body), &list); err != nil || a.status != 200 {
		b.t.Fatalf("%d %v: %s", a.status, err, a.body)
	}
	out := []string{}
	for _, m := range list.Data {
		out = append(out, m.ID+"="+m.OwnedBy)
	}
	return out
}

// lists counts how often a provider was asked for its list.
func lists(m *mockllm.Server) int {
	n := 0
	for _, r := range m.Requests() {
		if r.Method == http.MethodGet {
			n++
		}
	}
	return n
}

// A provider gains a model and loses one while clients run: the list and the
// routing follow with its next check, and nobody's request fails.
func TestDiscovery(t *testing.T) {
	b := start(t, setup{config: discovering, settings: "health_check_interval_seconds = 0.2\nlog_level = \"warn\"\n"})
	has := func(m *mockllm.Server, names ...string) {
		t.Helper()
		if err := m.SetBehaviour(mockllm.Behaviour{Models: names}); err != nil {
			t.Fatal(err)
		}
	}
	// follow waits until the list is as wanted, for no longer than one check takes.
	follow := func(changed *mockllm.Server, want ...string) {
		t.Helper()
		before := lists(changed)
		eventually(t, strings.Join(want, " "), func() bool { return slices.Equal(b.owners(annToken), want) })
		// One may have been on its way when the provider changed, and one may
		// have come since.
		if n := lists(changed) - before; n > 3 {
			t.Errorf("%q took %d checks", want, n)
		}
	}
	has(b.one, "up-1", "shared", "pool")
	has(b.two, "shared")
	follow(b.one, "pool=berry-api", "shared=one,two", "up-1=one")

	stop := make(chan struct{})
	var clients sync.WaitGroup
	var asked atomic.Int64
	for i := range 4 {
		body := fmt.Sprintf(`{"model":%q,"stream":%t,"messages":[{"role":"user","content":"Hello"}]}`, []string{"shared", "pool"}[i%2], i < 2)
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if a := b.chat(annToken, body); a.status != 200 || i < 2 && !strings.Contains(a.body, "[DONE]") {
					t.Errorf("%s: %d %s", body, a.status, a.body)
				}
				asked.Add(1)
			}
		})
	}
	if a := b.chat(annToken, hello("late")); a.status != 404 || a.code() != "model_not_found" {
		t.Errorf("before it is there: %d %s", a.status, a.body)
	}
	has(b.two, "shared", "late")
	follow(b.two, "late=two", "pool=berry-api", "shared=one,two", "up-1=one")
	for _, token := range []string{annToken, narrowTok} {
		if a := b.chat(token, hello("late")); a.status != 200 || a.header.Get("X-Berry-Provider") != "two" {
			t.Errorf("%d %v %s", a.status, a.header, a.body)
		}
	}
	if got := b.owners(narrowTok); !slices.Equal(got, []string{"late=two"}) {
		t.Errorf("a user with allowed_models sees %q", got)
	}
	if a := b.chat(narrowTok, hello("shared")); a.status != 403 || a.code() != "model_not_allowed" {
		t.Errorf("not allowed: %d %s", a.status, a.body)
	}
	discoveryViews(t, b)

	// A model moves from one provider to the other.
	has(b.one, "up-1", "shared", "pool", "late")
	follow(b.one, "late=one,two", "pool=berry-api", "shared=one,two", "up-1=one")
	has(b.two, "shared")
	follow(b.two, "late=one", "pool=berry-api", "shared=one,two", "up-1=one")
	if a := b.chat(annToken, hello("late")); a.header.Get("X-Berry-Provider") != "one" {
		t.Errorf("%d %v", a.status, a.header)
	}
	has(b.one, "up-1", "shared")
	follow(b.one, "pool=berry-api", "shared=one,two", "up-1=one")
	if a := b.chat(annToken, hello("late")); a.status != 404 {
		t.Errorf("when it is gone: %d %s", a.status, a.body)
	}
	for sample := range b.scrape().samples {
		if strings.Contains(sample, `"late"`) {
			t.Errorf("a series of a model that is gone: %s", sample)
		}
	}
	close(stop)
	clients.Wait()
	if asked.Load() < 10 {
		t.Errorf("only %d requests were made", asked.Load())
	}
	if lines := b.lines("health_check: backend health changed"); len(lines) != 0 {
		t.Errorf("what went from a list was marked: %+v", lines)
	}
}

// discoveryViews checks what operators see of a list.
func discoveryViews(t *testing.T, b *berry) {
	t.Helper()
	var weights struct {
		Models map[string]struct {
			ID, Strategy string
			Discovered   bool
		}
	}
	a := b.ask("GET", "/admin/model-weights", adminToken)
	if err := json.Unmarshal([]byte(a.body), &weights); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	if m := weights.Models["late"]; m.ID != "late" || m.Strategy != "weighted_failover" || !m.Discovered || weights.Models["pool"].Discovered {
		t.Errorf("%+v", weights.Models)
	}
	if a := b.ask("GET", "/admin/backend-health", adminToken); !strings.Contains(a.body, `"two:late":`) {
		t.Errorf("%s", a.body)
	}
	var stats struct{ Discovery map[string]any }
	a = b.ask("GET", "/admin/system-stats", adminToken)
	if err := json.Unmarshal([]byte(plain(a.body)), &stats); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	want := map[string]any{
		"one": map[string]any{"models": 3.0, "left_out": 0.0, "last_read": "TIME", "last_tried": "TIME", "error": nil},
		"two": map[string]any{"models": 2.0, "left_out": 0.0, "last_read": "TIME", "last_tried": "TIME", "error": nil},
	}
	if d := cmp.Diff(want, stats.Discovery); d != "" {
		t.Errorf("discovery (-want +got):\n%s", d)
	}
	p := b.scrape()
	p.want(t, `berry_discovered_models{provider="two"}`, 2)
	p.want(t, `berry_discovery_successful{provider="two"}`, 1)
	p.want(t, `backend_health_status{provider="two",model="late"}`, 1)
	p.want(t, `berry_model_healthy_backends{model="late"}`, 1)
}

// A list that is not there is known before the server says that it is ready,
// and is not passed over in silence.
func TestDiscoveryThatFails(t *testing.T) {
	open := make(chan struct{})
	b := start(t, setup{config: discovering, two: func(*mockllm.Seen) []mockllm.Step {
		<-open
		return []mockllm.Step{mockllm.JSON(500, nil, `{"error":"secret-canary-09 broken"}`)}
	}})
	if a := b.ask("GET", "/readyz", ""); a.status != 503 || a.body != "not ready\n" {
		t.Errorf("while a list is not known: %d %q", a.status, a.body)
	}
	close(open)
	eventually(t, "ready", func() bool { return b.ask("GET", "/readyz", "").status == 200 })
	b.scrape().want(t, `berry_discovery_successful{provider="two"}`, 0)
	lines := b.lines("Model list cannot be read, the models that it named last stay")
	if len(lines) != 1 || lines[0].Level != "WARN" || lines[0].Fields["provider"] != "two" || !strings.Contains(fmt.Sprint(lines[0].Fields["error"]), "status 500") {
		t.Errorf("%+v", lines)
	}
	if lines := b.lines("Discovered models"); len(lines) != 1 || fmt.Sprint(lines[0].Fields["added"]) != "[mock-model]" {
		t.Errorf("%+v", lines)
	}
}
