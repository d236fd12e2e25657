package loadbalance

// weightedRandom picks at random by weight.
type weightedRandom struct{}

func (*weightedRandom) Pick(c []*Node, r *Request) int { return byWeight(c, r, listedWeight) }

func (*weightedRandom) Explain(c []*Node, _ *Request, out []Weighing) {
	explainWeights(c, out, listedWeight)
}
