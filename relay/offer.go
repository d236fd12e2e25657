package relay

import (
	"slices"
	"time"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

// Not every provider's format has every endpoint. A model is seen by an endpoint
// with those of its listings alone that can serve it.

// serves reports whether the target can be asked for the endpoint, be it by a
// chat request.
func (t *target) serves(e dialect.Endpoint) bool {
	d := t.up.Dialect
	as, ok := e.InChat()
	return d.Serves(e) || ok && d.Serves(as)
}

// on is the model as the endpoint sees it; nil if none of its listings serves it.
func (m *Model) on(e dialect.Endpoint) *Model { return m.views[e] }

// serving says which of the model's listings serve the endpoint.
func (m *Model) serving(e dialect.Endpoint) []bool {
	which := make([]bool, len(m.targets))
	for i := range m.targets {
		which[i] = m.targets[i].serves(e)
	}
	return which
}

// offer makes the model's views: the model itself where all its listings serve
// an endpoint, none where no listing does, and else one with a balancer of its
// own, over the same states of backends. Endpoints that see the same listings
// share a view. A model without listings is seen by all: Serve answers 503.
func (g *Gateway) offer(m *Model) error {
	sets := map[int][]bool{}
	for e := range dialect.Endpoints {
		which := m.serving(dialect.Endpoint(e))
		switch {
		case !slices.Contains(which, false):
			m.views[e] = m
			continue
		case !slices.Contains(which, true):
			continue
		}
		for seen, same := range sets {
			if slices.Equal(same, which) {
				m.views[e] = m.views[seen]
			}
		}
		if m.views[e] == nil {
			view, err := g.view(m, which, dialect.Endpoint(e))
			if err != nil {
				return err
			}
			m.views[e], sets[e] = view, which
		}
	}
	return nil
}

// view is m with the listings of which alone, for the endpoint e.
func (g *Gateway) view(m *Model, which []bool, e dialect.Endpoint) (*Model, error) {
	v := &Model{ID: m.ID, Name: m.Name, Aliases: m.Aliases, Strategy: m.Strategy, fallback: m.fallback}
	for i, serves := range which {
		if serves {
			v.Listings, v.targets = append(v.Listings, m.Listings[i]), append(v.targets, m.targets[i])
		}
	}
	return v, g.balance(v, g.balancer(m.ID, e))
}

// balance gives the model its balancer.
func (g *Gateway) balance(m *Model, replaces *loadbalance.Balancer) error {
	s, err := g.strategyOf(m.Strategy)
	if err != nil {
		return err
	}
	listings := make([]loadbalance.Listing, len(m.Listings))
	for i, l := range m.Listings {
		listings[i] = Listing(l)
	}
	m.Balancer, err = g.fleet.Balancer(loadbalance.Config{Name: m.ID, Strategy: s, Listings: listings, Replaces: replaces})
	return err
}

// balancer is the one that serves an endpoint of the model now; nil if there is none.
func (g *Gateway) balancer(id string, e dialect.Endpoint) *loadbalance.Balancer {
	rt := g.current.Load()
	if rt == nil || rt.byID[id] == nil || rt.byID[id].on(e) == nil {
		return nil
	}
	return rt.byID[id].on(e).Balancer
}

func unsupportedEndpoint(m *Model, e dialect.Endpoint) *apierror.Error {
	return apierror.New(apierror.UnsupportedEndpoint,
		"the model %q cannot be used with /v1/%s: none of its providers offers that", m.Name, e).WithParam("model")
}

// offeredNowhere is the error of a request that each backend which could be asked
// turned down, as its provider does not offer the endpoint. Where another one may
// offer it that is out of use just now, the client is to come back.
func (x *exchange) offeredNowhere() *apierror.Error {
	left := loadbalance.Unavailable{Reason: loadbalance.ReasonRateLimited}
	n := 0
	for i := range x.model.targets {
		t := &x.model.targets[i]
		if x.asked(t) || x.pick.Only != "" && x.pick.Only != t.listing.Provider || !x.rec.User.MayUseTags(t.listing.Tags) {
			continue
		}
		st, _ := x.g.fleet.Backend(t.backend)
		wait := time.Until(st.CoolDownUntil)
		if wait <= 0 {
			left.Reason, wait = loadbalance.ReasonDown, 0
		}
		if n++; n == 1 || wait < left.RetryAfter {
			left.RetryAfter = wait
		}
	}
	if n == 0 {
		return x.ledger.unoffered
	}
	return noBackend(&left)
}

// asked reports whether the request has been to the target's backend.
func (x *exchange) asked(t *target) bool {
	return slices.ContainsFunc(x.rec.Attempts, func(a Attempt) bool { return a.Backend == t.backend })
}
