package api

import (
	"math"
	"net/http"
	"runtime"
	"time"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/core/auth"
	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay"
)

// weightView is one listing with the numbers that selection uses.
type weightView struct {
	Provider        string   `json:"provider"`
	Model           string   `json:"model"`
	Weight          float64  `json:"weight"`
	EffectiveWeight float64  `json:"effective_weight"`
	Share           float64  `json:"share"` // of the next requests, from 0 to 1
	Healthy         bool     `json:"healthy"`
	Breaker         string   `json:"breaker"`
	Excluded        *string  `json:"excluded"` // why it is not usable now; null: it is
	Priority        int      `json:"priority"`
	Tags            []string `json:"tags"`
	BillingMode     string   `json:"billing_mode"`
	InputPrice      float64  `json:"input_price"`
	OutputPrice     float64  `json:"output_price"`
	RequestPrice    float64  `json:"request_price"`
}

type modelWeights struct {
	ID         string       `json:"id"`
	Strategy   string       `json:"strategy"`
	Discovered bool         `json:"discovered"` // by its providers' lists, not by the configuration
	Backends   []weightView `json:"backends"`
}

// candidates are the listings of a model with their live states, in order.
func candidates(m *relay.Model) []loadbalance.Candidate {
	if m.Balancer == nil {
		return nil
	}
	return m.Balancer.Snapshot()
}

// modelWeights shows how each model's listings are weighted, by public name.
func (x *exchange) modelWeights() {
	models := x.view.rt.Models()
	if asked := x.r.URL.Query().Get("model"); asked != "" {
		m, ok := x.view.rt.Find(asked)
		if !ok {
			x.fail(noSuchModel(asked).WithParam("model"))
			return
		}
		models = []*relay.Model{m}
	}
	out := map[string]modelWeights{}
	for _, m := range models {
		v := modelWeights{m.ID, m.Strategy, m.Discovered, []weightView{}}
		for i, c := range candidates(m) {
			v.Backends = append(v.Backends, newWeightView(m.Listings[i], c))
		}
		out[m.Name] = v
	}
	x.json(http.StatusOK, struct {
		Timestamp *string                 `json:"timestamp"`
		Models    map[string]modelWeights `json:"models"`
	}{stamp(time.Now()), out})
}

func newWeightView(l config.Listing, c loadbalance.Candidate) weightView {
	return weightView{
		Provider: l.Provider, Model: l.Model, Weight: l.Weight,
		EffectiveWeight: rounded(c.EffectiveWeight), Share: rounded(c.Share),
		Healthy: c.Healthy, Breaker: c.Breaker.String(), Excluded: orNull(c.Excluded), Priority: l.Priority,
		Tags: append([]string{}, l.Tags...), BillingMode: l.BillingMode,
		InputPrice: l.InputPrice, OutputPrice: l.OutputPrice, RequestPrice: l.RequestPrice,
	}
}

// healthView is the live state of one backend.
type healthView struct {
	Provider      string     `json:"provider"`
	Model         string     `json:"model"`
	Healthy       bool       `json:"healthy"`
	Breaker       string     `json:"breaker"`
	Failures      int        `json:"consecutive_failures"`
	InFlight      int        `json:"in_flight"`
	Drained       bool       `json:"drained"`
	CoolDownUntil *string    `json:"cool_down_until"`
	Stage         int        `json:"recovery_stage_percent"`
	LatencyMS     *float64   `json:"latency_ms"` // smoothed time to first content; null: unmeasured
	Confidence    float64    `json:"confidence"`
	LastError     *errorView `json:"last_error"`
	LastSuccess   *string    `json:"last_success"`
	LastCheck     *string    `json:"last_check"`
	NextCheck     *string    `json:"next_check"`
	Requests      uint64     `json:"total_requests"`
	Successful    uint64     `json:"successful_requests"`
	Failed        uint64     `json:"failed_requests"`
}

// errorView is a backend's last failure: what kind, never what it said.
type errorView struct {
	Kind   string  `json:"kind"`
	Status *int    `json:"status"` // null: there was no answer
	At     *string `json:"at"`
}

