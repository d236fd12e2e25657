package loadbalance

// leastLatency picks the lowest smoothed latency; ties go to the one with
// fewer leases, then to the one that is listed first. A backend that was never
// measured goes before all others while it has no lease, so that it is
// measured by one request at a time. If all that are left are unmeasured and
// busy, the one with the fewest leases is picked.
type leastLatency struct{}

func (*leastLatency) Pick(c []*Node, r *Request) int {
	best, bestLatency, bestBusy := 0, 0.0, int64(0)
	measured := false
	for i, n := range c {
		busy := n.backend.inFlight.Load()
		latency, ok := n.backend.latency.seconds(r.stamp)
		switch {
		case !ok && busy == 0:
			return i
		case i == 0 || ok && !measured:
		case !ok && measured:
			continue
		case latency > bestLatency, latency == bestLatency && busy >= bestBusy:
			continue
		}
		best, bestLatency, bestBusy, measured = i, latency, busy, ok
	}
	return best
}

// Explain gives the one that is next the share 1.
func (s *leastLatency) Explain(c []*Node, r *Request, out []Weighing) {
	explainChoice(c, out, s.Pick(c, r))
}
