package auth_test

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/PPKunOfficial/berry-api/core/auth"
	"github.com/PPKunOfficial/berry-api/core/config"
)

// clock is a hand that tests move.
type clock struct{ ns atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(1_700_000_000, c.ns.Load()) }
func (c *clock) advance(d time.Duration) { c.ns.Add(int64(d)) }

func user(id string, limit config.RateLimit) *auth.User {
	return &auth.User{ID: id, Enabled: true, Limit: limit}
}

// limiter returns one that knows the user "u" with this limit.
func limiter(limit config.RateLimit) (*clock, *auth.Limiter, *auth.User) {
	c := &clock{}
	l := auth.NewLimiter(c.now)
	u := user("u", limit)
	l.Configure([]*auth.User{u})
	return c, l, u
}

// take acquires n permits, all of which must be granted, and returns the last.
func take(t *testing.T, l *auth.Limiter, u *auth.User, n int) *auth.Permit {
	t.Helper()
	var p *auth.Permit
	for i := range n {
		p = &auth.Permit{}
		if err := l.Acquire(u, p); err != nil {
			t.Fatalf("request %d of %d: %v", i+1, n, err)
		}
	}
	return p
}

func expectDenied(t *testing.T, l *auth.Limiter, u *auth.User, limit string, n int, wait time.Duration) *auth.Denied {
	t.Helper()
	var p auth.Permit
	var d *auth.Denied
	if err := l.Acquire(u, &p); !errors.As(err, &d) {
		t.Fatalf("Acquire = %v, want a *Denied for %s", err, limit)
	}
	want := &auth.Denied{Limit: limit, Max: n, RetryAfter: wait}
	if diff := cmp.Diff(want, d, cmpopts.IgnoreUnexported(auth.Denied{})); diff != "" {
		t.Errorf("Denied (-want +got):\n%s", diff)
	}
	if p != (auth.Permit{}) {
		t.Error("a denied permit is not zero")
	}
	return d
}

// headers are the six x-ratelimit values in a line: limit, remaining, reset of requests, then of tokens.
func headers(set func(http.Header)) string {
	h := http.Header{}
	set(h)
	var s string
	for _, unit := range []string{"requests", "tokens"} {
		for _, what := range []string{"limit", "remaining", "reset"} {
			name := http.CanonicalHeaderKey("x-ratelimit-" + what + "-" + unit)
			if v, ok := h[name]; ok {
				s += v[0] + " "
				delete(h, name)
			} else {
				s += "- "
			}
		}
	}
	if len(h) > 0 {
		s += fmt.Sprint("and ", h)
	}
	return s
}

func expectHeaders(t *testing.T, set func(http.Header), want string) {
	t.Helper()
	if got := headers(set); got != want+" " {
		t.Errorf("headers: %s, want %s", got, want)
	}
}

func TestRequestsPerMinute(t *testing.T) {
	c, l, u := limiter(config.RateLimit{RequestsPerMinute: 3})
	expectHeaders(t, take(t, l, u, 1).SetHeaders, "3 2 20s - - -")
	expectHeaders(t, take(t, l, u, 2).SetHeaders, "3 0 1m0s - - -")
	d := expectDenied(t, l, u, "requests_per_minute", 3, 20*time.Second)
	expectHeaders(t, d.SetHeaders, "3 0 1m0s - - -")
	if got, want := d.Error(), "requests_per_minute limit of 3 reached, try again in 20s"; got != want {
		t.Errorf("error text %q, want %q", got, want)
	}

	c.advance(20*time.Second - 1)
	expectDenied(t, l, u, "requests_per_minute", 3, 1)
	c.advance(1) // waiting as told is enough
	take(t, l, u, 1)
	expectDenied(t, l, u, "requests_per_minute", 3, 20*time.Second)

	c.advance(time.Hour) // and no more than the limit is ever saved up
	take(t, l, u, 3)
	expectDenied(t, l, u, "requests_per_minute", 3, 20*time.Second)
}

