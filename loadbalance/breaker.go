package loadbalance

import "time"

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
// A request for which nothing else is left need not wait for that: it may begin
// a trial from the moment early on. The breaker stays open then until the trial
// succeeds, and a trial that is still silent loses its slot to the next one.
// (docs/adr/0010)
//
// It knows no clock and no lock: the backend that owns it brings both.
type breaker struct {
	state    BreakerState
	failures int   // in a row
	until    int64 // moment until which an open breaker lets nothing through
	early    int64 // moment from which a last resort may begin a trial, while not closed
	trial    int64 // moment at which the trial that holds the one slot began; 0: it is free
}

// lastResortPause is the time between the trials of one backend behind an open
// breaker that are made because nothing else is left, less up to a quarter. It
// is short enough for the first request a second to be one of them, and long
// enough to be no load.
const lastResortPause = time.Second

// at is the state as seen at now: an open breaker whose time is over is
// half-open, though no trial has begun yet.
func (b *breaker) at(now int64) BreakerState {
	if b.state == BreakerOpen && now >= b.until {
		return BreakerHalfOpen
	}
	return b.state
}

// begin takes the trial slot, if the breaker is half-open and it is free. The
// next last resort is not before early.
func (b *breaker) begin(now, early int64) bool {
	if b.trial != 0 || b.at(now) != BreakerHalfOpen {
		return false
	}
	b.state, b.trial, b.early = BreakerHalfOpen, now, early
	return true
}

// beginEarly takes the trial slot as the last resort: see breaker.
func (b *breaker) beginEarly(now, early int64) bool {
	if b.state == BreakerClosed || now < b.early {
		return false
	}
	b.state, b.trial, b.early = b.at(now), now, early
	return true
}

// end gives back the slot of the trial that began at start, and reports
// whether that trial still held it.
func (b *breaker) end(start int64) bool {
	if b.trial != start || start == 0 {
		return false
	}
	b.trial = 0
	return true
}

// fail counts a failure, after which the breaker is open until until, and no
// last resort is before early. Failures of requests that began before the breaker
// opened say nothing new: while it is not closed only its trial decides.
func (b *breaker) fail(until, early int64, threshold int, trial bool) {
	b.failures++
	if (b.state == BreakerClosed && b.failures >= threshold) || (b.state != BreakerClosed && trial) {
		b.state, b.until, b.early = BreakerOpen, until, early
	}
}

// succeed closes the breaker. A trial that is still under way keeps the slot
// until it is reported.
func (b *breaker) succeed() {
	b.state, b.failures, b.until, b.early = BreakerClosed, 0, 0, 0
}
