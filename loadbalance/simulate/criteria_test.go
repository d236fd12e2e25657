package simulate

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/PPKunOfficial/berry-api/loadbalance"
)

// What the strategies promise, each as a simulation whose numbers are kept.
// They hold for every one of these seeds, so that none hangs by the luck of a draw.
const seeds = 3

// pair is a cheap backend and one that costs five times as much.
func pair() []loadbalance.Listing {
	return []loadbalance.Listing{
		{ID: "cheap:m", Group: "cheap", InputPrice: 1, OutputPrice: 4, Priority: 1},
		{ID: "dear:m", Group: "dear", InputPrice: 5, OutputPrice: 20, Priority: 2, Tags: []string{"premium"}},
	}
}

// simulated runs one strategy in a world, with the gateway's defaults and
// checks of the given kind.
func simulated(t *testing.T, c Config, strategy string, check loadbalance.CheckKind) *Report {
	t.Helper()
	s, err := loadbalance.ParseStrategy(strategy)
	if err != nil {
		t.Fatal(err)
	}
	c.Name, c.Strategy = strategy, s
	c.Rules = DefaultRules()
	c.Policy = loadbalance.DefaultPolicy()
	c.Policy.Groups = map[string]loadbalance.Group{}
	for _, l := range c.Listings {
		c.Policy.Groups[l.Group] = loadbalance.Group{Check: check}
	}
	r, err := Run(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	if r.Succeeded+r.Failed+r.Refused != r.Requests {
		t.Errorf("%d succeeded, %d failed, %d refused: not %d together", r.Succeeded, r.Failed, r.Refused, r.Requests)
	}
	return r
}

func builtIn(t *testing.T, name string) World {
	t.Helper()
	w, err := BuiltIn(name)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// eachSeed runs f with each seed.
func eachSeed(t *testing.T, f func(t *testing.T, seed uint64)) {
	t.Helper()
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { f(t, seed) })
	}
}

// (a) All healthy, cheap 1x and premium 5x: at least 80 % to the cheap one, at
// most 1.25 times the cost of always-cheap. By price, and by the tag alone.
func TestHealthyIsCheap(t *testing.T) {
	unpriced := pair()
	for i := range unpriced {
		unpriced[i].InputPrice, unpriced[i].OutputPrice = 0, 0
	}
	eachSeed(t, func(t *testing.T, seed uint64) {
		always := simulated(t, Config{Listings: pair(), World: builtIn(t, "healthy"), Seed: seed}, "failover", loadbalance.CheckAuto)
		smart := simulated(t, Config{Listings: pair(), World: builtIn(t, "healthy"), Seed: seed}, "smart_ai", loadbalance.CheckAuto)
		if always.Share(0) != 1 {
			t.Fatalf("the yardstick is not always cheap: %v", always.Share(0))
		}
		if smart.Share(0) < 0.8 || smart.Cost > 1.25*always.Cost {
			t.Errorf("share of the cheap one %.3f, cost %.3f of always-cheap", smart.Share(0), smart.Cost/always.Cost)
		}
		tagged := simulated(t, Config{Listings: unpriced, World: builtIn(t, "healthy"), Seed: seed}, "smart_ai", loadbalance.CheckAuto)
		if cost := tagged.Share(0) + 5*tagged.Share(1); tagged.Share(0) < 0.8 || cost > 1.25 {
			t.Errorf("by tag: share of the cheap one %.3f, cost %.3f of always-cheap", tagged.Share(0), cost)
		}
	})
}

