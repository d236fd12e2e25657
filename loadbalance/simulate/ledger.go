package simulate

import (
	"time"

	"github.com/PPKunOfficial/berry-api/loadbalance"
)

// Rules say how a request is retried. They are those of the gateway's relay
// package, and this file is the one place where they are written down again:
//
//  1. A failure is tried again if its kind may succeed elsewhere, fewer than
//     1 + MaxRetries attempts were made, and the retry budget of the backend
//     that failed has one left.
//  2. A 429, or a 503 that says when to come back, whose wait is at most
//     WaitInPlace: the same backend after that wait.
//  3. Any other server error: the same backend after a pause, up to the
//     MaxRetries of its group. The pause begins at 100 ms, doubles up to 2 s and
//     has up to half taken off at random.
//  4. Else, or if the backend may not be used again after the pause: another
//     backend at once, up to MaxMoves times. Where that is known before, as after
//     the failure that opened the breaker, there is no pause.
//  5. A request that has not moved and finds no other backend: after a 429 the
//     same one, if that takes at most 5 s in all (1 s, doubling, if it does not
//     say); after a broken connection the same one, as in 3. Nothing else.
//
// Where the same backend is tried again, the wait comes before the lease; where
// another is, its pick comes at once.
type Rules struct {
	MaxRetries  int           // attempts after the first, over all backends
	MaxMoves    int           // other backends that a request may move on to
	WaitInPlace time.Duration // longest wait for a rate limit if there is a choice
	Whole       time.Duration // limit of an answer that is not streamed
	// Groups holds the rules of single groups; one that is not in it has those
	// of DefaultGroupRules.
	Groups map[string]GroupRules
}

// GroupRules are the rules for the backends of one group.
type GroupRules struct {
	MaxRetries   int           // on the same backend, within a request
	FirstContent time.Duration // until the first content of a streamed answer
}

// DefaultRules returns the gateway's defaults.
func DefaultRules() Rules {
	return Rules{MaxRetries: 3, MaxMoves: 2, Whole: 600 * time.Second}
}

// DefaultGroupRules returns the gateway's defaults for a provider.
func DefaultGroupRules() GroupRules {
	return GroupRules{MaxRetries: 1, FirstContent: 30 * time.Second}
}

func (r *Rules) group(name string) GroupRules {
	if g, ok := r.Groups[name]; ok {
		return g
	}
	return DefaultGroupRules()
}

// Pauses of the rules; they are relay's.
const (
	firstPause        = 100 * time.Millisecond
	longestPause      = 2 * time.Second
	waitWithoutChoice = 5 * time.Second
	unsaidWait        = time.Second
)

// reason says why an attempt was made, in relay's words.
type reason string

const (
	first       reason = "first"
	sameBackend reason = "same_backend"
	failover    reason = "failover"
	waited      reason = "rate_limit"
)

// rule is how far the rules were followed after an attempt that failed.
type rule uint8

const (
	waitInPlace rule = iota // 2
	again                   // 3
	elsewhere               // 4
	noChoice                // 5
	giveUp
)

// ledger is what a request has used up of its attempts.
type ledger struct {
	attempts int
	same     int // after the first on the backend of the last one
	moves    int
	waited   time.Duration // for the only backend, by rule 5
	rule     rule          // that the pause under way follows
	why      reason
	pause    time.Duration
}

// retry follows the rules from one on, after f's attempt failed with x. It
// makes another attempt, or begins a pause before one, or ends the flight.
func (s *simulation) retry(f *flight, from rule) {
	l, x := &f.ledger, &f.fate
	temporary := x.kind == loadbalance.RateLimit || x.kind == loadbalance.Server && x.retryAfter > 0
	for l.rule = from; l.rule < giveUp; l.rule++ {
		switch l.rule {
		case waitInPlace:
			if temporary && x.retryAfter > 0 && x.retryAfter <= s.rules.WaitInPlace && s.pause(f, waited, x.retryAfter) {
				return
			}
		case again:
			if x.kind == loadbalance.Server && !temporary && s.pauseForSame(f) {
				return
			}
		case elsewhere:
			if l.moves < s.rules.MaxMoves {
				if lease, err := s.balancer.Pick(&f.pick); err == nil {
					l.moves++
					l.same = 0
					l.why, l.pause = failover, 0
					s.attempt(f, lease)
					return
				}
				s.poked = true
			}
		case noChoice:
			if l.moves == 0 && s.pauseWithoutChoice(f, temporary) {
				return
			}
		}
	}
	s.land(f)
}

// pauseWithoutChoice follows rule 5.
func (s *simulation) pauseWithoutChoice(f *flight, temporary bool) bool {
	switch {
	case temporary:
		wait := f.fate.retryAfter
		if wait == 0 {
			wait = unsaidWait << min(f.ledger.same, 10)
		}
		f.ledger.waited += wait
		return f.ledger.waited <= waitWithoutChoice && s.pause(f, waited, wait)
	case f.fate.kind == loadbalance.Network:
		return s.pauseForSame(f)
	}
	return false
}

// pauseForSame begins the pause before another attempt on the same backend,
// unless its group allows no more.
func (s *simulation) pauseForSame(f *flight) bool {
	if f.ledger.same >= s.rules.group(f.lease.Group()).MaxRetries {
		return false
	}
	pause := min(firstPause<<min(f.ledger.same, 10), longestPause)
	pause -= time.Duration(s.rnd.Int64N(int64(pause / 2)))
	return s.pause(f, sameBackend, pause)
}

// pause begins a pause before another attempt on the same backend, unless that
// is known to be out of use behind it.
func (s *simulation) pause(f *flight, why reason, d time.Duration) bool {
	if !f.lease.MayAgain(d) {
		return false
	}
	f.ledger.why, f.ledger.pause = why, d
	s.queue.push(event{at: s.now + moment(d), what: resume, flight: f})
	return true
}

// resume goes on after a pause: on the same backend, or if that may not be
// used by the next rule.
func (s *simulation) resume(f *flight) {
	lease, err := s.balancer.Again(&f.pick, f.lease)
	if err != nil {
		s.poked = true
		s.retry(f, f.ledger.rule+1)
		return
	}
	f.ledger.same++
	s.attempt(f, lease)
}
