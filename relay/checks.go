package relay

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay/probe"
	"github.com/PPKunOfficial/berry-api/relay/upstream"
)

// CheckProvider checks a provider as its health_check says, within the
// settings' health_check_timeout_seconds. It blocks until the check is done or
// ctx ends. Neither counters nor the states of backends change.
func (rt *Runtime) CheckProvider(ctx context.Context, id string) probe.Report {
	up, refusal := rt.probed(id)
	if up == nil {
		return probe.Report{Provider: id, Kind: loadbalance.Caller, Message: refusal}
	}
	return probe.New(up, &rt.Config.Settings).Check(ctx, checkKind(up.Provider.HealthCheck),
		probe.Models{Listed: rt.listed(id), Chatted: rt.chatted(id)})
}

// TestBackend sends one short chat to a backend in the provider's own format, or
// what else the test asks for.
// The first content must come within the provider's timeout_seconds, and a
// stream must not be silent for longer than stream_idle_timeout_seconds. It
// blocks until the answer is complete or ctx ends. The backend need not be
// listed by a model. Neither counters nor the states of backends change.
func (rt *Runtime) TestBackend(ctx context.Context, t probe.Test) probe.Report {
	up, refusal := rt.probed(t.Provider)
	if up == nil {
		return probe.Report{Provider: t.Provider, Model: t.Model, Kind: loadbalance.Caller, Message: refusal}
	}
	return probe.New(up, &rt.Config.Settings).Test(ctx, t)
}

// probed returns the provider's upstream, or nil and why there is none.
func (rt *Runtime) probed(id string) (*upstream.Upstream, string) {
	if up, ok := rt.upstreams[id]; ok {
		return up, ""
	}
	p, ok := rt.Config.Providers[id]
	switch {
	case !ok:
		ids := slices.Sorted(maps.Keys(rt.Config.Providers))
		return nil, fmt.Sprintf("the configuration has no provider %q; it has: %s", id, strings.Join(ids, ", "))
	case !p.Enabled:
		return nil, fmt.Sprintf("the provider is disabled: set providers.%s.enabled to true", id)
	default:
		return nil, fmt.Sprintf("this version does not speak the format of backend_type %q", p.BackendType)
	}
}

// listed returns the upstream names of the models that enabled listings use at
// a provider, sorted.
func (rt *Runtime) listed(provider string) []string {
	return rt.names(provider, func(config.Listing) bool { return true })
}

// chatted is listed without what is billed per request: that is never probed
// with anything that costs.
func (rt *Runtime) chatted(provider string) []string {
	return rt.names(provider, func(l config.Listing) bool { return l.BillingMode != config.PerRequest })
}

func (rt *Runtime) names(provider string, want func(config.Listing) bool) []string {
	var names []string
	for _, m := range rt.models {
		for _, l := range m.Listings {
			if l.Provider == provider && want(l) {
				names = append(names, l.Model)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// prober makes the fleet's checks with the gateway's current runtime.
type prober struct{ g *Gateway }

var _ loadbalance.Prober = prober{}

// Probe implements loadbalance.Prober. The fleet's ctx is the check's limit.
func (p prober) Probe(ctx context.Context, c loadbalance.Check) []loadbalance.Outcome {
	rt := p.g.Current()
	up := rt.upstreams[c.Group]
	if up == nil { // a reload took the provider away while the check was on its way
		out := make([]loadbalance.Outcome, len(c.IDs))
		for i := range out {
			out[i].Kind = loadbalance.Cancelled
		}
		return out
	}
	one := probe.New(up, &rt.Config.Settings)
	if up.Provider.Discover {
		one.Heard = func(r probe.Reading) { p.g.discovery.take(up, r, checkReading) }
	}
	out := one.Outcomes(ctx, c, func(backend string) *probe.Use { return &p.g.uses.of(backend).Use })
	for i := range out {
		if out[i].Kind == loadbalance.Model && up.Provider.Discover && !p.g.Current().lists(c.IDs[i]) {
			// It was served because the list named it, and is no more.
			out[i] = loadbalance.Outcome{Kind: loadbalance.Cancelled}
		}
	}
	return out
}
