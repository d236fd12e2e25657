package loadbalance

import (
	"math"
	"sync/atomic"
	"time"
)

const (
	// confidenceHalfLife is how fast the confidence of an idle backend drifts
	// to the initial one: an hour forgives, and forgets, half.
	confidenceHalfLife = time.Hour
	// confidenceRest is how long a confidence stands before it begins to
	// drift, so that it need not be computed for a backend in use. By then it
	// would have drifted by a five hundredth of the way.
	confidenceRest = int32(10 * time.Second / stampUnit)
	// trusted is the confidence from which smart_ai exploits a backend, and
	// to which a recovered one is lifted: it is used again at once, and left
	// again at its first failure.
	trusted = 0.5
	// lightShare is the part of a usual step that a lightweight check moves
	// the confidence by: that an account answers says less than a request.
	lightShare = 1.0 / 3
	// confidenceUnits is how many steps lie between no confidence and full.
	confidenceUnits = 1e6
)

// confidence is how much smart_ai trusts a backend, in [0,1], with the moment
// that it was set, in one word; 0: it was not set yet. It is written under the
// backend's lock and read without.
//
// It counts millionths. The steps that it moves by are decimal fractions, which
// binary ones only come near to; so it is the same number to whoever picks by
// it and to whoever reads it: 0.9, not 0.8999999761581421.
type confidence struct{ word atomic.Uint64 }

func (c *confidence) set(v float64, at stamp) {
	c.word.Store(uint64(math.Round(v*confidenceUnits))<<32 | uint64(at))
}

// at is the confidence as seen at that moment: short, because smart_ai asks it
// of every candidate. What takes longer is in drifted.
func (c *confidence) at(at stamp, s *SmartAI) float64 {
	w := c.word.Load()
	if w == 0 || int32(at-stamp(w)) > confidenceRest {
		return c.drifted(at, s)
	}
	return float64(w>>32) / confidenceUnits
}

// drifted is the confidence of a backend that is new or idle.
func (c *confidence) drifted(at stamp, s *SmartAI) float64 {
	w := c.word.Load()
	if w == 0 {
		return s.InitialConfidence
	}
	v := float64(w>>32) / confidenceUnits
	if age := int32(at - stamp(w)); s.TimeDecay && age > confidenceRest {
		v = s.InitialConfidence + (v-s.InitialConfidence)*halved(age-confidenceRest, confidenceHalfLife)
	}
	return math.Round(v*confidenceUnits) / confidenceUnits
}

// move adds d to the confidence of this moment.
func (c *confidence) move(d float64, at stamp, s *SmartAI) {
	c.set(min(max(c.at(at, s)+d, s.MinConfidence), 1), at)
}

// lift raises the confidence of a recovered backend to the trusted level.
func (c *confidence) lift(at stamp, s *SmartAI) { c.set(max(c.at(at, s), trusted), at) }

// raise lifts a confidence that is below the floor of a new policy.
func (c *confidence) raise(at stamp, s *SmartAI) {
	if c.at(at, s) < s.MinConfidence {
		c.set(s.MinConfidence, at)
	}
}
