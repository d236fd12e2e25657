package loadbalance

import (
	"fmt"
	"reflect"
	"testing"
	"time"
)

// A decision holds every listing, with why it was left out, and the pick.
func TestDecision(t *testing.T) {
	w := newWorld(t, "smart_weighted_failover",
		Listing{ID: "a:m", Group: "a", Weight: 2, InputPrice: 1000, OutputPrice: 2000},
		Listing{ID: "b:m", Group: "b", Priority: 3},
		Listing{ID: "c:m", Group: "c"},
		Listing{ID: "d:m", Group: "d"},
		Listing{ID: "e:m", Group: "e", Tags: []string{"vip"}},
		Listing{ID: "f:m", Group: "f"},
	)
	w.fleet.Drain("b:m")
	w.report("c:m", RateLimit)
	w.report("d:m", Server, Server, Server, Server, Server)
	w.report("f:m", Network)

	var d Decision
	w.req.Reset()
	w.req.Tags, w.req.Decision = []string{"team"}, &d
	l, err := w.lb.Pick(&w.req)
	if err != nil {
		t.Fatal(err)
	}
	l.Report(Outcome{Kind: Cancelled})
	p := w.fleet.policy.Load().SmartAI
	at := func(index int, id string, edit func(*Considered)) Considered {
		x := Considered{
			ID: id + ":m", Group: id, Index: index, Weight: 1,
			Confidence: p.InitialConfidence, Stage: 100, Healthy: true,
		}
		edit(&x)
		return x
	}
	price := w.lb.nodes[0].Cost()
	if price <= 0 {
		t.Fatalf("no price: %v", price)
	}
	d.weighings = nil
	want := Decision{
		Time: w.clock.now(), Balancer: "m", Picked: 0,
		Considered: []Considered{
			at(0, "a", func(x *Considered) { x.Weight, x.EffectiveWeight, x.Share, x.Cost = 2, 2, 1, price }),
			at(1, "b", func(x *Considered) { x.Priority, x.Excluded = 3, "drained" }),
			at(2, "c", func(x *Considered) { x.Excluded, x.Confidence = "cooling down", w.state("c:m").Confidence }),
			at(3, "d", func(x *Considered) {
				x.Excluded, x.Healthy, x.Breaker, x.Stage, x.Confidence = "breaker open", false, BreakerOpen, 30, w.state("d:m").Confidence
			}),
			at(4, "e", func(x *Considered) { x.Excluded = "tags" }),
			at(5, "f", func(x *Considered) {
				x.Excluded, x.Healthy, x.Stage, x.Confidence = "unhealthy", false, 30, w.state("f:m").Confidence
			}),
		},
	}
	if !reflect.DeepEqual(d, want) {
		t.Errorf("%+v\nwant\n%+v", d, want)
	}

	// The next pick of the request knows that the first one was tried: f:m is the last resort.
	if l, err = w.lb.Pick(&w.req); err != nil {
		t.Fatal(err)
	}
	l.Report(Outcome{Kind: Cancelled})
	if d.Picked != 5 || d.Considered[0].Excluded != "tried" || d.Considered[5].Excluded != "" || d.Considered[5].Share != 1 {
		t.Errorf("second pick: %+v", d)
	}
	refused(t, w.lb, &w.req)
	if d.Picked != -1 || d.Considered[5].Excluded != "tried" || d.Considered[5].Share != 0 {
		t.Errorf("nothing to pick: %+v", d)
	}
	d.Reset()
	if !reflect.DeepEqual(d, Decision{Picked: -1, Considered: []Considered{}, weighings: d.weighings}) {
		t.Errorf("after Reset: %+v", d)
	}
}

// What is recorded are the numbers that Explain gives for the same moment.
func TestDecisionIsWhatExplainSays(t *testing.T) {
	for _, name := range StrategyNames() {
		w := newWorld(t, name,
			Listing{ID: "a", Weight: 3, InputPrice: 3, OutputPrice: 9}, Listing{ID: "b", Weight: 1.5, InputPrice: 1, OutputPrice: 3},
			Listing{ID: "c", Priority: 1, Tags: []string{"premium"}}, Listing{ID: "d"})
		w.report("a", Success)
		w.report("b", Success, Server, Server, Success)
		w.report("d", Network)
		w.clock.forward(time.Hour)
		var d Decision
		for range 20 {
			w.req.Reset()
			want := w.lb.Explain(&w.req)
			w.req.Decision = &d
			l, err := w.lb.Pick(&w.req)
			if err != nil {
				t.Fatal(err)
			}
			for i, c := range want {
				x := Considered{
					ID: c.ID, Group: c.Group, Index: c.Index, Priority: c.Priority, Weight: c.Weight,
					EffectiveWeight: c.EffectiveWeight, Share: c.Share, Latency: c.Latency, Confidence: c.Confidence,
					Cost: c.Cost, Stage: c.Stage, Breaker: c.Breaker, Healthy: c.Healthy, Excluded: c.Excluded,
				}
				if d.Considered[i] != x {
					t.Errorf("%s: %+v, Explain says %+v", name, d.Considered[i], x)
				}
			}
			if got := d.Considered[d.Picked]; got.Index != l.Index() || got.Excluded != "" || !(got.Share > 0) {
				t.Errorf("%s: picked %d, recorded %+v", name, l.Index(), got)
			}
			l.Report(Outcome{Kind: Success, FirstContent: time.Second})
			w.clock.forward(time.Second)
		}
	}
}

// A long list is cut, but never loses the pick.
func TestDecisionOfManyListings(t *testing.T) {
	var listings []Listing
	for i := range 100 {
		listings = append(listings, Listing{ID: fmt.Sprint(i), Priority: 100 - i})
	}
	w := newWorld(t, "failover", listings...)
	var d Decision
	w.req.Decision = &d
	for picked := 99; picked >= 0; picked-- {
		l, err := w.lb.Pick(&w.req)
		if err != nil {
			t.Fatal(err)
		}
		l.Report(Outcome{Kind: Cancelled})
		got := d.Considered[d.Picked]
		if len(d.Considered) != 64 || d.Omitted != 36 || got.Index != picked || got.Share != 1 || got.Excluded != "" {
			t.Fatalf("%d: %d considered, %d omitted, picked %+v", picked, len(d.Considered), d.Omitted, got)
		}
	}
}

func TestDecisionAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for _, name := range StrategyNames() {
		lb := benchBalancer(t, name, 16)
		var r Request
		var d Decision
		do := func() {
			r.Decision = &d
			pickAndReport(t, lb, &r)
		}
		do()
		if got := testing.AllocsPerRun(200, do); got != 0 {
			t.Errorf("%s: %v allocations", name, got)
		}
	}
}

// BenchmarkDecision is a whole request whose decision is recorded, with 16
// candidates; compare BenchmarkPickReport.
func BenchmarkDecision(b *testing.B) {
	for _, name := range StrategyNames() {
		b.Run(name, func(b *testing.B) {
			lb := benchBalancer(b, name, 16)
			var r Request
			var d Decision
			b.ReportAllocs()
			for b.Loop() {
				r.Decision = &d
				pickAndReport(b, lb, &r)
			}
		})
	}
}
