package simulate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/PPKunOfficial/berry-api/loadbalance"
)

// The same seed gives the same report, to the last attempt; another one does not.
func TestSameSeedSameReport(t *testing.T) {
	for _, name := range WorldNames() {
		for _, strategy := range []string{"smart_ai", "round_robin", "least_latency"} {
			run := func(seed uint64) (*Report, string) {
				var log strings.Builder
				c := Config{Listings: pair(), World: builtIn(t, name), Seed: seed, Observe: func(a Attempt) { fmt.Fprintln(&log, a) }}
				return simulated(t, c, strategy, loadbalance.CheckAuto), log.String()
			}
			r1, log1 := run(1)
			r2, log2 := run(1)
			if !reflect.DeepEqual(r1, r2) || log1 != log2 {
				t.Errorf("%s, %s: two runs with one seed differ", name, strategy)
			}
			if _, other := run(2); other == log1 {
				t.Errorf("%s, %s: another seed gives the same", name, strategy)
			}
		}
	}
}

// Whatever happens, no lease is forgotten, and the figures fit together.
func TestFiguresFitTogether(t *testing.T) {
	for _, name := range WorldNames() {
		for seed := range uint64(3) {
			s, err := loadbalance.ParseStrategy("smart_ai")
			if err != nil {
				t.Fatal(err)
			}
			c := Config{Strategy: s, Listings: pair(), Policy: loadbalance.DefaultPolicy(), Rules: DefaultRules(), World: builtIn(t, name), Seed: seed}
			c.World.Traffic.Random, c.World.Traffic.Whole, c.World.Traffic.Diurnal = true, 0.5, 0.5
			sim, err := start(context.Background(), c)
			if err != nil {
				t.Fatal(err)
			}
			r, err := sim.run(c)
			if err != nil {
				t.Fatal(err)
			}
			if n := sim.fleet.Leases(); n != 0 {
				t.Errorf("%s: %d leases were forgotten", name, n)
			}
			attempts, succeeded, cost, answered, unanswered := 0, 0, 0.0, 0, 0
			for _, b := range r.Backends {
				attempts += b.Attempts
				succeeded += b.Succeeded
				cost += b.Cost
				if b.Succeeded+b.Failed != b.Attempts {
					t.Errorf("%s: %+v", name, b)
				}
			}
			for _, slice := range r.Timeline {
				unanswered += slice.Unanswered
				for _, n := range slice.Answered {
					answered += n
				}
			}
			if attempts != r.Attempts || succeeded != r.Succeeded || math.Abs(cost-r.Cost) > 1e-9 ||
				answered != r.Succeeded || unanswered != r.Failed+r.Refused || r.Succeeded+r.Failed+r.Refused != r.Requests ||
				len(r.Timeline) != timelineSlices || r.P50 > r.P99 || r.P50 <= 0 {
				t.Errorf("%s: %d attempts, %d succeeded, cost %v, %d answered and %d not in the timeline of %d; %+v",
					name, attempts, succeeded, cost, answered, unanswered, len(r.Timeline), r)
			}
		}
	}
}

