package relay_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// fastChecks is how often the tests' lists are read.
const fastChecks = 20 * time.Millisecond

// discovering is a set-up in which u1 and u2 are discovered, and read again
// every so often; 0: once.
func discovering(every time.Duration, toml string) setup {
	if toml == "" {
		toml = usual
	}
	return setup{
		toml:     toml,
		settings: func(s *config.Settings) { s.HealthCheckIntervalSeconds = config.Seconds(every.Seconds()) },
		provider: func(_ string, p *config.Provider) { p.Discover = true },
	}
}

// has makes a mock list models.
func (b *berry) has(id string, models ...string) {
	b.t.Helper()
	if err := b.u[id].SetBehaviour(mockllm.Behaviour{Name: id, Models: models}); err != nil {
		b.t.Fatal(err)
	}
}

// served are the discovered models as name=provider+provider.
func served(rt *relay.Runtime) []string {
	out := []string{}
	for _, m := range rt.Models() {
		if !m.Discovered {
			continue
		}
		var providers []string
		for _, l := range m.Listings {
			providers = append(providers, l.Provider)
		}
		out = append(out, m.Name+"="+strings.Join(providers, "+"))
	}
	return out
}

// waitFor waits until exactly these models are discovered.
func (b *berry) waitFor(want ...string) {
	b.t.Helper()
	b.until(fmt.Sprintf("models %q", want), func() bool { return slices.Equal(served(b.gw.Current()), want) })
}

func (b *berry) until(what string, ok func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Fatalf("in vain waited for %s; discovered: %q, %+v", what, served(b.gw.Current()), b.gw.Discoveries())
		}
	}
}

// What the fleet knows of a backend outlives the swap, and what is no longer
// listed is forgotten; an empty list is a list.
func TestDiscoveryKeepsStates(t *testing.T) {
	b := start(t, discovering(fastChecks, ""))
	b.has("u1", "gpt-a-up", "x")
	b.has("u2", "gpt-b-up")
	b.waitFor("gpt-a-up=u1", "gpt-b-up=u2", "x=u1")
	b.post(ask("x", ""))
	if !b.gw.Fleet().Drain("u1:x") {
		t.Fatal("u1:x is no backend")
	}
	b.has("u1", "gpt-a-up", "x", "y")
	b.waitFor("gpt-a-up=u1", "gpt-b-up=u2", "x=u1", "y=u1")
	if st, ok := b.gw.Fleet().Backend("u1:x"); !ok || !st.Drained || st.Successes != 1 {
		t.Errorf("after the swap the state is %+v", st)
	}
	b.has("u1", "gpt-a-up", "y")
	b.waitFor("gpt-a-up=u1", "gpt-b-up=u2", "y=u1")
	if _, ok := b.gw.Fleet().Backend("u1:x"); ok {
		t.Error("a backend that is listed no more is still known")
	}
	if a := b.post(ask("x", "")); a.Status != http.StatusNotFound {
		t.Errorf("a model that is gone: status %d", a.Status)
	}
	b.u["u2"].SetScript(mockllm.Always(list()))
	b.waitFor("gpt-a-up=u1", "y=u1")
}

// A list that cannot be read changes nothing, and is told of once.
func TestDiscoveryThatFails(t *testing.T) {
	s := discovering(fastChecks, "")
	s.ids = []string{"u1", "u2"}
	b := start(t, s)
	b.has("u1", "m")
	b.has("u2", "gpt-b-up")
	b.waitFor("gpt-b-up=u2", "m=u1")
	f := func(script mockllm.Script, want string) {
		t.Helper()
		b.u["u1"].SetScript(script)
		b.until("the failure "+want, func() bool { return strings.Contains(b.gw.Discoveries()[0].Failure, want) })
		if got := served(b.gw.Current()); !slices.Equal(got, []string{"gpt-b-up=u2", "m=u1"}) {
			t.Errorf("%s: served is %q", want, got)
		}
		if d := b.gw.Discoveries()[0]; d.ReadAt.IsZero() || !d.TriedAt.After(d.ReadAt) || !slices.Equal(d.Models, []string{"m"}) {
			t.Errorf("%s: %+v", want, d)
		}
	}
	f(mockllm.Always(mockllm.JSON(500, nil, `{"error":"broken"}`)), "answered with status 500")
	f(mockllm.Always(mockllm.JSON(200, nil, `<html>`)), "is no model list")
	f(mockllm.Always(mockllm.JSON(404, nil, `{}`)), "has no model list (status 404)")
	f(mockllm.Always(mockllm.Reset()), "cannot be reached")
	f(mockllm.Always(mockllm.JSON(401, nil, `{"error":"bad key provider-key-of-u1"}`)), "refused the key (status 401)")
	b.u["u1"].SetScript(mockllm.Always(list("m", "n")))
	b.waitFor("gpt-b-up=u2", "m=u1", "n=u1")
	if d := b.gw.Discoveries()[0]; d.Failure != "" {
		t.Errorf("after the list was read: %+v", d)
	}
}

