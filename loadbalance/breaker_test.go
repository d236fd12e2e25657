package loadbalance

import (
	"testing"
	"testing/synctest"
	"time"
)

// bubble is a subtest on virtual time.
func bubble(t *testing.T, name string, do func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, do) })
}

// TestTransitions walks each transition of health, breaker and recovery.
// A step is a request with an outcome on the only backend, or time that passes.
func TestTransitions(t *testing.T) {
	type step struct {
		do    any // Kind: a request that ends so; time.Duration: wait; "refused": a pick must fail
		state string
	}
	const (
		healthy = "healthy closed 100"
		thirty  = "healthy closed 30"
		fifty   = "healthy closed 50"
		sick    = "unhealthy closed 30"
		open    = "unhealthy open 30"
		half    = "unhealthy half_open 30"
	)
	down := []step{{Server, healthy}, {Server, sick}, {Server, sick}, {Server, sick}, {Server, open}}
	f := func(name string, steps ...step) {
		t.Helper()
		bubble(t, name, func(t *testing.T) {
			t.Helper()
			w := newWorld(t, "failover", Listing{ID: "a"})
			w.fleet = NewFleet(Options{}) // on the bubble's clock
			w.lb = w.balancer("failover", Listing{ID: "a"})
			for i, s := range steps {
				switch do := s.do.(type) {
				case Kind:
					w.send(Outcome{Kind: do})
				case time.Duration:
					time.Sleep(do)
				case string:
					w.req.Reset()
					if u := refused(t, w.lb, &w.req); u.Reason != ReasonDown {
						t.Errorf("step %d: refused because of %v", i, u.Reason)
					}
				}
				st := w.state("a")
				got := map[bool]string{true: "healthy ", false: "unhealthy "}[st.Healthy] + st.Breaker.String() + " " + stageName(st.Stage)
				if got != s.state {
					t.Fatalf("step %d (%v): %s, want %s", i, s.do, got, s.state)
				}
			}
		})
	}
	after := func(first []step, more ...step) []step { return append(append([]step(nil), first...), more...) }

	f("success keeps it healthy", step{Success, healthy})
	f("network marks at once", step{Network, sick})
	f("timeout marks at once", step{Timeout, sick})
	f("auth marks at once", step{Auth, sick})
	f("model marks at once", step{Model, sick})
	f("one server failure does not mark", step{Server, healthy}, step{Success, healthy}, step{Server, healthy})
	f("two server failures in a row mark", step{Server, healthy}, step{Server, sick})
	f("a rate limit does not mark", step{RateLimit, healthy}, step{time.Minute, healthy}, step{RateLimit, healthy})
	f("a caller's mistake does not mark", step{Caller, healthy}, step{Caller, healthy})
	f("a caller who leaves does not mark", step{Cancelled, healthy}, step{Cancelled, healthy})
	f("a user's success recovers at once", step{Network, sick}, step{Success, thirty})
	f("stages: 2 further successes, then 3 more", step{Network, sick}, step{Success, thirty},
		step{Success, thirty}, step{Success, fifty}, step{Success, fifty}, step{Success, fifty}, step{Success, healthy})
	f("any failure on the way starts over", step{Network, sick}, step{Success, thirty}, step{Success, thirty},
		step{Success, fifty}, step{Server, thirty}, step{Success, thirty}, step{Success, fifty})
	f("the threshold opens", after(down, step{"refused", open})...)
	f("a success in between does not", step{Server, healthy}, step{Server, sick}, step{Server, sick}, step{Server, sick},
		step{Success, thirty}, step{Server, thirty}, step{Server, sick})
	f("open until the timeout", after(down, step{60*time.Second - 1, open}, step{time.Duration(1), half})...)
	f("a trial that succeeds closes", after(down, step{time.Minute, half}, step{Success, thirty})...)
	f("a trial that fails opens again", after(down, step{time.Minute, half}, step{Timeout, open}, step{"refused", open},
		step{59 * time.Second, open}, step{time.Second, half}, step{Success, thirty})...)
	f("nothing else is left: a trial within a second", after(down, step{"refused", open}, step{time.Second, open}, step{Success, thirty})...)
	f("it fails: open for as long again", after(down, step{59 * time.Second, open}, step{Server, open}, step{"refused", open},
		step{59 * time.Second, open}, step{time.Second, half})...)
	f("it is abandoned: still open", after(down, step{time.Second, open}, step{Cancelled, open}, step{"refused", open},
		step{time.Second, open}, step{Success, thirty})...)
	f("it is rate limited: rests", after(down, step{time.Second, open}, step{RateLimit, open}, step{time.Second, open}, step{Success, thirty})...)
	f("a trial that is abandoned frees the slot", after(down, step{time.Minute, half}, step{Cancelled, half}, step{Caller, half},
		step{Success, thirty})...)
	f("a trial that is rate limited rests", after(down, step{time.Minute, half}, step{RateLimit, half}, step{time.Minute, half},
		step{Success, thirty})...)
}

