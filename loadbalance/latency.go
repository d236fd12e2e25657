package loadbalance

import (
	"math"
	"sync/atomic"
	"time"
)

const (
	// latencyHalfLife is how fast the smoothed latency follows answers that
	// are faster than it. A slower answer counts at once and in full: peak EWMA,
	// as in Twitter's Finagle.
	latencyHalfLife = 10 * time.Second
	// latencyIdleHalfLife is how fast it fades without answers, so that a
	// backend that was once ten times slower than the others is tried again
	// after 3.3 of it, and one that is twice as slow after one.
	latencyIdleHalfLife = 60 * time.Second
)

// stamped is a small float with the moment it was set, in one word, so that a
// reader without a lock never sees the one without the other. Zero: not set.
// The moment counts in hundredths of a second and wraps after 497 days.
type stamped struct{ word atomic.Uint64 }

const stampUnit = int64(10 * time.Millisecond)

func stamp(now int64) uint32 { return uint32(now/stampUnit) + 1 }

func (s *stamped) set(v float64, now int64) {
	s.word.Store(uint64(math.Float32bits(float32(v)))<<32 | uint64(stamp(now)))
}

// get returns the value, how long ago it was set, and whether it ever was.
func (s *stamped) get(now int64) (v float64, age time.Duration, ok bool) {
	w := s.word.Load()
	if w == 0 {
		return 0, 0, false
	}
	units := max(0, int32(stamp(now)-uint32(w)))
	return float64(math.Float32frombits(uint32(w >> 32))), time.Duration(int64(units) * stampUnit), true
}

// latency is a backend's smoothed time to first content, in seconds.
// It is written under the backend's lock and read without.
type latency struct{ stamped }

func (l *latency) observe(d time.Duration, now int64) {
	x := d.Seconds()
	if x <= 0 {
		return
	}
	if old, age, ok := l.get(now); ok && x < old {
		x += (old - x) * halved(age, latencyHalfLife)
	}
	l.set(x, now)
}

// seconds is the latency that picking sees at now; ok is false if none was
// ever measured.
func (l *latency) seconds(now int64) (s float64, ok bool) {
	v, age, ok := l.get(now)
	if !ok {
		return 0, false
	}
	return v * halved(age, latencyIdleHalfLife), true
}

// halved returns 2^(-age/halfLife). Pick calls it for every candidate, so the
// fraction is a polynomial (relative error below 2e-4) instead of math.Exp2.
func halved(age, halfLife time.Duration) float64 {
	if age <= 0 {
		return 1
	}
	x := float64(age) / float64(halfLife)
	if x > 1000 {
		return 0
	}
	whole := int64(x)
	f := x - float64(whole)
	// Cubic through 2^-f at 0, 1/3, 2/3 and 1.
	p := 1 + f*(-0.6915176281+f*(0.2310276132+f*-0.0395099851))
	return p * math.Float64frombits(uint64(1023-whole)<<52)
}
