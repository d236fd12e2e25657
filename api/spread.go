package api

import (
	"math"
	"math/bits"
	"sync/atomic"
	"time"
)

// spread counts durations by size, so that percentiles can be told without
// keeping each one. Its steps are at most an eighth of their size wide: what it says
// is within an eighth of the truth. Adding is one atomic increment.
type spread [1 + octaves*steps]atomic.Uint32

const (
	steps   = 8  // per power of two, which is 2^3
	finest  = 8  // durations under 2^8 us, about a quarter of a millisecond, are all alike
	octaves = 22 // from there up to 2^30 us, about 18 minutes; what takes longer counts as that
)

func (s *spread) add(d time.Duration) { s[stepOf(d)].Add(1) }

// stepOf is where a duration counts: its highest bit and the three bits below it.
func stepOf(d time.Duration) int {
	us := uint64(max(0, d.Microseconds()))
	high := bits.Len64(us) - 1
	if high < finest {
		return 0
	}
	if high >= finest+octaves {
		return octaves * steps
	}
	return 1 + (high-finest)*steps + int(us>>(high-3)&(steps-1))
}

// lowest is the shortest duration of a step, in microseconds.
func lowest(step int) float64 {
	if step == 0 {
		return 0
	}
	octave, part := (step-1)/steps, (step-1)%steps
	return float64(uint64(steps+part) << (finest + octave - 3))
}

// counts are the sums of some spreads.
type counts [1 + octaves*steps]uint64

func (c *counts) add(s *spread) {
	for i := range s {
		c[i] += uint64(s[i].Load())
	}
}

// percentilesView are in milliseconds.
type percentilesView struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
}

// percentiles is nil, which is null in JSON, if nothing was counted.
func (c *counts) percentiles() *percentilesView {
	var total uint64
	for _, n := range c {
		total += n
	}
	if total == 0 {
		return nil
	}
	return &percentilesView{c.at(total, .50), c.at(total, .95), c.at(total, .99)}
}

// at is the duration that a share q of all do not exceed, in milliseconds: as if
// those of one step were spread evenly over it.
func (c *counts) at(total uint64, q float64) float64 {
	rank := max(1, uint64(math.Ceil(q*float64(total))))
	var before uint64
	for i, n := range c {
		if before+n < rank {
			before += n
			continue
		}
		from, to := lowest(i), lowest(i+1)
		us := from + (to-from)*(float64(rank-before)-.5)/float64(n)
		return math.Round(us/10) / 100 // to a hundredth of a millisecond
	}
	return 0 // not reached: total is the sum
}
