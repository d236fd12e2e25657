package api

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"

	vm "github.com/VictoriaMetrics/metrics"

	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay"
)

// family is what a metric's name stands for.
type family struct{ name, kind, help string }

// families are all names of the page but Go's and the process's own.
var families = []family{
	{"http_requests_total", "counter", "Requests answered, by method, route pattern and status."},
	{"http_request_duration_seconds", "histogram", "Time from a request's arrival to the end of its answer."},
	{"http_requests_in_flight", "gauge", "Requests being answered."},
	{"backend_health_status", "gauge", "1 if the backend is healthy, 0 if not."},
	{"backend_request_count_total", "counter", "Attempts on the backend for users."},
	{"backend_error_count_total", "counter", "Attempts on the backend that failed, by kind."},
	{"backend_latency_seconds", "histogram", "Time of a successful attempt on the backend, from sending to the end of the answer."},
	{"load_balance_selections_total", "counter", "Picks, by model, strategy and provider."},
	{"smart_ai_confidence_score", "gauge", "How much smart_ai trusts the backend, from 0 to 1."},
	{"circuit_breaker_state", "gauge", "0 closed, 1 half-open, 2 open."},
	{"berry_time_to_first_content_seconds", "histogram", "Time from a streamed request's arrival to the first content sent to the client."},
	{"berry_overhead_seconds", "histogram", "Time from a request's arrival to its first attempt, reading its body included."},
	{"berry_tokens_total", "counter", "Tokens used; cached_input is a part of input, reasoning a part of output."},
	{"berry_cost_usd_total", "counter", "Cost by the listings' prices, in US dollars."},
	{"berry_retries_total", "counter", "Attempts after a request's first one, by reason."},
	{"berry_rate_limited_total", "counter", "Requests refused because the user was over a limit."},
	{"berry_stream_breaks_total", "counter", "Answers that broke after content had reached the client."},
	{"berry_malformed_frames_total", "counter", "Unreadable frames of upstream streams that were left out."},
	{"berry_client_disconnects_total", "counter", "Requests whose client left before the end of the answer."},
	{"berry_authentication_failures_total", "counter", "Requests without a good credential."},
	{"berry_backend_in_flight", "gauge", "Attempts under way on the backend."},
	{"berry_model_healthy_backends", "gauge", "Backends of the model that can be used now and are healthy."},
	{"berry_config_generation", "gauge", "1 for the configuration of the start, one more with each reload."},
	{"berry_config_last_reload_successful", "gauge", "1 if the last reload took effect or there was none, 0 if it was refused."},
	{"berry_config_last_reload_timestamp_seconds", "gauge", "When the last reload was tried; 0 if none was."},
	{"berry_config_reloads_total", "counter", "Reloads that were tried, by result: success or refused."},
	{"berry_discovered_models", "gauge", "Models of the discovering provider's list that can be served, as it was last read."},
	{"berry_discovery_successful", "gauge", "1 if the discovering provider's list could be read the last time, 0 if not: what it named before stays."},
	{"berry_discovery_last_read_timestamp_seconds", "gauge", "When the discovering provider's list was last read; 0 if it never was."},
	{"berry_log_lines_dropped_total", "counter", "Log lines lost because the output did not take them."},
	{"berry_log_write_errors_total", "counter", "Writes of log lines that failed."},
	{"berry_build_info", "gauge", "Always 1; the labels say what is running."},
}

// prometheus answers with the page in Prometheus's text format.
func (x *exchange) prometheus() {
	h := x.w.Header()
	h.Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	var page bytes.Buffer
	x.server.writeMetrics(&page)
	_, _ = x.w.Write(page.Bytes()) // the client's connection: nothing to be done
}

// writeMetrics writes the page. Gauges are read from the fleet at this moment,
// so that a backend that a reload removed has none.
func (s *Server) writeMetrics(out io.Writer) {
	m := s.metrics
	m.forget(s.listed())
	var b bytes.Buffer
	m.set.WritePrometheus(&b)
	s.writeGauges(&b)
	describe(out, b.Bytes())
	vm.WriteProcessMetrics(out)
}

