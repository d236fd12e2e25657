package loadbalance

import "time"

const (
	// confidenceHalfLife is how fast the confidence of an idle backend drifts
	// to the initial one: an hour forgives, and forgets, half.
	confidenceHalfLife = time.Hour
	// confidenceRest is how long a confidence stands before it begins to
	// drift, so that it need not be computed for a backend in use. By then it
	// would have drifted by a five hundredth of the way.
	confidenceRest = 10 * time.Second
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

// at is the confidence as seen at now.
func (c *confidence) at(now int64, s *SmartAI) float64 {
	v, age, ok := c.get(now)
	if !ok {
		return s.InitialConfidence
	}
	if s.TimeDecay && age > confidenceRest {
		v = s.InitialConfidence + (v-s.InitialConfidence)*halved(age-confidenceRest, confidenceHalfLife)
	}
	if v < s.MinConfidence { // the policy may have changed since it was set
		return s.MinConfidence
	}
	return v
}

// move adds d to the confidence of this moment.
func (c *confidence) move(d float64, now int64, s *SmartAI) {
	c.set(min(max(c.at(now, s)+d, s.MinConfidence), 1), now)
}

// lift raises the confidence of a recovered backend to the trusted level.
func (c *confidence) lift(now int64, s *SmartAI) {
	c.set(max(c.at(now, s), trusted), now)
}
