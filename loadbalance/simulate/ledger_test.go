package simulate

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/PPKunOfficial/berry-api/loadbalance"
)

// one is a request at second 60, on backends that follow the scripts in the
// order of their names; all of it is written down as attempts.
type one struct {
	t        *testing.T
	rules    Rules
	backends string // "a b": one letter each, in the order of failover
	faults   map[string]Fault
	limits   map[string]int
}

func (o one) wantAttempts(want ...string) {
	o.t.Helper()
	c := Config{Rules: o.rules, Policy: loadbalance.DefaultPolicy(), World: World{
		Duration: 2 * minute, Traffic: Traffic{Trace: []Arrival{{At: time.Minute, Stream: true, OutputTokens: 1, InputTokens: 1}}},
	}}
	strategy, err := loadbalance.ParseStrategy("failover")
	if err != nil {
		o.t.Fatal(err)
	}
	c.Strategy = strategy
	for i, r := range o.backends {
		id := string(r)
		c.Listings = append(c.Listings, loadbalance.Listing{ID: id, Priority: i})
		s := Script{Match: id, Latency: Constant(1), PerToken: new(Duration), RequestsPerMinute: o.limits[id]}
		if f, ok := o.faults[id]; ok {
			s.Faults = []Fault{f}
		}
		c.World.Backends = append(c.World.Backends, s)
	}
	var got []string
	c.Observe = func(a Attempt) {
		got = append(got, fmt.Sprintf("%s %s %s %s", a.Backend, a.Why, pauseName(a.Why, a.Pause), a.Kind))
		if a.End < a.Begin || a.Request != 1 {
			o.t.Errorf("%+v", a)
		}
	}
	if _, err := Run(context.Background(), c); err != nil {
		o.t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		o.t.Errorf("attempts:\n  %q\nwant:\n  %q", got, want)
	}
}

// pauseName rounds a pause with jitter up to the one that it was made of.
func pauseName(why string, d time.Duration) string {
	if why != string(sameBackend) {
		return d.String()
	}
	for whole := firstPause; whole <= longestPause; whole *= 2 {
		if d > whole/2 && d <= whole {
			return "~" + whole.String()
		}
	}
	return "~" + d.String()
}

