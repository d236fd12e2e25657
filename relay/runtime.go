package relay

import (
	"slices"
	"strings"
	"time"

	"github.com/PPKunOfficial/berry-api/core/auth"
	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/upstream"
)

// Runtime is one configuration made ready to serve. It is immutable.
type Runtime struct {
	Config     *config.Config
	Keys       *auth.Keyring
	Generation uint64    // 1 for the first, one more with each reload
	LoadedAt   time.Time // when it became the current one

	byName    map[string]*Model // public names and aliases of enabled models
	byID      map[string]*Model
	models    []*Model // by name
	upstreams map[string]*upstream.Upstream
	limits    limits
}

// Model is an enabled model: a public name, a strategy and its listings.
type Model struct {
	ID       string
	Name     string
	Aliases  []string
	Strategy string
	// Listings are those that can be served: enabled, at an enabled provider
	// whose wire format Berry speaks. Balancer's candidates are in this order.
	Listings []config.Listing
	Balancer *loadbalance.Balancer
	// Discovered says that its providers' lists name it, under this very name,
	// and the configuration does not.
	Discovered bool

	source   config.Model // what it was made of
	targets  []target     // what Listings lead to, by a lease's index
	fallback string       // id of the context_fallback; "" for none
	// views are the model as each endpoint sees it; see on. A view has none.
	views [dialect.Endpoints]*Model
}

// target is what a lease leads to.
type target struct {
	up      *upstream.Upstream
	listing config.Listing
	backend string // backend id
	use     *use   // the backend's
	model   []byte // the upstream's name of the model, as JSON
	// What every answer of this backend carries, made once.
	providerHeader, modelHeader []string
}

// limits are the settings that the pipe needs, as it needs them.
type limits struct {
	body            int64
	nonStream, idle time.Duration
	keepalive       time.Duration
	retries, moves  int
	waitInPlace     time.Duration
	readOn          bool // on_client_disconnect = "finish"
	resume          bool // stream_resume = "replay"
}

// Model returns the enabled model with that public name or alias.
func (rt *Runtime) Model(name string) (*Model, bool) {
	m, ok := rt.byName[name]
	return m, ok
}

// Find returns the enabled model with that id, public name or alias.
func (rt *Runtime) Find(idOrName string) (*Model, bool) {
	if m, ok := rt.byName[idOrName]; ok {
		return m, true
	}
	m, ok := rt.byID[idOrName]
	return m, ok
}

// Models returns the enabled models by name. The slice is the caller's.
func (rt *Runtime) Models() []*Model { return slices.Clone(rt.models) }

// fallbackOf is the model's context_fallback; nil if it has none.
func (rt *Runtime) fallbackOf(m *Model) *Model {
	if m.fallback == "" {
		return nil
	}
	return rt.byID[m.fallback]
}

// backendIDs returns the ids of all backends that some model lists, more than
// once those that more than one does.
func (rt *Runtime) backendIDs() []string {
	var ids []string
	for _, m := range rt.models {
		for i := range m.targets {
			ids = append(ids, m.targets[i].backend)
		}
	}
	return ids
}

// lists reports whether some model lists the backend with that id.
func (rt *Runtime) lists(backend string) bool {
	return slices.ContainsFunc(rt.models, func(m *Model) bool {
		return slices.ContainsFunc(m.Listings, func(l config.Listing) bool { return l.Backend() == backend })
	})
}

// allowsTags reports whether the user's tags leave at least one listing.
func (m *Model) allowsTags(u *auth.User) bool {
	if len(m.Listings) == 0 {
		return true // nothing to choose from: that is a 503, not the user's tags
	}
	for i := range m.Listings {
		if u.MayUseTags(m.Listings[i].Tags) {
			return true
		}
	}
	return false
}

// cost is what u costs by the listing's prices, in USD.
func (t *target) cost(u Usage) float64 {
	const perMillion = 1e-6
	l := &t.listing
	return l.RequestPrice + perMillion*(l.InputPrice*float64(u.Input)+l.OutputPrice*float64(u.Output))
}

func sortModels(ms []*Model) {
	slices.SortFunc(ms, func(a, b *Model) int { return strings.Compare(a.Name, b.Name) })
}
