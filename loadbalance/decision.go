package loadbalance

import "time"

// maxConsidered bounds a Decision, so that whoever keeps many of them knows how
// much memory that takes.
const maxConsidered = 64

// Decision is the record of one pick: who could have been picked, by what
// numbers, and who was. The caller owns it and can use it for one pick after
// another, which then allocates nothing; see Request.Decision. What it holds
// does not change between picks.
type Decision struct {
	Time     time.Time // of the pick; zero: nothing was recorded yet
	Balancer string    // its name

	// Considered are the balancer's listings in their order, 64 at most; the
	// picked one is always among them.
	Considered []Considered
	Omitted    int // listings that are left out of Considered
	Picked     int // index in Considered; -1: nothing could be picked

	weighings []Weighing // storage
}

// Considered is a listing as a pick saw it.
type Considered struct {
	ID, Group string
	Index     int // in Config.Listings
	Priority  int
	Weight    float64
	// EffectiveWeight and Share are what the strategy compared and gave; 0 for a
	// listing that was excluded or with a strategy that is no Explainer.
	EffectiveWeight, Share float64

	Latency    time.Duration // smoothed time to first content; 0: not measured yet
	Confidence float64       // in [0,1], as smart_ai sees it
	Cost       float64       // expected price of one request, USD; 0: no prices
	Stage      int           // of recovery: 30, 50 or 100 percent of the weight
	Breaker    BreakerState
	Healthy    bool
	Excluded   string // why it could not be picked; "": it could
}

// Reset empties d and keeps its storage.
func (d *Decision) Reset() {
	clear(d.Considered) // lets the ids of listings that are gone go
	*d = Decision{Considered: d.Considered[:0], Picked: -1, weighings: d.weighings}
}

// consider records who may be picked for r: c is what passed the filter. It
// comes before the strategy's turn, so that the numbers are those of the pick.
func (d *Decision) consider(b *Balancer, r *Request, c []*Node) {
	d.Time, d.Balancer = b.fleet.time(r.now), b.name
	d.Considered, d.Omitted, d.Picked = d.Considered[:0], 0, -1
	if len(c) > cap(d.weighings) {
		d.weighings = make([]Weighing, len(b.nodes))
	}
	out := d.weighings[:len(c)]
	clear(out)
	if e, ok := b.strategy.(Explainer); ok && len(c) > 0 {
		e.Explain(c, r, out)
	}
	if want := min(len(b.nodes), maxConsidered); want > cap(d.Considered) {
		d.Considered = make([]Considered, 0, want)
	}
	k := 0
	for _, n := range b.nodes {
		if len(d.Considered) == maxConsidered {
			d.Omitted = len(b.nodes) - maxConsidered
			break
		}
		d.Considered = d.Considered[:len(d.Considered)+1]
		at := &d.Considered[len(d.Considered)-1]
		at.set(n, r)
		if k < len(c) && c[k] == n {
			at.EffectiveWeight, at.Share = out[k].Weight, out[k].Share
			k++
		} else {
			at.Excluded = n.excluded(r)
		}
	}
}

// decide records that c[i] was picked.
func (d *Decision) decide(c []*Node, i int, r *Request) {
	n := c[i]
	d.Picked = n.index
	if n.index < len(d.Considered) {
		return
	}
	d.Picked = len(d.Considered) - 1
	last := &d.Considered[d.Picked]
	last.set(n, r)
	last.EffectiveWeight, last.Share = d.weighings[i].Weight, d.weighings[i].Share
}

// set fills in what is known of the node whether it may be picked or not.
func (x *Considered) set(n *Node, r *Request) {
	b := n.backend
	*x = Considered{
		ID: n.listing.ID, Group: n.listing.Group, Index: n.index, Priority: n.priority, Weight: n.weight,
		Confidence: n.Confidence(r), Stage: b.stage(), Healthy: true,
	}
	if n.priced {
		x.Cost = n.Cost()
	}
	if s, ok := b.latency.seconds(r.stamp); ok {
		x.Latency = time.Duration(s * float64(time.Second))
	}
	if w := b.word.Load(); w&stateBits != 0 { // rare, so that the lock costs nothing
		x.Healthy = w&wordUnhealthy == 0
		if w&wordOpen != 0 {
			b.mu.Lock()
			x.Breaker = b.breaker.at(r.now)
			b.mu.Unlock()
		}
	}
}
