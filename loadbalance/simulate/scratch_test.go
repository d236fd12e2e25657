package simulate

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/PPKunOfficial/berry-api/loadbalance"
)

func TestScratch(t *testing.T) {
	p := loadbalance.DefaultPolicy()
	p.Groups = map[string]loadbalance.Group{"a": {Check: loadbalance.CheckAuto}, "b": {Check: loadbalance.CheckAuto}, "c": {Check: loadbalance.CheckAuto}}
	ls := []loadbalance.Listing{
		{ID: "a:m", Group: "a", InputPrice: 1, OutputPrice: 1, Priority: 1},
		{ID: "b:m", Group: "b", InputPrice: 5, OutputPrice: 5, Priority: 2, Tags: []string{"premium"}},
	}
	for _, wn := range WorldNames() {
		w, err := BuiltIn(wn)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println(wn)
		for _, n := range loadbalance.StrategyNames() {
			s, _ := loadbalance.ParseStrategy(n)
			t0 := time.Now()
			r, err := Run(context.Background(), Config{Name: n, Strategy: s, Listings: ls, Policy: p, Rules: DefaultRules(), World: w, Seed: 1})
			if err != nil {
				t.Fatal(err)
			}
			l, _ := r.WorstLeave()
			rt, _ := r.WorstReturn()
			fmt.Printf("%-25s n=%d ok=%.4f f=%d ref=%d(%v-%v) att=%.3f cost/1k=%.3f p50=%v p99=%v share=%.3f leave=%v,%d,%v ret=%v/%d free=%d chats=%d  %v\n", n, r.Requests, r.SuccessRate(), r.Failed, r.Refused, r.WaitShortest, r.WaitLongest, r.AttemptsPerRequest(), 1000*r.CostPerSuccess(), r.P50.Round(time.Millisecond), r.P99.Round(time.Millisecond), r.Share(0), l.Left, l.Failures, l.Leave.Round(time.Millisecond), rt.Return.Round(time.Millisecond), rt.Arrivals, r.Backends[0].FreeChecks, r.Chats(), time.Since(t0).Round(time.Millisecond))
		}
	}
}
