package loadbalance

// weightedRandom picks at random by weight.
type weightedRandom struct{}

func (*weightedRandom) Pick(c []*Node, r *Request) int {
	return draw(listedWeights(c, r), r)
}

func (*weightedRandom) Explain(c []*Node, r *Request, out []Weighing) {
	explainDraw(listedWeights(c, r), out)
}
