package auth

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Permit is one request's booking with a Limiter: what Acquire filled. The zero
// Permit, which is also that of a user without limits, ignores every call. It
// must not be copied after Acquire. Its methods may be called from any goroutine.
type Permit struct {
	account *account

	booked, held bool // guarded by account.mu
}

// Spend books the tokens of the answer (prompt and completion) against
// tokens_per_minute. They may be more than are left: the user's next requests
// are then denied until the debt is earned back. It may be called after Release.
func (p *Permit) Spend(n int) {
	if p.account == nil || n <= 0 {
		return
	}
	now := p.account.limiter.elapsed()
	p.account.mu.Lock()
	defer p.account.mu.Unlock()
	p.account.windows[tokens].book(n, now)
}

// Refund gives the request back, for one that was refused before it reached a
// backend. The concurrent slot stays held until Release. Only the first call
// counts.
func (p *Permit) Refund() {
	if p.account == nil {
		return
	}
	p.account.mu.Lock()
	defer p.account.mu.Unlock()
	if !p.booked {
		return
	}
	p.booked = false
	for i := range requestWindows {
		p.account.windows[i].unbook()
	}
}

// Release ends the concurrent slot. Only the first call counts.
func (p *Permit) Release() {
	if p.account == nil {
		return
	}
	p.account.mu.Lock()
	defer p.account.mu.Unlock()
	if p.held {
		p.held = false
		p.account.inFlight--
	}
}

// SetHeaders sets the x-ratelimit headers as they stand now: for requests those
// of the window with the fewest left, for tokens where they are limited, and
// none for a user without limits.
func (p *Permit) SetHeaders(h http.Header) {
	if p.account == nil {
		return
	}
	now := p.account.limiter.elapsed()
	p.account.mu.Lock()
	l := p.account.levels(now)
	p.account.mu.Unlock()
	l.setHeaders(h)
}

// Denied is the error of a request over a limit. Its text is for the caller of
// the API: it names the limit and when to come back.
type Denied struct {
	Limit      string        // the key in [users.<id>.rate_limit], such as "requests_per_minute"
	Max        int           // its value
	RetryAfter time.Duration // above 0; when the request would be let in if no other came

	levels levels
}

// Error implements error.
func (d *Denied) Error() string {
	return fmt.Sprintf("%s limit of %d reached, try again in %s", d.Limit, d.Max, roundUp(d.RetryAfter))
}

// SetHeaders sets the x-ratelimit headers as they stood when the request was
// denied. Retry-After is not among them: the error answer has it.
func (d *Denied) SetHeaders(h http.Header) { d.levels.setHeaders(h) }

// Usage is what a user uses of its limits at one moment.
type Usage struct {
	Windows       []WindowUsage `json:"windows"` // the limits that the user has, in the order minute, hour, day, tokens
	Concurrent    int           `json:"concurrent_requests"`
	MaxConcurrent int           `json:"max_concurrent_requests"` // 0: no limit
}

// WindowUsage is what a user uses of one limit.
type WindowUsage struct {
	Name      string    `json:"name"`      // the key in [users.<id>.rate_limit]
	Limit     int       `json:"limit"`     // how many fit at once
	Used      int       `json:"used"`      // not yet earned back; above Limit when tokens are in debt
	Remaining int       `json:"remaining"` // 0 or more
	ResetsAt  time.Time `json:"resets_at"` // when all are earned back; UTC; now when they are
}

func (a *account) usage() Usage {
	clock := a.limiter.now()
	now := clock.Sub(a.limiter.start)
	a.mu.Lock()
	defer a.mu.Unlock()
	u := Usage{Windows: []WindowUsage{}, Concurrent: a.inFlight, MaxConcurrent: a.limit.ConcurrentRequests}
	for i := range a.windows {
		w := &a.windows[i]
		if w.limit == 0 {
			continue
		}
		u.Windows = append(u.Windows, WindowUsage{
			Name:      windowName(i),
			Limit:     w.limit,
			Used:      w.used(now),
			Remaining: w.remaining(now),
			ResetsAt:  clock.Add(w.reset(now)).UTC(),
		})
	}
	return u
}

// level is how full one window is.
type level struct {
	limit, remaining int // limit 0: there is none
	reset            time.Duration
}

// levels is what the headers tell.
type levels struct{ requests, tokens level }

// levels picks, for requests, the window with the fewest left, and of equals the
// one that takes longest to fill. The caller holds mu.
func (a *account) levels(now time.Duration) levels {
	var l levels
	for i := range a.windows {
		w := &a.windows[i]
		at := level{w.limit, w.remaining(now), w.reset(now)}
		switch r := &l.requests; {
		case at.limit == 0:
		case i == tokens:
			l.tokens = at
		case r.limit == 0, at.remaining < r.remaining, at.remaining == r.remaining && at.reset > r.reset:
			*r = at
		}
	}
	return l
}

func (l levels) setHeaders(h http.Header) {
	set := func(unit string, at level) {
		if at.limit == 0 {
			return
		}
		h.Set("X-Ratelimit-Limit-"+unit, strconv.Itoa(at.limit))
		h.Set("X-Ratelimit-Remaining-"+unit, strconv.Itoa(at.remaining))
		h.Set("X-Ratelimit-Reset-"+unit, roundUp(at.reset).String())
	}
	set("Requests", l.requests)
	set("Tokens", l.tokens)
}

// roundUp drops what is finer than a millisecond, upward: OpenAI writes "1s",
// "6m0s" or "17ms", which is how Go prints a duration of whole milliseconds.
func roundUp(d time.Duration) time.Duration {
	return (d + time.Millisecond - 1).Truncate(time.Millisecond)
}
