package httplb_test

import (
	"context"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/loadbalance/httplb"
)

func TestProbe(t *testing.T) {
	w := newWorld(t, says(200, ""), says(503, ""), says(404, ""), says(401, ""), says(429, ""), breaks(""), says(500, ""))
	for i := range 6 { // not the last
		w.options.Targets[i].HealthPath = "/healthz?deep=1"
	}
	w.options.Targets[0].URL += "/v1?version=3"
	w.options.Targets[0].Header = http.Header{"Authorization": {"Bearer own"}, "Host": {"a.example"}}
	w.start()
	f := func(kind loadbalance.CheckKind, ids []string, want ...string) {
		t.Helper()
		var got []string
		for _, o := range w.lb.Probe(t.Context(), loadbalance.Check{Kind: kind, IDs: ids}) {
			got = append(got, o.Kind.String())
		}
		if !slices.Equal(got, want) {
			t.Errorf("%v of %q: %q, want %q", kind, ids, got, want)
		}
	}
	f(loadbalance.CheckList, []string{"a", "b", "c", "d", "e", "f", "g", "unknown"},
		"success", "server", "server", "auth", "rate_limit", "network", "success", "cancelled")
	f(loadbalance.CheckList, []string{"g"}) // nothing to ask for
	f(loadbalance.CheckChat, []string{"a"}) // requests decide
	f(loadbalance.CheckConnect, []string{"a", "b", "c", "d", "e", "f", "g"},
		"success", "success", "success", "success", "success", "network", "success")

	var asked []string
	for _, s := range w.requests() {
		if s.Server == "a" {
			asked = append(asked, s.Method+" "+s.URI+" "+s.Host+" "+s.Header.Get("Authorization"))
		} else if s.Header.Get("Authorization") != "" {
			t.Errorf("%s got a's credential", s.Server)
		}
	}
	want := []string{"GET /v1/healthz?version=3&deep=1 a.example Bearer own", "HEAD /v1 a.example "}
	if !slices.Equal(asked, want) {
		t.Errorf("a was asked %q, want %q", asked, want)
	}
}

func TestProbeTimeout(t *testing.T) {
	w := newWorld(t, hangs(""))
	w.start()
	ctx, cancel := context.WithTimeout(t.Context(), 1)
	defer cancel()
	got := w.lb.Probe(ctx, loadbalance.Check{Kind: loadbalance.CheckConnect, IDs: []string{"a"}})
	if len(got) != 1 || got[0].Kind != loadbalance.Timeout {
		t.Errorf("got %+v", got)
	}
}

// A target that goes down is found by its checks, without a request, and comes
// back the same way.
func TestRun(t *testing.T) {
	var down atomic.Bool
	w := newWorld(t, func(w http.ResponseWriter, _ *http.Request) {
		if down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	w.options.Targets[0].HealthPath = "/healthz"
	policy := loadbalance.DefaultPolicy()
	policy.CheckInterval = 20_000_000 // 20 ms
	policy.Groups = map[string]loadbalance.Group{"a": {Check: loadbalance.CheckAuto}}
	w.options.Fleet = loadbalance.NewFleet(loadbalance.Options{Policy: policy})
	w.start()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- w.lb.Run(ctx) }()
	healthy := func() bool {
		s, _ := w.lb.Fleet().Backend("a")
		return s.Healthy
	}
	down.Store(true)
	until(t, "the target to be found down", func() bool { return !healthy() })
	down.Store(false)
	until(t, "the target to be found up", healthy)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	w.wantAttempts()
}

// The Transport's own fleet checks every target while Run runs.
func TestRunOwnFleet(t *testing.T) {
	var asked atomic.Int64
	count := func(http.ResponseWriter, *http.Request) { asked.Add(1) }
	w := newWorld(t, count, count)
	w.options.Targets[1].Group = "b's account"
	w.start()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- w.lb.Run(ctx) }()
	until(t, "both to be asked", func() bool { return asked.Load() >= 2 })
	cancel()
	<-done
}

var _ loadbalance.Prober = (*httplb.Transport)(nil)