// (b) Cheap fails for 10 minutes at 1 request/s: success after retries at
// least 99.9 %, left within 3 failed attempts of users, back within one recovery
// interval plus 10 requests, and then cheap again.
func TestOutageIsSurvived(t *testing.T) {
	for _, kind := range []loadbalance.Kind{loadbalance.Network, loadbalance.Server, loadbalance.Auth, loadbalance.Model} {
		t.Run(kind.String(), func(t *testing.T) {
			eachSeed(t, func(t *testing.T, seed uint64) {
				w := builtIn(t, "outage")
				w.Backends[0].Faults[0].Kind = Kind(kind)
				r := simulated(t, Config{Listings: pair(), World: w, Seed: seed}, "smart_ai", loadbalance.CheckAuto)
				if r.SuccessRate() < 0.999 {
					t.Errorf("success after retries %.4f", r.SuccessRate())
				}
				if len(r.Episodes) != 1 {
					t.Fatalf("episodes: %+v", r.Episodes)
				}
				e := r.Episodes[0]
				if !e.Left || e.Failures > 3 {
					t.Errorf("left %v after %d failed attempts and %v", e.Left, e.Failures, e.Leave)
				}
				most := loadbalance.DefaultPolicy().RecoveryInterval + 10*time.Second
				if !e.Returned || e.Return > most {
					t.Errorf("back %v after %v and %d requests", e.Returned, e.Return, e.Arrivals)
				}
				cheap, all := answered(r, 45*time.Minute, 60*time.Minute)
				if share := ratio(cheap, all); share < 0.8 {
					t.Errorf("share of the cheap one after the outage %.3f", share)
				}
			})
		})
	}
}

// answered counts the requests answered in a part of the timeline, by the
// first backend and by all.
func answered(r *Report, from, until time.Duration) (first, all int) {
	for i, s := range r.Timeline {
		if at := time.Duration(i) * r.Width; at >= from && at < until {
			first += s.Answered[0]
			for _, n := range s.Answered {
				all += n
			}
		}
	}
	return first, all
}

// (c) Cheap fails 20 % of the time: the cost per success beats
// weighted_failover's, and the success is no worse.
func TestFlakyIsUsedForWhatItIsWorth(t *testing.T) {
	eachSeed(t, func(t *testing.T, seed uint64) {
		c := Config{Listings: pair(), World: builtIn(t, "flaky"), Seed: seed}
		smart := simulated(t, c, "smart_ai", loadbalance.CheckAuto)
		weighted := simulated(t, c, "weighted_failover", loadbalance.CheckAuto)
		if smart.CostPerSuccess() >= weighted.CostPerSuccess() {
			t.Errorf("cost per success %.6f, weighted_failover's %.6f", smart.CostPerSuccess(), weighted.CostPerSuccess())
		}
		if smart.SuccessRate() < weighted.SuccessRate() {
			t.Errorf("success %.4f, weighted_failover's %.4f", smart.SuccessRate(), weighted.SuccessRate())
		}
	})
}

// (d) At one request per 10 minutes an idle backend is neither trusted nor
// damned for ever: what it was trusted with drifts toward the initial
// confidence, from above and from below, and it gets traffic again.
func TestIdleIsNeitherTrustedNorDamned(t *testing.T) {
	eachSeed(t, func(t *testing.T, seed uint64) {
		w := builtIn(t, "idle")
		// No checks: nothing but time and the traffic of users tells.
		r := simulated(t, Config{Listings: pair(), World: w, Seed: seed}, "smart_ai", loadbalance.CheckNone)
		if r.SuccessRate() < 0.999 {
			t.Errorf("success after retries %.4f", r.SuccessRate())
		}
		e := r.Episodes[0]
		if !e.Left || e.Failures > 3 || !e.Returned || e.Return > time.Hour {
			t.Errorf("left %v after %d, back %v after %v", e.Left, e.Failures, e.Returned, e.Return)
		}
		initial := loadbalance.DefaultPolicy().SmartAI.InitialConfidence
		// The dear one answered through the outage and rests from then on.
		dear := confidences(r, 1)
		during, end := slices.Max(dear[20:30]), dear[len(dear)-1]
		if during < 0.95 || end > (during+initial)/2 {
			t.Errorf("the dear one was trusted with %.3f in the outage and with %.3f twelve hours after", during, end)
		}
	})
}

// The other half of (d): an idle backend that failed is forgiven.
func TestIdleIsForgiven(t *testing.T) {
	eachSeed(t, func(t *testing.T, seed uint64) {
		w := builtIn(t, "idle")
		// The dear one fails only at the beginning, where the traffic comes to it
		// because the cheap one fails too; then it is never needed again.
		refused := Fault{Kind: Kind(loadbalance.Auth), Until: 2 * hour}
		w.Backends = []Script{{Match: "*", Faults: []Fault{refused}}}
		r := simulated(t, Config{Listings: pair(), World: w, Seed: seed}, "smart_ai", loadbalance.CheckNone)
		for i, id := range []string{"cheap", "dear"} {
			c := confidences(r, i)
			if low, end := slices.Min(c[:5]), c[len(c)-1]; low > 0.3 || end < 0.75 {
				t.Errorf("%s was trusted with %.3f at the worst and with %.3f a day later", id, low, end)
			}
		}
	})
}

