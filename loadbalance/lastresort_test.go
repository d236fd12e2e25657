package loadbalance

import (
	"testing"
	"time"
)

// trial picks for r, or for a fresh request if it is nil, and wants a trial on
// the backend.
func (w *world) trial(r *Request, id string) *Lease {
	w.t.Helper()
	if r == nil {
		r = new(Request)
	}
	l, err := w.lb.Pick(r)
	if err != nil || l.ID() != id || !l.Trial() {
		w.t.Fatalf("picked %+v %v, want a trial on %s", l, err, id)
	}
	return l
}

// down wants that there is nothing to pick, and a wait of at most a second.
func (w *world) down(r *Request) {
	w.t.Helper()
	if u := refused(w.t, w.lb, r); u.RetryAfter <= 0 || u.RetryAfter > time.Second {
		w.t.Errorf("refused: %+v, want a wait of at most a second", u)
	}
}

// Server faults of everything used to hold a model down until the first breaker
// was half-open, for a minute after the last failure, although nobody had
// anything to lose by a look.
func TestLastResortIsPaced(t *testing.T) {
	w := newWorld(t, "failover", Listing{ID: "a"}, Listing{ID: "b", Priority: 1})
	w.open("a")
	w.clock.forward(time.Millisecond)
	w.open("b")
	w.events = nil
	w.down(new(Request))

	// In a minute of ten requests a second each backend gets one trial a second,
	// of which each request makes at most one on each.
	trials := map[string]int{}
	for range 600 {
		w.clock.forward(100 * time.Millisecond)
		var r Request
		for l, err := w.lb.Pick(&r); err == nil; l, err = w.lb.Pick(&r) {
			if trials[l.ID()]++; !l.Trial() {
				t.Fatalf("%s: a pick that is no trial", l.ID())
			}
			l.Report(Outcome{Kind: Server})
		}
	}
	for id, n := range trials {
		if n < 55 || n > 75 {
			t.Errorf("%d trials on %s in a minute", n, id)
		}
	}
	if len(trials) != 2 {
		t.Errorf("trials on %v, want both", trials)
	}
	w.wantEvents() // neither breaker moved

	w.clock.forward(time.Second)
	l, err := w.lb.Pick(new(Request))
	if err != nil {
		t.Fatal(err)
	}
	l.Report(ok)
	if s := w.state(l.ID()); !s.Healthy || s.Breaker != BreakerClosed {
		t.Errorf("after an answer: %+v", s)
	}
}

func TestLastResortTakesWhoWaitedLongest(t *testing.T) {
	w := newWorld(t, "failover", Listing{ID: "a"}, Listing{ID: "b", Priority: 1}, Listing{ID: "c", Priority: 2})
	for _, id := range []string{"c", "a", "b"} {
		w.open(id)
		w.clock.forward(time.Second)
	}
	// One that hangs does not keep the others from their turn.
	for range 3 {
		for _, id := range []string{"c", "a", "b"} {
			l := w.trial(nil, id)
			defer l.Report(Outcome{Kind: Timeout, Duration: time.Minute})
			w.clock.forward(time.Second)
		}
	}
}

func TestLastResortIsOnlyTheLast(t *testing.T) {
	f := func(name string, prepare func(w *world, r *Request)) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Helper()
			w := newWorld(t, "failover", Listing{ID: "a", Priority: 1}, Listing{ID: "b", Group: "g"})
			w.open("a")
			w.clock.forward(10 * time.Second)
			r := new(Request)
			prepare(w, r)
			if l, err := w.lb.Pick(r); err == nil {
				l.Report(Outcome{Kind: Cancelled})
				if l.ID() == "a" {
					t.Error("a breaker was passed early")
				}
			}
		})
	}
	f("the other is healthy", func(*world, *Request) {})
	f("the other is unhealthy", func(w *world, _ *Request) { w.report("b", Network) })
	f("the other can be used, not by this request", func(w *world, r *Request) {
		l, err := w.lb.Pick(r)
		if err != nil {
			t.Fatal(err)
		}
		l.Report(Outcome{Kind: Server})
	})
	f("the other is busy with other requests", func(w *world, _ *Request) {
		w.fleet.SetPolicy(Policy{Groups: map[string]Group{"g": {MaxConcurrent: 1}}})
		l := w.pick()
		w.t.Cleanup(func() { l.Report(ok) })
	})
	f("it cools down itself", func(w *world, _ *Request) {
		w.fleet.Drain("b")
		w.trial(nil, "a").Report(Outcome{Kind: RateLimit, RetryAfter: time.Minute})
		w.clock.forward(10 * time.Second)
	})
	f("it is drained itself", func(w *world, _ *Request) {
		w.fleet.Drain("a")
		w.fleet.Drain("b")
	})
}

// A trial that hangs held its slot until its limit, half a minute by default,
// and nobody noticed that the backend was back.
func TestSilentTrialLosesItsSlot(t *testing.T) {
	w := newWorld(t, "failover", ids("a")...)
	w.open("a")
	w.clock.forward(time.Minute)
	first := w.trial(nil, "a")
	w.down(new(Request)) // one at a time
	w.clock.forward(time.Second)
	second := w.trial(nil, "a")
	w.down(new(Request))

	// The first holds nothing any more: its failure decides nothing, and does
	// not free the slot of the second.
	first.Report(Outcome{Kind: Timeout, Duration: 2 * time.Second})
	w.down(new(Request))
	if s := w.state("a"); s.Breaker != BreakerHalfOpen {
		t.Errorf("after the failure of a trial that lost its slot: %+v", s)
	}
	w.clock.forward(time.Second)
	third := w.trial(nil, "a")
	second.Report(ok) // an answer is an answer
	if s := w.state("a"); !s.Healthy || s.Breaker != BreakerClosed {
		t.Errorf("after the answer of a trial that lost its slot: %+v", s)
	}
	third.Report(ok)
}

