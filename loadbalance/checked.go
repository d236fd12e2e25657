package loadbalance

// finish books the outcomes of a check that began at start.
func (f *Fleet) finish(j *job, out []Outcome, start int64) {
	p := f.policy.Load()
	now := f.now()
	for i, b := range j.backends {
		o := Outcome{Kind: Cancelled}
		if i < len(out) {
			o = out[i]
		}
		var ev events
		e := evidence{start: start, now: now, check: j.kind, p: p, ev: &ev}
		b.mu.Lock()
		if j.kind == CheckChat {
			e.trial = b.endChat()
			b.check.next = now + jittered(p.CheckInterval, f.rand())
			b.check.unsupported = out == nil
		}
		b.checked(e, o, j.unlisted)
		b.publish(p)
		b.mu.Unlock()
		f.tell(&ev, o, j.kind)
	}
	if j.kind != CheckChat {
		j.group.mu.Lock()
		j.group.check.running = false
		j.group.check.next = now + jittered(p.CheckInterval, f.rand())
		if j.unlisted {
			j.group.check.list = now + listRetry*int64(p.CheckInterval)
		}
		j.group.mu.Unlock()
	}
}

// abandon ends a check without an outcome.
func (f *Fleet) abandon(j *job) {
	if j.kind != CheckChat {
		j.group.mu.Lock()
		j.group.check.running = false
		j.group.mu.Unlock()
		return
	}
	b := j.backends[0]
	b.mu.Lock()
	b.endChat()
	b.publish(f.policy.Load())
	b.mu.Unlock()
}

// endChat gives back what a CheckChat held and reports whether it was the
// trial of the breaker. Called under mu.
func (b *backend) endChat() (trial bool) {
	trial = b.check.holdsTrial
	if trial {
		b.breaker.trial = 0
	}
	b.check.running, b.check.holdsTrial = false, false
	return trial
}

// checked books the outcome of an active check. It never touches the counters
// of users' requests. For the breaker, which counts what the backend itself was
// asked, a CheckChat is a request like any other; the free checks are not.
// Called under mu.
func (b *backend) checked(e evidence, o Outcome, unlisted bool) {
	b.check.last = e.now
	passed := o.Kind == Success || o.Kind == Caller && e.check == CheckChat
	light := lightShare
	if e.check == CheckChat || b.lightDue(e.p) > e.now {
		light = 0 // the backend has traffic, which says more
	} else {
		b.check.light = e.now
	}
	switch {
	case passed:
		b.health.badChecks = 0
		b.nudge(light*e.p.SmartAI.SuccessBoost, e)
		if b.failedAt > e.start {
			break // a request knows better
		}
		if b.health.unhealthy && b.proves(e.check, unlisted) {
			b.recover(e)
			return
		}
		if e.check == CheckChat {
			b.breaker.failures, b.health.servers = 0, 0
		}
	case o.Kind == RateLimit:
		if e.check == CheckChat {
			b.coolDown.limit(o.RetryAfter, e.start, e.now)
		}
	case o.Kind.Failure():
		b.lastErr = lastError{o.Kind, o.Status, e.now}
		b.nudge(-light*e.p.SmartAI.penalty(o.Kind), e)
		b.checkFailed(e, o)
	}
	// A check that could not have proved anything is no failed probe: the chat
	// that can is still due.
	if b.health.unhealthy && b.recovery.next <= e.now && (e.check == CheckChat || !b.needsChat()) {
		b.backOff(e.now, e.p)
	}
}

// checkFailed marks the backend, unless requests know better: while they are
// answered, a check that costs nothing proves nothing. Called under mu.
func (b *backend) checkFailed(e evidence, o Outcome) {
	before := b.breaker.state
	if !e.trial && (b.lastOK > e.start || e.check != CheckChat && since(b.lastOK, e.now) < e.p.CheckInterval) {
		return
	}
	if e.check == CheckChat {
		b.trip(e)
		b.add(e.ev, Breaker, before.String(), b.breaker.state.String())
	}
	if o.Kind == Server {
		b.health.badChecks++
		if b.health.badChecks < serversMark && b.breaker.state == BreakerClosed {
			return
		}
	}
	b.mark(e, o)
}

// proves reports whether a passed check of that kind can bring the backend
// back. unlisted says that it stands in for a list that does not exist.
// Called under mu.
func (b *backend) proves(kind CheckKind, unlisted bool) bool {
	if kind == CheckChat {
		return true
	}
	if b.needsChat() {
		return false
	}
	return b.health.by != CheckList || !needsChat(b.health.cause) || kind == CheckList || unlisted
}

// nudge moves the confidence by a lightweight check's step, if it is one.
// Called under mu.
func (b *backend) nudge(step float64, e evidence) {
	if step != 0 {
		b.confidence.move(step, stampOf(e.now), &e.p.SmartAI)
	}
}
