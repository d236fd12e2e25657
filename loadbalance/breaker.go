package loadbalance

// BreakerState is the state of a backend's breaker. The numbers are those of
// the metric circuit_breaker_state.
type BreakerState uint8

// The states of a breaker.
const (
	BreakerClosed   BreakerState = 0 // requests pass
	BreakerHalfOpen BreakerState = 1 // one trial at a time passes
	BreakerOpen     BreakerState = 2 // nothing passes
)

// String returns "closed", "half_open" or "open".
func (s BreakerState) String() string {
	switch s {
	case BreakerClosed:
		return "closed"
	case BreakerHalfOpen:
		return "half_open"
	case BreakerOpen:
		return "open"
	}
	return "unknown"
}

// breaker keeps requests off a backend that fails again and again:
//
//	closed    --threshold failures in a row--> open
//	open      --timeout over, trial begins---> half-open
//	half-open --trial fails------------------> open
//	half-open --trial succeeds---------------> closed
//	half-open --trial abandoned--------------> half-open, slot free again
//
// It knows no clock and no lock: the backend that owns it brings both.
type breaker struct {
	state    BreakerState
	failures int   // in a row
	until    int64 // moment until which an open breaker lets nothing through
	trial    bool  // the one slot of a half-open breaker is taken
}

// at is the state as seen at now: an open breaker whose time is over is
// half-open, though no trial has begun yet.
func (b *breaker) at(now int64) BreakerState {
	if b.state == BreakerOpen && now >= b.until {
		return BreakerHalfOpen
	}
	return b.state
}

// begin takes the trial slot, if the breaker is half-open and it is free.
func (b *breaker) begin(now int64) bool {
	if b.trial || b.at(now) != BreakerHalfOpen {
		return false
	}
	b.state, b.trial = BreakerHalfOpen, true
	return true
}

// fail counts a failure. Failures of requests that began before the breaker
// opened say nothing new: while it is not closed only its trial decides.
func (b *breaker) fail(until int64, threshold int, trial bool) {
	b.failures++
	if (b.state == BreakerClosed && b.failures >= threshold) || (b.state == BreakerHalfOpen && trial) {
		b.state, b.until = BreakerOpen, until
	}
}

// succeed closes the breaker. A trial that is still under way keeps the slot
// until it is reported.
func (b *breaker) succeed() {
	b.state, b.failures, b.until = BreakerClosed, 0, 0
}
