package loadbalance

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
)

// Config is what a Balancer is made of.
type Config struct {
	Name     string   // for people; need not be unique
	Strategy Strategy // nil: weighted_failover. The value belongs to the balancer from then on
	Listings []Listing
	// Replaces is the balancer whose place this one takes, as after a reload:
	// what that one learnt of how large a usual request is goes on, and so do the
	// turns of round_robin. nil: none.
	Replaces *Balancer
}

// Listing is a backend's entry in a balancer. What belongs to the backend
// itself (health, breaker, latency) is in the Fleet, shared by all listings
// of the same ID.
type Listing struct {
	ID       string   // identifies the backend within the fleet
	Group    string   // what shares an account; "": the backend is a group of its own
	Weight   float64  // relative; 0 is taken as 1
	Priority int      // smaller is preferred, by failover
	Tags     []string // see Request.Tags; "premium" also means expensive to smart_ai

	// PerRequest says that each request costs the same, however small. Such a
	// backend is never checked actively.
	PerRequest bool

	InputPrice, OutputPrice float64 // USD per million tokens; 0: unknown
	RequestPrice            float64 // USD per request; 0: unknown
}

// Balancer picks among the backends of one list. It does not change after it
// was built, except that its strategy may remember whose turn it is; all
// methods may be called from any goroutine.
type Balancer struct {
	fleet    *Fleet
	name     string
	strategy Strategy
	nodes    []*Node
	usage    usage

	tagBits map[string]uint // number of each tag that a listing has; nil if there are more than 64
	rooms   sync.Pool       // of *room
}

// Balancer builds a balancer over the fleet, with a state for each backend
// that it does not know yet. c is copied, and checked: the error names every
// listing that has no ID, a weight or price that is negative or not a number,
// or another group than an earlier listing of its ID.
// A list without listings is allowed; each pick from it is Unavailable.
func (f *Fleet) Balancer(c Config) (*Balancer, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	b := &Balancer{fleet: f, name: c.Name, strategy: c.Strategy}
	if b.strategy == nil {
		b.strategy = new(weightedFailover)
	}
	_, smart := b.strategy.(*smartAI)
	firsts := map[string]int{}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, l := range c.Listings {
		l = l.normalised()
		if _, again := firsts[l.ID]; !again {
			firsts[l.ID] = i
		}
		b.nodes = append(b.nodes, &Node{
			balancer: b,
			backend:  f.backend(&l, smart),
			listing:  l,
			index:    i,
			first:    firsts[l.ID],
			weight:   l.Weight,
			priority: l.Priority,
			prices:   prices{l.InputPrice, l.OutputPrice, l.RequestPrice},
			hash:     scatter(uint64(i)),
			premium:  slices.Contains(l.Tags, premiumTag),
			priced:   l.priced(),
		})
	}
	if c.Replaces != nil {
		b.inherit(c.Replaces)
	}
	b.numberTags()
	b.rooms.New = func() any {
		return &room{nodes: make([]*Node, len(b.nodes)), weights: make([]float64, len(b.nodes))}
	}
	return b, nil
}

func (l Listing) normalised() Listing {
	if l.Weight == 0 {
		l.Weight = 1
	}
	if l.Group == "" {
		l.Group = l.ID
	}
	l.Tags = slices.Clone(l.Tags)
	return l
}

// priced reports whether anything is known of what the listing costs.
func (l *Listing) priced() bool { return l.InputPrice+l.OutputPrice+l.RequestPrice > 0 }

func (c *Config) check() error {
	var errs []error
	groups := map[string]string{}
	for i, l := range c.Listings {
		bad := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("loadbalance: %q: listing %d (%q): %s", c.Name, i, l.ID, fmt.Sprintf(format, args...)))
		}
		if l.ID == "" {
			bad("has no ID")
		}
		for _, x := range []struct {
			name string
			v    float64
		}{{"weight", l.Weight}, {"input price", l.InputPrice}, {"output price", l.OutputPrice}, {"request price", l.RequestPrice}} {
			if !(x.v >= 0) || math.IsInf(x.v, 0) {
				bad("%s is %v, not a number from 0 up", x.name, x.v)
			}
		}
		if g, ok := groups[l.ID]; ok && g != l.Group {
			bad("is in group %q here and in %q before", l.Group, g)
		}
		groups[l.ID] = l.Group
	}
	return errors.Join(errs...)
}

// Name is Config.Name.
func (b *Balancer) Name() string { return b.name }

