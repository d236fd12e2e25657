package loadbalance

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// scripted is a prober whose answers are set by test.
type scripted struct {
	start time.Time
	mu    sync.Mutex // guards what follows
	kinds map[string]Kind
	does  func(ctx context.Context, c Check) ([]Outcome, bool) // instead, if it says so
	calls []string
	now   int
	most  int
}

func (s *scripted) Probe(ctx context.Context, c Check) []Outcome {
	s.mu.Lock()
	s.calls = append(s.calls, fmt.Sprintf("%s %s %s", c.Kind, c.Group, strings.Join(c.IDs, ",")))
	s.now++
	s.most = max(s.most, s.now)
	does := s.does
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.now--
		s.mu.Unlock()
	}()
	if does != nil {
		if out, done := does(ctx, c); done {
			return out
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Outcome, len(c.IDs))
	for i, id := range c.IDs {
		out[i].Kind = s.kinds[id]
	}
	return out
}

func (s *scripted) set(id string, k Kind) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kinds[id] = k
}

// take returns the calls since the last take, counted.
func (s *scripted) take() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := map[string]int{}
	for _, c := range s.calls {
		n[c]++
	}
	s.calls = nil
	return n
}

// checking runs do inside a bubble with a fleet under active checks.
func checking(t *testing.T, check CheckKind, listings []Listing, do func(w *world, s *scripted)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{start: time.Now(), kinds: map[string]Kind{}}
		w := &world{t: t, sent: map[string]int{}}
		var mu sync.Mutex
		w.fleet = NewFleet(Options{Notify: func(e Event) {
			mu.Lock()
			defer mu.Unlock()
			w.events = append(w.events, fmt.Sprintf("%s %s %s>%s %s by %s", e.ID, e.Subject, e.From, e.To, e.Kind, e.Check))
		}})
		p := DefaultPolicy()
		p.Groups = map[string]Group{}
		for _, l := range listings {
			p.Groups[l.normalised().Group] = Group{Check: check}
		}
		w.fleet.SetPolicy(p)
		w.lb = w.balancer("failover", listings...)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- w.fleet.Run(ctx, s) }()
		synctest.Wait()
		do(w, s)
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		noLeases(t, w.fleet)
		for _, st := range w.fleet.Backends() {
			if w.sent != nil && st.Requests != uint64(w.sent[st.ID]) {
				t.Errorf("checks counted as requests: %+v", st)
			}
		}
	})
}

func sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestOneListPerGroupAndInterval(t *testing.T) {
	l := []Listing{{ID: "g:a", Group: "g"}, {ID: "g:b", Group: "g"}, {ID: "g:c", Group: "g", PerRequest: true}, {ID: "h:a", Group: "h"}}
	checking(t, CheckAuto, l, func(w *world, s *scripted) {
		sleep(time.Second)
		if got := s.take(); !maps.Equal(got, map[string]int{"list g g:a,g:b": 1, "list h h:a": 1}) {
			t.Errorf("first checks: %v", got)
		}
		sleep(10 * time.Minute)
		got := s.take()
		for c, n := range got {
			if n < 20 || n > 27 { // every 22.5 to 30 s
				t.Errorf("%s: %d times in 10 minutes", c, n)
			}
		}
		if len(got) != 2 {
			t.Errorf("checks: %v", got)
		}
		if st := w.state("g:a"); st.LastCheckAt.IsZero() || !st.NextCheckAt.After(time.Now()) {
			t.Errorf("last check %v, next %v", st.LastCheckAt, st.NextCheckAt)
		}
	})
}

