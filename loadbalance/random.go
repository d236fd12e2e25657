package loadbalance

// uniform picks uniformly at random; weights do not matter.
type uniform struct{}

func (*uniform) Pick(c []*Node, r *Request) int { return r.IntN(len(c)) }

func (*uniform) Explain(c []*Node, _ *Request, out []Weighing) {
	explainWeights(c, out, func(*Node) float64 { return 1 })
}
