package loadbalance

// What goes on from one balancer to the next that takes its place, as after a
// reload. The states of backends are the fleet's and need none of this.

// inherit goes on where old is.
func (b *Balancer) inherit(old *Balancer) {
	b.usage.inherit(&old.usage)
	if s, ok := b.strategy.(*roundRobin); ok {
		if from, ok := old.strategy.(*roundRobin); ok {
			s.inherit(from, old.nodes, b.nodes)
		}
	}
}

// Renew says that b goes on after a reload as it is: with the next Fleet.Retain it
// counts for how its backends are listed, like one that was built since the last.
// None of its backends may have been forgotten meanwhile.
func (b *Balancer) Renew() {
	_, smart := b.strategy.(*smartAI)
	for _, n := range b.nodes {
		n.backend.mu.Lock()
		n.backend.claim(&n.listing, smart)
		n.backend.mu.Unlock()
	}
}

// claim notes how the backend is listed; see Fleet.Retain. Called under mu.
func (b *backend) claim(l *Listing, smart bool) {
	b.claimed = true
	b.claimedPerRequest = b.claimedPerRequest || l.PerRequest
	b.claimedSmart = b.claimedSmart || smart
	b.perRequest = b.perRequest || l.PerRequest
	b.smart = b.smart || smart
}

// inherit takes over the turns of the strategy that picked from old: all of them
// where the listings are the same, else the place of the whole list's turn, which
// stays with the backend that would have been next, or the next one after it that
// is still listed.
func (s *roundRobin) inherit(from *roundRobin, old, next []*Node) {
	places := places(next)
	kept := make([]int, len(old)) // where old listings are now; -1: not any more
	same := len(old) == len(next)
	for i, k := range occurrences(old) {
		at, ok := places[k]
		if !ok {
			at = -1
		}
		kept[i] = at
		same = same && at == i
	}
	if same {
		s.turns = from.turns
		return
	}
	count := from.whole.count.Load()
	if count == 0 {
		return
	}
	for i := range old {
		if at := kept[(count+1+uint64(i))%uint64(len(old))]; at >= 0 {
			// The count of the pick before the one that is next.
			s.whole.count.Store(uint64(len(next)) + uint64(at) - 1)
			return
		}
	}
}

// occurrence names a listing: the same backend may be listed more than once.
type occurrence struct {
	id  string
	nth int
}

func occurrences(list []*Node) []occurrence {
	seen := map[string]int{}
	out := make([]occurrence, len(list))
	for i, n := range list {
		out[i] = occurrence{n.listing.ID, seen[n.listing.ID]}
		seen[n.listing.ID]++
	}
	return out
}

// places are the indices of listings.
func places(list []*Node) map[occurrence]int {
	out := make(map[occurrence]int, len(list))
	for i, k := range occurrences(list) {
		out[k] = i
	}
	return out
}