func newHealthView(st loadbalance.State) healthView {
	v := healthView{
		Provider: st.Group, Model: upstreamModel(st), Healthy: st.Healthy, Breaker: st.Breaker.String(),
		Failures: st.ConsecutiveFailures, InFlight: st.InFlight, Drained: st.Drained,
		CoolDownUntil: stamp(st.CoolDownUntil), Stage: st.Stage, Confidence: st.Confidence,
		LastSuccess: stamp(st.LastSuccessAt), LastCheck: stamp(st.LastCheckAt), NextCheck: stamp(st.NextCheckAt),
		Requests: st.Requests, Successful: st.Successes, Failed: st.Failures,
	}
	if st.Latency > 0 {
		ms := millis(st.Latency)
		v.LatencyMS = &ms
	}
	if !st.LastErrorAt.IsZero() {
		v.LastError = &errorView{Kind: st.LastError.String(), At: stamp(st.LastErrorAt)}
		if st.LastStatus != 0 {
			v.LastError.Status = &st.LastStatus
		}
	}
	return v
}

// backendHealth shows the live state of every backend that is served, by id.
func (x *exchange) backendHealth() {
	out := map[string]healthView{}
	for _, st := range x.server.served() {
		out[st.ID] = newHealthView(st)
	}
	x.json(http.StatusOK, struct {
		Timestamp *string               `json:"timestamp"`
		Backends  map[string]healthView `json:"backends"`
	}{stamp(time.Now()), out})
}

type goView struct {
	Version    string `json:"version"`
	Goroutines int    `json:"goroutines"`
	CPUs       int    `json:"cpus"` // that Go uses
	HeapBytes  uint64 `json:"heap_bytes"`
	SysBytes   uint64 `json:"sys_bytes"`
	GCCycles   uint32 `json:"gc_cycles"`
}

type totalsView struct {
	Attempts   uint64 `json:"attempts"`
	Successful uint64 `json:"successful_attempts"`
	Failed     uint64 `json:"failed_attempts"`
}

// systemStats shows figures of the process and totals of the backends served.
func (x *exchange) systemStats() {
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	var totals totalsView
	for _, st := range x.server.served() {
		totals.Attempts += st.Requests
		totals.Successful += st.Successes
		totals.Failed += st.Failures
	}
	s := x.server
	x.json(http.StatusOK, struct {
		Timestamp *string      `json:"timestamp"`
		Version   string       `json:"version"`
		Uptime    int64        `json:"uptime_seconds"`
		Go        goView       `json:"go"`
		InFlight  int64        `json:"requests_in_flight"` // this one included
		Totals    totalsView   `json:"totals"`
		Balancer  balancerView `json:"load_balancer"`
		Users     int          `json:"users"`
		Models    int          `json:"models"`
		Config    loadedView   `json:"configuration"`

		Discovery map[string]discoveryView `json:"discovery"`
	}{
		stamp(time.Now()), s.version, s.uptime(),
		goView{runtime.Version(), runtime.NumGoroutine(), runtime.GOMAXPROCS(0), mem.HeapAlloc, mem.Sys, mem.NumGC},
		s.metrics.inFlight.Load(), totals, s.selections(),
		len(x.view.rt.Keys.Users()), len(x.view.rt.Models()),
		x.loaded(),
		s.discoveries(),
	})
}

// rateLimitUsage shows what users have used of their limits, by id.
func (x *exchange) rateLimitUsage() {
	users := x.view.rt.Keys.Users()
	if asked := x.r.URL.Query().Get("user"); asked != "" {
		u, ok := x.view.rt.Keys.User(asked)
		if !ok {
			x.fail(apierror.New(apierror.NotFound, "there is no user %q", clip(asked)).WithParam("user"))
			return
		}
		users = []*auth.User{u}
	}
	out := map[string]auth.Usage{}
	for _, u := range users {
		if usage, ok := x.server.gateway.Limiter().Usage(u.ID); ok {
			out[u.ID] = usage
		}
	}
	x.json(http.StatusOK, struct {
		Timestamp *string               `json:"timestamp"`
		Users     map[string]auth.Usage `json:"users"`
	}{stamp(time.Now()), out})
}

// rounded is a figure to a billionth, as people would write it: what is finer is
// the noise that binary fractions make of a product such as 0.9 x 1.1.
func rounded(x float64) float64 { return math.Round(x*1e9) / 1e9 }

// orNull is nil, which is null in JSON, for "".
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
