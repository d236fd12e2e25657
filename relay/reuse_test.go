package relay_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// reload reloads with a configuration that differs from the current one by edit,
// and shares no memory with it that edit may write to.
func (b *berry) reload(edit func(c *config.Config)) {
	b.t.Helper()
	cfg := *b.gw.Current().Config
	cfg.Providers, cfg.Models, cfg.Users = maps.Clone(cfg.Providers), maps.Clone(cfg.Models), maps.Clone(cfg.Users)
	for id, m := range cfg.Models {
		m.Backends = slices.Clone(m.Backends)
		cfg.Models[id] = m
	}
	edit(&cfg)
	if err := b.gw.Reload(&cfg); err != nil {
		b.t.Fatal(err)
	}
}

const turning = usual + `
[models.turns]
strategy = "round_robin"
backends = [ { provider = "u1", model = "a" }, { provider = "u2", model = "a" }, { provider = "u1", model = "b" } ]
`

// Reloads do not disturb round_robin: whether they change something else, the
// model's providers or the model itself.
func TestReloadKeepsTheTurn(t *testing.T) {
	b := start(t, setup{toml: turning})
	f := func(what string, edit func(c *config.Config, i int)) {
		t.Helper()
		before := map[string]uint64{}
		for _, s := range b.gw.Fleet().Backends() {
			before[s.ID] = s.Requests
		}
		for i := range 30 {
			if a := b.post(ask("turns", "")); a.Status != http.StatusOK {
				t.Fatalf("%s: %d %s", what, a.Status, a.Body)
			}
			b.reload(func(c *config.Config) { edit(c, i) })
		}
		for _, id := range []string{"u1:a", "u2:a", "u1:b"} {
			s, _ := b.gw.Fleet().Backend(id)
			if n := s.Requests - before[id]; n != 10 {
				t.Errorf("%s: %s had %d of 30 requests", what, id, n)
			}
		}
	}
	f("nothing", func(*config.Config, int) {})
	f("a setting", func(c *config.Config, i int) { c.Settings.MaxRetries = 1 + i%2 })
	f("a provider", func(c *config.Config, i int) {
		p := c.Providers["u1"]
		p.MaxRetries = i % 2
		c.Providers["u1"] = p
	})
	f("the model", func(c *config.Config, i int) { c.Models["turns"].Backends[1].InputPrice = float64(i) })
}

// What a reload leaves alone is taken over as it is, and all that it changes takes
// effect: a model that was kept too long would send requests where they went before.
func TestReloadKeepsWhatIsTheSame(t *testing.T) {
	b := start(t, setup{
		toml: usual + "[models.lost]\ncontext_fallback = \"pool\"\nbackends = [ { provider = \"u2\", model = \"m\" } ]\n",
	})
	model := func(id string) *relay.Model {
		m, _ := b.gw.Current().Find(id)
		return m
	}
	ids := []string{"gpt-a", "pool", "lost"}
	// f expects that the edit makes these models anew and leaves the others.
	f := func(what string, edit func(c *config.Config), anew ...string) {
		t.Helper()
		before, keys := map[string]*relay.Model{}, b.gw.Current().Keys
		for _, id := range ids {
			before[id] = model(id)
		}
		b.reload(edit)
		for _, id := range ids {
			if kept := model(id) == before[id]; kept == slices.Contains(anew, id) {
				t.Errorf("%s: %s kept: %v", what, id, kept)
			}
		}
		if kept := b.gw.Current().Keys == keys; kept == slices.Contains(anew, "keys") {
			t.Errorf("%s: the users kept: %v", what, kept)
		}
	}
	provider := func(id string, edit func(p *config.Provider)) func(c *config.Config) {
		return func(c *config.Config) {
			p := c.Providers[id]
			edit(&p)
			c.Providers[id] = p
		}
	}
	modelOf := func(id string, edit func(m *config.Model)) func(c *config.Config) {
		return func(c *config.Config) {
			m := c.Models[id]
			edit(&m)
			c.Models[id] = m
		}
	}
	f("nothing", func(*config.Config) {})
	f("a setting of the pipe", func(c *config.Config) { c.Settings.MaxRetries++ })
	f("a provider's header", provider("u2", func(p *config.Provider) { p.Headers = config.Headers{"X-Team": "t"} }), "pool", "lost")
	f("a provider's key", provider("u1", func(p *config.Provider) { p.APIKey = config.NewSecret("another-key") }), "gpt-a", "pool")
	f("how long a connection may take", func(c *config.Config) { c.Settings.ConnectTimeoutSeconds++ }, ids...)
	f("a limit of providers without one", func(c *config.Config) {
		for id, p := range c.Providers {
			p.TimeoutSeconds = 0
			c.Providers[id] = p
		}
		c.Settings.RequestTimeoutSeconds = 7
	}, ids...)
	f("the same limit", func(c *config.Config) { c.Settings.RequestTimeoutSeconds = 8 }, ids...)
	f("a weight", modelOf("pool", func(m *config.Model) { m.Backends[0].Weight = 2 }), "pool")
	f("tags", modelOf("pool", func(m *config.Model) { m.Backends[1].Tags = []string{"x"} }), "pool")
	f("an alias", modelOf("pool", func(m *config.Model) { m.Aliases = []string{"puddle"} }), "pool", "keys")
	f("a strategy", modelOf("gpt-a", func(m *config.Model) { m.Strategy = "random" }), "gpt-a")
	f("no fallback", modelOf("lost", func(m *config.Model) { m.ContextFallback = "" }), "lost")
	f("a listing switched off", modelOf("pool", func(m *config.Model) { m.Backends[1].Enabled = false }), "pool")
	f("and on", modelOf("pool", func(m *config.Model) { m.Backends[1].Enabled = true }), "pool")
	f("a provider switched off", provider("u2", func(p *config.Provider) { p.Enabled = false }), "pool", "lost")
	f("and another thing meanwhile", func(c *config.Config) { c.Settings.MaxRetries++ })
	f("and on again", provider("u2", func(p *config.Provider) { p.Enabled = true }), "pool", "lost")
	f("a user", func(c *config.Config) {
		u := c.Users["test"]
		u.AllowedModels = []string{"gpt-a"}
		c.Users["test"] = u
	}, "keys")
	f("another user", func(c *config.Config) { c.Users["more"] = config.User{ID: "more", Enabled: true} }, "keys")

	if a := b.post(ask("gpt-a", "")); a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	if got := b.u["u1"].Requests()[0].Header.Get("Authorization"); got != "Bearer another-key" {
		t.Errorf("the provider was sent %q", got)
	}
	if n := b.gw.Fleet().Leases(); n != 0 {
		t.Errorf("%d leases", n)
	}
}

