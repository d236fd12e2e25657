package loadbalance

import (
	"sync"
	"sync/atomic"
	"time"
)

// backend is the live state of one backend. It belongs to the fleet and is
// shared by every balancer that lists the id.
//
// What Pick needs is in atomics, so that picking takes no lock. The state
// machine is under mu; publish copies what Pick needs out of it. Pick may see
// two of the atomics one step apart, which makes at most one pick early or
// late by that step; whatever must be exact, which is the trial slot and the
// limits, is decided again when the pick is taken.
type backend struct {
	// What every pick reads comes first, in one cache line.
	word         atomic.Uint32 // see the word* bits
	latency      latency       // written under mu
	confidence   confidence    // written under mu
	blockedUntil atomic.Int64  // until when wordTimed holds it back
	trialAt      atomic.Int64  // from when a request may try: by wordUserTrial, or by wordOpen as the last resort
	exploreAt    atomic.Int64  // from when smart_ai may explore it again after a failure; 0: at any time
	group        atomic.Pointer[group]
	fleet        *Fleet
	id           string

	_ [64]byte // what every pick writes is kept off the line that every pick reads

	inFlight  atomic.Int64
	requests  atomic.Uint64
	successes atomic.Uint64
	failures  atomic.Uint64
	budget    budget
	retired   atomic.Bool // forgotten by Retain, waiting for its last lease

	mu       sync.Mutex // guards what follows
	drained  bool
	health   health
	breaker  breaker
	coolDown coolDown
	recovery recovery
	check    checkState
	lastErr  lastError
	lastOK   int64 // moment of the last success of a request; 0: never
	failedAt int64 // moment that the last failure of a request speaks of; 0: never
	backAt   int64 // when that began which last brought it back; 0: never
	usedAt   int64 // moment of the last report; 0: never
	wantedAt int64 // moment when a request was last turned away for want of it; 0: never

	// How balancers list it; see Fleet.Retain for the claims.
	perRequest, claimedPerRequest bool
	smart, claimedSmart           bool
	claimed                       bool
}

// health is what marks a backend unhealthy, and why.
type health struct {
	unhealthy bool
	cause     Kind
	by        CheckKind // the check that marked it; CheckNone: a request did
	servers   int       // server failures of requests in a row
	badChecks int       // server failures of checks in a row
}

type lastError struct {
	kind   Kind
	status int
	at     int64 // 0: never
}

// Bits of backend.word; 0 is a healthy backend at full weight with a closed
// breaker. The bits above stageShift are the recovery stage in percent, 0
// standing for 100.
const (
	wordUnhealthy uint32 = 1 << iota
	wordOpen             // open or half-open
	wordDrained
	wordTimed     // blockedUntil counts
	wordTrial     // the trial slot is taken
	wordUserTrial // unhealthy, and only a request can bring it back

	stageShift = 8
	stateBits  = 1<<stageShift - 1
)

// standing is how a backend stands towards a request at some moment.
type standing uint8

const (
	standsHealthy   standing = iota
	standsTrial              // half-open or due for a trial, slot free
	standsUnhealthy          // marked: only as the last resort
	standsLast               // behind its breaker: only if nothing at all is left
	standsBusy               // half-open, its trial is under way
	standsBlocked            // open or cooling down
	standsDrained
)

// standing is the one rule by which Pick, Again and Snapshot know whether a
// backend may be used. Concurrency limits come on top.
func (b *backend) standing(now int64) standing {
	if w := b.word.Load(); w&stateBits != 0 {
		return b.weigh(w, now)
	}
	return standsHealthy
}

// weigh is the rare half of standing; passing has the other one in its loop.
func (b *backend) weigh(w uint32, now int64) standing {
	switch {
	case w&wordDrained != 0:
		return standsDrained
	case w&wordOpen != 0:
		return b.weighOpen(w, now)
	case w&wordTimed != 0 && now < b.blockedUntil.Load():
		return standsBlocked
	case w&wordUnhealthy != 0:
		if w&(wordUserTrial|wordTrial) == wordUserTrial && now >= b.trialAt.Load() {
			return standsTrial
		}
		return standsUnhealthy
	}
	return standsHealthy
}

// weighOpen is weigh for a backend whose breaker is not closed.
func (b *backend) weighOpen(w uint32, now int64) standing {
	blocked := w&wordTimed != 0 && now < b.blockedUntil.Load()
	switch {
	case !blocked && w&wordTrial == 0:
		return standsTrial
	case now >= b.trialAt.Load():
		return standsLast
	case blocked:
		return standsBlocked
	}
	return standsBusy
}

// stage is the recovery stage in percent.
func (b *backend) stage() int {
	if s := b.word.Load() >> stageShift; s != 0 {
		return int(s)
	}
	return fullStage
}

