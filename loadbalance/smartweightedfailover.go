package loadbalance

// smartWeightedFailover is weighted_failover with the weight of a recovering
// backend scaled by its stage.
type smartWeightedFailover struct{}

func (*smartWeightedFailover) Pick(c []*Node, r *Request) int { return byWeight(c, r, stagedWeight) }

func (*smartWeightedFailover) Explain(c []*Node, _ *Request, out []Weighing) {
	explainWeights(c, out, stagedWeight)
}

// stagedWeight is the weight that a node counts at its stage of recovery.
func stagedWeight(n *Node) float64 {
	return n.listing.Weight * float64(n.backend.stage()) / fullStage
}
