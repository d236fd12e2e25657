package loadbalance

import (
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var ok = Outcome{Kind: Success, FirstContent: 100 * time.Millisecond}

// tally sends n fresh requests that succeed and counts them by backend.
func (w *world) tally(n int) map[string]int {
	w.t.Helper()
	got := map[string]int{}
	for range n {
		got[w.send(ok)]++
	}
	return got
}

func within3Sigma(t *testing.T, what string, got, n int, p float64) {
	t.Helper()
	mean, sigma := float64(n)*p, math.Sqrt(float64(n)*p*(1-p))
	if math.Abs(float64(got)-mean) > 3*sigma {
		t.Errorf("%s: %d of %d, want %.0f +- %.0f", what, got, n, mean, 3*sigma)
	}
}

func TestWeightedStrategiesFollowTheWeights(t *testing.T) {
	const n = 20_000
	for _, s := range []string{"weighted_random", "weighted_failover", "smart_weighted_failover"} {
		t.Run(s, func(t *testing.T) {
			w := newWorld(t, s, Listing{ID: "a", Weight: 0.7}, Listing{ID: "b", Weight: 0.3})
			got := w.tally(n)
			within3Sigma(t, "a", got["a"], n, 0.7)
			if got["a"]+got["b"] != n {
				t.Errorf("got %v", got)
			}
		})
	}
	w := newWorld(t, "random", Listing{ID: "a", Weight: 90}, Listing{ID: "b", Weight: 1})
	within3Sigma(t, "random ignores weights", w.tally(n)["a"], n, 0.5)
}

func TestSmartWeightedFailoverCountsTheStage(t *testing.T) {
	const n = 20_000
	w := newWorld(t, "smart_weighted_failover", Listing{ID: "a"}, Listing{ID: "b"})
	w.report("a", Network, Success) // back, at 30 percent
	got := 0
	for range n {
		l := w.pick()
		if l.ID() == "a" {
			got++
		}
		l.Report(Outcome{Kind: Cancelled})
	}
	within3Sigma(t, "a at 30 percent", got, n, 0.3/1.3)
}

func TestRoundRobinIsExactlyEven(t *testing.T) {
	t.Run("16 goroutines", func(t *testing.T) {
		s, _ := ParseStrategy("round_robin")
		f := NewFleet(Options{})
		lb, err := f.Balancer(Config{Strategy: s, Listings: ids("a b c d e")})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				var r Request
				for range 1000 {
					l, err := lb.Pick(&r)
					if err != nil {
						t.Error(err)
						return
					}
					l.Report(ok)
					r.Reset()
				}
			})
		}
		wg.Wait()
		for _, s := range f.Backends() {
			if s.Requests != 16*1000/5 {
				t.Errorf("%s got %d", s.ID, s.Requests)
			}
		}
	})
	t.Run("retries and tag filters between", func(t *testing.T) {
		w := newWorld(t, "round_robin", Listing{ID: "a"}, Listing{ID: "b", Tags: []string{"x"}}, Listing{ID: "c", Tags: []string{"y"}})
		first, retry, tagged := map[string]int{}, map[string]int{}, map[string]int{}
		var last string
		for i := range 3000 {
			l := w.pick()
			if l.ID() == last {
				t.Fatalf("request %d: %s twice in a row", i, last)
			}
			last = l.ID()
			first[last]++
			if i%2 == 0 { // it failed in a way that marks nothing
				l.Report(Outcome{Kind: Caller})
				l, err := w.lb.Pick(&w.req)
				if err != nil {
					t.Fatal(err)
				}
				retry[l.ID()]++
				l.Report(ok)
			} else {
				l.Report(ok)
			}
			if i%3 != 0 {
				continue
			}
			w.req.Reset()
			w.req.Tags = []string{"x"}
			l, err := w.lb.Pick(&w.req)
			if err != nil {
				t.Fatal(err)
			}
			tagged[l.ID()]++
			l.Report(ok)
		}
		for _, id := range []string{"a", "b", "c"} {
			if first[id] != 1000 || retry[id] != 500 {
				t.Errorf("%s: %d first picks, %d retries", id, first[id], retry[id])
			}
		}
		if tagged["a"] != 500 || tagged["b"] != 500 || tagged["c"] != 0 {
			t.Errorf("with tag x: %v", tagged)
		}
	})
	t.Run("one is down for a while", func(t *testing.T) {
		w := newWorld(t, "round_robin", ids("a b c")...)
		w.report("b", Network)
		if got := w.tally(1000); got["a"] != 500 || got["c"] != 500 {
			t.Errorf("without b: %v", got)
		}
		w.report("b", Success)
		if got := w.tally(3000); got["a"] != 1000 || got["b"] != 1000 || got["c"] != 1000 {
			t.Errorf("with b again: %v", got)
		}
	})
	t.Run("random start", func(t *testing.T) {
		starts := map[string]bool{}
		for range 100 {
			f := NewFleet(Options{})
			lb, err := f.Balancer(Config{Strategy: &roundRobin{new(turns)}, Listings: ids("a b c")})
			if err != nil {
				t.Fatal(err)
			}
			l, err := lb.Pick(new(Request))
			if err != nil {
				t.Fatal(err)
			}
			starts[l.ID()] = true
		}
		if len(starts) != 3 {
			t.Errorf("100 new balancers started at %v", starts)
		}
	})
}

