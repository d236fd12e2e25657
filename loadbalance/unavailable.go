package loadbalance

import (
	"fmt"
	"time"
)

// Reason says why nothing could be picked.
type Reason uint8

// The reasons, the first that applies.
const (
	ReasonPinned      Reason = iota + 1 // Request.Only names a group that is not listed
	ReasonTags                          // the request's tags allow none of the listings
	ReasonRateLimited                   // all that are allowed and not drained cool down
	ReasonExhausted                     // the request tried all that could be used
	ReasonDown                          // all that are allowed are behind an open breaker, drained, full or cooling down
)

// String returns a short name such as "rate_limited".
func (r Reason) String() string {
	switch r {
	case ReasonPinned:
		return "pinned"
	case ReasonTags:
		return "tags"
	case ReasonRateLimited:
		return "rate_limited"
	case ReasonExhausted:
		return "exhausted"
	case ReasonDown:
		return "down"
	}
	return "unknown"
}

// Unavailable is the error of a pick that found no backend.
type Unavailable struct {
	Balancer string
	Reason   Reason
	// RetryAfter is the time until the first of the allowed backends is
	// expected back. It is 0 for ReasonPinned and ReasonTags, for which no
	// waiting helps, and where one that was tried could be used at once.
	RetryAfter time.Duration
}

// Error names the balancer and the reason.
func (u *Unavailable) Error() string {
	return fmt.Sprintf("loadbalance: %q: no backend available (%s)", u.Balancer, u.Reason)
}

const (
	// slotWait is when to come back for a slot that another request holds,
	// which may be any moment.
	slotWait = time.Second
	// drainWait is when to come back if all is drained by hand: nobody knows.
	drainWait = 30 * time.Second
)

// unavailable finds out why a pick failed.
func (b *Balancer) unavailable(r *Request) *Unavailable {
	u := &Unavailable{Balancer: b.name, Reason: ReasonDown, RetryAfter: drainWait}
	pinned, allowed, waiting, cooling := 0, 0, 0, 0
	for _, n := range b.nodes {
		if r.Only == "" || r.Only == n.listing.Group {
			pinned++
		}
		if !n.allowed(r) {
			continue
		}
		allowed++
		n.backend.want(r.now)
		if n.backend.standing(r.now) == standsDrained {
			continue // nobody knows for how long
		}
		wait, cools := n.wait(r.now)
		if waiting == 0 || wait < u.RetryAfter {
			u.RetryAfter = wait
		}
		waiting++
		if cools {
			cooling++
		}
	}
	switch {
	case len(b.nodes) == 0:
	case pinned == 0:
		u.Reason, u.RetryAfter = ReasonPinned, 0
	case allowed == 0:
		u.Reason, u.RetryAfter = ReasonTags, 0
	case cooling == waiting && cooling > 0:
		u.Reason = ReasonRateLimited
	case r.retry:
		u.Reason = ReasonExhausted
	}
	return u
}

// unavailableNode finds out why one node could not be picked again.
func (b *Balancer) unavailableNode(n *Node, r *Request) *Unavailable {
	wait, cools := n.wait(r.now)
	u := &Unavailable{Balancer: b.name, Reason: ReasonDown, RetryAfter: wait}
	if n.backend.standing(r.now) == standsDrained {
		u.RetryAfter = drainWait
	} else if cools {
		u.Reason = ReasonRateLimited
	}
	return u
}

// wait returns the time until the node may be picked, tried or not, and
// whether it only waits for a cool-down.
func (n *Node) wait(now int64) (wait time.Duration, cools bool) {
	b := n.backend
	full := b.group.Load().full()
	b.mu.Lock()
	defer b.mu.Unlock()
	cool := time.Duration(max(0, b.coolDown.until-now))
	var open time.Duration
	switch b.breaker.at(now) {
	case BreakerOpen:
		open = time.Duration(b.breaker.until - now)
	case BreakerHalfOpen:
		if b.breaker.trial != 0 {
			open = slotWait
		}
	}
	if early := time.Duration(b.breaker.early - now); early > 0 {
		open = min(open, early) // as the last resort
	}
	if full {
		open = max(open, slotWait)
	}
	return max(cool, open), cool > 0 && open == 0
}
