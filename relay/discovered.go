package relay

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/loadbalance"
)

const (
	// maxDiscovered bounds what is served of one provider's list, the first
	// names that it has: a list is somebody else's, and each name costs memory,
	// series and a place in every view.
	maxDiscovered = 1000
	// maxNameBytes bounds one name.
	maxNameBytes = 256
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

// servable are the names of a list that was read, or why there are none to be had.
func (p *probe) servable(r result) (names []string, left int, failure string) {
	switch {
	case !r.OK:
		return nil, 0, unread(r)
	case r.Models == nil:
		return nil, 0, "the provider's list does not say which models there are"
	}
	seen := map[string]bool{}
	for _, name := range r.Models {
		switch {
		case seen[name]:
		case len(names) == maxDiscovered || !p.usable(name):
			left++
		default:
			seen[name] = true
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, left, ""
}

// unread says why a list could not be read, in our own words: this is logged and
// shown for as long as it lasts, and what the provider says is not ours to show.
func unread(r result) string {
	switch {
	case r.noEndpoint():
		return fmt.Sprintf("the provider has no model list (status %d), so that there is nothing to discover", r.Status)
	case r.Status >= 200 && r.Status <= 299:
		return "what the provider answered is no model list"
	case r.Kind == loadbalance.Auth:
		return fmt.Sprintf("the provider refused the key (status %d)", r.Status)
	case r.Status != 0:
		return fmt.Sprintf("the provider answered with status %d", r.Status)
	case r.Kind == loadbalance.Timeout:
		return "nothing came in time"
	default:
		return "the provider cannot be reached"
	}
}

// usable reports whether a name can be served and shown.
func (p *probe) usable(name string) bool {
	return name != "" && len(name) <= maxNameBytes && utf8.ValidString(name) && p.masked(name) == name &&
		!strings.ContainsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) })
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
