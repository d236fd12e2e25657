package loadbalance

import (
	"math"
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
)

// confidence is how much smart_ai trusts a backend, in [0,1]. It is written
// under the backend's lock and read without.
type confidence struct{ stamped }

// at is the confidence as seen at that moment: short, because smart_ai asks it
// of every candidate. What takes longer is in drifted.
func (c *confidence) at(at stamp, s *SmartAI) float64 {
	w := c.word.Load()
	if w == 0 || int32(at-stamp(w)) > confidenceRest {
		return c.drifted(at, s)
	}
	return float64(math.Float32frombits(uint32(w >> 32)))
}

// drifted is the confidence of a backend that is new or idle.
func (c *confidence) drifted(at stamp, s *SmartAI) float64 {
	v, age, ok := c.get(at)
	if !ok {
		return s.InitialConfidence
	}
	if s.TimeDecay {
		v = s.InitialConfidence + (v-s.InitialConfidence)*halved(age-confidenceRest, confidenceHalfLife)
	}
	return v
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
