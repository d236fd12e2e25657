package auth

import (
	"net/netip"
	"sync"
	"time"
)

// What the guard allows an address.
const (
	guardFailures = 10          // bad tokens
	guardPeriod   = time.Minute // in this time,
	guardBlock    = time.Minute // before it is refused for this long, counted from the last of them

	// guardAddresses bounds a generation of addresses, and so memory: two
	// generations of these are about 3 MB. An attacker with more addresses than
	// that makes the guard forget, which costs nothing but the earlier 429.
	guardAddresses = 8192
)

// Guard slows down the guessing of tokens, by address. Only bad tokens are
// shown to it: a good one is never refused, since many clients can share an
// address. It is safe for concurrent use and bounded in memory.
type Guard struct {
	now   func() time.Time
	start time.Time

	// mu guards the addresses. An address moves to current when it fails; when
	// current is full, recent is dropped and current becomes recent. So nothing
	// has to be swept, and an address that goes on failing is not forgotten.
	mu              sync.Mutex
	current, recent map[netip.Prefix]*suspect
}

// suspect is one address. Times are durations since the guard's start.
type suspect struct {
	failures  [guardFailures]time.Duration // ring of the last ones
	count     int                          // failures written since the last block
	until     time.Duration                // end of the block; 0 or in the past: none
	announced bool                         // this block's JustBlocked was given
}

// Verdict is what to answer to a bad token.
type Verdict struct {
	Blocked     bool          // answer 429; else 401
	JustBlocked bool          // the first one refused in this block: write the log line; implies Blocked
	RetryAfter  time.Duration // how long the block lasts yet; above 0 when Blocked
}

// NewGuard returns a guard that suspects nobody. now is the clock; nil means time.Now.
func NewGuard(now func() time.Time) *Guard {
	if now == nil {
		now = time.Now
	}
	return &Guard{now: now, start: now(), current: map[netip.Prefix]*suspect{}}
}

// Failed books a bad token from addr and says what to answer. The tenth within
// a minute starts a block of a minute: it is still answered 401, those that
// follow are Blocked and do not prolong it. IPv6 addresses count by their /64,
// which is what one customer gets. Callers without an address (a unix socket)
// share the zero Addr, and its count.
func (g *Guard) Failed(addr netip.Addr) Verdict {
	network := networkOf(addr)
	now := g.now().Sub(g.start)
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.suspect(network).failed(now)
}

// suspect finds or makes the entry, in the current generation.
func (g *Guard) suspect(network netip.Prefix) *suspect {
	if len(g.current) >= guardAddresses {
		g.recent, g.current = g.current, map[netip.Prefix]*suspect{}
	}
	s := g.current[network]
	if s == nil {
		s = g.recent[network]
		if s == nil {
			s = &suspect{}
		}
		g.current[network] = s
	}
	return s
}

func (s *suspect) failed(now time.Duration) Verdict {
	if now < s.until {
		first := !s.announced
		s.announced = true
		return Verdict{Blocked: true, JustBlocked: first, RetryAfter: s.until - now}
	}
	s.failures[s.count%guardFailures] = now
	s.count++
	oldest := s.failures[s.count%guardFailures] // the next to be overwritten
	if s.count >= guardFailures && now-oldest < guardPeriod {
		s.until, s.count, s.announced = now+guardBlock, 0, false
	}
	return Verdict{}
}

func networkOf(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap()
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	// No error: bits fits the address. A zone is dropped, and the zero Addr
	// gives the zero Prefix.
	p, _ := addr.Prefix(bits)
	return p
}
