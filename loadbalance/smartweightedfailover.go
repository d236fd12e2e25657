package loadbalance

// smartWeightedFailover is weighted_failover with the weight of a recovering
// backend scaled by its stage.
type smartWeightedFailover struct{}

func (*smartWeightedFailover) Pick(c []*Node, r *Request) int {
	return draw(stagedWeights(c, r), r)
}

func (*smartWeightedFailover) Explain(c []*Node, r *Request, out []Weighing) {
	explainDraw(stagedWeights(c, r), out)
}

// stagedWeights returns the weights that the nodes count at their stages of
// recovery.
func stagedWeights(c []*Node, r *Request) []float64 {
	w := r.scratch(len(c))
	for i, n := range c {
		w[i] = n.stagedWeight()
	}
	return w
}

// stagedWeight is the weight that the node counts at its stage of recovery.
func (n *Node) stagedWeight() float64 {
	if stage := n.backend.stage(); stage != fullStage {
		return n.weight * float64(stage) / fullStage
	}
	return n.weight
}