func TestNoListFallsBackToConnect(t *testing.T) {
	for _, status := range []int{0, 404, 405, 501} {
		checking(t, CheckAuto, ids("a b"), func(w *world, s *scripted) {
			s.mu.Lock()
			s.does = func(_ context.Context, c Check) ([]Outcome, bool) {
				if status == 0 {
					return nil, c.Kind == CheckList
				}
				return []Outcome{{Kind: Model, Status: status}}, c.Kind == CheckList
			}
			s.mu.Unlock()
			s.set("b", Network)
			sleep(10 * time.Minute)
			got := s.take()
			if got["list a a"] != 1 || got["connect a a"] < 20 {
				t.Errorf("status %d: %v", status, got)
			}
			if !w.state("a").Healthy || w.state("b").Healthy {
				t.Errorf("status %d: a %+v b %+v", status, w.state("a"), w.state("b"))
			}
			sleep(time.Hour)
			if got := s.take(); got["list a a"] < 1 || got["list a a"] > 3 {
				t.Errorf("the list is asked for again %d times an hour", got["list a a"])
			}
		})
	}
}

func TestAModelMissingFromTheListIsMarked(t *testing.T) {
	checking(t, CheckList, []Listing{{ID: "g:x/y:z", Group: "g"}, {ID: "g:b", Group: "g"}}, func(w *world, s *scripted) {
		s.set("g:x/y:z", Model)
		sleep(31 * time.Second)
		if w.state("g:x/y:z").Healthy || !w.state("g:b").Healthy {
			t.Errorf("missing: %+v", w.state("g:x/y:z"))
		}
		s.set("g:x/y:z", Success)
		sleep(31 * time.Second)
		if !w.state("g:x/y:z").Healthy {
			t.Errorf("listed again: %+v", w.state("g:x/y:z"))
		}
		w.wantEvents("g:x/y:z recovery 100>30 model by list", "g:x/y:z health healthy>unhealthy model by list",
			"g:x/y:z health unhealthy>healthy success by list")
	})
}

// TestEvidence holds what brings a backend back against what marked it.
func TestEvidence(t *testing.T) {
	f := func(name string, check CheckKind, marked Kind, perRequest bool, want string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Helper()
			checking(t, check, []Listing{{ID: "a", PerRequest: perRequest}}, func(w *world, s *scripted) {
				sleep(2 * time.Second)
				s.take()
				w.report("a", marked, marked)
				sleep(1200 * time.Millisecond)
				got := "nothing"
				if calls := slices.Sorted(maps.Keys(s.take())); len(calls) > 0 {
					got = strings.Join(calls, "; ")
				}
				if w.state("a").Healthy {
					got += " recovers"
				}
				if got != want {
					t.Errorf("%s, want %s", got, want)
				}
			})
		})
	}
	f("network by the list", CheckAuto, Network, false, "list a a recovers")
	f("network by a connection", CheckConnect, Network, false, "connect a a recovers")
	f("timeout needs a chat", CheckConnect, Timeout, false, "chat a a recovers")
	f("server needs a chat", CheckAuto, Server, false, "chat a a recovers")
	f("auth needs a chat", CheckConnect, Auth, false, "chat a a recovers")
	f("model needs a chat", CheckList, Model, false, "chat a a recovers")
	f("network by chat where so configured", CheckChat, Network, false, "chat a a recovers")
	f("per request: only a user", CheckAuto, Server, true, "nothing")
	f("per request: only a user, network too", CheckChat, Network, true, "nothing")
	f("checks are off", CheckNone, Network, false, "nothing")
}

