package loadbalance

// weightedFailover picks at random by weight among the healthy; if none is
// healthy, by weight among all that are not excluded. The balancer's filter
// does the second half: when nothing is healthy it hands over the others.
type weightedFailover struct{}

func (*weightedFailover) Pick(c []*Node, r *Request) int {
	return draw(listedWeights(c, r), r)
}

func (*weightedFailover) Explain(c []*Node, r *Request, out []Weighing) {
	explainDraw(listedWeights(c, r), out)
}
