package api

import (
	"net/http"
	"strings"
	"time"

	"github.com/PPKunOfficial/berry-api/loadbalance"
)

// providerView is a provider in the JSON metrics.
type providerView struct {
	Healthy    bool                         `json:"healthy"` // one of its backends is
	LastCheck  *string                      `json:"last_check"`
	Total      uint64                       `json:"total_requests"`
	Successful uint64                       `json:"successful_requests"`
	Failed     uint64                       `json:"failed_requests"`
	Latency    float64                      `json:"average_latency_ms"` // of successful attempts, whole
	Models     map[string]providerModelView `json:"models"`

	checked         time.Time
	answers, micros int64
}

// providerModelView is a backend under its provider, by the upstream's name.
type providerModelView struct {
	Healthy  bool   `json:"healthy"`
	Requests uint64 `json:"requests"`
	Errors   uint64 `json:"errors"`
}

type balancerView struct {
	Selections   uint64            `json:"total_selections"`
	Distribution map[string]uint64 `json:"strategy_distribution"`
}

// metrics answers with the state of providers and backends in JSON, or with
// Prometheus's text if the client prefers that.
func (x *exchange) metrics() {
	x.w.Header().Add("Vary", "Accept")
	if wantsText(x.r.Header.Values("Accept")) {
		x.prometheus()
		return
	}
	x.json(http.StatusOK, struct {
		Status    string                   `json:"status"`
		Timestamp *string                  `json:"timestamp"`
		Providers map[string]*providerView `json:"providers"`
		Balancer  balancerView             `json:"load_balancer"`
	}{conditionOf(x.view.rt).status, stamp(time.Now()), x.server.providers(), x.server.selections()})
}

// providers sums up the live states by provider.
func (s *Server) providers() map[string]*providerView {
	out := map[string]*providerView{}
	series := s.metrics.backends.load()
	for _, st := range s.served() {
		p := out[st.Group]
		if p == nil {
			p = &providerView{Models: map[string]providerModelView{}}
			out[st.Group] = p
		}
		p.Healthy = p.Healthy || st.Healthy
		if st.LastCheckAt.After(p.checked) {
			p.checked, p.LastCheck = st.LastCheckAt, stamp(st.LastCheckAt)
		}
		p.Total += st.Requests
		p.Successful += st.Successes
		p.Failed += st.Failures
		p.Models[upstreamModel(st)] = providerModelView{st.Healthy, st.Requests, st.Failures}
		if b := series[st.ID]; b != nil {
			p.answers += b.successes.Load()
			p.micros += b.micros.Load()
		}
		if p.answers > 0 {
			p.Latency = millis(time.Duration(p.micros/p.answers) * time.Microsecond)
		}
	}
	return out
}

// served are the states of the backends that the current runtime lists, by id.
func (s *Server) served() []loadbalance.State {
	_, backends := s.listed()
	var out []loadbalance.State
	for _, st := range s.gateway.Fleet().Backends() {
		if _, ok := backends[st.ID]; ok {
			out = append(out, st)
		}
	}
	return out
}

// selections counts the picks since the start.
func (s *Server) selections() balancerView {
	v := balancerView{Distribution: map[string]uint64{}}
	for strategy, n := range s.metrics.picks.load() {
		v.Distribution[strategy] = n.Load()
		v.Selections += n.Load()
	}
	return v
}

// wantsText reports whether an Accept header names Prometheus's text or
// OpenMetrics before JSON. A browser's or curl's wildcard means JSON.
func wantsText(accept []string) bool {
	for part := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		kind, _, _ := strings.Cut(part, ";")
		switch strings.ToLower(strings.TrimSpace(kind)) {
		case "text/plain", "application/openmetrics-text":
			return true
		case "application/json":
			return false
		}
	}
	return false
}
