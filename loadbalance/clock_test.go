package loadbalance

import (
	"testing"
	"time"
	"unsafe"
)

// turned is t after somebody set the clock of the machine forward by d, or
// back: the wall clock jumps, the monotonic reading does not. There is no other
// way to make such a time than in place: a Time with a monotonic reading keeps
// its wall seconds from bit 30 of its first word on.
func turned(tb testing.TB, t time.Time, d time.Duration) time.Time {
	tb.Helper()
	u := t
	*(*uint64)(unsafe.Pointer(&u)) += uint64(d/time.Second) << 30
	if u.Sub(t) != 0 || u.Round(0).Sub(t.Round(0)) != d {
		tb.Fatalf("a time does not look like it used to: %v turned by %v is %v", t, d, u)
	}
	return u
}

// F20: somebody sets the clock of the machine. Breakers, rests and pauses go
// on for as long as they were meant to.
func TestF20ClockJumps(t *testing.T) {
	var turn time.Duration
	w := &world{t: t, clock: &clock{time.Now()}}
	w.fleet = NewFleet(Options{Now: func() time.Time { return turned(t, w.clock.t, turn) }})
	w.lb = w.balancer("failover", ids("a b c")...)
	f := func(wantA BreakerState, wantB time.Duration) {
		t.Helper()
		for _, turn = range []time.Duration{0, 3 * time.Hour, -72 * time.Hour} {
			a, b := w.state("a"), w.state("b")
			rest := time.Duration(0)
			if !b.CoolDownUntil.IsZero() {
				rest = b.CoolDownUntil.Sub(w.clock.t)
			}
			if a.Breaker != wantA || rest != wantB {
				t.Errorf("the clock turned by %v: a's breaker is %v and b rests for %v; want %v and %v", turn, a.Breaker, rest, wantA, wantB)
			}
		}
	}
	w.open("a")
	w.fleet.mu.Lock()
	b := w.fleet.backends["b"]
	w.fleet.mu.Unlock()
	b.report(Outcome{Kind: RateLimit, RetryAfter: 90 * time.Second}, w.fleet.now(), false)
	f(BreakerOpen, 90*time.Second)
	w.clock.forward(time.Minute - 1)
	f(BreakerOpen, 30*time.Second+1)
	w.clock.forward(1)
	f(BreakerHalfOpen, 30*time.Second)
	w.clock.forward(30 * time.Second)
	f(BreakerHalfOpen, 0)
	// The real clock is read in the same way.
	if f := NewFleet(Options{}); f.start == f.start.Round(0) {
		t.Error("without Options.Now the fleet's clock has no monotonic reading")
	}
}
