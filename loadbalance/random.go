package loadbalance

// uniform picks uniformly at random; weights do not matter.
type uniform struct{}

func (*uniform) Pick(c []*Node, r *Request) int { return r.IntN(len(c)) }

func (*uniform) Explain(_ []*Node, _ *Request, out []Weighing) { explainUniform(out) }
