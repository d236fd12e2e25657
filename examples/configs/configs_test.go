// Package configs tests that the configurations in this folder do what they
// say.
package configs

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay"
)

// load builds what a file describes, with no variable set and no file to read.
func load(t *testing.T, path string) *relay.Runtime {
	t.Helper()
	cfg, err := config.Env{Lookup: func(string) (string, bool) { return "", false }}.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range cfg.Warnings {
		t.Errorf("warning: %v", w)
	}
	gateway, err := relay.New(cfg.Config, relay.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return gateway.Current()
}

func TestAllLoad(t *testing.T) {
	files, err := filepath.Glob("*.toml")
	if err != nil || len(files) < 3 {
		t.Fatalf("found %q, %v", files, err)
	}
	for _, f := range files {
		t.Run(f, func(t *testing.T) {
			if rt := load(t, f); len(rt.Models()) == 0 {
				t.Error("no models")
			}
		})
	}
}

func model(t *testing.T, rt *relay.Runtime, name string) *relay.Model {
	t.Helper()
	m, ok := rt.Model(name)
	if !ok {
		t.Fatalf("no model %q", name)
	}
	return m
}

// local-first: the third request at a time overflows to the other machine, and
// nothing private goes to the cloud.
func TestLocalFirst(t *testing.T) {
	rt := load(t, "local-first.toml")
	picks := func(name string, n int) (groups []string) {
		t.Helper()
		var leases []*loadbalance.Lease
		for range n {
			l, err := model(t, rt, name).Balancer.Pick(new(loadbalance.Request))
			if _, none := errors.AsType[*loadbalance.Unavailable](err); none {
				groups = append(groups, "none")
				continue
			}
			leases, groups = append(leases, l), append(groups, l.Group())
		}
		for _, l := range leases {
			l.Report(loadbalance.Outcome{Kind: loadbalance.Cancelled})
		}
		return groups
	}
	f := func(name string, want string) {
		t.Helper()
		if got := strings.Join(picks(name, 7), " "); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	f("assistant", "desk desk cellar cellar cellar cellar cloud")
	f("private", "desk desk cellar cellar cellar cellar none")
}

// cheap-first: the reseller is the cheaper one by far, and never probed.
func TestCheapFirst(t *testing.T) {
	for _, c := range model(t, load(t, "cheap-first.toml"), "gpt-4o-mini").Balancer.Snapshot() {
		if (c.Group == "reseller") != c.PerRequest {
			t.Errorf("%s: per request %v", c.Group, c.PerRequest)
		}
	}
}

// teams: who may use which account and model.
func TestTeams(t *testing.T) {
	rt := load(t, "teams.toml")
	f := func(userID, modelName string, want ...string) {
		t.Helper()
		user, ok := rt.Keys.User(userID)
		if !ok {
			t.Fatalf("no user %q", userID)
		}
		m := model(t, rt, modelName)
		var got []string
		for _, l := range m.Listings {
			if user.MayUse(m.ID) && user.MayUseTags(l.Tags) {
				got = append(got, l.Provider)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s gets %q for %s, want %q", userID, got, modelName, want)
		}
	}
	f("operator", "gpt-4o", "research", "common")
	f("research", "gpt-4o", "research", "common")
	f("research", "gpt-4o-mini", "common")
	f("interns", "gpt-4o")
	f("interns", "gpt-4o-mini", "common")
}

// order is how a model's backends follow each other as one after the other fails.
func order(t *testing.T, rt *relay.Runtime, name string, tags ...string) string {
	t.Helper()
	var picked []string
	r := loadbalance.Request{Tags: tags}
	for {
		l, err := model(t, rt, name).Balancer.Pick(&r)
		if err != nil {
			return strings.Join(picked, " ")
		}
		picked = append(picked, l.Group())
		l.Report(loadbalance.Outcome{Kind: loadbalance.Network})
	}
}

// disaster-recovery: one region after the other.
func TestDisasterRecovery(t *testing.T) {
	if got := order(t, load(t, "disaster-recovery.toml"), "assistant"); got != "west north gemini cellar" {
		t.Errorf("order %q", got)
	}
}

// enterprise: departments' own accounts, models and limits.
func TestEnterprise(t *testing.T) {
	rt := load(t, "enterprise.toml")
	f := func(userID, modelName, want string) {
		t.Helper()
		user, ok := rt.Keys.User(userID)
		if !ok {
			t.Fatalf("no user %q", userID)
		}
		m := model(t, rt, modelName)
		var got []string
		for _, l := range m.Listings {
			if user.MayUse(m.ID) && user.MayUseTags(l.Tags) {
				got = append(got, l.Provider)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s gets %q for %s, want %q", userID, got, modelName, want)
		}
	}
	f("hr", "standard", "azure openai")
	f("hr", "large", "")
	f("research", "gpt-4o", "research azure anthropic")
	f("research", "gpt-4o-mini", "azure openai")
	f("operations", "large", "research azure anthropic")
}

// startup: the cheap ones get nearly everything.
func TestStartup(t *testing.T) {
	rt := load(t, "startup.toml")
	m := model(t, rt, "chat")
	picks := map[string]int{}
	for range 1000 {
		l, err := m.Balancer.Pick(new(loadbalance.Request))
		if err != nil {
			t.Fatal(err)
		}
		picks[l.Group()]++
		l.Report(loadbalance.Outcome{Kind: loadbalance.Success})
	}
	if picks["reseller_a"]+picks["reseller_b"] < 950 {
		t.Errorf("picks %v", picks)
	}
}