// publish lets Pick see the state. Called under mu after each change of it.
func (b *backend) publish(p *Policy) {
	var w uint32
	if b.drained {
		w |= wordDrained
	}
	until := b.coolDown.until
	if b.breaker.trial != 0 {
		w |= wordTrial
	}
	if b.health.unhealthy {
		w |= wordUnhealthy
		if !b.probed(p) {
			w |= wordUserTrial
			b.trialAt.Store(b.recovery.next)
		}
	}
	if b.breaker.state != BreakerClosed {
		w |= wordOpen
		b.trialAt.Store(max(b.breaker.early, b.coolDown.until))
		until = max(until, b.breaker.until)
	}
	if s := b.recovery.stage(); s != fullStage {
		w |= uint32(s) << stageShift
	}
	if until > b.fleet.now() {
		w |= wordTimed
		b.blockedUntil.Store(until)
	}
	b.word.Store(w)
}

// beginTrial makes a pick on a backend that stands for trial, or as the last
// one, final. ok is false if another was faster or the state changed; trial is
// false if the backend has recovered meanwhile and the pick is an ordinary one.
func (b *backend) beginTrial(now int64, s standing) (trial, ok bool) {
	p := b.fleet.policy.Load()
	var ev events
	b.mu.Lock()
	before := b.breaker.state
	switch {
	case b.drained || now < b.coolDown.until:
	case before != BreakerClosed:
		early := now + b.fleet.lastResortPause()
		ok = b.breaker.begin(now, early) || s == standsLast && b.breaker.beginEarly(now, early)
		trial = ok
		if trial {
			b.check.holdsTrial = false // a chat that was silent for too long
		}
	case !b.health.unhealthy:
		ok = true
	case b.breaker.trial == 0 && now >= b.recovery.next:
		b.breaker.trial = now
		trial, ok = true, true
	}
	if trial {
		b.add(&ev, Breaker, before.String(), b.breaker.state.String())
		b.publish(p)
	}
	cause := Outcome{Kind: b.health.cause}
	b.mu.Unlock()
	b.fleet.tell(&ev, cause, CheckNone)
	return trial, ok
}

// report books what came of a request that began at start.
func (b *backend) report(o Outcome, start int64, trial bool) {
	now := b.fleet.now()
	p := b.fleet.policy.Load()
	var ev events
	b.mu.Lock()
	b.usedAt = now
	trial = trial && b.breaker.end(start)
	changed := trial
	switch {
	case o.Kind == Success:
		b.successes.Add(1)
		changed = b.succeeded(evidence{start: start, trial: trial, now: now, p: p, ev: &ev}, o) || changed
	case o.Kind == RateLimit:
		b.failures.Add(1)
		b.lastErr = lastError{o.Kind, o.Status, now}
		b.coolDown.limit(o.RetryAfter, start, now)
		b.confidence.move(-p.SmartAI.penalty(o.Kind), stampOf(now), &p.SmartAI)
		changed = true
	case o.Kind.Failure():
		b.failures.Add(1)
		b.failed(evidence{start: start, trial: trial, now: now, p: p, ev: &ev}, o)
		changed = true
	}
	if changed {
		b.publish(p)
	}
	b.mu.Unlock()
	b.fleet.tell(&ev, o, CheckNone)
}

// answered brings the backend back by a trial that began at start and whose
// answer has begun.
func (b *backend) answered(start int64) {
	p := b.fleet.policy.Load()
	var ev events
	b.mu.Lock()
	if b.health.unhealthy || b.breaker.state != BreakerClosed {
		b.recover(evidence{start: start, now: b.fleet.now(), trial: true, p: p, ev: &ev})
		b.publish(p)
	}
	b.mu.Unlock()
	b.fleet.tell(&ev, Outcome{}, CheckNone)
}

// want notes that a request found nothing better than this unhealthy backend,
// or nothing at all: it is looked after more often for a while.
func (b *backend) want(now int64) {
	b.mu.Lock()
	b.wantedAt = now
	soon := b.health.unhealthy && b.recovery.next > now+int64(wantedPause)
	if soon {
		b.recovery.next = now + int64(wantedPause)
		b.publish(b.fleet.policy.Load())
	}
	b.mu.Unlock()
	if soon {
		b.fleet.poke()
	}
}

// backOff plans the next recovery probe after one that failed. Called under mu.
func (b *backend) backOff(now int64, p *Policy) {
	limit := p.RecoveryInterval
	if since(b.wantedAt, now) < wantedFor {
		limit = min(limit, wantedPause)
	}
	b.recovery.backOff(now, limit, b.fleet.rand())
}

// time converts a moment of the fleet's clock; 0 gives the zero time.
func (f *Fleet) time(at int64) time.Time {
	if at == 0 {
		return time.Time{}
	}
	return f.start.Add(time.Duration(at - 1))
}
