package api

import (
	"maps"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	vm "github.com/VictoriaMetrics/metrics"

	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay"
)

// metrics are the counters and histograms of one server. What is counted per
// request is behind pointers that are found by route or by listing, so that no
// name is put together per request. What the fleet knows, such as health, is
// read when the page is written (metricspage.go).
type metrics struct {
	set      *vm.Set
	inFlight atomic.Int64
	history  *history

	refused     *vm.Counter // requests without a good credential
	disconnects *vm.Counter
	malformed   *vm.Counter
	overhead    *vm.PrometheusHistogram

	reloadsGood, reloadsRefused *vm.Counter

	reloadOK atomic.Bool
	reloadAt atomic.Int64 // unix seconds of the last attempt

	listings cache[listingKey, *listingSeries]
	backends cache[string, *backendSeries] // by backend id
	users    cache[string, *vm.Counter]    // rate-limited requests by user id
	retries  cache[relay.Reason, *vm.Counter]
	// picks counts selections by strategy since the start, for the JSON views;
	// unlike the series it forgets nothing in a reload.
	picks cache[string, *atomic.Uint64]
}

// Upper bounds of the buckets, in seconds. Chat answers take from fractions of
// a second to many minutes.
var (
	requestBuckets  = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2, 3, 5, 10, 20, 30, 60, 120, 300, 600}
	contentBuckets  = []float64{.01, .025, .05, .1, .2, .3, .5, .75, 1, 1.5, 2, 3, 5, 10, 20, 30, 60}
	overheadBuckets = []float64{.0001, .0002, .0005, .001, .002, .005, .01, .02, .05, .1, .5, 1, 5, 30}
)

func newMetrics() *metrics {
	set := vm.NewSet()
	m := &metrics{
		set:         set,
		history:     newHistory(),
		refused:     set.NewCounter("berry_authentication_failures_total"),
		disconnects: set.NewCounter("berry_client_disconnects_total"),
		malformed:   set.NewCounter("berry_malformed_frames_total"),
		overhead:    set.NewPrometheusHistogramExt("berry_overhead_seconds", overheadBuckets),

		reloadsGood:    set.NewCounter(`berry_config_reloads_total{result="success"}`),
		reloadsRefused: set.NewCounter(`berry_config_reloads_total{result="refused"}`),
	}
	m.reloadOK.Store(true)
	return m
}

// cache finds a value by key without locking once it is there.
type cache[K comparable, V any] struct {
	mu  sync.Mutex // for writers
	all atomic.Pointer[map[K]V]
}

func (c *cache[K, V]) load() map[K]V {
	if p := c.all.Load(); p != nil {
		return *p
	}
	return nil
}

// get returns the value of k, made by build if there is none yet.
func (c *cache[K, V]) get(k K, build func() V) V {
	if v, ok := c.load()[k]; ok {
		return v
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.load()
	if v, ok := old[k]; ok {
		return v
	}
	next := make(map[K]V, len(old)+1)
	maps.Copy(next, old)
	v := build()
	next[k] = v
	c.all.Store(&next)
	return v
}

// prune drops the entries that keep does not want and returns them.
func (c *cache[K, V]) prune(keep func(K) bool) []V {
	c.mu.Lock()
	defer c.mu.Unlock()
	var gone []V
	next := map[K]V{}
	for k, v := range c.load() {
		if keep(k) {
			next[k] = v
		} else {
			gone = append(gone, v)
		}
	}
	if len(gone) > 0 {
		c.all.Store(&next)
	}
	return gone
}

// routeSeries are those of one route: of one method and path pattern.
type routeSeries struct {
	set       *vm.Set
	labels    string
	histogram func() *vm.PrometheusHistogram // made with the first request: dozens of empty ones would fill the page
	byStatus  [600]atomic.Pointer[vm.Counter]
}

func (m *metrics) route(method, path string) *routeSeries {
	s := &routeSeries{set: m.set, labels: labels("method", method, "path", path)}
	s.histogram = sync.OnceValue(func() *vm.PrometheusHistogram {
		return m.set.GetOrCreatePrometheusHistogramExt("http_request_duration_seconds{"+s.labels+"}", requestBuckets)
	})
	return s
}

func (s *routeSeries) observe(status int, took time.Duration) {
	if status < 0 || status >= len(s.byStatus) {
		status = 0 // an upstream's fancy; a client never sees one
	}
	c := s.byStatus[status].Load()
	if c == nil {
		c = s.set.GetOrCreateCounter("http_requests_total{" + s.labels + `,status="` + strconv.Itoa(status) + `"}`)
		s.byStatus[status].Store(c)
	}
	c.Inc()
	s.histogram().Update(took.Seconds())
}

// labels writes label pairs, escaped: a quote in a configured name would be a
// panic in the library, and a line break a forged line.
func labels(pairs ...string) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(pairs[i])
		b.WriteString(`="`)
		_, _ = labelEscapes.WriteString(&b, strings.ToValidUTF8(pairs[i+1], "\ufffd"))
		b.WriteByte('"')
	}
	return b.String()
}

