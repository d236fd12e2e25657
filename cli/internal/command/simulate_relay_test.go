package command

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/loadbalance/simulate"
	"github.com/PPKunOfficial/berry-api/relay"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// A simulated request makes the same attempts as a real one through the relay,
// for the same faults and the same reasons: the simulation writes the relay's
// rules down again, and this is what keeps the two equal.
func TestSimulationRetriesAsTheRelayDoes(t *testing.T) {
	// Each word is what one backend does, in the order of preference.
	f := func(backends string) {
		t.Helper()
		t.Run(backends, func(t *testing.T) {
			t.Parallel()
			names := strings.Fields(backends)
			cfg := failing(t, names)
			served, played := throughRelay(t, cfg), throughSimulation(t, cfg, names)
			if !slices.Equal(served, played) {
				t.Errorf("the relay:\n  %q\nthe simulation:\n  %q", served, played)
			}
			if len(served) == 0 {
				t.Error("nothing was tried")
			}
		})
	}
	f("good")
	f("server")
	f("server good")
	f("server server good")
	f("server network good")
	f("network")
	f("network network good")
	f("network network network good")
	f("auth")
	f("auth model good")
	f("model server good")
	f("limited good")
	f("limited limited good")
	f("limited")
	f("long")
	f("temporary good")
	f("temporary")
	f("server limited temporary good")
}

// faultNamed is what a backend of that name does in both worlds: the fault of
// the script, and the answer over HTTP.
func faultNamed(name string) (fault *simulate.Fault, status int, retryAfter string) {
	kind := func(k loadbalance.Kind) *simulate.Fault { return &simulate.Fault{Kind: simulate.Kind(k)} }
	switch name {
	case "server":
		return kind(loadbalance.Server), 500, ""
	case "network":
		return kind(loadbalance.Network), 0, ""
	case "auth":
		return kind(loadbalance.Auth), 401, ""
	case "model":
		return kind(loadbalance.Model), 404, ""
	case "limited", "long", "temporary":
		x, status, wait := kind(loadbalance.RateLimit), 429, 50*time.Millisecond
		if name == "long" {
			wait = 6 * time.Second
		}
		if name == "temporary" {
			x, status = kind(loadbalance.Server), 503
		}
		x.RetryAfter = simulate.Duration(wait)
		return x, status, fmt.Sprint(wait.Milliseconds())
	}
	return nil, 200, ""
}

// failing is a configuration whose only model has a backend for each name, on
// a fake provider of its own.
func failing(t *testing.T, names []string) *config.Config {
	t.Helper()
	text := "[users.u]\ntoken = \"canary-relay-token-0123456789\"\n[models.m]\nstrategy = \"failover\"\n"
	providers := ""
	for i, name := range names {
		_, status, wait := faultNamed(name)
		step := mockllm.JSON(status, http.Header{"Retry-After-Ms": {wait}}, "{}")
		switch status {
		case 0:
			step = mockllm.Reset()
		case 200:
			step = mockllm.JSON(200, nil, mockllm.Completion("hi", 1, 1))
		}
		s, err := mockllm.Open(mockllm.Options{Script: mockllm.Always(step)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		providers += fmt.Sprintf("[providers.p%d]\nbase_url = %q\n", i, s.URL)
		text += fmt.Sprintf("[[models.m.backends]]\nprovider = \"p%d\"\nmodel = %q\npriority = %d\n", i, name, i)
	}
	loaded, err := config.Parse("test.toml", []byte(text+providers), config.Env{})
	if err != nil {
		t.Fatal(err)
	}
	return loaded.Config
}

// throughRelay sends one request through a gateway.
func throughRelay(t *testing.T, cfg *config.Config) []string {
	t.Helper()
	gateway, err := relay.New(cfg, relay.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rt := gateway.Current()
	user, ok := rt.Keys.User("u")
	if !ok {
		t.Fatal("the user is not there")
	}
	r := httptest.NewRequest(http.MethodPost, "/v1/chat/completions", strings.NewReader(`{"model":"m","messages":[{"role":"user","content":"hi"}]}`))
	rec := &relay.Record{RequestID: "id", User: user, Start: time.Now()}
	gateway.Serve(httptest.NewRecorder(), r, rt, rec)
	var out []string
	for _, a := range rec.Attempts {
		out = append(out, attempt(a.Backend, string(a.Why), a.Kind, a.Pause))
	}
	return out
}

// throughSimulation plays the same request.
func throughSimulation(t *testing.T, cfg *config.Config, names []string) []string {
	t.Helper()
	st, err := prepare(cfg, scenario{strategies: []string{"failover"}})
	if err != nil {
		t.Fatal(err)
	}
	w := simulate.World{Duration: simulate.Duration(time.Minute)}
	w.Traffic.Trace = []simulate.Arrival{{At: time.Second}}
	for i, name := range names {
		s := simulate.Script{Match: fmt.Sprintf("p%d:%s", i, name)}
		if fault, _, _ := faultNamed(name); fault != nil {
			s.Faults = []simulate.Fault{*fault}
		}
		w.Backends = append(w.Backends, s)
	}
	var out []string
	strategy, err := loadbalance.ParseStrategy("failover")
	if err != nil {
		t.Fatal(err)
	}
	// The gateway's checks do not run in this test, so the simulation has none.
	st.policy.CheckInterval = 0
	if _, err := simulate.Run(t.Context(), simulate.Config{
		Listings: st.listings, Strategy: strategy, Policy: st.policy, Rules: st.rules, World: w,
		Observe: func(a simulate.Attempt) { out = append(out, attempt(a.Backend, a.Why, a.Kind, a.Pause)) },
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// attempt is one attempt in words; pauses with jitter are rounded up to what
// they were made of.
func attempt(backend, why string, kind loadbalance.Kind, pause time.Duration) string {
	if why == "same_backend" {
		for whole := 100 * time.Millisecond; ; whole *= 2 {
			if pause <= whole {
				pause = whole
				break
			}
		}
	}
	return fmt.Sprintf("%s %s %v after %v", backend, why, kind, pause)
}