func TestRecoveryProbesBackOff(t *testing.T) {
	checking(t, CheckAuto, ids("a"), func(w *world, s *scripted) {
		p := *w.fleet.policy.Load()
		p.FailureThreshold = 1000 // the breaker has a pause of its own
		w.fleet.SetPolicy(p)
		s.set("a", Server)
		w.report("a", Server, Server)
		var times []float64
		begin := time.Now()
		s.mu.Lock()
		s.does = func(_ context.Context, c Check) ([]Outcome, bool) {
			if c.Kind == CheckChat {
				times = append(times, time.Since(begin).Seconds())
			}
			return nil, false
		}
		s.mu.Unlock()
		sleep(20 * time.Minute)
		for i := 1; i < len(times); i++ {
			pause, limit := times[i]-times[i-1], min(120, float64(int(1)<<min(i, 10)))
			if pause < limit*0.74 || pause > limit*1.01+0.1 {
				t.Errorf("pause %d is %.2f s, want at most %v s less a quarter", i, pause, limit)
			}
		}
		if len(times) < 14 || len(times) > 20 {
			t.Errorf("%d probes in 20 minutes", len(times))
		}
		s.set("a", Success)
		sleep(2 * time.Minute)
		if st := w.state("a"); !st.Healthy || st.Stage != 30 || st.Successes != 0 {
			t.Errorf("after it works again: %+v", st)
		}
	})
}

func TestChatProbeIsTheTrialOfAnOpenBreaker(t *testing.T) {
	checking(t, CheckAuto, ids("a"), func(w *world, s *scripted) {
		w.report("a", Server, Server, Server, Server, Server)
		sleep(2 * time.Second)
		s.take()
		sleep(57 * time.Second)
		if n := s.take()["chat a a"]; n != 0 {
			t.Errorf("%d chats through an open breaker", n)
		}
		hang := make(chan struct{})
		s.mu.Lock()
		s.does = func(_ context.Context, c Check) ([]Outcome, bool) {
			if c.Kind == CheckChat {
				<-hang
			}
			return nil, false
		}
		s.mu.Unlock()
		sleep(5 * time.Second)
		// The probe hangs, and nothing else is left: a request takes its place.
		l := w.trial(nil, "a")
		w.sent["a"]++
		w.down(new(Request))
		close(hang) // it answers all the same
		synctest.Wait()
		if st := w.state("a"); !st.Healthy || st.Breaker != BreakerClosed || st.Stage != 30 {
			t.Errorf("after the probe: %+v", st)
		}
		l.Report(Outcome{Kind: Cancelled})
	})
}

// TestOutageOfAMinute: requests leave for another backend at once, the breaker
// opens by the probes, and it is used again soon after it works.
func TestOutageOfAMinute(t *testing.T) {
	checking(t, CheckAuto, []Listing{{ID: "a"}, {ID: "b", Priority: 1}}, func(w *world, s *scripted) {
		p := *w.fleet.policy.Load()
		p.OpenTimeout = 15 * time.Second
		w.fleet.SetPolicy(p)
		w.sent = nil
		s.set("a", Server) // its list as well
		begin, outage := time.Now(), time.Minute
		opened, failed := false, 0
		var back time.Duration
		for time.Since(begin) < 3*time.Minute {
			w.req.Reset()
			for range 2 {
				l, err := w.lb.Pick(&w.req)
				if err != nil {
					t.Fatal("a request was not answered")
				}
				if l.ID() == "b" || time.Since(begin) >= outage {
					if l.ID() == "a" && back == 0 {
						back = time.Since(begin) - outage
					}
					l.Report(ok)
					break
				}
				failed++
				l.Report(Outcome{Kind: Server})
			}
			opened = opened || w.state("a").Breaker == BreakerOpen
			sleep(4 * time.Second)
			if time.Since(begin) >= outage {
				s.set("a", Success)
			}
		}
		if !opened || failed > 6 || back <= 0 || back > 30*time.Second {
			t.Errorf("opened %v, %d requests failed on it, back in use after %v", opened, failed, back)
		}
	})
}

// TestACheckIsOlderThanAFailure: what a check found before a request failed
// does not bring the backend back.
func TestACheckIsOlderThanAFailure(t *testing.T) {
	checking(t, CheckConnect, ids("a"), func(w *world, s *scripted) {
		sleep(2 * time.Second)
		s.mu.Lock()
		s.does = func(_ context.Context, c Check) ([]Outcome, bool) {
			time.Sleep(8 * time.Second)
			return nil, false
		}
		s.mu.Unlock()
		s.take()
		for len(s.take()) == 0 {
			sleep(100 * time.Millisecond)
		}
		w.report("a", Network)
		sleep(8 * time.Second)
		if w.state("a").Healthy {
			t.Error("it is back by a check that began before it failed")
		}
		sleep(20 * time.Second)
		if !w.state("a").Healthy {
			t.Error("it is not back by a newer check")
		}
	})
}

