package api_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// page is a metrics page: values by series, types by family.
type page struct {
	samples map[string]float64
	types   map[string]string
}

var (
	sampleLine = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?[ ]?)+\})? (\S+)$`)
	typeLine   = regexp.MustCompile(`^# TYPE (\S+) (counter|gauge|histogram)$`)
	helpLine   = regexp.MustCompile(`^# HELP (\S+) \S.*$`)
)

// scrape reads the page line by line and checks its grammar: each of Berry's
// families once, under its help and type, all samples of one together.
func (b *berry) scrape() page {
	b.t.Helper()
	a := b.ask("GET", "/prometheus", "")
	if a.status != 200 || a.header.Get("Content-Type") != "text/plain; version=0.0.4; charset=utf-8" || !strings.HasSuffix(a.body, "\n") {
		b.t.Fatalf("%d %v", a.status, a.header)
	}
	p := page{map[string]float64{}, map[string]string{}}
	helped, family := "", ""
	for line := range strings.Lines(a.body) {
		line = strings.TrimSuffix(line, "\n")
		if m := helpLine.FindStringSubmatch(line); m != nil {
			helped = m[1]
			continue
		}
		if m := typeLine.FindStringSubmatch(line); m != nil {
			family = m[1]
			if p.types[family] != "" || helped != family {
				b.t.Errorf("%s: a second type, or no help", family)
			}
			p.types[family] = m[2]
			continue
		}
		m := sampleLine.FindStringSubmatch(line)
		if m == nil {
			b.t.Errorf("not a sample: %q", line)
			continue
		}
		v, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			b.t.Errorf("not a number: %q", line)
		}
		if _, twice := p.samples[m[1]+m[2]]; twice {
			b.t.Errorf("twice: %q", line)
		}
		p.samples[m[1]+m[2]] = v
		foreign := strings.HasPrefix(m[1], "go_") || strings.HasPrefix(m[1], "process_")
		if !foreign && !strings.HasPrefix(m[1], family) {
			b.t.Errorf("%s is under the type of %s", m[1], family)
		}
	}
	return p
}

func (p page) want(t *testing.T, series string, value float64) {
	t.Helper()
	if got, ok := p.samples[series]; !ok || got != value {
		t.Errorf("%s is %v (there: %t), want %v", series, got, ok, value)
	}
}

func TestMetricsPage(t *testing.T) {
	b := start(t, setup{two: said("Hi"), one: func(r *mockllm.Seen) []mockllm.Step {
		if r.Number == 1 {
			return failing(r) // then the same backend again, which works
		}
		return said("Hi")(r)
	}})
	b.chat(annToken, hello("pool"))
	b.chat(annToken, `{"model":"pool","stream":true,"messages":[{"role":"user","content":"Hello"}]}`)
	for range 3 {
		b.chat(narrowTok, hello("pool"))
	}
	b.ask("GET", "/v1/models/made/up", badToken)
	b.ask("GET", "/v1/made-up-by-a-client", "")
	b.ask("BREW", "/v1/made-up-by-a-client", "")
	p := b.scrape()

	for family, kind := range map[string]string{
		"http_requests_total": "counter", "http_request_duration_seconds": "histogram", "http_requests_in_flight": "gauge",
		"backend_health_status": "gauge", "backend_request_count_total": "counter", "backend_error_count_total": "counter",
		"backend_latency_seconds": "histogram", "load_balance_selections_total": "counter", "smart_ai_confidence_score": "gauge",
		"circuit_breaker_state": "gauge", "berry_time_to_first_content_seconds": "histogram", "berry_overhead_seconds": "histogram",
		"berry_tokens_total": "counter", "berry_cost_usd_total": "counter", "berry_retries_total": "counter",
		"berry_rate_limited_total": "counter", "berry_stream_breaks_total": "counter", "berry_malformed_frames_total": "counter",
		"berry_client_disconnects_total": "counter", "berry_authentication_failures_total": "counter", "berry_backend_in_flight": "gauge",
		"berry_config_generation": "gauge", "berry_config_last_reload_successful": "gauge",
		"berry_config_reloads_total": "counter", "berry_model_healthy_backends": "gauge",
		"berry_config_last_reload_timestamp_seconds": "gauge", "berry_log_lines_dropped_total": "counter",
		"berry_log_write_errors_total": "counter", "berry_build_info": "gauge",
	} {
		if p.types[family] != kind {
			t.Errorf("%s is a %q, want %s", family, p.types[family], kind)
		}
		delete(p.types, family)
	}
	for family := range p.types {
		t.Errorf("%s is not in this test", family)
	}

	const chat = `method="POST",path="/v1/chat/completions"`
	p.want(t, `http_requests_total{`+chat+`,status="200"}`, 4)
	p.want(t, `http_requests_total{`+chat+`,status="429"}`, 1)
	p.want(t, `http_requests_total{method="GET",path="/v1/models/{id...}",status="401"}`, 1)
	p.want(t, `http_requests_total{method="GET",path="other",status="404"}`, 1)
	p.want(t, `http_requests_total{method="other",path="other",status="404"}`, 1)
	p.want(t, `http_request_duration_seconds_bucket{`+chat+`,le="600"}`, 5)
	p.want(t, `http_request_duration_seconds_bucket{`+chat+`,le="+Inf"}`, 5)
	p.want(t, `http_request_duration_seconds_count{`+chat+`}`, 5)
	p.want(t, `http_requests_in_flight`, 1)
	p.want(t, `berry_config_reloads_total{result="success"}`, 0)
	p.want(t, `berry_model_healthy_backends{model="pool"}`, 2)
	b.drain("one", "up-1")
	b.drain("two", "up-2")
	b.scrape().want(t, `berry_model_healthy_backends{model="pool"}`, 0)
	const one, two = `provider="one",model="up-1"`, `provider="two",model="up-2"`
	p.want(t, `backend_health_status{`+one+`}`, 1)
	p.want(t, `backend_request_count_total{`+one+`}`, 5)
	p.want(t, `backend_error_count_total{`+one+`,kind="server"}`, 1)
	p.want(t, `backend_latency_seconds_count{`+one+`}`, 4)
	p.want(t, `load_balance_selections_total{model="pool",strategy="failover",provider="one"}`, 5)
	p.want(t, `smart_ai_confidence_score{`+two+`}`, 0.8)
	p.want(t, `circuit_breaker_state{`+two+`}`, 0)
	const pool = `model="pool",provider="one"`
	p.want(t, `berry_time_to_first_content_seconds_count{`+pool+`}`, 1)
	p.want(t, `berry_overhead_seconds_count`, 4)
	p.want(t, `berry_tokens_total{direction="input",`+pool+`}`, 4000)
	p.want(t, `berry_tokens_total{direction="output",`+pool+`}`, 2000)
	p.want(t, `berry_cost_usd_total{`+pool+`}`, 0.008)
	p.want(t, `berry_retries_total{reason="same_backend"}`, 1)
	p.want(t, `berry_rate_limited_total{user="narrow"}`, 1)
	p.want(t, `berry_authentication_failures_total`, 1)
	p.want(t, `berry_backend_in_flight{`+one+`}`, 0)
	p.want(t, `berry_config_generation`, 1)
	p.want(t, `berry_config_last_reload_successful`, 1)
	for series := range p.samples {
		if strings.Contains(series, "made") {
			t.Errorf("a client chose a label: %s", series)
		}
	}
	if p.samples["go_goroutines"] == 0 || p.samples["process_resident_memory_bytes"] == 0 {
		t.Error("Go and process metrics are missing")
	}
}