// Each rule of the relay's ledger (relay/ledger.go) has its case here. If one
// changes there, it has to change here and in the documentation of Rules.
func TestRulesOfTheRelay(t *testing.T) {
	fault := func(kind loadbalance.Kind, retryAfter time.Duration) Fault {
		return Fault{Kind: Kind(kind), RetryAfter: Duration(retryAfter)}
	}
	both := func(f Fault) map[string]Fault { return map[string]Fault{"a": f, "b": f} }
	r := DefaultRules()
	f := func(name string, o one, want ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Helper()
			o.t = t
			if o.rules.Whole == 0 {
				o.rules = r
			}
			o.wantAttempts(want...)
		})
	}

	f("next: an answer ends it", one{backends: "ab"}, "a first 0s success")
	f("sameBackend: server errors stay, up to max_retries of the provider, then move",
		one{backends: "ab", faults: map[string]Fault{"a": fault(loadbalance.Server, 0)}},
		"a first 0s server", "a same_backend ~100ms server", "b failover 0s success")
	f("sameBackend: each further pause doubles",
		one{backends: "a", faults: both(fault(loadbalance.Server, 0)), rules: Rules{
			MaxRetries: 9, Whole: time.Hour, Groups: map[string]GroupRules{"a": {MaxRetries: 9, FirstContent: time.Hour}},
		}},
		// The breaker opens after five failures.
		"a first 0s server", "a same_backend ~100ms server", "a same_backend ~200ms server",
		"a same_backend ~400ms server", "a same_backend ~800ms server")
	f("next: after a move the count begins anew, and max_retries bounds all",
		one{backends: "ab", faults: both(fault(loadbalance.Server, 0))},
		"a first 0s server", "a same_backend ~100ms server", "b failover 0s server", "b same_backend ~100ms server")
	f("next: network, timeout, auth and model move at once",
		one{backends: "abc", faults: map[string]Fault{"a": fault(loadbalance.Network, 0), "b": fault(loadbalance.Auth, 0)}},
		"a first 0s network", "b failover 0s auth", "c failover 0s success")
	f("next: a timeout lasts as long as the provider's limit, then moves",
		one{backends: "ab", faults: map[string]Fault{"a": fault(loadbalance.Timeout, 0)}},
		"a first 0s timeout", "b failover 0s success")
	f("next: moves are bounded by max_internal_retries",
		one{backends: "abcd", faults: map[string]Fault{
			"a": fault(loadbalance.Model, 0), "b": fault(loadbalance.Model, 0), "c": fault(loadbalance.Model, 0),
		}},
		"a first 0s model", "b failover 0s model", "c failover 0s model")
	f("next: rate limits move at once",
		one{backends: "ab", faults: map[string]Fault{"a": fault(loadbalance.RateLimit, time.Second)}},
		"a first 0s rate_limit", "b failover 0s success")
	f("next: within retry_after_wait_seconds the same backend, after the wait",
		one{backends: "ab", faults: map[string]Fault{"a": {
			Kind: Kind(loadbalance.RateLimit), RetryAfter: 2 * second, Until: 61 * second,
		}}, rules: Rules{MaxRetries: 3, MaxMoves: 2, WaitInPlace: 2 * time.Second, Whole: time.Hour}},
		"a first 0s rate_limit", "a rate_limit 2s success")
	f("next: a 503 that says when to come back is as temporary as a 429",
		one{backends: "ab", faults: map[string]Fault{"a": fault(loadbalance.Server, 3*time.Second)}},
		"a first 0s server", "b failover 0s success")
	f("noChoice: a rate limit of up to 5 s is waited out",
		one{backends: "a", faults: map[string]Fault{"a": {Kind: Kind(loadbalance.RateLimit), RetryAfter: 5 * second, Until: 61 * second}}},
		"a first 0s rate_limit", "a rate_limit 5s success")
	f("noChoice: a longer one is not",
		one{backends: "a", faults: both(fault(loadbalance.RateLimit, 5001*time.Millisecond))},
		"a first 0s rate_limit")
	f("noChoice: without a time 1 s, doubling, up to 5 s in all",
		one{backends: "a", faults: both(fault(loadbalance.RateLimit, 0))},
		"a first 0s rate_limit", "a rate_limit 1s rate_limit", "a rate_limit 2s rate_limit")
	f("noChoice: a broken connection is tried again",
		one{backends: "a", faults: both(fault(loadbalance.Network, 0))},
		"a first 0s network", "a same_backend ~100ms network")
	f("noChoice: auth is not", one{backends: "a", faults: both(fault(loadbalance.Auth, 0))}, "a first 0s auth")
	f("noChoice: who has moved does not wait",
		one{backends: "ab", faults: both(fault(loadbalance.RateLimit, time.Second))},
		"a first 0s rate_limit", "b failover 0s rate_limit")
	f("next: max_retries 0 is one attempt",
		one{backends: "ab", faults: both(fault(loadbalance.Network, 0)), rules: Rules{MaxMoves: 2, Whole: time.Hour}},
		"a first 0s network")
	f("a limit of requests per minute says when to come back",
		one{backends: "a", limits: map[string]int{"a": 1}}, "a first 0s success")
}

// The retry budget ends what the rules would go on with, as MayRetry does in
// the relay: of a backend that fails each request at once, ten are retried and
// then a fifth.
func TestRetryBudgetBounds(t *testing.T) {
	w := World{Duration: minute, Traffic: Traffic{Rate: 100}, Backends: []Script{
		{Match: "a", Faults: []Fault{{Kind: Kind(loadbalance.Server), Share: 0.5}}},
	}}
	p := loadbalance.DefaultPolicy()
	p.FailureThreshold = 1 << 20
	strategy, err := loadbalance.ParseStrategy("failover")
	if err != nil {
		t.Fatal(err)
	}
	r, err := Run(context.Background(), Config{
		Strategy: strategy, Listings: []loadbalance.Listing{{ID: "a"}}, Policy: p, Rules: DefaultRules(), World: w,
	})
	if err != nil {
		t.Fatal(err)
	}
	most := r.Requests*12/10 + 10 + 60
	if r.Attempts > most || r.Attempts < most*95/100 {
		t.Errorf("%d attempts for %d requests, want almost %d", r.Attempts, r.Requests, most)
	}
}
