package loadbalance

import "math"

const (
	// costTolerance is how much dearer than the cheapest a backend may be to
	// count as cheap: small differences in price are worth less than a choice.
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
// if it is no dearer than the best: it has no other way back.
//
// The score is confidence x weight x stage of recovery, x the bonus for proven
// backends that are not premium.
type smartAI struct{}

// smartView is what smart_ai sees of the candidates at the moment of a pick.
// It is the same for Pick and Explain.
type smartView struct {
	request typical
	ceiling float64   // the highest cost that is cheap
	scores  []float64 // by candidate
	best    int       // the one to exploit
	trusted bool      // it is one that is trusted
	trial   int       // the one that is due for its trial; -1: none
}

// look fills the view.
func (v *smartView) look(c []*Node, r *Request) {
	s := &r.policy.SmartAI
	v.request = r.balancer.usage.typical()
	v.scores = r.scratch(len(c)) // confidences, until they are scored
	cheapest, confident := math.Inf(1), math.Inf(1)
	for i, n := range c {
		v.scores[i] = n.backend.confidence.at(r.stamp, s)
		if !n.priced {
			continue
		}
		cost := v.request.price(n.prices)
		if cost < cheapest {
			cheapest = cost
		}
		if cost < confident && v.scores[i] >= trusted {
			confident = cost
		}
	}
	if !math.IsInf(confident, 1) {
		cheapest = confident
	}
	v.ceiling = cheapest * costTolerance
	v.choose(c, r)
}

// choose scores the candidates and finds the best.
func (v *smartView) choose(c []*Node, r *Request) {
	bonus := r.policy.SmartAI.StabilityBonus
	v.best, v.trusted, v.trial = 0, false, -1
	top, cheap := 0.0, false
	for i, n := range c {
		confidence, score := v.scores[i], n.weight
		if n.backend.word.Load() != 0 { // it is not simply healthy
			score = n.stagedWeight()
			if v.trial < 0 && n.Trial(r) {
				v.trial = i
			}
		}
		score *= confidence
		if confidence > provenConfidence && !n.premium {
			score *= bonus
		}
		v.scores[i] = score
		// The score decides before the price, which takes longer to know.
		if confidence < trusted || cheap && score <= top {
			continue
		}
		isCheap := v.cheap(n)
		if v.trusted && (cheap && !isCheap || cheap == isCheap && score <= top) {
			continue
		}
		v.best, v.trusted, top, cheap = i, true, score, isCheap
	}
	if v.trial >= 0 && v.cheap(c[v.best]) && !v.cheap(c[v.trial]) {
		v.trial = -1
	}
}

// cheap reports whether the node is in the cheap tier. Of one without a price
// only its tag tells.
func (v *smartView) cheap(n *Node) bool {
	if n.priced {
		return v.request.price(n.prices) <= v.ceiling
	}
	return !n.premium
}

// chances turns the scores into what candidates are explored with, and
// reports whether there is any.
func (v *smartView) chances(c []*Node, r *Request) bool {
	found := false
	for i, n := range c {
		switch {
		case r.now < n.backend.exploreAt.Load():
			v.scores[i] = 0
		case !v.cheap(n):
			v.scores[i] *= dearShare
		}
		found = found || v.scores[i] > 0
	}
	return found
}

func (*smartAI) Pick(c []*Node, r *Request) int {
	var v smartView
	v.look(c, r)
	switch {
	case v.trial >= 0:
		return v.trial
	case !v.trusted:
		return draw(v.scores, r)
	case r.Float64() >= r.policy.SmartAI.ExplorationRatio, !v.chances(c, r):
		return v.best
	}
	i := draw(v.scores, r)
	// After a failure once per interval: the next look is an interval away.
	if b := c[i].backend; b.exploreAt.Load() != 0 {
		b.exploreAt.Store(r.now + int64(r.policy.RecoveryInterval))
	}
	return i
}

// Explain gives the scores as weights, and as shares the probabilities of the
// next pick.
func (*smartAI) Explain(c []*Node, r *Request, out []Weighing) {
	var v smartView
	v.look(c, r)
	for i := range c {
		out[i].Weight = v.scores[i]
	}
	explored := 0.0
	switch {
	case v.trial >= 0:
		out[v.trial].Share = 1
		return
	case !v.trusted:
		explored = 1
	case v.chances(c, r):
		explored = r.policy.SmartAI.ExplorationRatio
	}
	shares(v.scores, out)
	for i := range c {
		out[i].Share *= explored
	}
	out[v.best].Share += 1 - explored
}
