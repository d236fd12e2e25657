package main

import "github.com/PPKunOfficial/berry-api/loadbalance"

// leastBusy is a strategy of our own: the backend with the fewest requests in
// flight for its weight. The balancer has left out by then what is unhealthy,
// not allowed or was tried already.
type leastBusy struct{}

// Pick returns the index of the least busy candidate, of several any one.
func (leastBusy) Pick(c []*loadbalance.Node, r *loadbalance.Request) int {
	best, least, ties := 0, load(c[0]), 1
	for i, n := range c[1:] {
		switch l := load(n); {
		case l < least:
			best, least, ties = i+1, l, 1
		case l == least:
			if ties++; r.IntN(ties) == 0 { // each of k equal ones with 1/k
				best = i + 1
			}
		}
	}
	return best
}

// load is what the backend would have to carry with one request more.
func load(n *loadbalance.Node) float64 { return float64(n.InFlight()+1) / n.Weight() }
