package loadbalance

// failover picks the lowest priority number; ties go to the one that is listed
// first.
type failover struct{}

func (*failover) Pick(c []*Node, _ *Request) int {
	best := 0
	for i, n := range c {
		if n.priority < c[best].priority {
			best = i
		}
	}
	return best
}

// Explain gives the one that is next the share 1. Its weights are the listed
// ones, which failover does not look at.
func (s *failover) Explain(c []*Node, r *Request, out []Weighing) {
	explainChoice(c, out, s.Pick(c, r))
}
