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
type stamped struct{ word atomic.Uint64 }

// A stamp is a moment in hundredths of a second; it wraps after 497 days. A
// pick makes one of its moment and compares all candidates with it.
type stamp uint32

const stampUnit = 10 * time.Millisecond

func stampOf(now int64) stamp { return stamp(now/int64(stampUnit)) + 1 }

func (s *stamped) set(v float64, at stamp) {
	s.word.Store(uint64(math.Float32bits(float32(v)))<<32 | uint64(at))
}

// get returns the value, its age in units of stamps, and whether it was ever
// set.
func (s *stamped) get(at stamp) (v float64, age int32, ok bool) {
	w := s.word.Load()
	return float64(math.Float32frombits(uint32(w >> 32))), max(0, int32(at-stamp(w))), w != 0
}

// latency is a backend's smoothed time to first content, in seconds.
// It is written under the backend's lock and read without.
type latency struct{ stamped }

func (l *latency) observe(d time.Duration, at stamp) {
	x := d.Seconds()
	if x <= 0 {
		return
	}
	if old, age, ok := l.get(at); ok && x < old {
		x += (old - x) * halved(age, latencyHalfLife)
	}
	l.set(x, at)
}

// seconds is the latency that picking sees; ok is false if none was ever
// measured.
func (l *latency) seconds(at stamp) (s float64, ok bool) {
	v, age, ok := l.get(at)
	return v * halved(age, latencyIdleHalfLife), ok
}

// halved returns 2^(-age/halfLife) for an age in stamps. Pick calls it for
// every candidate, so the fraction is a polynomial (relative error below 2e-4)
// instead of math.Exp2.
func halved(age int32, halfLife time.Duration) float64 {
	x := float64(age) * (float64(stampUnit) / float64(halfLife))
	whole := int64(x)
	if whole >= 1022 {
		return 0
	}
	f := x - float64(whole)
	// Cubic through 2^-f at 0, 1/3, 2/3 and 1.
	p := (1 - 0.6915176281*f) + f*f*(0.2310276132-0.0395099851*f)
	return p * math.Float64frombits(uint64(1023-whole)<<52)
}