// Without checks a list is read until it could be, then only when a reload
// changes the provider.
func TestDiscoveryWithoutChecks(t *testing.T) {
	s := discovering(0, "")
	s.scripts = map[string]mockllm.Script{
		"u1": mockllm.Attempts(mockllm.Always(mockllm.JSON(503, nil, `{}`)), mockllm.Always(list("m"))),
		"u2": mockllm.Always(list()),
	}
	b := start(t, s)
	b.waitFor("m=u1")
	if n := b.u["u1"].Count(); n != 2 {
		t.Errorf("u1 was asked %d times", n)
	}
	b.u["u1"].SetScript(mockllm.Always(list("m", "n")))
	b.change(func(*config.Provider) {})
	if got := served(b.gw.Current()); !slices.Equal(got, []string{"m=u1"}) {
		t.Errorf("after a reload: %q", got)
	}
	b.change(func(p *config.Provider) { p.APIKey = config.NewSecret("another-key") })
	b.waitFor("m=u1", "n=u1")
	if n, m := b.u["u1"].Count(), b.u["u2"].Count(); n != 3 || m != 1 {
		t.Errorf("u1 was asked %d times, u2 %d times", n, m)
	}
	b.change(func(p *config.Provider) { p.Discover = false })
	if got := served(b.gw.Current()); len(got) != 0 {
		t.Errorf("without discover: %q", got)
	}
	if d := b.gw.Discoveries(); len(d) != 1 || d[0].Provider != "u2" {
		t.Errorf("%+v", d)
	}
}

// While a list was never read, a model that is not known may exist: that is no 404.
func TestUnknownWhileAListIsUnread(t *testing.T) {
	s := discovering(fastChecks, "")
	s.scripts = map[string]mockllm.Script{"u1": mockllm.Always(list("m")), "u2": mockllm.Always(mockllm.JSON(503, nil, `{}`))}
	b := start(t, s)
	b.waitFor("m=u1")
	a := b.post(ask("nope", ""))
	if f := b.fault(a); a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") != "5" || deref(f.Code) != "no_backend_available" {
		t.Errorf("status %d %v: %s", a.Status, a.Header, a.Body)
	}
	b.u["u2"].SetScript(mockllm.Always(list("n")))
	b.waitFor("m=u1", "n=u2")
	b.u["u2"].SetScript(mockllm.Always(mockllm.JSON(503, nil, `{}`))) // what it named is known
	a = b.post(ask("nope", ""))
	if f := b.fault(a); a.Status != http.StatusNotFound || deref(f.Code) != "model_not_found" {
		t.Errorf("status %d: %s", a.Status, a.Body)
	}
}

// change reloads with another u1.
func (b *berry) change(edit func(p *config.Provider)) {
	b.t.Helper()
	cfg := *b.gw.Current().Config
	cfg.Providers = maps.Clone(cfg.Providers)
	p := cfg.Providers["u1"]
	edit(&p)
	cfg.Providers["u1"] = p
	if err := b.gw.Reload(&cfg); err != nil {
		b.t.Fatal(err)
	}
}

// A reading that changes nothing is not told of, one that does says what.
func TestDiscoveryTells(t *testing.T) {
	told := make(chan relay.Discovery, 20)
	s := discovering(fastChecks, "")
	s.discovered = func(d relay.Discovery) { told <- d }
	s.provider = func(id string, p *config.Provider) { p.Discover = id == "u1" }
	s.scripts = map[string]mockllm.Script{"u1": mockllm.Always(list("a", "b"))}
	b := start(t, s)
	f := func(script mockllm.Script, want relay.Discovery) {
		t.Helper()
		if script != nil {
			b.u["u1"].SetScript(script)
		}
		got := <-told
		got.ReadAt, got.TriedAt = time.Time{}, time.Time{}
		want.Provider = "u1"
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("told (-want +got):\n%s", d)
		}
	}
	f(nil, relay.Discovery{Models: []string{"a", "b"}, Added: []string{"a", "b"}})
	n := b.u["u1"].Count()
	b.until("three more readings", func() bool { return b.u["u1"].Count() > n+3 })
	f(mockllm.Always(list("b", "c")), relay.Discovery{Models: []string{"b", "c"}, Added: []string{"c"}, Removed: []string{"a"}})
	f(mockllm.Always(mockllm.JSON(429, nil, `{"error":"slow down"}`)), relay.Discovery{
		Models:  []string{"b", "c"},
		Failure: "the provider answered with status 429",
	})
	f(mockllm.Always(list("b", "c")), relay.Discovery{Models: []string{"b", "c"}})
}