func TestFailoverOrder(t *testing.T) {
	w := newWorld(t, "failover", Listing{ID: "c", Priority: 2}, Listing{ID: "a", Priority: 1}, Listing{ID: "b", Priority: 1})
	var got []string
	for range 3 {
		l, err := w.lb.Pick(&w.req)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, l.ID())
		l.Report(Outcome{Kind: Caller})
	}
	if want := []string{"a", "b", "c"}; !slices.Equal(got, want) {
		t.Errorf("one request was picked %v, want %v", got, want)
	}
	w.report("a", Network)
	if got := w.send(ok); got != "b" {
		t.Errorf("with a unhealthy: %s", got)
	}
	w.report("b", Auth)
	w.report("c", Timeout)
	if got := w.send(Outcome{Kind: Cancelled}); got != "a" {
		t.Errorf("as the last resort: %s", got)
	}
}

func TestUnhealthyIsNeverPickedBesideHealthy(t *testing.T) {
	for _, s := range StrategyNames() {
		t.Run(s, func(t *testing.T) {
			w := newWorld(t, s, Listing{ID: "a", Weight: 100}, Listing{ID: "b", Weight: 1, Tags: []string{"premium"}})
			w.report("a", Network)
			if got := w.tally(5000); got["a"] != 0 {
				t.Errorf("got %v", got)
			}
			w.report("b", Network)
			if got := w.send(Outcome{Kind: Caller}); got == "" {
				t.Error("no last resort")
			}
		})
	}
}

func TestLeastLatency(t *testing.T) {
	w := newWorld(t, "least_latency", ids("a b c")...)
	var first []*Lease
	var r [3]Request
	for i := range 3 { // unmeasured ones first, once at a time
		l, err := w.lb.Pick(&r[i])
		if err != nil {
			t.Fatal(err)
		}
		first = append(first, l)
	}
	if got := first[0].ID() + first[1].ID() + first[2].ID(); got != "abc" {
		t.Errorf("three at once went to %s", got)
	}
	if got := w.send(Outcome{Kind: Cancelled}); got != "a" {
		t.Errorf("all unmeasured and busy: %s", got)
	}
	for i, ms := range []time.Duration{300, 100, 1000} {
		first[i].Report(Outcome{Kind: Success, FirstContent: ms * time.Millisecond})
	}
	if got := w.tally(100); got["b"] != 100 {
		t.Errorf("measured: %v", got)
	}
	// While b serves, a fades to below b's latency and is tried again.
	tried := ""
	for range 300 {
		w.clock.forward(time.Second)
		if got := w.send(ok); got != "b" {
			tried = got
			break
		}
	}
	if tried != "a" {
		t.Errorf("after a while %q is tried again, want a", tried)
	}
	// A peak counts at once.
	w.report("b", Timeout)
	if got := w.state("b").Latency; got != time.Second {
		t.Errorf("after a timeout of 1s b's latency is %v", got)
	}
}

