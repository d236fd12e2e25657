package loadbalance

import (
	"math"
	"testing"
	"time"
)

func TestConfidence(t *testing.T) {
	s := DefaultPolicy().SmartAI
	w := newWorld(t, "smart_ai", ids("a")...)
	want := func(when string, c float64) {
		t.Helper()
		if got := w.state("a").Confidence; math.Abs(got-c) > 1e-3 {
			t.Errorf("%s: confidence %.4f, want %.4f", when, got, c)
		}
	}
	want("new", 0.8)
	w.report("a", Success)
	want("a success", 0.9)
	w.report("a", Success, Success)
	want("the cap", 1)
	for _, x := range []struct {
		kind Kind
		to   float64
	}{
		{RateLimit, 1 - s.RateLimitPenalty},
		{Timeout, 1 - s.TimeoutPenalty},
		{Server, 1 - s.ServerPenalty},
		{Network, 1 - s.NetworkPenalty},
		{Model, 1 - s.ModelPenalty},
		{Auth, 1 - s.AuthPenalty},
		{Caller, 1},
		{Cancelled, 1},
	} {
		w.report("a", Success, Success, Success, Success, Success, Success, Success, Success, Success, Success)
		w.report("a", x.kind)
		want(x.kind.String(), x.to)
	}
	w.report("a", Success, Success, Success)
	want("old praise", 1)
	w.clock.forward(time.Hour + 10*time.Second)
	want("old praise fades by half in an hour", 0.9)
	w.report("a", Auth, Auth, Auth)
	want("the floor", 0.05)
	w.clock.forward(time.Hour + 10*time.Second)
	want("old blame is forgiven by half in an hour", 0.8-0.75/2)
	w.clock.forward(2 * time.Hour)
	want("and by another three quarters in two more", 0.8-0.75/8)

	p := DefaultPolicy()
	p.SmartAI.TimeDecay = false
	w.fleet.SetPolicy(p)
	want("without decay", 0.05)
	w.report("a", Success)
	want("a recovered backend is lifted", trusted)
}

// A confidence is the number that people would write: its steps are decimal
// fractions, and a reader of a view must be able to add them up.
func TestConfidenceIsDecimal(t *testing.T) {
	w := newWorld(t, "smart_ai", ids("a")...)
	want := func(when string, c float64) {
		t.Helper()
		if got := w.state("a").Confidence; got != c {
			t.Errorf("%s: confidence %v, want %v", when, got, c)
		}
		if got := w.lb.Snapshot()[0]; got.Excluded == "" && got.Stage == 100 && got.EffectiveWeight != c {
			t.Errorf("%s: picked by %v, shown as %v", when, got.EffectiveWeight, c)
		}
	}
	w.report("a", Success)
	want("a success", 0.9)
	w.report("a", RateLimit)
	want("a rate limit", 0.8)
	w.report("a", Network)
	want("a failure", 0.5)
	w.clock.forward(10*time.Second + 20*time.Minute)
	want("a part of the way back in time", 0.56189)
}

// picks counts where n requests that change nothing go.
func (w *world) picks(n int) map[string]int {
	w.t.Helper()
	got := map[string]int{}
	for range n {
		got[w.send(Outcome{Kind: Cancelled})]++
	}
	return got
}

