package loadbalance

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options are what a Fleet is built with. The zero value is ready to use.
type Options struct {
	// Now is the clock; nil: the real one. Times should carry a monotonic
	// reading or never go back. It is called from many goroutines.
	Now func() time.Time
	// Rand returns 64 random bits; nil: math/rand/v2. It is called from many
	// goroutines.
	Rand func() uint64
	// Policy is what the fleet begins with; zero: DefaultPolicy.
	Policy Policy
	// Notify is told each transition of a backend, from the goroutine that
	// caused it and with no lock held, so that two at the same moment may come
	// in either order. It must not block. nil: nobody is.
	Notify func(Event)
}

// Fleet is the live states of all backends, by id. It outlives the balancers:
// build new ones over the same fleet after a reload, and each backend keeps
// its health, breaker, latency and confidence. All methods may be called from
// any goroutine.
type Fleet struct {
	nowFunc func() time.Time
	start   time.Time
	rand    func() uint64
	notify  func(Event)
	policy  atomic.Pointer[Policy]
	running atomic.Bool   // Run is active
	wake    chan struct{} // pokes Run; holds one

	mu       sync.Mutex // guards what follows
	backends map[string]*backend
	groups   map[string]*group
}

// group is what the backends of one account share at run time.
type group struct {
	name     string
	limit    atomic.Int64 // 0: none
	inFlight atomic.Int64
	members  int // backends in it; under the fleet's mu

	mu    sync.Mutex // guards what follows
	check groupCheck
}

// full reports whether the group is at its concurrency limit.
func (g *group) full() bool {
	limit := g.limit.Load()
	return limit > 0 && g.inFlight.Load() >= limit
}

// acquire takes a slot, unless the group is full.
func (g *group) acquire() bool {
	n := g.inFlight.Add(1)
	if limit := g.limit.Load(); limit > 0 && n > limit {
		g.inFlight.Add(-1)
		return false
	}
	return true
}

// NewFleet returns an empty fleet. It starts nothing.
func NewFleet(o Options) *Fleet {
	f := &Fleet{
		nowFunc:  o.Now,
		rand:     o.Rand,
		notify:   o.Notify,
		wake:     make(chan struct{}, 1),
		backends: map[string]*backend{},
		groups:   map[string]*group{},
	}
	if f.nowFunc == nil {
		f.start = time.Now()
	} else {
		f.start = f.nowFunc()
	}
	if f.rand == nil {
		f.rand = rand.Uint64
	}
	f.policy.Store(o.Policy.normalised())
	return f
}

// now is the fleet's clock: nanoseconds since it was built, from 1 on so that
// 0 can mean never. It is monotonic as far as Options.Now is.
func (f *Fleet) now() int64 {
	if f.nowFunc == nil {
		return int64(time.Since(f.start)) + 1
	}
	return max(0, int64(f.nowFunc().Sub(f.start))) + 1
}

// SetPolicy replaces the policy. It takes effect at once, for picks and for a
// running Run, and cannot fail; what is out of range is brought into it.
func (f *Fleet) SetPolicy(p Policy) {
	n := p.normalised()
	f.mu.Lock()
	f.policy.Store(n)
	for _, g := range f.groups {
		g.limit.Store(int64(max(0, n.Groups[g.name].MaxConcurrent)))
	}
	f.mu.Unlock()
	f.republish()
}

// republish lets Pick see what a new policy, or the beginning or end of Run,
// makes of each backend.
func (f *Fleet) republish() {
	p := f.policy.Load()
	at := stampOf(f.now())
	for _, b := range f.all() {
		b.mu.Lock()
		b.confidence.raise(at, &p.SmartAI)
		b.publish(p)
		b.mu.Unlock()
	}
	f.poke()
}

// poke wakes Run, if it sleeps.
func (f *Fleet) poke() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// all returns the backends.
func (f *Fleet) all() []*backend {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]*backend, 0, len(f.backends))
	for _, b := range f.backends {
		all = append(all, b)
	}
	return all
}

// list returns the backends, sorted by id.
func (f *Fleet) list() []*backend {
	all := f.all()
	slices.SortFunc(all, func(a, b *backend) int { return strings.Compare(a.id, b.id) })
	return all
}

// backend returns the backend of a listing, made if need be, and notes how it
// is listed. Called under mu.
func (f *Fleet) backend(l *Listing, smart bool) *backend {
	g := f.groups[l.Group]
	if g == nil {
		g = &group{name: l.Group}
		g.limit.Store(int64(max(0, f.policy.Load().Groups[l.Group].MaxConcurrent)))
		f.groups[l.Group] = g
	}
	b := f.backends[l.ID]
	if b == nil {
		b = &backend{fleet: f, id: l.ID}
		f.backends[l.ID] = b
	}
	if old := b.group.Swap(g); old != g {
		g.members++
		f.leave(old)
	}
	b.retired.Store(false)
	b.mu.Lock()
	b.claim(l, smart)
	b.publish(f.policy.Load())
	b.mu.Unlock()
	return b
}

// Retain forgets all backends but ids, once their last lease is reported.
// After a reload: build all balancers, swap them in, then call Retain. What
// was listed since the last Retain then counts as how a backend is listed;
// until then a backend that old or new listings bill per request is not
// probed.
func (f *Fleet) Retain(ids []string) {
	keep := make(map[string]bool, len(ids))
	for _, id := range ids {
		keep[id] = true
	}
	p := f.policy.Load()
	for _, b := range f.all() {
		b.mu.Lock()
		if b.claimed {
			b.perRequest, b.smart = b.claimedPerRequest, b.claimedSmart
		}
		b.claimed, b.claimedPerRequest, b.claimedSmart = false, false, false
		b.retired.Store(!keep[b.id])
		b.publish(p)
		b.mu.Unlock()
		if !keep[b.id] {
			f.forget(b)
		}
	}
	f.poke()
}

// forget removes a retired backend that is idle, and its group with the last.
func (f *Fleet) forget(b *backend) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !b.retired.Load() || b.inFlight.Load() > 0 || f.backends[b.id] != b {
		return
	}
	delete(f.backends, b.id)
	f.leave(b.group.Load())
}

// leave counts a backend less in the group, which is forgotten with its last.
// It is counted and not looked for, so that a reload that replaces a thousand
// backends does not look a million times. Called under mu.
func (f *Fleet) leave(g *group) {
	if g == nil {
		return
	}
	if g.members--; g.members == 0 && f.groups[g.name] == g {
		delete(f.groups, g.name)
	}
}

// Drain takes a backend out of traffic by hand until Enable; leases that are
// under way are not touched. It survives reloads. False: no such backend.
func (f *Fleet) Drain(id string) bool { return f.drain(id, true) }

// Enable ends a Drain. False: no such backend.
func (f *Fleet) Enable(id string) bool { return f.drain(id, false) }

func (f *Fleet) drain(id string, drained bool) bool {
	f.mu.Lock()
	b := f.backends[id]
	f.mu.Unlock()
	if b == nil {
		return false
	}
	b.mu.Lock()
	b.drained = drained
	b.publish(f.policy.Load())
	b.mu.Unlock()
	return true
}

// Leases returns the number of leases that are not reported yet. A test that
// ends with anything but 0 has found a path that forgets its lease.
func (f *Fleet) Leases() int {
	var n int64
	for _, b := range f.all() {
		n += b.inFlight.Load()
	}
	return int(n)
}
