package loadbalance

import "time"

// evidence is an outcome's time and weight.
type evidence struct {
	start int64     // when the request or check began
	now   int64     // when its outcome was known
	trial bool      // it held the trial slot
	check CheckKind // CheckNone: a request of a user
	p     *Policy
	ev    *events
}

// succeeded books a request that was answered, and reports whether anything
// that Pick sees changed but latency and confidence. Called under mu.
func (b *backend) succeeded(e evidence, o Outcome) bool {
	first := o.FirstContent
	if first <= 0 {
		first = o.Duration
	}
	b.latency.observe(first, stampOf(e.now))
	b.confidence.move(e.p.SmartAI.SuccessBoost, stampOf(e.now), &e.p.SmartAI)
	b.lastOK = e.now

	// A long stream that began well before the backend failed may end well
	// long after it: that is no evidence that it works now.
	proven := e.now
	if o.FirstContent > 0 {
		proven = e.start + int64(o.FirstContent)
	}
	if !e.trial && b.failedAt > proven {
		return false
	}
	b.coolDown.success()
	b.health.servers = 0
	if b.health.unhealthy || b.breaker.state != BreakerClosed {
		b.recover(e)
		return true
	}
	b.breaker.failures = 0
	b.exploreAt.Store(0)
	if !b.recovery.active {
		return false
	}
	before := b.recovery.stage()
	b.recovery.success()
	b.add(e.ev, Recovery, stageName(before), stageName(b.recovery.stage()))
	return true
}

// recover brings the backend back, at the first stage. Called under mu.
func (b *backend) recover(e evidence) {
	b.add(e.ev, Breaker, b.breaker.state.String(), BreakerClosed.String())
	if b.health.unhealthy {
		b.add(e.ev, Health, "unhealthy", "healthy")
	}
	b.breaker.succeed()
	b.health = health{}
	b.recovery = recovery{active: true}
	b.backAt = e.start
	b.exploreAt.Store(0)
	b.confidence.lift(stampOf(e.now), &e.p.SmartAI)
}

// failed books a request that failed. Called under mu.
func (b *backend) failed(e evidence, o Outcome) {
	b.lastErr = lastError{o.Kind, o.Status, e.now}
	if o.Kind == Timeout && e.start < b.backAt {
		// What was sent to it while it hung and is given up only now says nothing
		// new: it has answered since.
		return
	}
	at := e.now
	if o.Kind == Timeout {
		at = e.start // it shows how things stood when the request was sent
		b.latency.observe(o.Duration, stampOf(e.now))
	}
	b.failedAt = max(b.failedAt, at)
	b.confidence.move(-e.p.SmartAI.penalty(o.Kind), stampOf(e.now), &e.p.SmartAI)
	b.exploreAt.Store(e.now + int64(e.p.RecoveryInterval))

	if o.Kind == Server {
		b.health.servers++
	} else {
		b.health.servers = 0
	}
	before := b.breaker.state
	b.trip(e)
	b.add(e.ev, Breaker, before.String(), b.breaker.state.String())

	opened := b.breaker.state == BreakerOpen && before != BreakerOpen
	if opened || o.Kind != Server || b.health.servers >= serversMark {
		b.mark(e, o)
	} else if b.recovery.active {
		b.restart(e)
	}
	if e.trial {
		b.backOff(e.now, e.p)
	}
}

// trip counts a failure for the breaker. Called under mu.
func (b *backend) trip(e evidence) {
	b.breaker.fail(e.now+int64(e.p.OpenTimeout), e.now+b.fleet.lastResortPause(), e.p.FailureThreshold, e.trial)
}

// lastResortPause is the constant of that name, with jitter.
func (f *Fleet) lastResortPause() int64 { return jittered(lastResortPause, f.rand()) }

// serversMark is how many server failures in a row mark a backend unhealthy:
// one may be a hiccup, and is retried on the same backend.
const serversMark = 2

// mark makes the backend unhealthy, or gives a newer cause. Called under mu.
func (b *backend) mark(e evidence, o Outcome) {
	b.restart(e)
	if b.health.unhealthy {
		// What needs more evidence to recover from is kept: a refused
		// connection does not prove that the bad key has become good.
		if e.check == CheckNone && (needsChat(o.Kind) || b.health.by != CheckNone) {
			b.health.cause, b.health.by = o.Kind, e.check
		}
		return
	}
	b.health.unhealthy, b.health.cause, b.health.by = true, o.Kind, e.check
	b.recovery.step = 0
	b.backOff(e.now, e.p)
	b.add(e.ev, Health, "healthy", "unhealthy")
	b.fleet.poke()
}

// restart puts the backend to the first stage of recovery. Called under mu.
func (b *backend) restart(e evidence) {
	b.add(e.ev, Recovery, stageName(b.recovery.stage()), stageName(firstStage))
	b.recovery.restart()
}

// needsChat reports whether a backend that requests marked with kind k comes
// back only by an answered request: that the account's list can be read does
// not prove that its models answer. Least of all after a timeout, which is how a
// model fails whose account is well: by the list it would be back within a
// second, and every request sent to it would wait in vain.
func needsChat(k Kind) bool { return k != Network }

// probed reports whether active checks can bring the backend back. If not, a
// request of a user is let through to it from time to time. Called under mu.
func (b *backend) probed(p *Policy) bool {
	return b.fleet.running.Load() && p.CheckInterval > 0 && !b.perRequest &&
		!b.retired.Load() && !b.check.unsupported &&
		p.Groups[b.group.Load().name].Check != CheckNone
}

func stageName(percent int) string {
	switch percent {
	case firstStage:
		return "30"
	case secondStage:
		return "50"
	}
	return "100"
}

// since returns the time from a moment to now; a moment of 0 is long ago.
func since(at, now int64) time.Duration {
	if at == 0 {
		return 1<<63 - 1
	}
	return time.Duration(now - at)
}
