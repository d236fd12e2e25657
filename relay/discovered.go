package relay

import (
	"fmt"
	"maps"
	"slices"

	"github.com/PPKunOfficial/berry-api/core/config"
)

// discoveredStrategy balances a discovered model.
const discoveredStrategy = "weighted_failover"

// discovered adds the models that lists name and that the configuration does
// not define, each with all the providers that have it. lists are the names by
// provider.
func (g *Gateway) discovered(rt *Runtime, lists map[string][]string) error {
	if len(lists) == 0 {
		return nil
	}
	defined := definedNames(rt.Config.Models)
	found := map[string][]config.Listing{}
	for _, provider := range slices.Sorted(maps.Keys(lists)) {
		if up := rt.upstreams[provider]; up == nil || !up.Provider.Discover {
			continue
		}
		for _, name := range lists[provider] {
			if !defined[name] {
				found[name] = append(found[name], config.Listing{
					Provider: provider, Model: name, Weight: 1, Enabled: true, BillingMode: config.PerToken,
				})
			}
		}
	}
	for name, listings := range found {
		m, err := g.model(rt, name, config.Model{
			ID: name, Name: name, Strategy: discoveredStrategy, Enabled: true, Backends: listings,
		})
		if err != nil {
			return fmt.Errorf("the discovered model %q: %w", name, err)
		}
		m.Discovered = true
		rt.models = append(rt.models, m)
		rt.byID[name], rt.byName[name] = m, m
	}
	return nil
}

// definedNames are all ids, names and aliases of the configuration's models,
// disabled ones too: what is switched off there does not come back by itself.
func definedNames(models map[string]config.Model) map[string]bool {
	defined := map[string]bool{}
	for id, m := range models {
		defined[id], defined[m.Name] = true, true
		for _, a := range m.Aliases {
			defined[a] = true
		}
	}
	return defined
}