func TestWindows(t *testing.T) {
	f := func(limit config.RateLimit, name string, n int, wait time.Duration) {
		t.Helper()
		c, l, u := limiter(limit)
		take(t, l, u, n)
		expectDenied(t, l, u, name, n, wait)
		c.advance(wait)
		take(t, l, u, 1)
	}
	f(config.RateLimit{RequestsPerMinute: 1}, "requests_per_minute", 1, time.Minute)
	f(config.RateLimit{RequestsPerMinute: 60}, "requests_per_minute", 60, time.Second)
	f(config.RateLimit{RequestsPerMinute: 7}, "requests_per_minute", 7, time.Minute/7)
	f(config.RateLimit{RequestsPerHour: 10}, "requests_per_hour", 10, 6*time.Minute)
	f(config.RateLimit{RequestsPerDay: 24}, "requests_per_day", 24, time.Hour)
	f(config.RateLimit{RequestsPerMinute: 10, RequestsPerHour: 6}, "requests_per_hour", 6, 10*time.Minute)
	f(config.RateLimit{RequestsPerMinute: 2, RequestsPerHour: 50, RequestsPerDay: 100}, "requests_per_minute", 2, 30*time.Second)
	// Both are used up: the longer wait is the honest one.
	f(config.RateLimit{RequestsPerMinute: 2, RequestsPerHour: 2}, "requests_per_hour", 2, 30*time.Minute)
}

// A window that is full keeps the others from being booked.
func TestDeniedBooksNothing(t *testing.T) {
	c, l, u := limiter(config.RateLimit{RequestsPerMinute: 2, RequestsPerHour: 4, TokensPerMinute: 100, ConcurrentRequests: 3})
	take(t, l, u, 2)
	before, _ := l.Usage("u")
	for range 20 {
		expectDenied(t, l, u, "requests_per_minute", 2, 30*time.Second)
	}
	after, _ := l.Usage("u")
	if d := cmp.Diff(before, after); d != "" {
		t.Errorf("20 denied requests changed the usage:\n%s", d)
	}
	c.advance(30 * time.Second)
	take(t, l, u, 1) // also the third of three concurrent ones is free
	expectDenied(t, l, u, "requests_per_minute", 2, 30*time.Second)
}

func TestHeadersShowTheTightestWindow(t *testing.T) {
	_, l, u := limiter(config.RateLimit{RequestsPerMinute: 5, RequestsPerHour: 6, RequestsPerDay: 1000, TokensPerMinute: 6000})
	p := take(t, l, u, 1)
	expectHeaders(t, p.SetHeaders, "5 4 12s 6000 6000 0s")
	p.Spend(1234)
	expectHeaders(t, p.SetHeaders, "5 4 12s 6000 4766 12.34s")
	_, l, u = limiter(config.RateLimit{RequestsPerMinute: 6, RequestsPerHour: 6})
	expectHeaders(t, take(t, l, u, 1).SetHeaders, "6 5 10m0s - - -")
	_, l, u = limiter(config.RateLimit{TokensPerMinute: 10})
	expectHeaders(t, take(t, l, u, 1).SetHeaders, "- - - 10 10 0s")
	_, l, u = limiter(config.RateLimit{ConcurrentRequests: 1})
	expectHeaders(t, take(t, l, u, 1).SetHeaders, "- - - - - -")
	_, l, u = limiter(config.RateLimit{RequestsPerMinute: 7000})
	expectHeaders(t, take(t, l, u, 1).SetHeaders, "7000 6999 9ms - - -") // 8.57 ms, never told too short
}

func TestTokensPerMinute(t *testing.T) {
	c, l, u := limiter(config.RateLimit{TokensPerMinute: 600})
	take(t, l, u, 1).Spend(599)
	p := take(t, l, u, 1) // one token is left, and what the answer will take is not known yet
	p.Spend(1201)         // 1200 in debt
	d := expectDenied(t, l, u, "tokens_per_minute", 600, 120*time.Second+100*time.Millisecond)
	expectHeaders(t, d.SetHeaders, "- - - 600 0 3m0s")
	usage, ok := l.Usage("u")
	want := auth.Usage{Concurrent: 2, Windows: []auth.WindowUsage{
		{Name: "tokens_per_minute", Limit: 600, Used: 1800, ResetsAt: c.now().Add(180 * time.Second)},
	}}
	if diff := cmp.Diff(want, usage); !ok || diff != "" {
		t.Errorf("Usage, found = %v (-want +got):\n%s", ok, diff)
	}
	c.advance(120 * time.Second)
	expectDenied(t, l, u, "tokens_per_minute", 600, 100*time.Millisecond)
	c.advance(100 * time.Millisecond)
	p = take(t, l, u, 1)
	p.Spend(0)
	p.Spend(-1000) // nobody earns tokens
	expectHeaders(t, p.SetHeaders, "- - - 600 1 59.9s")
}

// Of several limits that are reached, the one with the longest wait is told.
func TestDeniedTellsTheLongestWait(t *testing.T) {
	_, l, u := limiter(config.RateLimit{RequestsPerMinute: 1, TokensPerMinute: 60, ConcurrentRequests: 1})
	take(t, l, u, 1).Spend(69)
	expectDenied(t, l, u, "requests_per_minute", 1, time.Minute)
	_, l, u = limiter(config.RateLimit{RequestsPerMinute: 6, TokensPerMinute: 60, ConcurrentRequests: 6})
	take(t, l, u, 6).Spend(70)
	expectDenied(t, l, u, "tokens_per_minute", 60, 11*time.Second)
}