func (s *Server) writeGauges(b *bytes.Buffer) {
	m, rt := s.metrics, s.gateway.Current()
	_, served := s.listed()
	states := s.gateway.Fleet().Backends()
	gauge := func(name string, value func(loadbalance.State) float64) {
		for _, st := range states {
			if _, ok := served[st.ID]; ok {
				fmt.Fprintf(b, "%s{%s} %g\n", name, labels("provider", st.Group, "model", upstreamModel(st)), value(st))
			}
		}
	}
	fmt.Fprintf(b, "http_requests_in_flight %d\n", m.inFlight.Load())
	gauge("backend_health_status", func(st loadbalance.State) float64 { return number(st.Healthy) })
	gauge("smart_ai_confidence_score", func(st loadbalance.State) float64 { return st.Confidence })
	gauge("circuit_breaker_state", func(st loadbalance.State) float64 { return float64(st.Breaker) })
	gauge("berry_backend_in_flight", func(st loadbalance.State) float64 { return float64(st.InFlight) })
	for _, m := range rt.Models() {
		fmt.Fprintf(b, "berry_model_healthy_backends{%s} %d\n", labels("model", m.Name), healthyBackends(m))
	}
	s.writeDiscoveries(b)
	fmt.Fprintf(b, "berry_config_generation %d\n", rt.Generation)
	fmt.Fprintf(b, "berry_config_last_reload_successful %g\n", number(m.reloadOK.Load()))
	fmt.Fprintf(b, "berry_config_last_reload_timestamp_seconds %d\n", m.reloadAt.Load())
	fmt.Fprintf(b, "berry_log_lines_dropped_total %d\n", s.log.sink.dropped.Load())
	fmt.Fprintf(b, "berry_log_write_errors_total %d\n", s.log.sink.failed.Load())
	fmt.Fprintf(b, "berry_build_info{%s} 1\n", labels("version", s.version, "goversion", runtime.Version()))
}

// describe writes the samples family by family, each under its help and type.
// A sample belongs to the family whose name it has, or that with a histogram's
// suffix.
func describe(out io.Writer, samples []byte) {
	grouped := make([]bytes.Buffer, len(families))
	index := make(map[string]int, len(families))
	for i, f := range families {
		index[f.name] = i
	}
	for sample := range bytes.Lines(samples) {
		end := bytes.IndexAny(sample, "{ ")
		name := string(sample[:max(end, 0)])
		i, ok := index[name]
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if !ok {
				i, ok = index[strings.TrimSuffix(name, suffix)]
			}
		}
		if ok {
			grouped[i].Write(sample)
		}
	}
	for i, f := range families {
		if grouped[i].Len() > 0 {
			fmt.Fprintf(out, "# HELP %s %s\n# TYPE %s %s\n%s", f.name, f.help, f.name, f.kind, grouped[i].Bytes())
		}
	}
}

// listed is what the current runtime serves: its listings, and its backends by id.
func (s *Server) listed() (map[listingKey]struct{}, map[string]struct{}) {
	listings, backends := map[listingKey]struct{}{}, map[string]struct{}{}
	for _, m := range s.gateway.Current().Models() {
		for _, l := range m.Listings {
			listings[listingKey{m.Name, m.Strategy, l.Backend()}] = struct{}{}
			backends[l.Backend()] = struct{}{}
		}
	}
	return listings, backends
}

// forget drops the series of what is no longer served. A request that is still
// under way there brings them back until the next page.
func (m *metrics) forget(listings map[listingKey]struct{}, backends map[string]struct{}) {
	var names []string
	for _, s := range m.listings.prune(func(k listingKey) bool { _, ok := listings[k]; return ok }) {
		names = append(names, s.names...)
	}
	for _, s := range m.backends.prune(func(id string) bool { _, ok := backends[id]; return ok }) {
		names = append(names, s.names...)
		for k := range s.errors {
			if s.errors[k].Load() != nil {
				names = append(names, s.errorName(loadbalance.Kind(k)))
			}
		}
	}
	if len(names) == 0 {
		return
	}
	// Two listings of one model at one provider share their series.
	used := map[string]struct{}{}
	for _, s := range m.listings.load() {
		for _, n := range s.names {
			used[n] = struct{}{}
		}
	}
	for _, n := range names {
		if _, ok := used[n]; !ok {
			m.set.UnregisterMetric(n)
		}
	}
}

// forgetUsers drops the series of users that a reload removed. Only those are
// known to be gone: an Authenticator may have users of its own.
func (m *metrics) forgetUsers(ids []string) {
	if len(ids) == 0 {
		return
	}
	m.users.prune(func(id string) bool { return !slices.Contains(ids, id) })
	for _, id := range ids {
		m.set.UnregisterMetric(rateLimitedName(id))
	}
}

// upstreamModel is the model part of a backend's id.
func upstreamModel(st loadbalance.State) string { return modelOf(st.ID, st.Group) }

func modelOf(id, provider string) string { return strings.TrimPrefix(id, provider+":") }

// healthyBackends counts the model's listings that can be used now and are healthy.
func healthyBackends(m *relay.Model) int {
	n := 0
	for _, c := range candidates(m) {
		if c.Healthy && c.Excluded == "" {
			n++
		}
	}
	return n
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
