package loadbalance_test

import (
	"fmt"

	"github.com/PPKunOfficial/berry-api/loadbalance"
)

// download stands for the work that can fail: the first mirror is down.
func download(mirror string) loadbalance.Kind {
	if mirror == "near" {
		return loadbalance.Network
	}
	return loadbalance.Success
}

func Example() {
	strategy, _ := loadbalance.ParseStrategy("failover")
	fleet := loadbalance.NewFleet(loadbalance.Options{})
	mirrors, err := fleet.Balancer(loadbalance.Config{
		Strategy: strategy,
		Listings: []loadbalance.Listing{{ID: "near"}, {ID: "far", Priority: 1}},
	})
	if err != nil {
		panic(err)
	}
	for range 2 { // two requests; each may be tried on both
		var request loadbalance.Request
		for lease, err := mirrors.Pick(&request); err == nil; lease, err = mirrors.Pick(&request) {
			kind := download(lease.ID())
			lease.Report(loadbalance.Outcome{Kind: kind})
			fmt.Println(lease.ID(), kind)
			if !kind.Elsewhere() || !lease.MayRetry() {
				break
			}
		}
	}
	// Output:
	// near network
	// far success
	// far success
}

// A strategy of one's own is any value with a Pick method.
type leastBusy struct{}

func (leastBusy) Pick(c []*loadbalance.Node, _ *loadbalance.Request) int {
	best := 0
	for i, n := range c {
		if n.InFlight() < c[best].InFlight() {
			best = i
		}
	}
	return best
}

func ExampleStrategy() {
	fleet := loadbalance.NewFleet(loadbalance.Options{})
	b, err := fleet.Balancer(loadbalance.Config{Strategy: leastBusy{}, Listings: []loadbalance.Listing{{ID: "a"}, {ID: "b"}}})
	if err != nil {
		panic(err)
	}
	for range 3 {
		lease, err := b.Pick(new(loadbalance.Request))
		if err != nil {
			panic(err)
		}
		defer lease.Report(loadbalance.Outcome{Kind: loadbalance.Success})
		fmt.Print(lease.ID(), " ")
	}
	// Output: a b a
}
