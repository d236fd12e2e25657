package loadbalance

import (
	"fmt"
	"testing"
	"time"
)

// benchBalancer has n listings in groups of four, with weights, priorities and
// prices, all healthy and measured.
func benchBalancer(tb testing.TB, strategy string, n int) *Balancer {
	tb.Helper()
	s, err := ParseStrategy(strategy)
	if err != nil {
		tb.Fatal(err)
	}
	f := NewFleet(Options{})
	c := Config{Name: "bench", Strategy: s}
	for i := range n {
		l := Listing{
			ID: fmt.Sprintf("p%d:m%d", i/4, i), Group: fmt.Sprintf("p%d", i/4),
			Weight: float64(1 + i%5), Priority: i % 3,
			InputPrice: float64(1 + i%7), OutputPrice: float64(2 + i%7),
		}
		if i%2 == 1 {
			l.Tags = []string{"team", "other"}
		}
		c.Listings = append(c.Listings, l)
	}
	b, err := f.Balancer(c)
	if err != nil {
		tb.Fatal(err)
	}
	for i, n := range b.nodes {
		now := f.now()
		n.backend.report(Outcome{Kind: Success, FirstContent: time.Duration(100+i) * time.Millisecond}, now, false)
	}
	return b
}

// pickAndReport is one request of the steady state.
func pickAndReport(tb testing.TB, b *Balancer, r *Request) {
	l, err := b.Pick(r)
	if err != nil {
		tb.Error(err)
		return
	}
	l.Report(Outcome{Kind: Success, FirstContent: 100 * time.Millisecond, InputTokens: 900, OutputTokens: 200})
	r.Reset()
}

// BenchmarkPick is one Pick alone; the lease is taken back without a report's
// bookkeeping. Run it with -cpu 1,8.
func BenchmarkPick(b *testing.B) {
	for _, name := range StrategyNames() {
		b.Run(name, func(b *testing.B) { benchmarkPick(b, name, 16) })
	}
}

// BenchmarkPickSize shows how the cost grows with the number of candidates.
func BenchmarkPickSize(b *testing.B) {
	for _, name := range StrategyNames() {
		for _, n := range []int{2, 16, 100, 1000} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) { benchmarkPick(b, name, n) })
		}
	}
}

func benchmarkPick(b *testing.B, name string, n int) {
	lb := benchBalancer(b, name, n)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		r := new(Request)
		for pb.Next() {
			l, err := lb.Pick(r)
			if err != nil {
				b.Error(err)
				return
			}
			l.live.Store(false)
			l.group.inFlight.Add(-1)
			l.node.backend.inFlight.Add(-1)
			r.Reset()
		}
	})
}

// BenchmarkPickReport is a whole request: Pick and Report.
func BenchmarkPickReport(b *testing.B) {
	for _, name := range StrategyNames() {
		b.Run(name, func(b *testing.B) {
			lb := benchBalancer(b, name, 16)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				r := new(Request)
				for pb.Next() {
					pickAndReport(b, lb, r)
				}
			})
		})
	}
}

// BenchmarkPickTags is Pick for a caller with two tags.
func BenchmarkPickTags(b *testing.B) {
	lb := benchBalancer(b, "weighted_failover", 16)
	tags := []string{"team", "absent"}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		r := new(Request)
		for pb.Next() {
			r.Tags = tags
			pickAndReport(b, lb, r)
		}
	})
}