func TestSmartAITiers(t *testing.T) {
	const n = 20_000
	t.Run("by tag", func(t *testing.T) {
		w := newWorld(t, "smart_ai", Listing{ID: "dear", Tags: []string{"premium"}, Weight: 1}, Listing{ID: "cheap", Weight: 1})
		w.report("dear", Success, Success)
		got := w.picks(n)
		// 20 percent explore: the dear one at a tenth of its score 1.0 beside 0.8.
		within3Sigma(t, "dear", got["dear"], n, 0.2*0.1/0.9)
		w.report("cheap", Server, Server)
		if got := w.picks(n); got["cheap"] != 0 {
			t.Errorf("the cheap one is unhealthy: %v", got)
		}
	})
	t.Run("by price", func(t *testing.T) {
		w := newWorld(t, "smart_ai",
			Listing{ID: "dear", InputPrice: 10, OutputPrice: 30, Weight: 50},
			Listing{ID: "cheap", InputPrice: 1, OutputPrice: 3, Weight: 1},
			Listing{ID: "fair", InputPrice: 1.4, OutputPrice: 4, Weight: 2})
		got := w.picks(n)
		exploring := 0.8*2 + 0.8*1 + 0.1*0.8*50
		within3Sigma(t, "fair", got["fair"], n, 0.8+0.2*1.6/exploring)
		within3Sigma(t, "cheap", got["cheap"], n, 0.2*0.8/exploring)
	})
	t.Run("request price against tokens", func(t *testing.T) {
		w := newWorld(t, "smart_ai", Listing{ID: "flat", RequestPrice: 0.01}, Listing{ID: "metered", InputPrice: 2, OutputPrice: 6})
		if best := w.best(); best != "metered" {
			t.Errorf("for short requests: %s", best)
		}
		for range 300 {
			l := w.pick()
			l.Report(Outcome{Kind: Success, FirstContent: 1, InputTokens: 50_000, OutputTokens: 4000})
		}
		if best := w.best(); best != "flat" {
			t.Errorf("for long requests: %s", best)
		}
		if c := w.lb.Snapshot()[1].Cost; math.Abs(c-0.124) > 0.001 {
			t.Errorf("cost of a long request %v", c)
		}
		// A balancer in its place, as after a reload, knows what requests are like.
		listings := []Listing{{ID: "flat", RequestPrice: 0.01}, {ID: "metered", InputPrice: 2, OutputPrice: 6}}
		for replaced, want := range map[*Balancer]float64{w.lb: 0.124, nil: 0.0038} {
			next, err := w.fleet.Balancer(Config{Listings: listings, Replaces: replaced})
			if err != nil {
				t.Fatal(err)
			}
			if c := next.Snapshot()[1].Cost; math.Abs(c-want) > 0.001 {
				t.Errorf("cost in the next balancer: %v, want %v", c, want)
			}
		}
	})
	t.Run("stability bonus", func(t *testing.T) {
		w := newWorld(t, "smart_ai", Listing{ID: "new", Weight: 1.15}, Listing{ID: "proven"})
		w.report("new", Success, Success)
		w.report("proven", Success, Success)
		if best := w.best(); best != "new" {
			t.Errorf("both proven: %s", best)
		}
		w.report("new", RateLimit)
		w.clock.forward(2 * time.Second)
		if best := w.best(); best != "proven" {
			t.Errorf("one proven: %s", best)
		}
	})
	t.Run("none is trusted", func(t *testing.T) {
		w := newWorld(t, "smart_ai", Listing{ID: "a", Weight: 3}, Listing{ID: "b", Tags: []string{"premium"}})
		for range 4 {
			w.report("a", RateLimit)
			w.report("b", RateLimit)
		}
		w.clock.forward(20 * time.Second)
		within3Sigma(t, "a", w.picks(n)["a"], n, 0.75)
	})
}

// best is the candidate with the greatest share.
func (w *world) best() string {
	var best Candidate
	for _, c := range w.lb.Snapshot() {
		if c.Share > best.Share {
			best = c
		}
	}
	return best.ID
}

func TestSmartAIExploresWhatFailedOncePerInterval(t *testing.T) {
	w := newWorld(t, "smart_ai", ids("a b")...)
	p := DefaultPolicy()
	p.SmartAI.ExplorationRatio = 1
	w.fleet.SetPolicy(p)
	w.report("b", Server) // not enough to be unhealthy
	if got := w.picks(1000); got["b"] != 0 {
		t.Errorf("right after the failure: %v", got)
	}
	for range 3 {
		w.clock.forward(p.RecoveryInterval)
		if got := w.picks(1000); got["b"] != 1 {
			t.Errorf("in one interval: %v", got)
		}
	}
	w.report("b", Success)
	if got := w.picks(1000); got["b"] < 300 {
		t.Errorf("after a success: %v", got)
	}
}

func TestSmartAIComesBackToACheapBackend(t *testing.T) {
	w := newWorld(t, "smart_ai", Listing{ID: "cheap", PerRequest: true}, Listing{ID: "dear", Tags: []string{"premium"}})
	w.report("cheap", Server, Server, Server, Server, Server)
	if got := w.picks(100); got["dear"] != 100 {
		t.Fatalf("while it is open: %v", got)
	}
	w.clock.forward(time.Minute)
	l := w.pick()
	if l.ID() != "cheap" || !l.Trial() {
		t.Fatalf("the trial is not taken: %s", l.ID())
	}
	l.Report(ok)
	if c := w.state("cheap").Confidence; math.Abs(c-trusted) > 1e-6 {
		t.Errorf("confidence after the trial: %v", c)
	}
	if best := w.best(); best != "cheap" {
		t.Errorf("after the trial: %s", best)
	}
	w.report("cheap", Server)
	if best := w.best(); best != "dear" {
		t.Errorf("after the first failure: %s", best)
	}
}

func TestHalved(t *testing.T) {
	const hour = int32(time.Hour / stampUnit)
	for age := int32(0); age < 30*hour; age += 997 {
		got, want := halved(age, time.Hour), math.Exp2(-float64(age)/float64(hour))
		if math.Abs(got-want) > 2e-4*want {
			t.Fatalf("%d: %v, want %v", age, got, want)
		}
	}
	if got := halved(math.MaxInt32, time.Millisecond); got != 0 {
		t.Errorf("for ever: %v", got)
	}
	var s stamped
	s.set(1, stampOf(int64(time.Hour)))
	if _, age, ok := s.get(stampOf(1)); age != 0 || !ok {
		t.Errorf("a clock that went back: age %d", age)
	}
}
