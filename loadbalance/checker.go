package loadbalance

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// maxChecks bounds the checks that run at one time, so that hundreds of
	// dead backends cost a few connections, not hundreds.
	maxChecks = 16
	// firstCheckSpread is how far apart the first checks of the groups may be.
	firstCheckSpread = time.Second
	// listRetry is after how many intervals a group without a list of models
	// is asked for one again.
	listRetry = 60
	// minSleep keeps the scheduler from spinning when much happens at once.
	minSleep = 10 * time.Millisecond
	// maxSleep is a guard: nothing is planned later than the next look.
	maxSleep = time.Minute
)

// checker is one Run of a fleet's active checks. The goroutine of Run decides
// what is due; each check runs on a goroutine of its own.
type checker struct {
	fleet  *Fleet
	prober Prober
	slots  chan struct{}
	wg     sync.WaitGroup
}

// Run does the active checks: of each group by its CheckKind every
// Policy.CheckInterval, and of unhealthy backends with a growing pause, until
// they come back. Backends that are billed per request are left alone.
// It blocks until ctx ends, joins what it started and returns nil; at most 16
// checks run at one time, and none longer than Policy.CheckTimeout, as long
// as p heeds its context. A second Run of one fleet is an error, as is a nil p.
//
// Run uses real timers: with Options.Now, only under testing/synctest.
func (f *Fleet) Run(ctx context.Context, p Prober) error {
	if p == nil {
		return errors.New("loadbalance: Run needs a Prober")
	}
	if !f.running.CompareAndSwap(false, true) {
		return errors.New("loadbalance: Run is active already")
	}
	c := &checker{fleet: f, prober: p, slots: make(chan struct{}, maxChecks)}
	defer func() {
		c.wg.Wait()
		f.running.Store(false)
		f.republish()
	}()
	f.republish()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		case <-f.wake:
		}
		if ctx.Err() != nil {
			return nil
		}
		timer.Reset(c.startDue(ctx))
	}
}

// startDue starts the checks that are due, as far as there are slots, and
// returns the time until the next is. The end of a check wakes Run as well.
func (c *checker) startDue(ctx context.Context) time.Duration {
	f := c.fleet
	now := f.now()
	next := now + int64(maxSleep)
	for _, j := range f.plan(now) {
		if j.due > now {
			next = min(next, j.due)
			continue
		}
		select {
		case c.slots <- struct{}{}:
		default:
			return maxSleep // until a check ends
		}
		if !f.begin(&j, now) {
			<-c.slots
			continue
		}
		c.wg.Go(func() {
			c.run(ctx, j)
			<-c.slots
			f.poke()
		})
	}
	return max(minSleep, time.Duration(next-now))
}

// CheckDue makes the checks that are due at this moment, one after the other
// on the caller's goroutine, and returns the time until the next is, at most
// a minute. It is Run for programs that own the clock, such as a simulation on
// Options.Now, and takes Run's place: a fleet that was checked by the one can
// no more be checked by the other.
func (f *Fleet) CheckDue(ctx context.Context, p Prober) time.Duration {
	if f.running.CompareAndSwap(false, true) {
		f.republish()
	}
	c := &checker{fleet: f, prober: p}
	now := f.now()
	next := now + int64(maxSleep)
	for _, j := range f.plan(now) {
		switch {
		case j.due > now:
			next = min(next, j.due)
		case f.begin(&j, now):
			c.run(ctx, j)
		}
	}
	// What was done is due again, and may have made other things due.
	for _, j := range f.plan(f.now()) {
		next = min(next, j.due)
	}
	return max(minSleep, time.Duration(next-f.now()))
}

// run does one check and books what came of it.
func (c *checker) run(ctx context.Context, j job) {
	f := c.fleet
	limit, cancel := context.WithTimeout(ctx, f.policy.Load().CheckTimeout)
	defer cancel()
	start := f.now()
	out := c.prober.Probe(limit, Check{Kind: j.kind, Group: j.group.name, IDs: j.ids})
	if j.kind == CheckList && noEndpoint(out) && limit.Err() == nil {
		j.kind, j.unlisted = CheckConnect, true
		out = c.prober.Probe(limit, Check{Kind: j.kind, Group: j.group.name, IDs: j.ids})
	}
	if ctx.Err() != nil {
		f.abandon(&j) // Run ends: what broke off says nothing
		return
	}
	f.finish(&j, out, start)
}

// noEndpoint reports whether the outcomes of a CheckList say that there is no
// list to ask for.
func noEndpoint(out []Outcome) bool {
	for _, o := range out {
		switch o.Status {
		case 404, 405, 501:
		default:
			return false
		}
	}
	return true
}