func (w *world) open(id string) {
	w.t.Helper()
	w.report(id, Network, Network, Network, Network, Network)
	if s := w.state(id); s.Breaker != BreakerOpen {
		w.t.Fatalf("%s is %v", id, s.Breaker)
	}
}

func TestOneTrialAtATime(t *testing.T) {
	w := newWorld(t, "failover", Listing{ID: "a"}, Listing{ID: "b", Priority: 1})
	w.open("a")
	w.clock.forward(time.Minute)
	trial, err := w.lb.Pick(new(Request))
	if err != nil || trial.ID() != "a" || !trial.Trial() {
		t.Fatalf("the half-open backend does not get a trial: %v %v", trial, err)
	}
	for range 10 {
		if l := w.pick(); l.ID() != "b" || l.Trial() {
			t.Errorf("during the trial: %s", l.ID())
			l.Report(ok)
		} else {
			l.Report(ok)
		}
	}
	trial.Report(Outcome{Kind: Cancelled})
	again := w.pick()
	if again.ID() != "a" || !again.Trial() {
		t.Errorf("the abandoned trial did not free the slot: %s", again.ID())
	}
	again.Report(ok)
	if l := w.pick(); l.ID() != "a" || l.Trial() {
		t.Errorf("after the trial: %s, trial %v", l.ID(), l.Trial())
	} else {
		l.Report(ok)
	}
	w.wantEvents(
		"a recovery 100>30 network", "a health healthy>unhealthy network", "a breaker closed>open network",
		"a breaker open>half_open network",
		"a breaker half_open>closed success", "a health unhealthy>healthy success",
	)
}

func TestOldFailuresAndSuccesses(t *testing.T) {
	w := newWorld(t, "failover", Listing{ID: "a"})
	old, _ := w.lb.Pick(new(Request))
	older, _ := w.lb.Pick(new(Request))
	stream, _ := w.lb.Pick(new(Request))
	w.clock.forward(time.Second)
	w.open("a")
	before := w.state("a")
	old.Report(Outcome{Kind: Timeout})
	w.clock.forward(time.Minute)
	if got := w.state("a").Breaker; got != BreakerHalfOpen {
		t.Errorf("a late failure moved the breaker to %v; before: %v", got, before.Breaker)
	}
	trial := w.pick()
	older.Report(Outcome{Kind: Timeout})
	if got := w.state("a").Breaker; got != BreakerHalfOpen || !trial.Trial() {
		t.Errorf("a late failure decided the trial of another request: %v", got)
	}
	trial.Report(Outcome{Kind: Cancelled})
	// Its content came before the failures: no evidence that it works now.
	stream.Report(Outcome{Kind: Success, FirstContent: 500 * time.Millisecond, Duration: time.Minute})
	if s := w.state("a"); s.Healthy || s.Breaker != BreakerHalfOpen || s.Successes != 1 {
		t.Errorf("the end of an old stream recovered the backend: %+v", s)
	}
}

func TestUserTrialsWithoutChecks(t *testing.T) {
	w := newWorld(t, "weighted_failover", Listing{ID: "a", Weight: 1000}, Listing{ID: "b", Weight: 0.001})
	w.report("a", Network)
	if got := w.tally(1000); got["a"] != 0 {
		t.Fatalf("before its pause is over: %v", got)
	}
	w.clock.forward(time.Second)
	l := w.pick()
	if l.ID() != "a" || !l.Trial() {
		t.Fatalf("no request tries the backend that no check can bring back: %s", l.ID())
	}
	l.Report(Outcome{Kind: Network})
	if got := w.tally(1000); got["a"] != 0 {
		t.Errorf("right after a failed trial: %v", got)
	}
	w.clock.forward(time.Second)
	if got := w.tally(1000); got["a"] != 0 {
		t.Errorf("the pause did not grow: %v", got)
	}
	w.clock.forward(time.Second)
	w.tally(10)
	if s := w.state("a"); !s.Healthy {
		t.Errorf("a passed trial did not recover: %+v", s)
	}
}