// A long answer used to keep everybody else waiting until it was whole.
func TestFirstContentEndsTheWaiting(t *testing.T) {
	w := newWorld(t, "failover", Listing{ID: "a"}, Listing{ID: "b", Priority: 1})
	w.open("a")
	w.clock.forward(500 * time.Millisecond)
	w.open("b")
	w.clock.forward(time.Second)
	l := w.trial(nil, "a")
	failed := w.trial(nil, "b")
	failed.Report(Outcome{Kind: Server})
	w.down(new(Request))
	w.events = nil
	failed.Answered() // it was reported: nothing
	l.Answered()
	w.wantEvents("a breaker open>closed success", "a health unhealthy>healthy success")
	if id := w.send(ok); id != "a" {
		t.Errorf("after the first content the next request goes to %s", id)
	}
	// What comes of the rest is booked as of any request.
	l.Report(Outcome{Kind: Network})
	if s := w.state("a"); s.Healthy || s.ConsecutiveFailures != 1 || s.Failures != 6 {
		t.Errorf("after the answer broke: %+v", s)
	}
}

// Where another backend answers nobody waits, and the trial has to be whole.
func TestFirstContentIsNoAnswerWhereNobodyWaits(t *testing.T) {
	w := newWorld(t, "failover", Listing{ID: "a"}, Listing{ID: "b", Priority: 1})
	w.open("a")
	w.clock.forward(time.Minute)
	l := w.trial(nil, "a")
	l.Answered()
	if s := w.state("a"); s.Healthy || s.Breaker != BreakerHalfOpen {
		t.Errorf("after the first content: %+v", s)
	}
	l.Report(ok)
	if s := w.state("a"); !s.Healthy || s.Breaker != BreakerClosed {
		t.Errorf("after the answer: %+v", s)
	}
	usual := w.pick()
	usual.Answered() // no trial: nothing to say
	usual.Report(ok)
}

// What hung while the backend was away is given up long after it is back, and
// used to open its breaker again.
func TestOldTimeoutsDoNotMark(t *testing.T) {
	w := newWorld(t, "failover", ids("a")...)
	var hanging []*Lease
	for range 10 {
		l, err := w.lb.Pick(new(Request))
		if err != nil {
			t.Fatal(err)
		}
		hanging = append(hanging, l)
	}
	w.clock.forward(time.Second)
	w.open("a")
	w.clock.forward(time.Minute)
	w.trial(nil, "a").Report(ok)
	before := w.state("a")
	for _, l := range hanging {
		l.Report(Outcome{Kind: Timeout, Duration: 61 * time.Second})
	}
	if s := w.state("a"); !s.Healthy || s.ConsecutiveFailures != 0 || s.Confidence != before.Confidence || s.Failures != before.Failures+10 {
		t.Errorf("after old timeouts: %+v\nbefore: %+v", s, before)
	}
	w.send(Outcome{Kind: Timeout, Duration: 30 * time.Second})
	if w.state("a").Healthy {
		t.Error("a new timeout does not mark")
	}
}

func TestExplainOfTheLastResort(t *testing.T) {
	w := newWorld(t, "smart_ai", ids("a b")...)
	w.open("a")
	w.clock.forward(time.Second)
	w.open("b")
	f := func(want ...string) {
		t.Helper()
		for i, c := range w.lb.Snapshot() {
			if c.Excluded != want[i] || (c.Share == 1) != (want[i] == "") {
				t.Errorf("%s: excluded %q at a share of %v, want %q", c.ID, c.Excluded, c.Share, want[i])
			}
		}
	}
	f("", "breaker open")
	w.clock.forward(500 * time.Millisecond)
	l := w.trial(nil, "a")
	defer l.Report(Outcome{Kind: Cancelled})
	f("breaker open", "breaker open")
	w.clock.forward(500 * time.Millisecond)
	f("breaker open", "")
}

// Two requests that see the one slot of a trial free at the same moment do not
// both get it.
func TestTwoForOneTrial(t *testing.T) {
	f := func(name string, fail func(*world)) {
		t.Helper()
		w := newWorld(t, "failover", ids("a")...)
		fail(w)
		b, now := w.fleet.backends["a"], w.fleet.now()
		s := b.standing(now)
		if s != standsTrial {
			t.Fatalf("%s: it stands at %v", name, s)
		}
		if trial, got := b.beginTrial(now, s); !trial || !got {
			t.Errorf("%s: the first one: %v %v", name, trial, got)
		}
		if trial, got := b.beginTrial(now, s); trial || got {
			t.Errorf("%s: the second one: %v %v", name, trial, got)
		}
	}
	f("half-open", func(w *world) {
		w.open("a")
		w.clock.forward(w.fleet.policy.Load().OpenTimeout)
	})
	f("unhealthy without checks", func(w *world) {
		w.report("a", Network)
		w.clock.forward(time.Hour)
	})
}
