package loadbalance

import (
	"sync/atomic"
	"time"
)

// Lease is one pick: the right to send one attempt to a backend. It holds a
// slot of the backend until it is reported, so it must be reported, whatever
// happens; Report(Outcome{Kind: Cancelled}) in a defer covers every path.
//
// It may be handed to another goroutine. Its memory belongs to the Request and
// is used again by the eighth pick after the report at the earliest, so keep no
// lease for longer than the request that it was picked for.
type Lease struct {
	node  *Node
	group *group
	start int64
	trial bool
	live  atomic.Bool
}

// ID is the backend's id.
func (l *Lease) ID() string { return l.node.listing.ID }

// Group is the backend's group.
func (l *Lease) Group() string { return l.node.listing.Group }

// Index is the position of the picked listing in Config.Listings.
func (l *Lease) Index() int { return l.node.index }

// Trial reports whether the attempt decides over the backend's recovery: it
// is the one request that a half-open breaker lets through, one that passes an
// open breaker because nothing else is left, or the one that tries an unhealthy
// backend that no check can bring back.
func (l *Lease) Trial() bool { return l.trial }

// Report ends the lease and books its outcome on the backend. Only the first
// call counts; more are harmless. It never blocks and may be called from any
// goroutine.
func (l *Lease) Report(o Outcome) {
	n, g, start, trial := l.node, l.group, l.start, l.trial
	if !l.live.CompareAndSwap(true, false) {
		return
	}
	b := n.backend
	b.report(o, start, trial)
	if o.Kind == Success {
		n.balancer.usage.observe(o.InputTokens, o.OutputTokens)
	}
	g.inFlight.Add(-1)
	if b.inFlight.Add(-1) == 0 && b.retired.Load() {
		b.fleet.forget(b)
	}
}

// Answered tells that the first content of an answer has come. It need not be
// called. But a trial for which nothing else was left brings its backend back by
// it, for all that wait, where Report would not before the answer is whole; of
// any other lease it says nothing new. It never blocks.
func (l *Lease) Answered() {
	if !l.live.Load() || !l.trial {
		return
	}
	b := l.node.backend
	now := b.fleet.now()
	for _, n := range l.node.balancer.nodes {
		if s := n.backend.standing(now); n.backend != b && (s == standsHealthy || s == standsUnhealthy) {
			return // nobody waits: the trial may take its time
		}
	}
	b.answered(l.start)
}

// MayAgain reports whether Again may lease the same backend in d from now, as
// far as that is known: it is not drained, and neither cooling down nor behind
// an open breaker then. Whoever is told no need not wait. It says nothing of
// limits, takes nothing and never blocks; call it after Report.
func (l *Lease) MayAgain(d time.Duration) bool {
	b := l.node.backend
	switch b.standing(b.fleet.now() + int64(d)) {
	case standsHealthy, standsTrial, standsUnhealthy:
		return true
	}
	return false
}

// MayRetry takes one retry from the budget of the backend that failed, and
// reports whether there was one. The budget holds 10 at most and at the start.
// Each request adds Policy.RetryRatio to that of the backend that it is picked
// for first, and each second adds one, for backends with little traffic: a
// backend that fails causes at most that share of its requests, and that little,
// to be tried again, here or elsewhere. Call it once per failed attempt that is
// to be retried, before or after Report.
func (l *Lease) MayRetry() bool {
	b := l.node.backend
	return b.budget.take(b.fleet.now())
}