// A kept model falls back on another as that one is now.
func TestReloadOfTheFallback(t *testing.T) {
	const tooLong = `{"error":{"message":"too long","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}`
	b := start(t, setup{
		toml: usual + "[models.short]\ncontext_fallback = \"long\"\nbackends = [ { provider = \"u1\", model = \"m\" } ]\n" +
			"[models.long]\nbackends = [ { provider = \"u2\", model = \"old\" } ]\n",
		scripts: map[string]mockllm.Script{"u1": always(mockllm.JSON(400, nil, tooLong))},
	})
	f := func(want string) {
		t.Helper()
		if a := b.post(ask("short", "")); a.Status != http.StatusOK || a.Header.Get("X-Berry-Model") != want {
			t.Errorf("%d by %q, want %q: %s", a.Status, a.Header.Get("X-Berry-Model"), want, a.Body)
		}
	}
	f("old")
	b.reload(func(c *config.Config) { c.Models["long"].Backends[0].Model = "new" })
	f("new")
	b.reload(func(c *config.Config) { delete(c.Models, "long") })
	if a := b.post(ask("short", "")); a.Status != http.StatusBadRequest {
		t.Errorf("without it: %d %s", a.Status, a.Body)
	}
}

// A discovered model that the configuration now defines, by chance just so, is the
// configuration's; and the list's again when it is not defined any more.
func TestReloadDefinesWhatWasDiscovered(t *testing.T) {
	b := start(t, discovering(fastChecks, ""))
	b.has("u1", "x")
	b.has("u2", "y")
	b.waitFor("x=u1", "y=u2")
	b.reload(func(c *config.Config) {
		c.Models["x"] = config.Model{ID: "x", Name: "x", Strategy: "weighted_failover", Enabled: true, Backends: []config.Listing{
			{Provider: "u1", Model: "x", Weight: 1, Enabled: true, BillingMode: config.PerToken},
		}}
	})
	b.waitFor("y=u2")
	b.reload(func(c *config.Config) { delete(c.Models, "x") })
	b.waitFor("x=u1", "y=u2")
}

// A kept model has its say in how a backend is listed: one that it bills per
// request is not checked with chats because another model, made anew, does not.
func TestReloadKeepsWhatIsBilled(t *testing.T) {
	s := discovering(fastChecks, usual+`
[models.billed]
backends = [ { provider = "u1", model = "m", billing_mode = "per_request", request_price = 1.0 } ]
[models.other]
backends = [ { provider = "u1", model = "m", weight = 1 }, { provider = "u2", model = "m" } ]
`)
	s.provider = func(_ string, p *config.Provider) { p.HealthCheck = "chat" }
	b := start(t, s)
	checks := func(id string) (n int) {
		for _, r := range b.u[id].Requests() {
			if strings.Contains(string(r.Body), `"model":"m"`) {
				n++
			}
		}
		return n
	}
	for i := range 3 {
		before := checks("u2")
		b.until("checks", func() bool { return checks("u2") > before+1 })
		b.reload(func(c *config.Config) { c.Models["other"].Backends[0].Weight = float64(2 + i) })
	}
	if n := checks("u1"); n > 0 {
		t.Errorf("the backend that is billed per request was asked %d times", n)
	}
}
