package relay

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/PPKunOfficial/berry-api/core/auth"
	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay/dialect/claude"
	"github.com/PPKunOfficial/berry-api/relay/dialect/gemini"
	"github.com/PPKunOfficial/berry-api/relay/stored"
	"github.com/PPKunOfficial/berry-api/relay/upstream"
)

// Options are what an embedder may set; the zero value is a plain gateway.
type Options struct {
	// Observer is told what happens; nil tells nobody.
	Observer Observer
	// Version goes into the User-Agent that upstreams see; "" means "dev".
	Version string
	// Strategy makes a strategy of the embedder's own for a name; false falls
	// back to the built-in ones. Called for each model that is built, and again
	// for each part of its listings that alone serves some endpoint: a reload
	// does not build the models that it does not change. May be nil.
	Strategy func(name string) (loadbalance.Strategy, bool)
	// HeaderHold is how long a stream's header waits for the first content;
	// past it the client gets a 200 and comments, and a failure from then on
	// is a frame inside the stream. 0 means 15 s.
	HeaderHold time.Duration
	// Discovered is told when a discovering provider's list names other models
	// than before, cannot be read any more, or can be again; nil: nobody is. It
	// is called with no lock held and must not block for long.
	Discovered func(Discovery)
}

// Gateway serves requests by its current runtime. New builds it, Run owns its
// background work, Reload replaces the runtime.
type Gateway struct {
	observer  Observer
	userAgent string
	strategy  func(name string) (loadbalance.Strategy, bool)
	hold      time.Duration
	burst     time.Duration // burstGap, but where a benchmark takes it away

	fleet   *loadbalance.Fleet
	limiter *auth.Limiter
	// signatures and thoughts belong to conversations, which outlive reloads.
	signatures gemini.Signatures
	thoughts   claude.Thoughts
	stored     stored.Responses
	current    atomic.Pointer[Runtime]
	uses       uses
	// readingOn counts the answers that are read on without their client.
	readingOn atomic.Int64

	reload      sync.Mutex // one new runtime at a time; guards connections
	connections upstream.Connections
	discovery   *discovery
}

// New builds a gateway from a loaded configuration. It starts and opens nothing.
func New(cfg *config.Config, o Options) (*Gateway, error) {
	g := &Gateway{
		observer:    o.Observer,
		strategy:    o.Strategy,
		hold:        o.HeaderHold,
		burst:       burstGap,
		limiter:     auth.NewLimiter(nil),
		connections: upstream.Connections{},
	}
	if g.observer == nil {
		g.observer = noObserver{}
	}
	g.userAgent = "berry-api/" + cmp.Or(o.Version, "dev")
	if g.hold <= 0 {
		g.hold = headerHold
	}
	g.fleet = loadbalance.NewFleet(loadbalance.Options{
		Policy: Policy(cfg),
		Notify: g.observer.BackendChanged,
	})
	g.discovery = newDiscovery(g, o.Discovered)
	if err := g.Reload(cfg); err != nil {
		return nil, err
	}
	return g, nil
}

// Reload makes cfg the configuration of all requests that begin from now on.
// Requests under way end on the one that they began with. On an error nothing
// has changed. It does not block on traffic.
func (g *Gateway) Reload(cfg *config.Config) error {
	g.reload.Lock()
	defer g.reload.Unlock()

	generation := uint64(1)
	if old := g.current.Load(); old != nil {
		generation = old.Generation + 1
	}
	g.discovery.mu.Lock()
	lists := g.discovery.names()
	g.discovery.mu.Unlock()
	rt, dials, err := g.build(cfg, lists)
	if err != nil {
		return fmt.Errorf("cannot build the runtime: %w", err)
	}
	rt.Generation, rt.LoadedAt = generation, time.Now()
	// What is above may fail, what is below cannot.

	g.swap(rt, dials)
	g.uses.learn()
	g.discovery.configure(rt)
	return nil
}

// swap makes rt the current runtime. It cannot fail. Called under reload.
func (g *Gateway) swap(rt *Runtime, dials upstream.Connections) {
	g.current.Store(rt)
	g.fleet.SetPolicy(Policy(rt.Config))
	ids := rt.backendIDs()
	g.fleet.Retain(ids)
	g.uses.retain(ids)
	g.limiter.Configure(rt.Keys.Users())
	g.connections.CloseUnless(dials)
	g.connections = dials
}

// Run does the gateway's background work, the health checks and the reading of
// discovering providers' model lists, until ctx ends; then it joins all that it
// started, closes idle upstream connections and returns nil. Call it once.
func (g *Gateway) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var discovering sync.WaitGroup
	discovering.Go(func() { g.discovery.run(ctx) })
	err := g.fleet.Run(ctx, prober{g})
	failed := err != nil && ctx.Err() == nil
	cancel()
	discovering.Wait()
	g.reload.Lock()
	defer g.reload.Unlock()
	g.connections.CloseUnless(nil)
	if failed {
		return fmt.Errorf("cannot check backends: %w", err)
	}
	return nil
}

// Current returns the runtime for requests that begin now: one atomic load.
func (g *Gateway) Current() *Runtime { return g.current.Load() }

// Fleet returns the live states of all backends.
func (g *Gateway) Fleet() *loadbalance.Fleet { return g.fleet }

// Limiter returns the per-user limits' state.
func (g *Gateway) Limiter() *auth.Limiter { return g.limiter }
