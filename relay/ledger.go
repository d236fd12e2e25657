package relay

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/loadbalance"
)

// Pauses before another attempt.
const (
	// firstPause doubles with each further attempt on the same backend, up to
	// longestPause; jitter takes up to half of it away, so that requests that
	// failed together do not come back together.
	firstPause   = 100 * time.Millisecond
	longestPause = 2 * time.Second
	// waitWithoutChoice is how long a request whose model has only one backend
	// for it waits in all for that backend's rate limit, whatever the settings
	// say: what it asks for beyond that is for the client to wait.
	waitWithoutChoice = 5 * time.Second
	// soonest is when a client may come back that no backend could answer, though
	// none of them says how long it will be away.
	soonest = time.Second
	// unsaidWait is how long a backend rests that is over its rate limit and
	// does not say for how long; it doubles each time, as its cool-down does.
	unsaidWait = time.Second
)

// ledger counts what a request has used up of its attempts.
type ledger struct {
	same  int // attempts after the first on the backend of the last one
	moves int // other backends that the request moved on to
	// passed counts the attempts that found a provider without the endpoint. They
	// are no retries of something that failed, and no limit of those counts them:
	// else a model with a few such providers in front would serve no one.
	passed int
	// wait is how long the model has no backend for anybody, as found when the
	// request wanted to move on; 0: it has, or nobody asked.
	wait time.Duration
	// waited is how long the request has waited for its only backend's rate limit.
	waited time.Duration
	// unoffered is what the first provider said that does not offer the endpoint,
	// failed the last error of one that does.
	unoffered, failed *apierror.Error
}

func (l *ledger) note(v verdict) {
	switch {
	case !v.unoffered:
		l.failed = v.err
	case l.unoffered == nil:
		l.unoffered = v.err
	}
}

// verdict is what came of one attempt.
type verdict struct {
	kind loadbalance.Kind
	// err is what the client is to be told if no other attempt succeeds; nil
	// when the attempt answered the client, well or broken, or the client left.
	err *apierror.Error
	// wait is how long the backend asked to be left alone; 0 if it did not.
	wait time.Duration
	// temporary is set for a 429, and a 503 that says when to come back.
	temporary bool
	// broken is set when a stream broke after content reached the client and
	// may be resumed: err ends it if it is not.
	broken bool
	// tooLong is set when the backend said that the prompt is too long for it.
	tooLong bool
	// unoffered is set when the provider does not offer the endpoint, or not for
	// this model: no fault of the backend's, and another one may.
	unoffered bool
}

// try is an attempt that was decided on: its backend is leased.
type try struct {
	lease *loadbalance.Lease
	why   Reason
	pause time.Duration // that was waited for it
}

// run makes attempts until one answers the client or nothing is left to try.
func (x *exchange) run() *apierror.Error {
	x.pick.Decision = x.rec.Decision
	lease, err := x.model.Balancer.Pick(&x.pick)
	x.pick.Decision = nil // the first pick's only
	if err != nil {
		return x.unavailable(err)
	}
	for t := (try{lease: lease, why: ReasonFirst}); ; {
		v := x.attempt(t)
		if v.err == nil {
			return nil
		}
		x.ledger.note(v)
		next, ok := x.next(t.lease, v)
		if !ok {
			return x.lastWord(v)
		}
		t = next
	}
}

// lastWord is the error of a request whose attempts are used up.
func (x *exchange) lastWord(v verdict) *apierror.Error {
	if v.unoffered {
		if x.ledger.failed == nil {
			return x.offeredNowhere()
		}
		v.err = x.ledger.failed // it was offered somewhere, and may be again
	}
	for i := range x.rec.Attempts {
		if x.rec.Attempts[i].Kind != loadbalance.Auth {
			if v.err.RetryAfter == 0 && v.err.Status >= http.StatusInternalServerError {
				v.err.RetryAfter = max(x.ledger.wait, soonest)
			}
			return v.err
		}
	}
	// Every key is bad: the client's SDK would try again for nothing.
	return v.err.WithNoRetry()
}

// next decides on another attempt after one that failed. It may wait; it is
// false when the failure is the last word.
func (x *exchange) next(l *loadbalance.Lease, v verdict) (try, bool) {
	if x.left() || x.stopping() {
		return try{}, false // nobody is there to be answered, or to answer
	}
	if v.tooLong {
		return x.contextFallback()
	}
	if v.broken {
		return x.resumeElsewhere(l)
	}
	if v.unoffered {
		return x.offeredElsewhere()
	}
	if !v.kind.Elsewhere() || x.spent() || !l.MayRetry() {
		return try{}, false
	}
	if v.temporary && v.wait > 0 && v.wait <= x.rt.limits.waitInPlace {
		if t, ok := x.again(l, ReasonWaited, v.wait); ok {
			return t, true
		}
	}
	if v.kind == loadbalance.Server && !v.temporary {
		if t, ok := x.sameBackend(l); ok {
			return t, true
		}
	}
	if t, ok := x.move(); ok {
		return t, true
	}
	if x.ledger.moves > 0 {
		return try{}, false
	}
	return x.noChoice(l, v)
}

