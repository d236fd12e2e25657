package loadbalance

import (
	"slices"
	"time"
)

const (
	// inlineCandidates is how many candidates a request can hold in itself;
	// larger models borrow room from the balancer.
	inlineCandidates = 16
	// inlineLeases is how many leases a request keeps in itself, in turn: a
	// reported lease's memory is used again by the eighth pick after it.
	inlineLeases = 8
)

// room is what a pick borrows for more candidates than a request can hold.
type room struct {
	nodes   []*Node
	weights []float64
}

// Request is the state of one request's picking: who may be picked, and what
// was tried. The caller owns it and can keep it inside a struct of its own;
// the zero value is ready. It is not for concurrent use and must not be
// copied. Reset makes it ready for another request.
type Request struct {
	// Tags are the caller's. A caller without tags may use every backend; one
	// with tags may use backends without tags and those that share one.
	Tags []string
	// AllTags lifts the filter by tags, for administrators.
	AllTags bool
	// Only pins the request to the backends of one group; "": any.
	Only string
	// Decision, if not nil, is where each Pick records what it chose among and
	// why, over what was there. It adds about a microsecond to a pick.
	Decision *Decision

	balancer *Balancer
	policy   *Policy // as of the latest pick
	now      int64   // moment of the latest pick
	stamp    stamp   // the same
	tags     uint64  // mask of Tags in the balancer's numbering
	filtered bool    // Tags or Only may leave out something
	retry    bool    // the request was picked for before

	tried     uint64   // by index, the first 64 listings
	triedMore []uint64 // the others

	// Where a pick puts its candidates and a strategy their weights; more than
	// that is borrowed for the pick.
	nodes    [inlineCandidates]*Node
	weights  [inlineCandidates]float64
	borrowed *room
	leases   [inlineLeases]Lease
	next     int // lease to use next
}

// Reset makes r ready for another request. Leases that are not reported yet
// stay valid.
func (r *Request) Reset() {
	r.Tags, r.AllTags, r.Only, r.Decision = nil, false, "", nil
	r.forget()
}

// forget drops what belongs to one balancer.
func (r *Request) forget() {
	r.balancer, r.retry, r.tried = nil, false, 0
	clear(r.triedMore)
}

// begin prepares r for a pick of b. Picking from another balancer than before
// starts over: what was tried there says nothing here.
func (r *Request) begin(b *Balancer) {
	if r.balancer != b {
		r.forget()
		r.balancer = b
	}
	r.now = b.fleet.now()
	r.stamp = stampOf(r.now)
	r.policy = b.fleet.policy.Load()
	tagged := !r.AllTags && len(r.Tags) > 0
	r.filtered = tagged || r.Only != ""
	if tagged {
		r.tags = b.tagMask(r.Tags)
	}
}

func (r *Request) wasTried(i int) bool {
	if i < 64 {
		return r.tried&(1<<i) != 0
	}
	i -= 64
	return i/64 < len(r.triedMore) && r.triedMore[i/64]&(1<<(i%64)) != 0
}

func (r *Request) markTried(i int) {
	r.retry = true
	if i < 64 {
		r.tried |= 1 << i
		return
	}
	i -= 64
	if n := i/64 + 1; n > len(r.triedMore) {
		r.triedMore = slices.Grow(r.triedMore, n-len(r.triedMore))[:n]
	}
	r.triedMore[i/64] |= 1 << (i % 64)
}

// scratch returns room for n numbers, with anything in it, until the end of
// the pick.
func (r *Request) scratch(n int) []float64 {
	if r.borrowed != nil {
		return r.borrowed.weights[:n]
	}
	return r.weights[:n]
}

// lease returns an unused lease.
func (r *Request) lease() *Lease {
	for range inlineLeases {
		l := &r.leases[r.next]
		r.next = (r.next + 1) % inlineLeases
		if !l.live.Load() {
			return l
		}
	}
	return new(Lease)
}

// Retry reports whether this is not the request's first pick. For strategies.
func (r *Request) Retry() bool { return r.retry }

// Rand returns 64 random bits of Options.Rand. For strategies.
func (r *Request) Rand() uint64 { return r.balancer.fleet.rand() }

// Float64 returns a random number in [0,1). For strategies.
func (r *Request) Float64() float64 { return unit(r.Rand()) }

// IntN returns a random number in [0,n). n must be positive. For strategies.
func (r *Request) IntN(n int) int { return min(int(unit(r.Rand())*float64(n)), n-1) }

// Now is the moment of the pick, counted from an arbitrary one. For
// strategies that keep times of their own.
func (r *Request) Now() time.Duration { return time.Duration(r.now) }