func TestMetricLabelsAreEscaped(t *testing.T) {
	const odd = `
[providers."o\"d\\d"]
base_url = "%[1]s"
[providers.two]
base_url = "%[2]s"
[models.m]
name = "a\"b\\c"
backends = [{ provider = "o\"d\\d", model = "x}\"{,\n" }]
[users."u\"ser"]
token = "` + annToken + `"
[users."u\"ser".rate_limit]
requests_per_minute = 1
`
	b := start(t, setup{config: odd})
	b.chat(annToken, hello(`a"b\c`))
	b.chat(annToken, hello(`a"b\c`))
	p := b.scrape()
	p.want(t, `backend_request_count_total{provider="o\"d\\d",model="x}\"{,\n"}`, 1)
	p.want(t, `backend_health_status{provider="o\"d\\d",model="x}\"{,\n"}`, 1)
	p.want(t, `load_balance_selections_total{model="a\"b\\c",strategy="weighted_failover",provider="o\"d\\d"}`, 1)
	p.want(t, `berry_rate_limited_total{user="u\"ser"}`, 1)
}

func TestSeriesOfWhatIsRemovedGo(t *testing.T) {
	b := start(t, setup{one: failing})
	b.chat(annToken, hello("pool"))
	b.chat(annToken, hello("org/m1"))
	for range 3 { // the third is over the limit
		b.chat(narrowTok, hello("pool"))
	}
	has := func(p page, part string) (n int) {
		for series := range p.samples {
			if strings.Contains(series, part) {
				n++
			}
		}
		return n
	}
	before := b.scrape()
	if has(before, `provider="one"`) == 0 || has(before, `provider="two"`) == 0 || has(before, `user="narrow"`) != 1 {
		t.Fatalf("%v", before.samples)
	}
	const less = `
[providers.one]
base_url = "%[1]s"
[providers.two]
base_url = "%[2]s"
[models.pool]
strategy = "failover"
backends = [{ provider = "two", model = "up-2" }]
[users.ann]
token = "` + annToken + `"
`
	if err := b.srv.Reload(b.load(setup{config: less})); err != nil {
		t.Fatal(err)
	}
	p := b.scrape()
	if n := has(p, `provider="one"`) + has(p, `model="org/m1"`) + has(p, `user="narrow"`); n != 0 {
		t.Errorf("%d series of what was removed: %v", n, p.samples)
	}
	p.want(t, `berry_config_generation`, 2)
	// What stayed goes on counting.
	was := before.samples[`load_balance_selections_total{model="pool",strategy="failover",provider="two"}`]
	b.chat(annToken, hello("pool"))
	b.scrape().want(t, `load_balance_selections_total{model="pool",strategy="failover",provider="two"}`, was+1)
}