// Pick chooses a backend for r: one that its tags and pin allow, that it was
// not picked for before, that is neither drained, cooling down, at its
// concurrency limit nor behind an open breaker, and that is healthy. If none
// is healthy, an unhealthy one does; if all are behind their breakers, one of
// them, at most once a second each. The lease must be reported.
//
// It never blocks, starts nothing and allocates nothing. The error is an
// *Unavailable.
func (b *Balancer) Pick(r *Request) (*Lease, error) {
	first := r.balancer != b || !r.retry
	r.begin(b)
	if len(b.nodes) > inlineCandidates {
		return b.pickLarge(r, first)
	}
	return b.pick(r, first, r.nodes[:])
}

// pickLarge is pick with borrowed room.
func (b *Balancer) pickLarge(r *Request, first bool) (*Lease, error) {
	r.borrowed = b.rooms.Get().(*room)
	defer func() {
		b.rooms.Put(r.borrowed)
		r.borrowed = nil
	}()
	return b.pick(r, first, r.borrowed.nodes)
}

func (b *Balancer) pick(r *Request, first bool, buf []*Node) (*Lease, error) {
	// A pick fails only when another goroutine took the last slot in between;
	// then the filter will not pass that node again.
	for range len(b.nodes) {
		c := b.filter(r, buf)
		if len(c) == 0 {
			break
		}
		if r.Decision != nil {
			r.Decision.consider(b, r, c)
		}
		i := b.strategy.Pick(c, r)
		if uint(i) >= uint(len(c)) {
			i = 0
		}
		n := c[i]
		if l := n.take(r); l != nil {
			if r.Decision != nil {
				r.Decision.decide(c, i, r)
			}
			r.markTried(n.first)
			if first {
				n.backend.budget.earn(r.policy.RetryRatio, r.now)
			}
			return l, nil
		}
	}
	if r.Decision != nil {
		r.Decision.consider(b, r, nil)
	}
	return nil, b.unavailable(r)
}

// Again picks the backend of l once more, for another attempt of r on the
// same backend. It may be unhealthy by now, but not drained, cooling down, at
// its limit or behind an open breaker. l may be reported already, and l and r
// must belong to this balancer. The error is an *Unavailable.
func (b *Balancer) Again(r *Request, l *Lease) (*Lease, error) {
	n := l.node
	r.begin(b)
	switch n.backend.standing(r.now) {
	case standsHealthy, standsTrial, standsUnhealthy:
		if again := n.take(r); again != nil {
			r.markTried(n.first)
			return again, nil
		}
	}
	return nil, b.unavailableNode(n, r)
}

// filter puts the nodes that may be picked into buf: the healthy ones, with
// those that a trial is due on, or else the unhealthy ones that nothing but
// their health speaks against, or else one that is behind its breaker.
func (b *Balancer) filter(r *Request, buf []*Node) []*Node {
	c, next := b.passing(r, buf, standsTrial)
	if len(c) == 0 && next == standsUnhealthy {
		c, next = b.passing(r, buf, standsUnhealthy)
	}
	if len(c) == 0 && next == standsLast {
		return b.last(r, buf)
	}
	return c
}

// last puts the one node into buf that has waited longest for a trial as the
// last resort. If there is any that requests can use without, which this one
// may have tried already or may have found full, there is no such need.
func (b *Balancer) last(r *Request, buf []*Node) []*Node {
	c, due := buf[:0], never
	for _, n := range b.nodes {
		if !n.allowed(r) {
			continue
		}
		s := n.backend.standing(r.now)
		if s < standsLast {
			return nil
		}
		at := n.backend.trialAt.Load()
		if s == standsLast && at < due && !r.wasTried(n.first) && !n.backend.group.Load().full() {
			c, due = append(buf[:0], n), at
		}
	}
	return c
}

// passing collects the nodes that stand no worse than worst, and reports the
// next worse standing of those that it left out for it, up to standsLast.
func (b *Balancer) passing(r *Request, buf []*Node, worst standing) (c []*Node, next standing) {
	k, now := 0, r.now
	next = standsBusy
	picky, limited := r.filtered || r.retry, r.policy.limited
	for _, n := range b.nodes {
		if picky && (!n.allowed(r) || r.wasTried(n.first)) {
			continue
		}
		s := standsHealthy
		if w := n.backend.word.Load(); w&stateBits != 0 {
			s = n.backend.weigh(w, now)
		}
		if s > standsLast || limited && n.backend.group.Load().full() {
			continue
		}
		if s > worst {
			next = min(next, s)
			continue
		}
		buf[k] = n
		k++
	}
	return buf[:k], next
}

// allowed reports whether the request's tags and pin let it use the node.
func (n *Node) allowed(r *Request) bool {
	return (r.Only == "" || r.Only == n.listing.Group) && n.tagged(r)
}
