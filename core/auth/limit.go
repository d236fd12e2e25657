package auth

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/PPKunOfficial/berry-api/core/config"
)

// Limiter counts what users use of their limits. Its state goes by user id and
// outlives the Keyring of one configuration. It is safe for concurrent use.
//
// A limit of n per period is a bucket of n that fills again continuously, as
// OpenAI's own limits do: n requests may come at once, and then one more every
// period/n.
type Limiter struct {
	now   func() time.Time
	start time.Time

	// accounts is replaced, never changed, so that reading takes no lock;
	// mu is for those who replace it.
	mu       sync.Mutex
	accounts atomic.Pointer[map[string]*account]
}

// NewLimiter returns a limiter that knows no user yet. now is the clock; nil means time.Now.
func NewLimiter(now func() time.Time) *Limiter {
	if now == nil {
		now = time.Now
	}
	l := &Limiter{now: now, start: now()}
	l.accounts.Store(&map[string]*account{})
	return l
}

// Configure sets the limits of all users, after a start or a reload. A limit
// that did not change keeps its count, one that did starts afresh, requests in
// flight stay counted in either case, and users that are not in the list, or
// have no limits now, are forgotten.
func (l *Limiter) Configure(users []*User) {
	l.mu.Lock()
	defer l.mu.Unlock()
	old := *l.accounts.Load()
	next := make(map[string]*account, len(users))
	for _, u := range users {
		if u.Limit == (config.RateLimit{}) {
			continue
		}
		a := old[u.ID]
		if a == nil {
			a = &account{limiter: l}
		}
		a.configure(u.Limit)
		next[u.ID] = a
	}
	l.accounts.Store(&next)
}

// Acquire books one request of u and takes a concurrent slot, and fills p, which
// must be a zero Permit of the caller's and be released when the request ends.
// It never blocks. When u is over a limit nothing at all is booked, p stays zero
// and the error is a *Denied. A user without limits costs no lock and no
// allocation, and p stays zero.
//
// For a user that Configure set, the limits are those of Configure, also when u
// is from an older Keyring.
func (l *Limiter) Acquire(u *User, p *Permit) error {
	if u.Limit == (config.RateLimit{}) {
		return nil
	}
	a := (*l.accounts.Load())[u.ID]
	if a == nil {
		a = l.add(u)
	}
	if d := a.acquire(); d != nil {
		return d
	}
	p.account = a
	p.booked, p.held = true, true
	return nil
}

// Usage returns what the user with this id uses of its limits now; false for a
// user without limits. It is for the admin view.
func (l *Limiter) Usage(userID string) (Usage, bool) {
	a := (*l.accounts.Load())[userID]
	if a == nil {
		return Usage{}, false
	}
	return a.usage(), true
}

// add opens the account of a user that Configure has not seen, or has just
// forgotten while a request of it was on its way.
func (l *Limiter) add(u *User) *account {
	l.mu.Lock()
	defer l.mu.Unlock()
	old := *l.accounts.Load()
	if a := old[u.ID]; a != nil {
		return a
	}
	a := &account{limiter: l}
	a.configure(u.Limit)
	next := maps.Clone(old)
	next[u.ID] = a
	l.accounts.Store(&next)
	return a
}

func (l *Limiter) elapsed() time.Duration { return l.now().Sub(l.start) }

// The windows of an account; the first requestWindows of them count requests.
const (
	minute = iota
	hour
	day
	tokens
	windows

	requestWindows = tokens
)

// Names of the limits, as the configuration has them.
const (
	limitMinute     = "requests_per_minute"
	limitHour       = "requests_per_hour"
	limitDay        = "requests_per_day"
	limitTokens     = "tokens_per_minute"
	limitConcurrent = "concurrent_requests"
)

func windowName(i int) string {
	return [windows]string{limitMinute, limitHour, limitDay, limitTokens}[i]
}

// concurrentRetry is what a caller over concurrent_requests is told to wait:
// when one of its other requests ends is not known, and a second is short.
const concurrentRetry = time.Second

// account is one user's counts. One mutex guards it all, so that a request is
// booked in every window or in none.
type account struct {
	limiter *Limiter

	mu       sync.Mutex
	limit    config.RateLimit
	windows  [windows]window
	inFlight int
}

func (a *account) configure(limit config.RateLimit) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.limit = limit
	for i, n := range [windows]struct {
		limit  int
		period time.Duration
	}{
		minute: {limit.RequestsPerMinute, time.Minute},
		hour:   {limit.RequestsPerHour, time.Hour},
		day:    {limit.RequestsPerDay, 24 * time.Hour},
		tokens: {limit.TokensPerMinute, time.Minute},
	} {
		if a.windows[i].limit != n.limit {
			a.windows[i] = newWindow(n.limit, n.period)
		}
	}
}

func (a *account) acquire() *Denied {
	now := a.limiter.elapsed()
	a.mu.Lock()
	defer a.mu.Unlock()
	if d := a.denied(now); d != nil {
		return d
	}
	for i := range requestWindows {
		a.windows[i].book(1, now)
	}
	a.inFlight++
	return nil
}

// denied returns the limit that keeps the user waiting longest, or nil. The
// caller holds mu.
func (a *account) denied(now time.Duration) *Denied {
	name, limit, wait := "", 0, time.Duration(0)
	if n := a.limit.ConcurrentRequests; n > 0 && a.inFlight >= n {
		name, limit, wait = limitConcurrent, n, concurrentRetry
	}
	for i := range a.windows {
		if d := a.windows[i].wait(now); d > wait {
			name, limit, wait = windowName(i), a.windows[i].limit, d
		}
	}
	if wait == 0 {
		return nil
	}
	return &Denied{Limit: name, Max: limit, RetryAfter: wait, levels: a.levels(now)}
}