// An absurd count of tokens denies for long; it does not overflow to nothing.
func TestSpendDoesNotOverflow(t *testing.T) {
	c, l, u := limiter(config.RateLimit{TokensPerMinute: 1})
	p := take(t, l, u, 1)
	for range 3 {
		p.Spend(math.MaxInt)
	}
	expectDenied(t, l, u, "tokens_per_minute", 1, 365*24*time.Hour)
	c.advance(365 * 24 * time.Hour)
	take(t, l, u, 1)
	_, l, u = limiter(config.RateLimit{RequestsPerMinute: math.MaxInt, TokensPerMinute: math.MaxInt, ConcurrentRequests: math.MaxInt})
	take(t, l, u, 1000)
}

func TestConcurrentRequests(t *testing.T) {
	_, l, u := limiter(config.RateLimit{ConcurrentRequests: 2})
	first, second := take(t, l, u, 1), take(t, l, u, 1)
	expectDenied(t, l, u, "concurrent_requests", 2, time.Second)
	first.Release()
	first.Release() // not the second one's slot
	third := take(t, l, u, 1)
	expectDenied(t, l, u, "concurrent_requests", 2, time.Second)
	second.Refund() // gives back the request, not the slot
	expectDenied(t, l, u, "concurrent_requests", 2, time.Second)
	second.Release()
	third.Release()
	if got, _ := l.Usage("u"); got.Concurrent != 0 || got.MaxConcurrent != 2 {
		t.Errorf("Usage = %+v, want nothing in flight of 2", got)
	}
	take(t, l, u, 2)
}

func TestRefund(t *testing.T) {
	c, l, u := limiter(config.RateLimit{RequestsPerMinute: 2, RequestsPerDay: 3, TokensPerMinute: 100})
	p := take(t, l, u, 2)
	p.Refund()
	p.Refund()
	p.Release()
	take(t, l, u, 1) // one came back, once
	expectDenied(t, l, u, "requests_per_minute", 2, 30*time.Second)

	c.advance(24 * time.Hour)
	p = take(t, l, u, 1)
	c.advance(24 * time.Hour) // long earned back
	p.Refund()
	take(t, l, u, 2)
	expectDenied(t, l, u, "requests_per_minute", 2, 30*time.Second)
}