// TestNoChatProbe: where a backend cannot be asked for a token, a request of a
// user tries it.
func TestNoChatProbe(t *testing.T) {
	checking(t, CheckAuto, []Listing{{ID: "a"}, {ID: "b", Priority: 1}}, func(w *world, s *scripted) {
		s.mu.Lock()
		s.does = func(_ context.Context, c Check) ([]Outcome, bool) { return nil, c.Kind == CheckChat }
		s.mu.Unlock()
		w.sent = nil
		w.report("a", Auth)
		if got := w.tally(10); got["b"] != 10 {
			t.Fatalf("after the failure: %v", got)
		}
		sleep(5 * time.Second)
		l := w.pick()
		if l.ID() != "a" || !l.Trial() {
			t.Errorf("after the pause: %s, trial %v", l.ID(), l.Trial())
		}
		l.Report(ok)
		if !w.state("a").Healthy {
			t.Error("the trial did not recover it")
		}
	})
}

func TestChecksDoNotOverruleRequests(t *testing.T) {
	checking(t, CheckList, ids("a"), func(w *world, s *scripted) {
		s.set("a", Network)
		for range 10 {
			w.send(ok)
			sleep(10 * time.Second)
			if !w.state("a").Healthy {
				t.Fatal("a failing list marks a backend that answers requests")
			}
		}
		sleep(time.Minute)
		if w.state("a").Healthy {
			t.Error("without requests the check does not mark")
		}
		w.sent = map[string]int{"a": 10}
	})
}

func TestF20HangingCheck(t *testing.T) {
	checking(t, CheckAuto, append(ids("a"), Listing{ID: "b", Group: "b"}), func(w *world, s *scripted) {
		s.mu.Lock()
		s.does = func(ctx context.Context, c Check) ([]Outcome, bool) {
			if c.Group == "a" {
				<-ctx.Done()
				return []Outcome{{Kind: Timeout}}, true
			}
			return nil, false
		}
		s.mu.Unlock()
		sleep(25 * time.Second)
		s.take()
		for range 100 {
			before := time.Now()
			w.send(Outcome{Kind: Cancelled})
			if d := time.Since(before); d != 0 {
				t.Fatalf("a pick waited %v", d)
			}
		}
		sleep(2 * time.Minute)
		if w.state("a").Healthy {
			t.Error("a check that hangs is no failure")
		}
		if got := s.take(); got["list b b"] < 4 {
			t.Errorf("a hanging check holds up others: %v", got)
		}
		w.sent = map[string]int{"b": 100}
		// The end of the test shows that Run joins while the check hangs.
	})
}

func TestF20DeadBackends(t *testing.T) {
	var l []Listing
	for i := range 500 {
		l = append(l, Listing{ID: fmt.Sprintf("p%03d:m", i), Group: fmt.Sprintf("p%03d", i)})
	}
	checking(t, CheckAuto, l, func(w *world, s *scripted) {
		s.mu.Lock()
		s.does = func(ctx context.Context, c Check) ([]Outcome, bool) {
			time.Sleep(time.Second)
			return []Outcome{{Kind: Network}}, true
		}
		s.mu.Unlock()
		sleep(3 * time.Minute)
		s.mu.Lock()
		calls, most := len(s.calls), s.most
		s.mu.Unlock()
		if most > maxChecks {
			t.Errorf("%d checks at one time", most)
		}
		if calls > 180*maxChecks {
			t.Errorf("%d checks in three minutes", calls)
		}
		for _, st := range w.fleet.Backends() {
			if st.Healthy || time.Since(st.LastCheckAt) > time.Minute {
				t.Fatalf("%s is forgotten: %+v", st.ID, st)
			}
		}
	})
}