// spent reports whether the request may make no more attempts.
func (x *exchange) spent() bool {
	return len(x.rec.Attempts)-x.ledger.passed > x.rt.limits.retries
}

// move leases another backend.
func (x *exchange) move() (try, bool) {
	if x.ledger.moves >= x.rt.limits.moves {
		return try{}, false
	}
	t, ok := x.other()
	if ok {
		x.ledger.moves++
	}
	return t, ok
}

// other leases a backend that was not tried yet.
func (x *exchange) other() (try, bool) {
	next, err := x.model.Balancer.Pick(&x.pick)
	if err != nil {
		if u, ok := errors.AsType[*loadbalance.Unavailable](err); ok {
			x.ledger.wait = u.RetryAfter
		}
		return try{}, false
	}
	x.ledger.same = 0
	return try{lease: next, why: ReasonFailover}, true
}

// offeredElsewhere moves on from a provider that does not offer the endpoint.
// Each backend is asked at most once, so that this ends. It takes nothing from
// the budget of retries either.
func (x *exchange) offeredElsewhere() (try, bool) {
	x.ledger.passed++
	return x.other()
}

// contextFallback moves on to the model that is meant for longer prompts. It
// is part of the model that the client asked for, so the user's allowed_models
// are not asked again; the user's tags select among its backends as ever.
func (x *exchange) contextFallback() (try, bool) {
	to := x.fallback()
	if to == nil || to.Balancer == nil || x.spent() {
		return try{}, false
	}
	next, err := to.Balancer.Pick(&x.pick)
	if err != nil {
		return try{}, false
	}
	x.model = to
	x.ledger = ledger{moves: x.ledger.moves, passed: x.ledger.passed}
	return try{lease: next, why: ReasonContext}, true
}

// fallback is the model for longer prompts as the endpoint sees it; nil for none.
func (x *exchange) fallback() *Model { return x.fallbackOf(x.model) }

// fallbackOf is fallback for any model.
func (x *exchange) fallbackOf(m *Model) *Model {
	if to := x.rt.fallbackOf(m); to != nil {
		return to.on(x.rec.Endpoint)
	}
	return nil
}

// noChoice is next for a request that has no other backend to move on to.
func (x *exchange) noChoice(l *loadbalance.Lease, v verdict) (try, bool) {
	switch {
	case v.temporary:
		wait := v.wait
		if wait == 0 { // it did not say: as long as it is left alone for
			wait = unsaidWait << min(x.ledger.same, 10)
		}
		if x.ledger.waited += wait; x.ledger.waited <= waitWithoutChoice {
			return x.again(l, ReasonWaited, wait)
		}
	case v.kind == loadbalance.Network:
		return x.sameBackend(l)
	}
	return try{}, false
}

// sameBackend leases the same backend again after a pause, within its
// provider's max_retries.
func (x *exchange) sameBackend(l *loadbalance.Lease) (try, bool) {
	if x.ledger.same >= x.target(l).up.Provider.MaxRetries {
		return try{}, false
	}
	pause := min(firstPause<<min(x.ledger.same, 10), longestPause)
	pause -= rand.N(pause / 2)
	return x.again(l, ReasonSameBackend, pause)
}

// again leases the same backend once more after a pause. It is false when the
// client left meanwhile or the backend may not be used, at once where that is
// known before: the failure may have opened its breaker.
func (x *exchange) again(l *loadbalance.Lease, why Reason, pause time.Duration) (try, bool) {
	if !l.MayAgain(pause) || !sleep(x.r.Context(), pause) {
		return try{}, false
	}
	next, err := x.model.Balancer.Again(&x.pick, l)
	if err != nil {
		return try{}, false
	}
	x.ledger.same++
	return try{lease: next, why: why, pause: pause}, true
}

// unavailable is the error of a request that no backend could be picked for.
func (x *exchange) unavailable(err error) *apierror.Error {
	x.permit.Refund()
	if u, ok := errors.AsType[*loadbalance.Unavailable](err); ok {
		return noBackend(u)
	}
	return apierror.New(apierror.Internal, "no backend could be picked")
}

// sleep waits for d; it is false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	if ctx.Err() != nil {
		return false
	}
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
