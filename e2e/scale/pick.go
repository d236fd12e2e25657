package main

import (
	"fmt"
	"time"

	"github.com/PPKunOfficial/berry-api/loadbalance"
)

// picked returns the time in ns that one choice among n backends takes, by the
// strategy that looks at most of them.
func picked(n int) float64 {
	strategy, err := loadbalance.ParseStrategy("smart_ai")
	if err != nil {
		panic(err) // the name is the library's own
	}
	c := loadbalance.Config{Name: "scale", Strategy: strategy}
	for i := range n {
		c.Listings = append(c.Listings, loadbalance.Listing{
			ID: fmt.Sprintf("p%d:m%d", i/perProvider, i), Group: fmt.Sprintf("p%d", i/perProvider),
			Weight: float64(1 + i%5), InputPrice: float64(1 + i%4), OutputPrice: float64(2 + i%7),
		})
	}
	b, err := loadbalance.NewFleet(loadbalance.Options{}).Balancer(c)
	if err != nil {
		panic(err) // the listings are good
	}
	var r loadbalance.Request
	round := func(times int) time.Duration {
		begin := time.Now()
		for range times {
			l, err := b.Pick(&r)
			if err != nil {
				panic(err) // nothing fails here
			}
			l.Report(loadbalance.Outcome{Kind: loadbalance.Success, FirstContent: 100 * time.Millisecond})
			r.Reset()
		}
		return time.Since(begin)
	}
	const times = 2000
	best := round(times)
	for range repeats {
		best = min(best, round(times))
	}
	return float64(best.Nanoseconds()) / times
}
