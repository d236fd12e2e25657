package relay

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/PPKunOfficial/berry-api/core/apierror"
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
	defined, backends := definedNames(rt.Config.Models), listedBackends(rt.Config.Models)
	found := map[string][]config.Listing{}
	for _, provider := range slices.Sorted(maps.Keys(lists)) {
		if up := rt.upstreams[provider]; up == nil || !up.Provider.Discover {
			continue
		}
		for _, name := range lists[provider] {
			if !defined[name] {
				found[name] = append(found[name], backends.listing(provider, name))
			}
		}
	}
	for name, listings := range found {
		m, err := g.model(rt, config.Model{
			ID: name, Name: name, Strategy: discoveredStrategy, Enabled: true, Backends: listings,
		}, listed)
		if err != nil {
			return fmt.Errorf("the discovered model %q: %w", name, err)
		}
		rt.models = append(rt.models, m)
		rt.byID[name], rt.byName[name] = m, m
	}
	return nil
}

// unknownWait is after what time a client may ask again for a model that is not
// known yet.
const unknownWait = 5 * time.Second

// unknownModel is the answer to a request for a model that is not served. As
// long as some discovering provider's list was never read it may exist, and
// clients take a 404 for final.
func (g *Gateway) unknownModel(name string) *apierror.Error {
	if g.discovery.open.Load() {
		return apierror.New(apierror.NoBackendAvailable,
			"the model %.200q is not known, and the model list of a provider was not read yet; try again", name).WithRetryAfter(unknownWait)
	}
	return apierror.New(apierror.ModelNotFound, "the model %.200q does not exist; GET /v1/models lists those you may use", name).WithParam("model")
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

// known is what the configuration says of a backend wherever it lists it: the
// first prices, all tags, and per_request if one listing has it.
type known struct {
	config.Listing
	open bool // some model serves it without tags
}

// knowledge is that of all backends, by id.
type knowledge map[string]*known

// listedBackends collects what the configuration's models say of their
// backends: discovery is not to open what tags keep closed, nor to forget what
// a request costs.
func listedBackends(models map[string]config.Model) knowledge {
	all := knowledge{}
	for _, id := range slices.Sorted(maps.Keys(models)) {
		m := models[id]
		for _, l := range m.Backends {
			k := all[l.Backend()]
			if k == nil {
				k = &known{Listing: l}
				k.Tags = nil
				all[l.Backend()] = k
			}
			if k.InputPrice+k.OutputPrice+k.RequestPrice == 0 {
				k.InputPrice, k.OutputPrice, k.RequestPrice = l.InputPrice, l.OutputPrice, l.RequestPrice
			}
			if l.BillingMode == config.PerRequest {
				k.BillingMode = config.PerRequest
			}
			k.open = k.open || m.Enabled && l.Enabled && len(l.Tags) == 0
			k.Tags = append(k.Tags, l.Tags...)
		}
	}
	return all
}

// listing is the listing of a discovered backend.
func (all knowledge) listing(provider, model string) config.Listing {
	l := config.Listing{Provider: provider, Model: model, Weight: 1, Enabled: true, BillingMode: config.PerToken}
	k := all[l.Backend()]
	if k == nil {
		return l
	}
	l.BillingMode = k.BillingMode
	l.InputPrice, l.OutputPrice, l.RequestPrice = k.InputPrice, k.OutputPrice, k.RequestPrice
	if !k.open {
		l.Tags = slices.Compact(slices.Sorted(slices.Values(k.Tags)))
	}
	return l
}

// missing are the names of a that b does not have; both are sorted.
func missing(a, b []string) []string {
	var out []string
	for _, name := range a {
		if _, found := slices.BinarySearch(b, name); !found {
			out = append(out, name)
		}
	}
	return out
}
