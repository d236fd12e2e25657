package loadbalance

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestTags(t *testing.T) {
	w := newWorld(t, "failover", Listing{ID: "a", Tags: []string{"x"}}, Listing{ID: "b", Tags: []string{"y", "premium"}, Group: "g"}, Listing{ID: "c", Tags: []string{"z"}, Group: "g"})
	f := func(r *Request, want string) {
		t.Helper()
		got := ""
		for {
			l, err := w.lb.Pick(r)
			if err != nil {
				got += " " + refusal(err).Reason.String()
				break
			}
			got += l.ID()
			l.Report(ok)
		}
		if got != want {
			t.Errorf("%+v %+v: %q, want %q", r.Tags, r.Only, got, want)
		}
	}
	f(&Request{}, "abc exhausted")
	f(&Request{Tags: []string{"y"}}, "b exhausted")
	f(&Request{Tags: []string{"z", "x"}}, "ac exhausted")
	f(&Request{Tags: []string{"absent"}}, " tags")
	f(&Request{Tags: []string{"absent"}, AllTags: true}, "abc exhausted")
	f(&Request{Only: "g"}, "bc exhausted")
	f(&Request{Only: "g", Tags: []string{"z"}}, "c exhausted")
	f(&Request{Only: "g", Tags: []string{"x"}}, " tags")
	f(&Request{Only: "absent"}, " pinned")

	w.lb = w.balancer("failover", Listing{ID: "a"}, Listing{ID: "b", Tags: []string{"x"}})
	f(&Request{Tags: []string{"y"}}, "a exhausted")
	f(&Request{Tags: []string{"x"}}, "ab exhausted")

	// More tags than fit a mask are compared as strings.
	var many []Listing
	for i := range 70 {
		many = append(many, Listing{ID: string(rune('A' + i)), Tags: []string{"t" + string(rune('A'+i))}})
	}
	w.lb = w.balancer("failover", many...)
	f(&Request{Tags: []string{"tC", "t" + string(rune('A'+69))}}, "C"+string(rune('A'+69))+" exhausted")
}

func TestUnavailable(t *testing.T) {
	f := func(name string, prepare func(w *world, r *Request), want Unavailable) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Helper()
			w := newWorld(t, "failover", Listing{ID: "a", Group: "g"}, Listing{ID: "b", Group: "g"})
			r := new(Request)
			prepare(w, r)
			want.Balancer = "m"
			got := refused(t, w.lb, r)
			if s := time.Second; got.RetryAfter < s && got.RetryAfter >= s-s/4 {
				got.RetryAfter = s // the pause of the last resort, with its jitter
			}
			if got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
		})
	}
	try := func(w *world, r *Request, o Outcome) {
		l, err := w.lb.Pick(r)
		if err != nil {
			w.t.Fatal(err)
		}
		l.Report(o)
	}
	f("breakers", func(w *world, _ *Request) {
		w.open("a")
		w.open("b")
	}, Unavailable{Reason: ReasonDown, RetryAfter: time.Second})
	f("all rate limited, also what was tried", func(w *world, r *Request) {
		try(w, r, Outcome{Kind: RateLimit, RetryAfter: 7 * time.Second})
		try(w, r, Outcome{Kind: RateLimit, RetryAfter: 3 * time.Second})
	}, Unavailable{Reason: ReasonRateLimited, RetryAfter: 3 * time.Second})
	f("rate limited and broken", func(w *world, _ *Request) {
		w.open("a")
		l := w.pick()
		l.Report(Outcome{Kind: RateLimit, RetryAfter: 7 * time.Second})
	}, Unavailable{Reason: ReasonDown, RetryAfter: time.Second})
	f("rate limited behind its breaker", func(w *world, r *Request) {
		w.open("a")
		w.fleet.Drain("b")
		w.clock.forward(time.Second)
		w.trial(nil, "a").Report(Outcome{Kind: RateLimit, RetryAfter: 7 * time.Second})
	}, Unavailable{Reason: ReasonDown, RetryAfter: 7 * time.Second})
	f("all tried", func(w *world, r *Request) {
		try(w, r, Outcome{Kind: Server})
		try(w, r, Outcome{Kind: Server})
	}, Unavailable{Reason: ReasonExhausted})
	f("one tried, one broken", func(w *world, r *Request) {
		w.open("b")
		try(w, r, Outcome{Kind: Server})
	}, Unavailable{Reason: ReasonExhausted})
	f("drained", func(w *world, _ *Request) {
		w.fleet.Drain("a")
		w.fleet.Drain("b")
	}, Unavailable{Reason: ReasonDown, RetryAfter: drainWait})
	f("one drained, one open", func(w *world, _ *Request) {
		w.fleet.Drain("a")
		w.open("b")
	}, Unavailable{Reason: ReasonDown, RetryAfter: time.Second})
	f("one drained, one rate limited", func(w *world, _ *Request) {
		w.fleet.Drain("a")
		w.send(Outcome{Kind: RateLimit})
	}, Unavailable{Reason: ReasonRateLimited, RetryAfter: time.Second})
	f("concurrency limit", func(w *world, _ *Request) {
		w.fleet.SetPolicy(Policy{Groups: map[string]Group{"g": {MaxConcurrent: 1}}})
		l := w.pick()
		w.t.Cleanup(func() { l.Report(ok) })
	}, Unavailable{Reason: ReasonDown, RetryAfter: slotWait})
	f("no listings", func(w *world, _ *Request) { w.lb = w.balancer("smart_ai") }, Unavailable{Reason: ReasonDown, RetryAfter: drainWait})
}

