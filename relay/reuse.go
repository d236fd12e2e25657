package relay

import (
	"reflect"
	"slices"

	"github.com/PPKunOfficial/berry-api/core/auth"
	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay/upstream"
)

// A reload builds what it changes and takes over the rest from the current runtime:
// of a thousand backends usually one is another, and what is built anew has to be
// paid for by the requests of that moment, in CPU and by the garbage collector.
// What is taken over is immutable, as everything in a runtime is.

// keyring is that of the configuration, the current one if neither a user changed
// nor what the models are called, which users' rights go by.
func (g *Gateway) keyring(cfg *config.Config) *auth.Keyring {
	rt := g.current.Load()
	if rt == nil || !sameNames(rt.Config.Models, cfg.Models) || !sameUsers(rt.Config.Users, cfg.Users) {
		return auth.NewKeyring(cfg.Users, cfg.Models)
	}
	return rt.Keys
}

// sameNames reports whether the models have the same ids, names and aliases.
func sameNames(a, b map[string]config.Model) bool {
	if len(a) != len(b) {
		return false
	}
	for id, m := range a {
		if n, ok := b[id]; !ok || m.Name != n.Name || !slices.Equal(m.Aliases, n.Aliases) {
			return false
		}
	}
	return true
}

// sameUsers is reflect.DeepEqual, which would make a copy of each.
func sameUsers(a, b map[string]config.User) bool {
	if len(a) != len(b) {
		return false
	}
	var id string
	var was, is config.User // one of each for all
	for id, was = range a {
		var ok bool
		if is, ok = b[id]; !ok || !reflect.DeepEqual(&was, &is) {
			return false
		}
	}
	return true
}

// keptUpstream is the provider as the current runtime has it, if nothing of it
// changed; else nil.
func (g *Gateway) keptUpstream(p *config.Provider, o upstream.Options) *upstream.Upstream {
	rt := g.current.Load()
	if rt == nil {
		return nil
	}
	old := rt.upstreams[p.ID]
	if old == nil || !old.MadeOf(p, o) {
		return nil
	}
	return old
}

// keptModel is the model as the current runtime has it, if it would be made of the
// same; else nil.
func (g *Gateway) keptModel(next *Runtime, mc config.Model, from provenance) *Model {
	rt := g.current.Load()
	if rt == nil {
		return nil
	}
	old := rt.byID[mc.ID]
	if old == nil || old.Discovered != (from == listed) || !old.leadsAsIn(next) || !reflect.DeepEqual(&old.source, &mc) {
		return nil
	}
	old.renew()
	return old
}

// leadsAsIn reports whether the model's listings lead where they would in rt: to
// the same upstreams, left out where there is none.
func (m *Model) leadsAsIn(rt *Runtime) bool {
	i := 0
	for _, l := range m.source.Backends {
		up := rt.upstreams[l.Provider]
		if !l.Enabled || up == nil {
			continue
		}
		if i == len(m.targets) || m.targets[i].up != up {
			return false
		}
		i++
	}
	return i == len(m.targets)
}

// renew tells the fleet that the model goes on.
func (m *Model) renew() {
	if m.Balancer == nil {
		return
	}
	m.Balancer.Renew()
	for _, v := range m.views {
		if v != nil && v.Balancer != m.Balancer {
			v.Balancer.Renew()
		}
	}
}
