package simulate

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/PPKunOfficial/berry-api/loadbalance"
)

// outage is what a simulation of a model that is down as a whole showed.
type outage struct {
	from, until time.Duration // when no attempt on any backend is answered
	limit       time.Duration // until an attempt that hangs is given up
	dead        map[string]int
	passed      int           // attempts on a dead backend that were no trials
	back        time.Duration // from the first recovery until a request was sent that was answered
	served      int           // attempts on the recovered backend in the half-minute from flowing on
	broken      int           // those of them that failed
	report      *Report
}

// observe counts an attempt. The first backend to come back is "dear:m".
func (o *outage) observe(a Attempt) {
	switch {
	case a.Begin >= o.from+o.limit && a.Begin < o.until:
		o.dead[a.Backend]++
		if !a.Trial {
			o.passed++
		}
	case a.Begin >= o.until && a.Backend == "dear:m":
		if a.Kind == loadbalance.Success && (o.back == 0 || a.Begin-o.until < o.back) {
			o.back = a.Begin - o.until
		}
		if after := a.Begin - o.until; after > flowing && after <= flowing+30*time.Second {
			o.served++
		}
		if a.Kind != loadbalance.Success {
			o.broken++
		}
	}
}

// flowing is after how long all traffic must have come to the first backend
// that is back: two seconds, and its time to the first content.
const flowing = 4 * time.Second

// down simulates that everything fails for four minutes and the dear one comes
// back then, at a moment that the seed moves, the cheap one a minute later.
func down(t *testing.T, c Config, strategy string, check loadbalance.CheckKind, fault Fault) *outage {
	t.Helper()
	o := &outage{from: time.Minute, dead: map[string]int{}, limit: 2*DefaultGroupRules().FirstContent + 5*time.Second}
	o.until = 5*time.Minute + time.Duration(c.Seed%7)*370*time.Millisecond
	fault.From, fault.Until = Duration(o.from), Duration(o.until)
	longer := fault
	longer.Until += minute
	c.World.Duration = 7 * minute
	c.World.Backends = []Script{{Match: "cheapest", Faults: []Fault{longer}}, {Match: "*", Faults: []Fault{fault}}}
	c.Observe = o.observe
	o.report = simulated(t, c, strategy, check)
	return o
}

// (g) All down: no busy loop, who is refused is told when to come back, and
// the traffic is back within 2 s of the first backend's recovery: whatever fails,
// with any checks or none, and where no check may ask for anything. Rate limits
// say themselves for how long.
func TestDownIsQuietAndEndsAtOnce(t *testing.T) {
	checks := map[string]loadbalance.CheckKind{
		"auto": loadbalance.CheckAuto, "chat": loadbalance.CheckChat, "none": loadbalance.CheckNone, "per request": loadbalance.CheckAuto,
	}
	seed := uint64(0) // each world has its own, so that together they are many
	kinds := []loadbalance.Kind{loadbalance.Network, loadbalance.Timeout, loadbalance.Server, loadbalance.Auth, loadbalance.Model}
	for _, name := range slices.Sorted(maps.Keys(checks)) {
		check := checks[name]
		for _, kind := range kinds {
			for _, strategy := range loadbalance.StrategyNames() {
				for _, rate := range []float64{1, 10} {
					t.Run(fmt.Sprintf("%s %s %s %v per second", name, kind, strategy, rate), func(t *testing.T) {
						listings := pair()
						for i := range listings {
							listings[i].PerRequest = name == "per request"
						}
						seed++
						c := Config{Listings: listings, World: World{Name: "down", Traffic: Traffic{Rate: rate}}, Seed: seed}
						o := down(t, c, strategy, check, Fault{Kind: Kind(kind)})
						o.judge(t, rate)
						if name == "per request" && o.report.Chats()+o.report.Backends[0].FreeChecks+o.report.Backends[1].FreeChecks > 0 {
							t.Error("a backend that is billed per request was checked")
						}
					})
				}
			}
		}
	}
}

func (o *outage) judge(t *testing.T, rate float64) {
	t.Helper()
	// One attempt on each backend a second, less up to a quarter; and an
	// unhealthy one is nobody's way round the breaker.
	most := int((o.until-o.from-o.limit).Seconds())*4/3 + 1
	for id, n := range o.dead {
		if n > most || n == 0 {
			t.Errorf("%d attempts on %s while all was down, want at most %d", n, id, most)
		}
	}
	if o.passed > 0 {
		t.Errorf("%d attempts on dead backends were no trials", o.passed)
	}
	if r := o.report; r.WaitLongest > 2*time.Second || rate == 10 && (r.Refused < 1000 || r.WaitShortest <= 0) {
		t.Errorf("%d were refused, told to wait from %v to %v", r.Refused, r.WaitShortest, r.WaitLongest)
	}
	if o.back <= 0 || o.back > 2*time.Second {
		t.Errorf("back after %v", o.back)
	}
	if want := int(30*rate) - 1; o.broken > 0 || o.served < want {
		t.Errorf("in the half-minute after the first content %d requests were sent to it, want %d; %d failed", o.served, want, o.broken)
	}
	for _, b := range o.report.Backends {
		if b.FreeChecks > 7*60 || b.Chats > 60 {
			t.Errorf("%s: %d free checks and %d chats in seven minutes", b.ID, b.FreeChecks, b.Chats)
		}
	}
}