func confidences(r *Report, backend int) []float64 {
	var c []float64
	for _, s := range r.Timeline {
		c = append(c, s.Confidence[backend])
	}
	return c
}

// (e) Backends that are billed per request see no synthetic requests in 24
// hours, whatever the checks and whatever fails.
func TestPerRequestIsNeverProbed(t *testing.T) {
	for _, strategy := range loadbalance.StrategyNames() {
		for _, check := range []loadbalance.CheckKind{loadbalance.CheckAuto, loadbalance.CheckChat} {
			t.Run(strategy+" "+check.String(), func(t *testing.T) {
				listings := pair()
				for i := range listings {
					listings[i].PerRequest, listings[i].RequestPrice = true, float64(1+4*i)/1000
				}
				// One of the same account that is billed by the token is checked.
				listings = append(listings, loadbalance.Listing{ID: "cheap:other", Group: "cheap", InputPrice: 1, OutputPrice: 1})
				w := builtIn(t, "outage")
				w.Duration, w.Traffic.Rate = 24*hour, 0.1
				w.Backends = []Script{{Match: "*:m", Faults: []Fault{
					{Kind: Kind(loadbalance.Server), From: 2 * hour, Until: 3 * hour},
					{Kind: Kind(loadbalance.Network), From: 6 * hour, Until: 9 * hour},
				}}}
				r := simulated(t, Config{Listings: listings, World: w}, strategy, check)
				for _, b := range r.Backends[:2] {
					if b.Chats+b.FreeChecks != 0 {
						t.Errorf("%s was checked %d times for money and %d times without", b.ID, b.Chats, b.FreeChecks)
					}
				}
				if b := r.Backends[2]; b.Chats+b.FreeChecks == 0 {
					t.Error("the one that is billed by the token was not checked: the test proves nothing")
				}
				for _, e := range r.Episodes {
					if e.Failures > 0 && !e.Returned && e.Until < 9*time.Hour {
						t.Errorf("%s never came back: %+v", e.Backend, e)
					}
				}
			})
		}
	}
}

// (f) Flapping every 30 s: at most 1.2 attempts per request, with each
// strategy and kind of failure.
func TestFlappingIsNotAmplified(t *testing.T) {
	for _, strategy := range loadbalance.StrategyNames() {
		for _, kind := range []loadbalance.Kind{loadbalance.Network, loadbalance.Server, loadbalance.RateLimit} {
			t.Run(strategy+" "+kind.String(), func(t *testing.T) {
				eachSeed(t, func(t *testing.T, seed uint64) {
					w := builtIn(t, "flapping")
					w.Backends[0].Faults[0].Kind = Kind(kind)
					r := simulated(t, Config{Listings: pair(), World: w, Seed: seed}, strategy, loadbalance.CheckAuto)
					if r.AttemptsPerRequest() > 1.2 {
						t.Errorf("%.3f attempts per request", r.AttemptsPerRequest())
					}
				})
			})
		}
	}
}

// A backend that takes requests and does not answer while its list of models
// can be read: what was sent before the first timeout waits in vain, and hardly
// any request after it.
func TestHangIsLeft(t *testing.T) {
	eachSeed(t, func(t *testing.T, seed uint64) {
		r := simulated(t, Config{Listings: pair(), World: builtIn(t, "hang"), Seed: seed}, "smart_ai", loadbalance.CheckAuto)
		e := r.Episodes[0]
		underWay := int(DefaultGroupRules().FirstContent.Seconds())
		if !e.Left || e.Failures > underWay+5 || !e.Returned || e.Return > 130*time.Second || r.SuccessRate() < 0.999 {
			t.Errorf("%d of %d requests waited in vain, left %v, back after %v, success %.4f",
				e.Failures, underWay, e.Left, e.Return, r.SuccessRate())
		}
		if r.Chats() > 60 {
			t.Errorf("%d paid checks in ten minutes", r.Chats())
		}
	})
}
