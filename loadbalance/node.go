package loadbalance

import (
	"slices"
	"time"
)

// Node is a candidate as a Strategy sees it: a listing, which does not
// change, and the live state of its backend as it is at the moment of the
// pick. Its methods take the request that is being picked for where the
// answer depends on the moment; all of them are cheap and take no lock.
type Node struct {
	// What every pick reads comes first, in one cache line.
	backend *backend
	weight  float64 // listing.Weight
	first   int     // index of the first listing of the same backend
	prices  prices
	priced  bool
	premium bool

	tags     uint64 // mask of the listing's tags, if the balancer numbers them
	hash     uint64 // random-looking, for sets of nodes
	priority int    // listing.Priority
	balancer *Balancer
	index    int
	listing  Listing
}

// ID is the backend's id.
func (n *Node) ID() string { return n.listing.ID }

// Group is the backend's group.
func (n *Node) Group() string { return n.listing.Group }

// Index is the position of the listing in Config.Listings.
func (n *Node) Index() int { return n.index }

// Weight is the listing's weight, positive.
func (n *Node) Weight() float64 { return n.listing.Weight }

// Priority is the listing's priority; smaller is preferred.
func (n *Node) Priority() int { return n.listing.Priority }

// HasTag reports whether the listing has the tag.
func (n *Node) HasTag(tag string) bool { return slices.Contains(n.listing.Tags, tag) }

// Premium reports whether the listing is tagged "premium", which means
// expensive where there are no prices.
func (n *Node) Premium() bool { return n.premium }

// PerRequest reports whether the backend is billed by the request.
func (n *Node) PerRequest() bool { return n.listing.PerRequest }

// Latency is the smoothed time to first content, fading while the backend is
// idle. False: none was measured yet.
func (n *Node) Latency(r *Request) (time.Duration, bool) {
	s, ok := n.backend.latency.seconds(r.stamp)
	return time.Duration(s * float64(time.Second)), ok
}

// Confidence is how much smart_ai trusts the backend, in [0,1].
func (n *Node) Confidence(r *Request) float64 {
	return n.backend.confidence.at(r.stamp, &r.policy.SmartAI)
}

// Cost is the expected price of one request in USD, at the average numbers of
// tokens of this balancer's requests; 0 if the listing has no prices.
func (n *Node) Cost() float64 { return n.balancer.usage.typical().price(n.prices) }

// Stage is the share of its weight that a recovering backend should count, in
// percent: 30, 50 or 100.
func (n *Node) Stage() int { return n.backend.stage() }

// InFlight is the number of leases that the backend holds now.
func (n *Node) InFlight() int { return int(n.backend.inFlight.Load()) }

// Trial reports whether picking the node would be a trial: see Lease.Trial.
func (n *Node) Trial(r *Request) bool {
	s := n.backend.standing(r.now)
	return s == standsTrial || s == standsLast
}

// take makes a pick final: it takes the slots and returns the lease, or nil
// if another request was faster. It does not look at health: the caller did.
func (n *Node) take(r *Request) *Lease {
	b := n.backend
	g := b.group.Load()
	if !g.acquire() {
		return nil
	}
	trial := false
	if s := b.standing(r.now); s == standsTrial || s == standsLast {
		var ok bool
		if trial, ok = b.beginTrial(r.now, s); !ok {
			g.inFlight.Add(-1)
			return nil
		}
	}
	b.inFlight.Add(1)
	b.requests.Add(1)
	l := r.lease()
	l.node, l.group, l.start, l.trial = n, g, r.now, trial
	l.live.Store(true)
	return l
}