// TestStrategiesUnderRace mixes picks, reports of all kinds, policy changes
// and snapshots; it proves something only under -race.
func TestStrategiesUnderRace(t *testing.T) {
	for _, name := range StrategyNames() {
		t.Run(name, func(t *testing.T) {
			s, _ := ParseStrategy(name)
			f := NewFleet(Options{Notify: func(Event) {}})
			lb, err := f.Balancer(Config{Strategy: s, Listings: []Listing{
				{ID: "a", Group: "g"}, {ID: "b", Group: "g", Tags: []string{"x"}}, {ID: "c", PerRequest: true, RequestPrice: 1}, {ID: "d"},
			}})
			if err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			for g := range 8 {
				wg.Go(func() {
					var r Request
					for i := range 500 {
						r.Reset()
						if i%3 == 0 {
							r.Tags = []string{"x"}
						}
						for range 3 {
							l, err := lb.Pick(&r)
							if err != nil {
								break
							}
							o := Outcome{Kind: Kind((i + g) % 9), FirstContent: time.Duration(i), Duration: time.Duration(i)}
							if o.Kind == RateLimit {
								o.RetryAfter = time.Microsecond
							}
							l.Report(o)
							if !l.MayRetry() {
								break
							}
						}
						switch i % 50 {
						case 7:
							lb.Snapshot()
						case 8:
							f.Backends()
						case 9:
							p := DefaultPolicy()
							p.OpenTimeout = time.Microsecond
							p.Groups = map[string]Group{"g": {MaxConcurrent: 1 + i%3}}
							f.SetPolicy(p)
						}
					}
				})
			}
			wg.Wait()
			noLeases(t, f)
		})
	}
}

func TestParseStrategy(t *testing.T) {
	if len(StrategyNames()) != 8 || !slices.IsSorted(StrategyNames()) {
		t.Errorf("names: %v", StrategyNames())
	}
	readme := readFile(t, "README.md")
	for _, name := range StrategyNames() {
		if !strings.Contains(readme, "| `"+name+"` |") {
			t.Errorf("README.md has no row for %s", name)
		}
		a, err := ParseStrategy(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, explains := a.(Explainer); !explains {
			t.Errorf("%s does not explain itself", name)
		}
	}
	_, err := ParseStrategy("wieghted_random")
	const want = `loadbalance: unknown strategy "wieghted_random", want one of failover, least_latency, random, round_robin, smart_ai, smart_weighted_failover, weighted_failover, weighted_random`
	if err == nil || err.Error() != want {
		t.Errorf("error %v", err)
	}
}

// outOfRange is a custom strategy with a bug.
type outOfRange struct{}

func (outOfRange) Pick(c []*Node, _ *Request) int { return len(c) }

func TestCustomStrategyOutOfRange(t *testing.T) {
	f := NewFleet(Options{})
	lb, err := f.Balancer(Config{Strategy: outOfRange{}, Listings: ids("a b")})
	if err != nil {
		t.Fatal(err)
	}
	l, err := lb.Pick(new(Request))
	if err != nil || l.ID() != "a" {
		t.Errorf("picked %v, %v", l, err)
	}
	l.Report(ok)
}

func TestPickDoesNotAllocate(t *testing.T) {
	tags := []string{"team", "absent"}
	for _, name := range StrategyNames() {
		for _, n := range []int{3, 16, 100} {
			if n > inlineCandidates && raceEnabled {
				continue // the race detector makes sync.Pool forget at random
			}
			lb := benchBalancer(t, name, n)
			r := new(Request)
			f := func(what string, do func()) {
				t.Helper()
				do() // warm up: the pool, the tried set
				if got := testing.AllocsPerRun(200, do); got != 0 {
					t.Errorf("%s with %d candidates, %s: %v allocations", name, n, what, got)
				}
			}
			f("plain", func() { pickAndReport(t, lb, r) })
			f("tags", func() { r.Tags = tags; pickAndReport(t, lb, r) })
			f("retry", func() {
				for range 3 {
					l, err := lb.Pick(r)
					if err != nil {
						t.Fatal(err)
					}
					l.Report(Outcome{Kind: Caller})
				}
				r.Reset()
			})
		}
	}
}