func TestConcurrencyLimitOfAGroup(t *testing.T) {
	w := newWorld(t, "failover", Listing{ID: "a", Group: "g"}, Listing{ID: "b", Group: "g"}, Listing{ID: "c"})
	w.fleet.SetPolicy(Policy{Groups: map[string]Group{"g": {MaxConcurrent: 2}}})
	var r [3]Request
	var l [3]*Lease
	got := ""
	for i := range l {
		l[i], _ = w.lb.Pick(&r[i])
		got += l[i].ID()
	}
	if got != "aac" {
		t.Errorf("three at once went to %s", got)
	}
	l[0].Report(ok)
	if id := w.send(ok); id != "a" {
		t.Errorf("after one came back: %s", id)
	}
	l[1].Report(ok)
	l[2].Report(ok)
}

func TestDrain(t *testing.T) {
	w := newWorld(t, "failover", ids("a b")...)
	if !w.fleet.Drain("a") || w.fleet.Drain("absent") {
		t.Error("Drain tells wrongly whether it knows the backend")
	}
	if got := w.tally(10); got["b"] != 10 || !w.state("a").Drained {
		t.Errorf("drained a: %v", got)
	}
	w.fleet.Enable("a")
	if got := w.tally(10); got["a"] != 10 {
		t.Errorf("enabled a: %v", got)
	}
}

func TestLeaseIsReportedOnce(t *testing.T) {
	w := newWorld(t, "failover", ids("a")...)
	var r Request
	first, _ := w.lb.Pick(&r)
	first.Report(ok)
	first.Report(Outcome{Kind: Network})
	if s := w.state("a"); !s.Healthy || s.Successes != 1 || s.Failures != 0 || s.InFlight != 0 {
		t.Errorf("a second report counted: %+v", s)
	}
	// The request goes on to serve others; an old lease does nothing to theirs.
	for range 3 {
		r.Reset()
		l, err := w.lb.Pick(&r)
		if err != nil {
			t.Fatal(err)
		}
		first.Report(Outcome{Kind: Network})
		if s := w.state("a"); s.InFlight != 1 || !s.Healthy {
			t.Fatalf("a late second report hit another lease: %+v", s)
		}
		l.Report(ok)
	}
	// More leases at one time than the request has room for.
	var many []*Lease
	for range 3 * inlineLeases {
		r.Reset()
		l, err := w.lb.Pick(&r)
		if err != nil {
			t.Fatal(err)
		}
		many = append(many, l)
	}
	if n := w.fleet.Leases(); n != len(many) {
		t.Errorf("%d leases, want %d", n, len(many))
	}
	for _, l := range many {
		l.Report(ok)
	}
}

func TestTriedSetOfManyListings(t *testing.T) {
	lb := benchBalancer(t, "random", 300)
	var r Request
	for range 2 { // the second time after a Reset
		seen := map[string]bool{}
		for range 300 {
			l, err := lb.Pick(&r)
			if err != nil {
				t.Fatal(err)
			}
			if seen[l.ID()] {
				t.Fatalf("%s twice for one request", l.ID())
			}
			seen[l.ID()] = true
			l.Report(Outcome{Kind: Caller})
		}
		if u := refused(t, lb, &r); u.Reason != ReasonExhausted {
			t.Errorf("refused: %+v", u)
		}
		r.Reset()
	}
}

func TestOneBackendListedTwice(t *testing.T) {
	w := newWorld(t, "failover", Listing{ID: "a", Tags: []string{"x"}}, Listing{ID: "b", Priority: 1}, Listing{ID: "a", Priority: 2})
	var r Request
	got := ""
	for range 2 {
		l, err := w.lb.Pick(&r)
		if err != nil {
			t.Fatal(err)
		}
		got += l.ID()
		l.Report(ok)
	}
	if u := refused(t, w.lb, &r); got != "ab" || u.Reason != ReasonExhausted {
		t.Errorf("got %s, then %+v", got, u)
	}
}

