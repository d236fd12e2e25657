package loadbalance

import (
	"cmp"
	"slices"
)

// job is a check that is planned or under way.
type job struct {
	kind     CheckKind
	group    *group
	backends []*backend
	ids      []string // of backends
	due      int64
	unlisted bool // there was no list: kind is the CheckConnect in its place
}

// never is later than any moment.
const never = int64(1<<63 - 1)

// plan returns the checks that are due now or later, in that order: at most one
// for a group as a whole and one CheckChat for each backend, those under way
// left out.
func (f *Fleet) plan(now int64) []job {
	p := f.policy.Load()
	if p.CheckInterval <= 0 {
		return nil
	}
	members := map[*group][]*backend{}
	var order []*group
	for _, b := range f.list() {
		g := b.group.Load()
		if p.Groups[g.name].Check == CheckNone || b.retired.Load() {
			continue
		}
		if members[g] == nil {
			order = append(order, g)
		}
		members[g] = append(members[g], b)
	}
	var jobs []job
	for _, g := range order {
		jobs = append(jobs, f.planGroup(g, members[g], now)...)
	}
	// Who has waited longest comes first when there are not slots for all.
	slices.SortStableFunc(jobs, func(a, b job) int { return cmp.Compare(a.due, b.due) })
	return jobs
}

// planGroup plans the checks of one group's backends.
func (f *Fleet) planGroup(g *group, members []*backend, now int64) []job {
	p := f.policy.Load()
	configured := p.Groups[g.name].Check
	var jobs []job
	whole := job{group: g, kind: CheckConnect, due: never}
	for _, b := range members {
		b.mu.Lock()
		perRequest := b.perRequest
		chat := b.chatDue(configured, now)
		free := b.lightDue(p)
		if configured != CheckChat {
			free = min(free, b.freeDue())
		}
		b.mu.Unlock()
		if perRequest {
			continue
		}
		if chat < never {
			jobs = append(jobs, job{kind: CheckChat, group: g, backends: []*backend{b}, ids: []string{b.id}, due: chat})
		}
		whole.due = min(whole.due, free)
		whole.backends = append(whole.backends, b)
		whole.ids = append(whole.ids, b.id)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if configured != CheckChat {
		if g.check.next == 0 {
			g.check.next = now + int64(float64(firstCheckSpread)*unit(f.rand()))
		}
		whole.due = min(whole.due, g.check.next)
		if configured == CheckList || configured == CheckAuto && now >= g.check.list {
			whole.kind = CheckList
		}
	}
	if len(whole.ids) > 0 && whole.due < never && !g.check.running {
		jobs = append(jobs, whole)
	}
	return jobs
}

// needsChat reports whether only an answered request can bring the backend
// back, of a user or a CheckChat. Called under mu.
func (b *backend) needsChat() bool {
	return b.health.unhealthy && needsChat(b.health.cause) && (b.health.by == CheckNone || b.health.by == CheckChat)
}

// chatDue is when the backend is to be asked for a token. Called under mu.
func (b *backend) chatDue(configured CheckKind, now int64) int64 {
	if b.check.running || b.check.unsupported || b.drained {
		return never
	}
	due := never
	if configured == CheckChat {
		if b.check.next == 0 {
			b.check.next = now + int64(float64(firstCheckSpread)*unit(b.fleet.rand()))
		}
		due = b.check.next
	}
	if b.needsChat() || configured == CheckChat && b.health.unhealthy {
		due = min(due, b.recovery.next)
	}
	if due == never {
		return never
	}
	// A probe is a request: it has to wait like one.
	due = max(due, b.coolDown.until)
	switch b.breaker.state {
	case BreakerOpen:
		due = max(due, b.breaker.until)
	case BreakerHalfOpen:
		if b.breaker.trial != 0 {
			due = max(due, now+int64(slotWait))
		}
	}
	return due
}

// freeDue is when a check that costs nothing is to find out whether the
// backend is back. Called under mu.
func (b *backend) freeDue() int64 {
	if !b.health.unhealthy || b.needsChat() {
		return never
	}
	return b.recovery.next
}

// lightDue is when an idle backend of smart_ai is to be looked after. Called
// under mu.
func (b *backend) lightDue(p *Policy) int64 {
	if !b.smart || p.SmartAI.LightCheckInterval <= 0 {
		return never
	}
	return max(b.usedAt, b.check.light) + int64(p.SmartAI.LightCheckInterval)
}

// nextCheck is when the backend is checked next, given the next regular check
// of its group; 0: not planned. Called under mu.
func (b *backend) nextCheck(regular int64, p *Policy) int64 {
	if !b.probed(p) {
		return 0
	}
	next := never
	if p.Groups[b.group.Load().name].Check == CheckChat {
		regular = b.check.next
	}
	if regular != 0 {
		next = regular
	}
	if b.health.unhealthy {
		next = min(next, b.recovery.next)
	}
	if next == never {
		return 0
	}
	return next
}

// begin marks a planned check as under way. False: it has become impossible,
// because a request took the one trial that a half-open breaker allows.
func (f *Fleet) begin(j *job, now int64) bool {
	if j.kind != CheckChat {
		j.group.mu.Lock()
		defer j.group.mu.Unlock()
		j.group.check.running = true
		return true
	}
	b := j.backends[0]
	var ev events
	b.mu.Lock()
	before := b.breaker.state
	ok := before == BreakerClosed || b.breaker.begin(now, now+f.lastResortPause())
	if ok {
		b.check.running = true
		b.check.holdsTrial = before != BreakerClosed
		b.add(&ev, Breaker, before.String(), b.breaker.state.String())
		b.publish(f.policy.Load())
	}
	cause := Outcome{Kind: b.health.cause}
	b.mu.Unlock()
	f.tell(&ev, cause, CheckChat)
	return ok
}
