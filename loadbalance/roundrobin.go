package loadbalance

import "sync/atomic"

// turnSets is how many sets of candidates round_robin keeps apart.
const turnSets = 64

// roundRobin picks in turn, starting anywhere.
//
// Each set of candidates has a turn of its own: if there was one for all, a
// retry or a pick with a tag filter would move the turn of the requests in
// between, and with two backends of which one fails, every first pick could
// land on the same one. So the picks from one set are exactly even, whatever
// happens in between. Sets beside the whole list are told apart by a hash; two
// that fall together share a turn, which costs a little evenness of both.
//
// The balancer that takes this one's place goes on with the turns: what a reload
// does not change stays exactly even, however often it comes.
type roundRobin struct{ *turns }

// turns are shared by the balancers that follow each other with the same
// listings, as requests of the older one may still pick.
type turns struct {
	whole turn
	sets  [turnSets]turn
}

// turn counts the picks, from a random start on; 0 has not started.
type turn struct{ count atomic.Uint64 }

func (t *turn) next(r *Request) uint64 {
	if t.count.Load() == 0 {
		// Not so large that counting could ever wrap around.
		t.count.CompareAndSwap(0, 1+r.Rand()>>32)
	}
	return t.count.Add(1)
}

func (s *roundRobin) Pick(c []*Node, r *Request) int {
	t := &s.whole
	if len(c) < len(r.balancer.nodes) {
		set := uint64(0)
		if r.retry {
			set = scatter(^uint64(0))
		}
		for _, n := range c {
			set ^= n.hash
		}
		t = &s.sets[set%turnSets]
	}
	return int(t.next(r) % uint64(len(c)))
}

// Explain gives each candidate the same share.
func (*roundRobin) Explain(_ []*Node, _ *Request, out []Weighing) { explainUniform(out) }

// scatter makes a number that looks random of x: the finalizer of SplitMix64
// (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
func scatter(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
