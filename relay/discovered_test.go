package relay_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// What the configuration defines wins, also what it defines as disabled; the
// rest is served by whoever has it.
func TestDiscoveredModels(t *testing.T) {
	s := discovering(fastChecks, usual+`
[models.off]
name = "hidden"
enabled = false
backends = [{ provider = "u1", model = "m" }]
[models.short]
name = "shown"
aliases = ["also"]
backends = [{ provider = "u1", model = "m" }]
`)
	s.ids = []string{"u1", "u2"}
	b := start(t, s)
	// u1 lists what the file defines: a name, an alias, ids, a disabled model's name and id.
	b.has("u1", "gpt-a", "pool", "hidden", "off", "short", "shown", "also", "gpt-a-up", "m", "both", "org/one:free")
	b.has("u2", "gpt-b-up", "both")
	b.waitFor("both=u1+u2", "gpt-a-up=u1", "gpt-b-up=u2", "m=u1", "org/one:free=u1")
	generation := b.gw.Current().Generation
	if generation != 1 {
		t.Errorf("discovery made generation %d", generation)
	}
	if m, ok := b.gw.Current().Model("shown"); !ok || m.Discovered || m.ID != "short" {
		t.Errorf("the configuration's model is %+v", m)
	}
	used := map[string]bool{}
	for range 40 {
		a := b.post(ask("both", ""))
		if a.Status != http.StatusOK || a.Header.Get("X-Berry-Model") != "both" {
			t.Fatalf("status %d %v: %s", a.Status, a.Header, a.Body)
		}
		used[a.Header.Get("X-Berry-Provider")] = true
	}
	if len(used) != 2 {
		t.Errorf("40 requests went to %v", used)
	}
	if a := b.post(ask("org/one:free", "")); a.Status != http.StatusOK || a.Header.Get("X-Berry-Provider") != "u1" {
		t.Errorf("status %d %v", a.Status, a.Header)
	}
	if a := b.post(ask("hidden", "")); a.Status != http.StatusNotFound {
		t.Errorf("a disabled model: status %d", a.Status)
	}
}

// A backend that the configuration lists is discovered with what it says there:
// its own name is no way around its tags, nor a way to forget its price.
func TestDiscoveredBackendsAreKnown(t *testing.T) {
	s := discovering(0, `
[models.a]
backends = [{ provider = "u1", model = "closed", tags = ["x", "premium"], input_price = 2.0 }]
[models.b]
backends = [
	{ provider = "u1", model = "closed", tags = ["y", "x"], billing_mode = "per_request" },
	{ provider = "u1", model = "open", tags = ["x"] },
]
[models.c]
backends = [{ provider = "u1", model = "open", request_price = 0.5 }]
[users.test]
token = "`+userToken+`"
tags = ["other"]
`)
	s.behaviours = map[string]mockllm.Behaviour{"u1": {Models: []string{"closed", "open", "new"}}, "u2": {Models: []string{"new"}}}
	b := start(t, s)
	b.waitFor("closed=u1", "new=u1+u2", "open=u1")
	listings := map[string][]config.Listing{}
	for _, m := range b.gw.Current().Models() {
		if m.Discovered {
			listings[m.Name] = m.Listings
		}
	}
	plain := config.Listing{Weight: 1, Enabled: true, BillingMode: config.PerToken}
	with := func(provider, model string, edit func(l *config.Listing)) config.Listing {
		l := plain
		l.Provider, l.Model = provider, model
		if edit != nil {
			edit(&l)
		}
		return l
	}
	want := map[string][]config.Listing{
		"closed": {with("u1", "closed", func(l *config.Listing) {
			l.Tags, l.InputPrice, l.BillingMode = []string{"premium", "x", "y"}, 2, config.PerRequest
		})},
		"open": {with("u1", "open", func(l *config.Listing) { l.RequestPrice = 0.5 })},
		"new":  {with("u1", "new", nil), with("u2", "new", nil)},
	}
	if d := cmp.Diff(want, listings); d != "" {
		t.Errorf("listings (-want +got):\n%s", d)
	}
	if a := b.post(ask("closed", "")); a.Status != http.StatusForbidden {
		t.Errorf("status %d: %s", a.Status, a.Body)
	}
	if a := b.post(ask("open", "")); a.Status != http.StatusOK {
		t.Errorf("status %d: %s", a.Status, a.Body)
	}
}

// A list is somebody else's: what is served of it is bounded, and can be shown.
func TestDiscoveryIsBounded(t *testing.T) {
	b := start(t, discovering(0, ""))
	many := []string{"with space", "line\nbreak", "a\u200bb", strings.Repeat("x", 257), "sk-provider-key-of-u1", "m-0"}
	for i := range 1100 {
		many = append(many, fmt.Sprintf("m-%d", i))
	}
	b.u["u1"].SetScript(mockllm.Always(list(many...)))
	b.change(func(p *config.Provider) { p.Headers = map[string]string{"X-New": "list"} })
	b.until("a thousand models", func() bool { return len(b.gw.Discoveries()[0].Models) == 1000 })
	d := b.gw.Discoveries()[0]
	if d.LeftOut != 105 || !slices.Contains(d.Models, "m-999") || slices.Contains(d.Models, "m-1000") {
		t.Errorf("%d left out", d.LeftOut)
	}
}

// Lists come in the provider's own format.
func TestDiscoveryInEachFormat(t *testing.T) {
	f := func(format mockllm.Format, backendType string) {
		t.Helper()
		s := discovering(0, "")
		s.ids = []string{"u1", "u2"}
		s.provider = func(id string, p *config.Provider) {
			p.Discover = id == "u1"
			if id == "u1" && backendType != config.TypeOpenAI {
				p.BackendType = backendType
				p.BaseURL = strings.TrimSuffix(p.BaseURL, "/v1")
			}
		}
		s.behaviours = map[string]mockllm.Behaviour{"u1": {Format: format, Models: []string{"chatty-1"}}}
		b := start(t, s)
		b.waitFor("chatty-1=u1")
		if a := b.post(ask("chatty-1", "")); a.Status != http.StatusOK || !strings.Contains(a.Body, `"model":"chatty-1"`) {
			t.Errorf("%s: status %d: %s", backendType, a.Status, a.Body)
		}
	}
	f(mockllm.OpenAI, "openai")
	f(mockllm.Claude, "claude")
	f(mockllm.Gemini, "gemini")
}