func TestReloadKeepsState(t *testing.T) {
	w := newWorld(t, "failover", ids("a b c")...)
	w.open("a")
	w.fleet.Drain("b")
	old := w.lb
	running, _ := old.Pick(new(Request)) // on c
	w.lb = w.balancer("random", ids("a b d")...)
	w.fleet.Retain([]string{"a", "b", "d"})
	if s := w.state("a"); s.Breaker != BreakerOpen {
		t.Errorf("a forgot its breaker: %+v", s)
	}
	if !w.state("b").Drained {
		t.Error("b forgot that it is drained")
	}
	if s := w.state("c"); s.InFlight != 1 {
		t.Errorf("c was forgotten with a lease under way: %+v", s)
	}
	running.Report(ok)
	var names []string
	for _, s := range w.fleet.Backends() {
		names = append(names, s.ID)
	}
	if got := strings.Join(names, ""); got != "abd" {
		t.Errorf("after the last lease the fleet has %s", got)
	}
	// The old balancer still works for requests that hold it.
	if l, err := old.Pick(new(Request)); err != nil || l.ID() != "c" {
		t.Errorf("old balancer: %v %v", l, err)
	} else {
		l.Report(ok)
	}
}

func TestGroupsAreForgottenWithTheirLast(t *testing.T) {
	w := newWorld(t, "failover", Listing{ID: "a", Group: "g"}, Listing{ID: "b", Group: "g"}, Listing{ID: "c", Group: "h"})
	f := func(want string, keep ...string) {
		t.Helper()
		w.fleet.Retain(keep)
		w.fleet.mu.Lock()
		defer w.fleet.mu.Unlock()
		if got := strings.Join(slices.Sorted(maps.Keys(w.fleet.groups)), " "); got != want {
			t.Errorf("groups %q, want %q", got, want)
		}
	}
	f("g h", "a", "b", "c")
	f("g h", "a", "c")
	w.balancer("failover", Listing{ID: "a", Group: "moved"}, Listing{ID: "c", Group: "h"})
	f("h moved", "a", "c")
	f("h", "c")
	f("")
	w.balancer("failover", Listing{ID: "a", Group: "g"})
	f("g", "a")
}

func TestBalancerRefusesBadListings(t *testing.T) {
	f := NewFleet(Options{})
	_, err := f.Balancer(Config{Name: "m", Listings: []Listing{
		{ID: ""}, {ID: "a", Weight: -1}, {ID: "b", InputPrice: -2, Group: "g"}, {ID: "b", Group: "h"},
	}})
	const want = `loadbalance: "m": listing 0 (""): has no ID
loadbalance: "m": listing 1 ("a"): weight is -1, not a number from 0 up
loadbalance: "m": listing 2 ("b"): input price is -2, not a number from 0 up
loadbalance: "m": listing 3 ("b"): is in group "h" here and in "g" before`
	if err == nil || err.Error() != want {
		t.Errorf("error:\n%v\nwant:\n%s", err, want)
	}
	if n := len(f.Backends()); n != 0 {
		t.Errorf("a refused configuration left %d backends", n)
	}
}

func TestSnapshot(t *testing.T) {
	w := newWorld(t, "smart_weighted_failover", Listing{ID: "a", Weight: 2}, Listing{ID: "b", Weight: 2}, Listing{ID: "c"}, Listing{ID: "d"}, Listing{ID: "e"})
	w.report("b", Network, Success)
	w.report("c", Network)
	w.open("d")
	w.fleet.Drain("e")
	type row struct {
		id       string
		weight   float64
		effect   float64
		share    float64
		excluded string
	}
	var got []row
	for _, c := range w.lb.Snapshot() {
		got = append(got, row{c.ID, c.Weight, c.EffectiveWeight, c.Share, c.Excluded})
	}
	a, b := 2.0, 2.0*30/100
	want := []row{
		{"a", 2, a, a / (a + b), ""},
		{"b", 2, b, b / (a + b), ""},
		{"c", 1, 0, 0, "unhealthy"},
		{"d", 1, 0, 0, "breaker open"},
		{"e", 1, 0, 0, "drained"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%v\nwant\n%v", got, want)
	}
}

// TestSharesAreWhatPickDoes holds every strategy's explanation against its
// picks.
func TestSharesAreWhatPickDoes(t *testing.T) {
	const n = 20_000
	for _, s := range StrategyNames() {
		t.Run(s, func(t *testing.T) {
			w := newWorld(t, s, Listing{ID: "a", Weight: 3, Priority: 1}, Listing{ID: "b", Weight: 2, Tags: []string{"premium"}}, Listing{ID: "c", Weight: 1}, Listing{ID: "d"})
			for _, id := range []string{"a", "b", "c", "d"} {
				w.report(id, Success)
			}
			w.report("c", Network, Success)
			w.report("d", Network)
			explained := w.lb.Snapshot()
			got := map[string]int{}
			for range n {
				l := w.pick()
				got[l.ID()]++
				l.Report(Outcome{Kind: Cancelled})
			}
			for _, c := range explained {
				within3Sigma(t, c.ID, got[c.ID], n, c.Share)
			}
		})
	}
}