func TestCoolDown(t *testing.T) {
	w := newWorld(t, "failover", Listing{ID: "a"})
	limit := func(asked time.Duration) { w.send(Outcome{Kind: RateLimit, Status: 429, RetryAfter: asked}) }
	want := func(d time.Duration) {
		t.Helper()
		if got := w.state("a").CoolDownUntil.Sub(w.clock.t); got != d {
			t.Errorf("cools down for %v, want %v", got, d)
		}
		w.req.Reset()
		if u := refused(t, w.lb, &w.req); u.Reason != ReasonRateLimited || u.RetryAfter != d {
			t.Errorf("refused: %+v, want %v", u, d)
		}
		w.clock.forward(d)
		if !w.state("a").CoolDownUntil.IsZero() {
			t.Error("still cooling down")
		}
	}
	limit(2500 * time.Millisecond)
	want(2500 * time.Millisecond)
	for _, s := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		limit(0)
		want(s * time.Second)
	}
	w.send(ok)
	limit(0)
	want(time.Second)

	burst := func(asked ...time.Duration) {
		var l []*Lease
		for range asked {
			x, err := w.lb.Pick(new(Request))
			if err != nil {
				t.Fatal(err)
			}
			l = append(l, x)
		}
		w.clock.forward(time.Millisecond)
		for i, x := range l {
			x.Report(Outcome{Kind: RateLimit, RetryAfter: asked[i]})
		}
	}
	w.send(ok)
	burst(0, 0, 0, 0, 0)
	want(time.Second) // a burst is one event
	burst(0, 30*time.Second, time.Second)
	want(30 * time.Second) // a later, shorter rest shortens nothing

	if s := w.state("a"); !s.Healthy || s.ConsecutiveFailures != 0 || s.Breaker != BreakerClosed || s.LastError != RateLimit {
		t.Errorf("a rate-limited backend is not a broken one: %+v", s)
	}
	limit(1000 * time.Hour)
	want(24 * time.Hour)
}

func TestRetryBudget(t *testing.T) {
	// Backends that fail each time: 10 retries of each, then a fifth of the
	// requests and one per second.
	w := newWorld(t, "failover", ids("a b c")...)
	p := DefaultPolicy()
	p.FailureThreshold = 1 << 30
	w.fleet.SetPolicy(p)
	const requests = 3000
	attempts := 0
	for range requests {
		w.clock.forward(20 * time.Millisecond)
		l := w.pick()
		for {
			attempts++
			l.Report(Outcome{Kind: Server})
			if !l.MayRetry() {
				break
			}
			next, err := w.lb.Pick(&w.req)
			if err != nil {
				break
			}
			l = next
		}
	}
	if most := requests*12/10 + 3*(10+61); attempts > most || attempts < requests*119/100 {
		t.Errorf("%d attempts for %d requests, want about 1.2 times and at most %d", attempts, requests, most)
	}
}

// At one request per ten minutes a fifth of a retry for each was not enough:
// a backend that failed for hours used up its ten retries for good, and then
// every request that tried it was lost, although the other one worked.
func TestRetryBudgetOfLittleTraffic(t *testing.T) {
	w := newWorld(t, "failover", ids("a b")...)
	l := w.pick()
	defer l.Report(ok)
	f := func(want bool) {
		t.Helper()
		if got := l.MayRetry(); got != want {
			t.Errorf("may retry: %v, want %v", got, want)
		}
	}
	for range 10 {
		f(true)
	}
	f(false)
	w.clock.forward(999 * time.Millisecond)
	f(false)
	w.clock.forward(time.Millisecond)
	f(true)
	f(false)
	w.clock.forward(24 * time.Hour)
	for range 10 {
		f(true)
	}
	f(false)
}

func TestAgain(t *testing.T) {
	w := newWorld(t, "failover", ids("a b")...)
	l := w.pick()
	l.Report(Outcome{Kind: Server})
	again, err := w.lb.Again(&w.req, l)
	if err != nil || again.ID() != "a" {
		t.Fatalf("again: %v %v", again, err)
	}
	again.Report(Outcome{Kind: RateLimit, RetryAfter: time.Second})
	if l.MayAgain(time.Second-1) || !l.MayAgain(time.Second) {
		t.Errorf("a second's cool-down: %t within less, %t within a second", l.MayAgain(time.Second-1), l.MayAgain(time.Second))
	}
	if _, err := w.lb.Again(&w.req, l); refusal(err).Reason != ReasonRateLimited || refusal(err).RetryAfter != time.Second {
		t.Errorf("while it cools down: %v", err)
	}
	w.clock.forward(time.Second)
	again, err = w.lb.Again(&w.req, l)
	if err != nil {
		t.Fatalf("after the wait that was asked for: %v", err)
	}
	again.Report(ok)
	other, err := w.lb.Pick(&w.req)
	if err != nil || other.ID() != "b" {
		t.Errorf("pick after again: %v %v", other, err)
	}
	other.Report(ok)
	w.open("a")
	if _, err := w.lb.Again(&w.req, l); refusal(err).Reason != ReasonDown {
		t.Errorf("behind an open breaker: %v", err)
	}
	if timeout := w.fleet.policy.Load().OpenTimeout; l.MayAgain(0) || l.MayAgain(timeout/2) || !l.MayAgain(timeout) {
		t.Errorf("behind a breaker of %v", timeout)
	}
	w.fleet.Drain("a")
	if l.MayAgain(time.Hour) {
		t.Error("drained")
	}
}
