package loadbalance

import "slices"

// premiumTag marks a listing as expensive where there are no prices.
const premiumTag = "premium"

// maxTagBits is how many different tags a balancer numbers, so that a pick
// compares masks; with more it compares strings.
const maxTagBits = 64

// numberTags gives each tag of the listings a bit. Called once, by the
// constructor.
func (b *Balancer) numberTags() {
	bits := map[string]uint{}
	for _, n := range b.nodes {
		for _, t := range n.listing.Tags {
			if _, ok := bits[t]; !ok {
				bits[t] = uint(len(bits))
			}
		}
	}
	if len(bits) > maxTagBits {
		return
	}
	b.tagBits = bits
	for _, n := range b.nodes {
		n.tags = b.tagMask(n.listing.Tags)
	}
}

// tagMask is the set of tags as bits; tags that no listing has are left out.
func (b *Balancer) tagMask(tags []string) uint64 {
	var m uint64
	for _, t := range tags {
		if bit, ok := b.tagBits[t]; ok {
			m |= 1 << bit
		}
	}
	return m
}

// tagged reports whether the request's tags allow the node.
func (n *Node) tagged(r *Request) bool {
	if r.AllTags || len(r.Tags) == 0 || len(n.listing.Tags) == 0 {
		return true
	}
	if n.balancer.tagBits != nil {
		return r.tags&n.tags != 0
	}
	for _, t := range r.Tags {
		if slices.Contains(n.listing.Tags, t) {
			return true
		}
	}
	return false
}
