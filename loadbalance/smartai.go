package loadbalance

import "math"

const (
	// costTolerance is how much dearer than the cheapest a backend may be to
	// count as cheap.
	costTolerance = 1.5
	// dearShare is the part of its share that a dear backend is explored with,
	// so that one cheap and one premium backend do not send a tenth of all
	// requests to the premium one.
	dearShare = 0.1
	// provenConfidence is the confidence above which a backend that is not
	// premium gets the stability bonus.
	provenConfidence = 0.9
)

// smartAI prefers cheap backends as long as they work, and learns whether they
// do from the users' own requests.
//
// Most requests exploit: among the backends trusted with a confidence of 0.5
// or more, the cheapest tier that has any gives its best one. If none is
// trusted, all are drawn from by their score. The other requests explore: they
// draw from all by score, dear ones at a tenth, and leave out for a while what
// failed. A backend that is due for its recovery trial gets the next request
// if it is no dearer than the best.
//
// The score is confidence x weight x stage of recovery, x the bonus for proven
// backends that are not premium.
type smartAI struct{}

// smartView is the moment that one pick sees.
type smartView struct {
	r       *Request
	s       *SmartAI
	ceiling float64 // highest cost that is cheap
}

// newSmartView looks for the cheapest of the confident candidates with a
// price, or of all with a price if none of them is confident.
func newSmartView(c []*Node, r *Request) smartView {
	v := smartView{r: r, s: &r.balancer.fleet.policy.Load().SmartAI}
	cheapest, confident := math.Inf(1), math.Inf(1)
	for _, n := range c {
		if !n.priced {
			continue
		}
		cost := n.Cost()
		cheapest = min(cheapest, cost)
		if cost < confident && v.confidence(n) >= trusted {
			confident = cost
		}
	}
	v.ceiling = cheapest * costTolerance
	if !math.IsInf(confident, 1) {
		v.ceiling = confident * costTolerance
	}
	return v
}

func (v *smartView) confidence(n *Node) float64 { return n.backend.confidence.at(v.r.now, v.s) }

// cheap reports whether the node is in the cheap tier. Of one without a price
// only its tag tells.
func (v *smartView) cheap(n *Node) bool {
	if n.priced {
		return n.Cost() <= v.ceiling
	}
	return !n.premium
}

// score is what backends are compared by within a tier.
func (v *smartView) score(n *Node) (score, confidence float64) {
	confidence = v.confidence(n)
	score = confidence * stagedWeight(n)
	if confidence > provenConfidence && !n.premium {
		score *= v.s.StabilityBonus
	}
	return score, confidence
}

// best returns the one to exploit; ok is false if none is trusted.
func (v *smartView) best(c []*Node) (best int, ok bool) {
	top, cheap := 0.0, false
	for i, n := range c {
		score, confidence := v.score(n)
		if confidence < trusted {
			continue
		}
		isCheap := v.cheap(n)
		if ok && (cheap && !isCheap || cheap == isCheap && score <= top) {
			continue
		}
		best, ok, top, cheap = i, true, score, isCheap
	}
	return best, ok
}

// chance is what a node is drawn with when exploring.
func (v *smartView) chance(n *Node) float64 {
	if v.r.now < n.backend.exploreAt.Load() {
		return 0
	}
	score, _ := v.score(n)
	if !v.cheap(n) {
		score *= dearShare
	}
	return score
}

// trial returns a node that is due for its trial and not dearer than the tier
// of the best one.
func (v *smartView) trial(c []*Node, best int) (int, bool) {
	for i, n := range c {
		if n.backend.word.Load()&stateBits != 0 && n.Trial(v.r) && (v.cheap(n) || !v.cheap(c[best])) {
			return i, true
		}
	}
	return 0, false
}

func (s *smartAI) Pick(c []*Node, r *Request) int {
	v := newSmartView(c, r)
	best, ok := v.best(c)
	if i, due := v.trial(c, best); due {
		return i
	}
	if !ok {
		return byWeight(c, r, func(n *Node) float64 { score, _ := v.score(n); return score })
	}
	if r.Float64() >= v.s.ExplorationRatio {
		return best
	}
	i := s.explore(c, &v, best)
	if n := c[i].backend; n.exploreAt.Load() != 0 {
		n.exploreAt.Store(r.now + int64(r.balancer.fleet.policy.Load().RecoveryInterval))
	}
	return i
}

// explore draws by chance; the best one if nothing has any.
func (*smartAI) explore(c []*Node, v *smartView, best int) int {
	sum := 0.0
	for _, n := range c {
		sum += v.chance(n)
	}
	if !(sum > 0) {
		return best
	}
	return byWeight(c, v.r, v.chance)
}

// Explain gives scores as weights and the probability of the next pick as
// shares.
func (*smartAI) Explain(c []*Node, r *Request, out []Weighing) {
	v := newSmartView(c, r)
	best, ok := v.best(c)
	trial, due := v.trial(c, best)
	switch {
	case due:
		explainChoice(c, out, trial)
	case !ok:
		explainWeights(c, out, func(n *Node) float64 { score, _ := v.score(n); return score })
	default:
		explainWeights(c, out, v.chance)
		explored := 0.0
		for i := range c {
			explored += out[i].Weight
		}
		for i := range c {
			if !(explored > 0) {
				out[i].Share = 0
			}
			out[i].Share *= v.s.ExplorationRatio
		}
		out[best].Share += 1 - v.s.ExplorationRatio
		if !(explored > 0) {
			out[best].Share = 1
		}
	}
	for i, n := range c {
		out[i].Weight, _ = v.score(n)
	}
}
