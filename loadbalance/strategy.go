package loadbalance

import (
	"fmt"
	"strings"
)

// Strategy chooses among candidates. A custom one is any type with this
// method; a value serves one balancer.
//
// Pick returns an index into c. The candidates are filtered (allowed, usable,
// and healthy unless none is), in the order of Config.Listings, and never empty. An index
// out of range is taken as 0. Pick is called by Balancer.Pick on the goroutines of the
// callers, many at a time: it must not block, should not allocate, and must not keep c
// or r. Rarely it is called again for one pick, when another request took the
// slot first.
type Strategy interface {
	Pick(c []*Node, r *Request) int
}

// Explainer is implemented by strategies that can say what they compare, for
// Balancer.Snapshot. All the built-in ones do.
type Explainer interface {
	// Explain sets out[i] for each candidate c[i], from the numbers that Pick
	// would use at this moment, without changing anything.
	Explain(c []*Node, r *Request, out []Weighing)
}

// Weighing is how a strategy sees one candidate.
type Weighing struct {
	// Weight is what the strategy compares: see the strategy's name in
	// StrategyNames' documentation.
	Weight float64
	// Share is the probability that the next pick is this one, in [0,1]. For
	// strategies that keep a turn it is the long-run share.
	Share float64
}

// StrategyNames returns the names that ParseStrategy knows, sorted.
func StrategyNames() []string {
	return []string{
		"failover", "least_latency", "random", "round_robin",
		"smart_ai", "smart_weighted_failover", "weighted_failover", "weighted_random",
	}
}

// ParseStrategy returns a new value of the built-in strategy of that name:
//
//	weighted_random          at random by weight
//	round_robin              in turn, exactly even
//	least_latency            lowest smoothed latency, unmeasured ones first
//	failover                 lowest priority number, then order of listing
//	random                   uniformly at random
//	weighted_failover        at random by weight among the healthy
//	smart_weighted_failover  the same, recovering ones at a part of their weight
//	smart_ai                 cheap first, by confidence learned from the traffic
func ParseStrategy(name string) (Strategy, error) {
	switch name {
	case "weighted_random":
		return new(weightedRandom), nil
	case "round_robin":
		return &roundRobin{new(turns)}, nil
	case "least_latency":
		return new(leastLatency), nil
	case "failover":
		return new(failover), nil
	case "random":
		return new(uniform), nil
	case "weighted_failover":
		return new(weightedFailover), nil
	case "smart_weighted_failover":
		return new(smartWeightedFailover), nil
	case "smart_ai":
		return new(smartAI), nil
	}
	return nil, fmt.Errorf("loadbalance: unknown strategy %q, want one of %s", name, strings.Join(StrategyNames(), ", "))
}

// draw picks at random in proportion to the weights, which must not be
// negative. If all of them are 0 it picks uniformly.
func draw(weights []float64, r *Request) int {
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	if !(sum > 0) {
		return r.IntN(len(weights))
	}
	x := r.Float64() * sum
	last := 0
	for i, w := range weights {
		if x < w {
			return i
		}
		x -= w
		if w > 0 {
			last = i // rounding can leave x just above the last weight
		}
	}
	return last
}

// explainDraw explains draw.
func explainDraw(weights []float64, out []Weighing) {
	for i, w := range weights {
		out[i].Weight = w
	}
	shares(weights, out)
}

// shares sets the probabilities with which draw picks.
func shares(weights []float64, out []Weighing) {
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	for i, w := range weights {
		out[i].Share = 1 / float64(len(weights))
		if sum > 0 {
			out[i].Share = w / sum
		}
	}
}

// explainUniform explains a strategy that does not look at weights.
func explainUniform(out []Weighing) {
	for i := range out {
		out[i] = Weighing{Weight: 1, Share: 1 / float64(len(out))}
	}
}

// explainChoice explains a strategy that picks c[best] for sure.
func explainChoice(c []*Node, out []Weighing, best int) {
	for i, n := range c {
		out[i] = Weighing{Weight: n.weight}
	}
	out[best].Share = 1
}

// listedWeights returns the weights as listed.
func listedWeights(c []*Node, r *Request) []float64 {
	w := r.scratch(len(c))
	for i, n := range c {
		w[i] = n.weight
	}
	return w
}