// labelEscapes are those of the Prometheus text format.
var labelEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

type listingKey struct{ model, strategy, backend string }

// listingSeries are those of a backend as one model lists it.
type listingSeries struct {
	names                         []string
	selections                    *vm.Counter
	input, output, cached, reason *vm.Counter // tokens
	cost                          *vm.FloatCounter
	firstContent                  *vm.PrometheusHistogram
	breaks                        *vm.Counter
	picks                         *atomic.Uint64
}

// backendSeries are those of a backend, whoever lists it.
type backendSeries struct {
	names    []string
	labels   string
	set      *vm.Set
	requests *vm.Counter
	latency  *vm.PrometheusHistogram
	errors   [loadbalance.Cancelled + 1]atomic.Pointer[vm.Counter]
	// For the average of the JSON view, over the attempts that succeeded.
	successes, micros atomic.Int64
}

func (m *metrics) listing(model, strategy string, a *relay.Attempt) *listingSeries {
	return m.listings.get(listingKey{model, strategy, a.Backend}, func() *listingSeries {
		s := &listingSeries{picks: m.picked(strategy)}
		name := func(family, labels string) string {
			n := family + "{" + labels + "}"
			s.names = append(s.names, n)
			return n
		}
		pair := labels("model", model, "provider", a.Provider)
		tokens := func(direction string) *vm.Counter {
			return m.set.GetOrCreateCounter(name("berry_tokens_total", labels("direction", direction)+","+pair))
		}
		s.selections = m.set.GetOrCreateCounter(name("load_balance_selections_total",
			labels("model", model, "strategy", strategy, "provider", a.Provider)))
		s.input, s.output, s.cached, s.reason = tokens("input"), tokens("output"), tokens("cached_input"), tokens("reasoning")
		s.cost = m.set.GetOrCreateFloatCounter(name("berry_cost_usd_total", pair))
		s.breaks = m.set.GetOrCreateCounter(name("berry_stream_breaks_total", pair))
		s.firstContent = m.set.GetOrCreatePrometheusHistogramExt(name("berry_time_to_first_content_seconds", pair), contentBuckets)
		return s
	})
}

func (m *metrics) backend(a *relay.Attempt) *backendSeries {
	return m.backends.get(a.Backend, func() *backendSeries {
		pair := labels("provider", a.Provider, "model", a.Model)
		s := &backendSeries{set: m.set, labels: pair, names: []string{
			"backend_request_count_total{" + pair + "}", "backend_latency_seconds{" + pair + "}",
		}}
		s.requests = m.set.GetOrCreateCounter(s.names[0])
		s.latency = m.set.GetOrCreatePrometheusHistogramExt(s.names[1], requestBuckets)
		return s
	})
}

// failed counts an error of a kind; the series of a kind appears with its first.
func (s *backendSeries) failed(k loadbalance.Kind) {
	if int(k) >= len(s.errors) {
		return
	}
	c := s.errors[k].Load()
	if c == nil {
		c = s.set.GetOrCreateCounter(s.errorName(k))
		s.errors[k].Store(c)
	}
	c.Inc()
}

func (s *backendSeries) errorName(k loadbalance.Kind) string {
	return "backend_error_count_total{" + s.labels + "," + labels("kind", k.String()) + "}"
}

func (m *metrics) picked(strategy string) *atomic.Uint64 {
	return m.picks.get(strategy, func() *atomic.Uint64 { return new(atomic.Uint64) })
}