func TestLightChecks(t *testing.T) {
	checking(t, CheckChat, nil, func(w *world, s *scripted) {
		w.lb = w.balancer("smart_ai", Listing{ID: "a", Group: "g"}, Listing{ID: "b", Group: "g", PerRequest: true})
		p := DefaultPolicy()
		p.SmartAI.TimeDecay = false
		p.Groups = map[string]Group{"g": {Check: CheckConnect}}
		w.fleet.SetPolicy(p)
		sleep(9 * time.Minute)
		if c := w.state("a").Confidence; c != 0.8 {
			t.Errorf("before the interval: %v", c)
		}
		sleep(2 * time.Minute)
		if c := w.state("a").Confidence; c < 0.8333-1e-3 || c > 0.8333+1e-3 {
			t.Errorf("after one light check: %v, want a third of a step more", c)
		}
		if c := w.state("b").Confidence; c != 0.8 {
			t.Errorf("a backend that is billed per request: %v", c)
		}
		for c := range s.take() {
			if c != "connect g a" {
				t.Errorf("a light check that is not free: %s", c)
			}
		}
	})
}

func TestRunOnce(t *testing.T) {
	checking(t, CheckNone, ids("a"), func(w *world, s *scripted) {
		if err := w.fleet.Run(t.Context(), s); err == nil {
			t.Error("a second Run is allowed")
		}
		if err := NewFleet(Options{}).Run(t.Context(), nil); err == nil {
			t.Error("a nil Prober is allowed")
		}
	})
}

func TestUsersAreServedSoonAfterAnyComesBack(t *testing.T) {
	checking(t, CheckAuto, ids("a b"), func(w *world, s *scripted) {
		s.set("a", Network)
		s.set("b", Network)
		attempts := 0
		for range 6000 { // 10 minutes of ten requests a second
			w.req.Reset()
			if l, err := w.lb.Pick(&w.req); err == nil {
				l.Report(Outcome{Kind: Network})
				attempts++
			}
			sleep(100 * time.Millisecond)
		}
		if attempts > 2*600*4/3 { // on each one a second, less up to a quarter
			t.Errorf("%d attempts on dead backends", attempts)
		}
		s.set("b", Success)
		back := time.Now()
		for {
			w.req.Reset()
			if l, err := w.lb.Pick(&w.req); err == nil {
				if l.ID() == "b" {
					l.Report(ok)
					break
				}
				l.Report(Outcome{Kind: Network})
			}
			sleep(100 * time.Millisecond)
		}
		if d := time.Since(back); d > 2*time.Second {
			t.Errorf("back in use after %v", d)
		}
		w.sent = nil
	})
}

func TestCheckDueOnVirtualTime(t *testing.T) {
	w := newWorld(t, "failover", ids("a")...)
	p := DefaultPolicy()
	p.Groups = map[string]Group{"a": {Check: CheckConnect}}
	w.fleet.SetPolicy(p)
	s := &scripted{kinds: map[string]Kind{"a": Network}}
	begin := w.clock.t
	for w.clock.t.Sub(begin) < 10*time.Minute {
		w.clock.forward(w.fleet.CheckDue(t.Context(), s))
	}
	if n := s.take()["connect a a"]; n < 22 || n > 40 || w.state("a").Healthy {
		t.Errorf("%d checks in 10 virtual minutes, %+v", n, w.state("a"))
	}
	s.set("a", Success)
	w.clock.forward(w.fleet.CheckDue(t.Context(), s))
	w.fleet.CheckDue(t.Context(), s)
	if !w.state("a").Healthy {
		t.Errorf("after a passed check: %+v", w.state("a"))
	}
}