func TestUnlimitedUserCostsNothing(t *testing.T) {
	l := auth.NewLimiter(nil)
	u := user("free", config.RateLimit{})
	l.Configure([]*auth.User{u})
	var p auth.Permit
	h := http.Header{}
	if n := testing.AllocsPerRun(100, func() {
		if err := l.Acquire(u, &p); err != nil {
			t.Error(err)
		}
		p.Spend(5)
		p.SetHeaders(h)
		p.Refund()
		p.Release()
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
	if len(h) > 0 {
		t.Errorf("headers %v for a user without limits", h)
	}
	if usage, ok := l.Usage("free"); ok {
		t.Errorf("Usage = %+v for a user without limits", usage)
	}
}

func TestLimitedUserDoesNotAllocate(t *testing.T) {
	_, l, u := limiter(config.RateLimit{RequestsPerMinute: 1 << 30, TokensPerMinute: 1 << 30, ConcurrentRequests: 5})
	var p auth.Permit
	if n := testing.AllocsPerRun(100, func() {
		p = auth.Permit{}
		if err := l.Acquire(u, &p); err != nil {
			t.Error(err)
		}
		p.Spend(5)
		p.Release()
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func TestConfigureKeepsCounters(t *testing.T) {
	limit := config.RateLimit{RequestsPerMinute: 2, RequestsPerHour: 10, ConcurrentRequests: 3}
	c, l, _ := limiter(limit)
	a, b := user("a", limit), user("b", limit)
	l.Configure([]*auth.User{a, b})
	held := take(t, l, a, 2)
	take(t, l, b, 2)
	used := func(u *auth.User, want string) {
		t.Helper()
		usage, _ := l.Usage(u.ID)
		got := fmt.Sprint(usage.Concurrent, "/", usage.MaxConcurrent)
		for _, w := range usage.Windows {
			got += fmt.Sprintf(" %s %d/%d", w.Name, w.Used, w.Limit)
		}
		if got != want {
			t.Errorf("usage of %s: %s, want %s", u.ID, got, want)
		}
	}
	used(a, "2/3 requests_per_minute 2/2 requests_per_hour 2/10")

	// A reload makes new users. Unchanged limits keep their counts, a changed one starts afresh.
	a = user("a", limit)
	b = user("b", config.RateLimit{RequestsPerMinute: 5, RequestsPerHour: 10, ConcurrentRequests: 1})
	l.Configure([]*auth.User{a, b})
	used(a, "2/3 requests_per_minute 2/2 requests_per_hour 2/10")
	used(b, "2/1 requests_per_minute 0/5 requests_per_hour 2/10")
	expectDenied(t, l, a, "requests_per_minute", 2, 30*time.Second)
	expectDenied(t, l, b, "concurrent_requests", 1, time.Second)

	// A permit from before the reload still ends its slot.
	held.Release()
	used(a, "1/3 requests_per_minute 2/2 requests_per_hour 2/10")

	// The user of an older keyring is held to the limits of now.
	c.advance(time.Minute)
	old := user("a", config.RateLimit{RequestsPerMinute: 100})
	take(t, l, old, 2)
	expectDenied(t, l, old, "requests_per_minute", 2, 30*time.Second)

	// Who is gone, or lost its limits, is forgotten.
	l.Configure([]*auth.User{user("a", config.RateLimit{})})
	for _, id := range []string{"a", "b", "u"} {
		if usage, ok := l.Usage(id); ok {
			t.Errorf("Usage of %q, who is forgotten: %+v", id, usage)
		}
	}
	held.Release()
	l.Configure([]*auth.User{a})
	used(a, "0/3 requests_per_minute 0/2 requests_per_hour 0/10")
}

// Limits hold also for a user that Configure never saw.
func TestAcquireUnknownUser(t *testing.T) {
	c := &clock{}
	l := auth.NewLimiter(c.now)
	u := user("new", config.RateLimit{RequestsPerMinute: 1})
	take(t, l, u, 1)
	expectDenied(t, l, u, "requests_per_minute", 1, time.Minute)
	take(t, l, user("other", u.Limit), 1)
	expectDenied(t, l, u, "requests_per_minute", 1, time.Minute)

	for i := range 50 { // also when its first requests come at once
		u := user(fmt.Sprint("new", i), config.RateLimit{RequestsPerMinute: 1})
		var granted atomic.Int64
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if l.Acquire(u, &auth.Permit{}) == nil {
					granted.Add(1)
				}
			})
		}
		wg.Wait()
		if granted.Load() != 1 {
			t.Fatalf("%d requests granted at once, want 1", granted.Load())
		}
	}
}

// Many goroutines at one moment get exactly the limit, and what they release
// comes back, also while reloads go on.
func TestAcquireConcurrently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := auth.NewLimiter(nil)
		users := []*auth.User{
			user("minute", config.RateLimit{RequestsPerMinute: 50, RequestsPerHour: 1000, TokensPerMinute: 1 << 30}),
			user("slots", config.RateLimit{ConcurrentRequests: 4}),
		}
		l.Configure(users)
		var granted, inFlight, most atomic.Int64
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				for range 50 {
					var p auth.Permit
					if l.Acquire(users[0], &p) == nil {
						granted.Add(1)
						p.Spend(10)
					}
					p.SetHeaders(http.Header{})
					p.Release()
				}
			})
			wg.Go(func() {
				for range 50 {
					var p auth.Permit
					if l.Acquire(users[1], &p) == nil {
						n := inFlight.Add(1)
						for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
						}
						inFlight.Add(-1)
						p.Release()
					}
				}
			})
		}
		wg.Go(func() {
			for range 100 {
				l.Configure(users)
				l.Usage("minute")
			}
		})
		wg.Wait()
		if granted.Load() != 50 || most.Load() > 4 {
			t.Errorf("granted %d, want 50; at once %d, want at most 4", granted.Load(), most.Load())
		}
		got, _ := l.Usage("minute")
		want := auth.Usage{Windows: []auth.WindowUsage{
			{Name: "requests_per_minute", Limit: 50, Used: 50},
			{Name: "requests_per_hour", Limit: 1000, Used: 50, Remaining: 950},
			{Name: "tokens_per_minute", Limit: 1 << 30, Used: 500, Remaining: 1<<30 - 500},
		}}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(auth.WindowUsage{}, "ResetsAt")); diff != "" {
			t.Errorf("usage (-want +got):\n%s", diff)
		}
		if got, _ := l.Usage("slots"); got.Concurrent != 0 {
			t.Errorf("%d slots still held", got.Concurrent)
		}
	})
}