func TestRunRefuses(t *testing.T) {
	f := func(want string, change func(c *Config)) {
		t.Helper()
		c := Config{Name: "x", Listings: pair(), World: World{Duration: minute, Traffic: Traffic{Rate: 1}}}
		change(&c)
		if _, err := Run(context.Background(), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	f("there are no listings", func(c *Config) { c.Listings = nil })
	f("has no ID", func(c *Config) { c.Listings[0].ID = "" })
	f("duration must be above 0", func(c *Config) { c.World.Duration = 0 })
	f("rate must be above 0", func(c *Config) { c.World.Traffic.Rate = 0 })
	f("rate must be above 0", func(c *Config) { c.World.Traffic.Rate = math.NaN() })
	f("the trace is not sorted", func(c *Config) { c.World.Traffic.Trace = []Arrival{{At: 2}, {At: 1}} })
	f("whole must be from 0 to 1", func(c *Config) { c.World.Traffic.Whole = 2 })
	f("backends[0]: faults[0]: kind must be one of", func(c *Config) { c.World.Backends = []Script{{Match: "*", Faults: []Fault{{}}}} })

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	c := Config{Listings: pair(), World: World{Duration: minute, Traffic: Traffic{Rate: 1}}}
	if _, err := Run(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v after the end of the context", err)
	}
}

// A simulation without checks, faults or anything else that is set.
func TestZeroIsSafe(t *testing.T) {
	r, err := Run(context.Background(), Config{
		Listings: []loadbalance.Listing{{ID: "a"}, {ID: "a"}}, World: World{Duration: minute, Traffic: Traffic{Rate: 1}},
	})
	if err != nil || r.Requests != 60 || r.Succeeded != 60 || len(r.Backends) != 1 || r.Cost != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestArrivals(t *testing.T) {
	// counts returns how many requests come in each of n parts of a length.
	counts := func(traffic Traffic, part time.Duration, n int) []int {
		a := arrivals{traffic: &traffic, rnd: rand.New(rand.NewPCG(1, 2))}
		out := make([]int, n)
		for {
			next, ok := a.next()
			if !ok || next.At >= time.Duration(n)*part {
				return out
			}
			out[next.At/part]++
		}
	}
	f := func(name string, got []int, want ...int) {
		t.Helper()
		for i := range want {
			if math.Abs(float64(got[i]-want[i])) > 0.02*float64(want[i])+1 {
				t.Errorf("%s: got %v, want about %v", name, got, want)
				return
			}
		}
	}
	f("even", counts(Traffic{Rate: 0.1}, time.Minute, 3), 6, 6, 6)
	f("random", counts(Traffic{Rate: 50, Random: true}, time.Hour, 2), 180000, 180000)
	f("bursts", counts(Traffic{Rate: 10, Burst: Burst{10 * minute, minute, 5}}, time.Minute, 20),
		600, 600, 600, 600, 600, 600, 600, 600, 600, 3000, 600, 600, 600, 600, 600, 600, 600, 600, 600, 3000)
	f("silence between bursts", counts(Traffic{Rate: 100, Random: true, Burst: Burst{10 * minute, 9 * minute, 0}}, time.Minute, 11),
		6000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6000)
	quarter := 6 * 3600 * 10
	swing := int(0.5 * 2 / math.Pi * float64(quarter)) // the mean of the cosine over a quarter
	f("diurnal", counts(Traffic{Rate: 10, Diurnal: 0.5}, 6*time.Hour, 4),
		quarter-swing, quarter+swing, quarter+swing, quarter-swing)
	// Random arrivals scatter as a Poisson process does: variance equals mean.
	mean, squares := 0.0, 0.0
	parts := counts(Traffic{Rate: 1, Random: true}, time.Minute, 2000)
	for _, n := range parts {
		mean += float64(n) / float64(len(parts))
	}
	for _, n := range parts {
		squares += (float64(n) - mean) * (float64(n) - mean) / float64(len(parts))
	}
	if squares < 0.85*mean || squares > 1.15*mean {
		t.Errorf("mean %.2f, variance %.2f", mean, squares)
	}
}

func TestDistributions(t *testing.T) {
	f := func(d Distribution, mean float64) {
		t.Helper()
		rnd, sum := rand.New(rand.NewPCG(1, 2)), 0.0
		const n = 100_000
		for range n {
			x := d.draw(rnd)
			if x < 0 {
				t.Fatalf("%v drew %v", d, x)
			}
			sum += x / n
		}
		if math.Abs(sum-mean) > 0.02*mean || math.Abs(d.mean()-mean) > 1e-9*mean {
			t.Errorf("%v: mean of the draws %v, said %v, want %v", d, sum, d.mean(), mean)
		}
	}
	f(Constant(3), 3)
	f(Uniform(1, 2), 1.5)
	f(Lognormal(2, 0.5), 2*math.Exp(0.125))
	f(Distribution{}, 0)
}

// A backend over its limit says when the minute is over.
func TestRequestsPerMinute(t *testing.T) {
	a := newActor(Script{RequestsPerMinute: 2, Latency: Constant(1)}, time.Hour, rand.New(rand.NewPCG(1, 2)))
	f := func(at time.Duration, wait time.Duration) {
		t.Helper()
		x := a.answer(moment(at), ask{limit: time.Minute})
		if limited := x.kind == loadbalance.RateLimit; limited != (wait > 0) || x.retryAfter != wait {
			t.Errorf("at %v: %+v, want to wait %v", at, x, wait)
		}
	}
	f(10*time.Second, 0)
	f(20*time.Second, 0)
	f(30*time.Second, 30*time.Second)
	f(59*time.Second, time.Second)
	f(60*time.Second, 0)
}

// What each kind of check sees of each kind of fault.
func TestChecksSeeFaults(t *testing.T) {
	f := func(kind loadbalance.Kind, account bool, list, connect loadbalance.Kind) {
		t.Helper()
		a := newActor(Script{Faults: []Fault{{Kind: Kind(kind), Account: account}}}, time.Hour, rand.New(rand.NewPCG(1, 2)))
		if got := a.checked(0, loadbalance.CheckList).Kind; got != list {
			t.Errorf("%v, account %v: the list says %v, want %v", kind, account, got, list)
		}
		if got := a.checked(0, loadbalance.CheckConnect).Kind; got != connect {
			t.Errorf("%v, account %v: the connection says %v, want %v", kind, account, got, connect)
		}
	}
	const good = loadbalance.Success
	f(loadbalance.Network, false, loadbalance.Network, loadbalance.Network)
	f(loadbalance.Auth, false, loadbalance.Auth, good)
	f(loadbalance.Model, false, loadbalance.Model, good)
	f(loadbalance.Timeout, false, good, good)
	f(loadbalance.Timeout, true, loadbalance.Timeout, good)
	f(loadbalance.Server, false, good, good)
	f(loadbalance.Server, true, loadbalance.Server, good)
	f(loadbalance.RateLimit, false, good, good)
}

func TestPercentile(t *testing.T) {
	f := func(p float64, want time.Duration, seconds ...float32) {
		t.Helper()
		if got := percentile(seconds, p); got != want {
			t.Errorf("percentile(%v, %v) = %v, want %v", seconds, p, got, want)
		}
	}
	f(0.5, 0)
	f(0.5, time.Second, 1)
	f(0.5, 2*time.Second, 4, 1, 3, 2)
	f(0.99, 4*time.Second, 4, 1, 3, 2)
	f(0.25, time.Second, 4, 1, 3, 2)
}

// 100,000 requests on three backends of which one fails for a while.
func BenchmarkRun(b *testing.B) {
	for _, strategy := range []string{"smart_ai", "weighted_failover"} {
		b.Run(strategy, func(b *testing.B) {
			w := World{Duration: hour, Traffic: Traffic{Rate: 100_000.0 / 3600}, Backends: []Script{
				{Match: "a", Faults: []Fault{{Kind: Kind(loadbalance.Network), From: 20 * minute, Until: 30 * minute}}},
			}}
			p := loadbalance.DefaultPolicy()
			p.Groups = map[string]loadbalance.Group{"a": {Check: loadbalance.CheckAuto}}
			b.ReportAllocs()
			for b.Loop() {
				s, err := loadbalance.ParseStrategy(strategy)
				if err != nil {
					b.Fatal(err)
				}
				r, err := Run(context.Background(), Config{
					Strategy: s, Listings: []loadbalance.Listing{{ID: "a", InputPrice: 1}, {ID: "b", InputPrice: 2}, {ID: "c", InputPrice: 5}},
					Policy: p, Rules: DefaultRules(), World: w,
				})
				if err != nil || r.Requests != 100_000 {
					b.Fatal(r, err)
				}
			}
		})
	}
}
