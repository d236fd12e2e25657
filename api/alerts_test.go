package api_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// The shipped alert rules are tried on what a server really shows: each stage
// runs one against providers that are good or bad, and reads its metrics after
// each step. promtool is told that a quarter of a minute lies between two steps,
// and says which alerts fire.

// stage is one staged cause, or none.
type stage struct {
	name  string
	setup setup
	steps int // most rules look at 5 minutes and wait for 5 more: 40 steps
	act   func(b *berry, step int)
	mend  int      // the step from which act makes all well again; 0: never
	want  []string // the alerts that fire in the step before mend, or in the last
}

// film runs the stage and returns each series as promtool takes it.
func (s stage) film(t *testing.T) map[string][]string {
	t.Helper()
	b := start(t, s.setup)
	b.chat(annToken, hello("pool")) // a counter has to be there before it can grow
	series := map[string][]string{}
	for step := range s.steps {
		s.act(b, step)
		p := b.scrape()
		for name, v := range p.samples {
			if strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_") {
				continue
			}
			for len(series[name]) < step {
				series[name] = append(series[name], "_")
			}
			series[name] = append(series[name], fmt.Sprint(v))
		}
	}
	return series
}

// test writes the stage's film as a promtool test.
func (s stage) test(t *testing.T, out *strings.Builder) {
	t.Helper()
	series := s.film(t)
	fmt.Fprintf(out, "  - name: %q\n    interval: 15s\n    input_series:\n", s.name)
	for _, name := range slices.Sorted(maps.Keys(series)) {
		fmt.Fprintf(out, "      - {series: '%s', values: '%s'}\n", name, strings.Join(series[name], " "))
	}
	out.WriteString("    promql_expr_test:\n")
	end := s.steps - 1
	if s.mend > 0 {
		end = s.mend - 1
		s.expect(out, s.steps-1, nil)
	}
	s.expect(out, end, s.want)
}

// expect says which alerts fire at a step, and that no other does.
func (s stage) expect(out *strings.Builder, step int, alerts []string) {
	fmt.Fprintf(out, "      - expr: ALERTS{alertstate=\"firing\"}\n        eval_time: %s\n", time.Duration(step)*15*time.Second)
	if len(alerts) == 0 {
		return
	}
	out.WriteString("        exp_samples:\n")
	for _, a := range alerts {
		name, labels, _ := strings.Cut(a, " ")
		fmt.Fprintf(out, "          - {labels: 'ALERTS{alertstate=\"firing\",alertname=\"%s\",%s}', value: 1}\n", name, labels)
	}
}

// wantStatus makes a request and checks how it ends.
func (b *berry) wantStatus(status int, token, body string) {
	b.t.Helper()
	if a := b.chat(token, body); a.status != status {
		b.t.Errorf("%s: %d %s, want %d", body, a.status, a.body, status)
	}
}

const streamed = `{"model":"pool","stream":true,"messages":[{"role":"user","content":"Hello"}]}`

// alone is a configuration with one backend, nothing of which is tried twice.
var alone = strings.NewReplacer("[models.slash]", "[models.slash]\nenabled = false", "[[models.pool.backends]]\nprovider = \"two\"",
	"[[models.pool.backends]]\nenabled = false\nprovider = \"two\"", "[providers.one]", "[providers.one]\nmax_retries = 0").Replace(usual)

func stages() []stage {
	good, slow := said("Hi"), func(r *mockllm.Seen) []mockllm.Step {
		return append([]mockllm.Step{mockllm.Sleep(2100 * time.Millisecond)}, said("Hi")(r)...)
	}
	limited := mockllm.Always(mockllm.JSON(429, http.Header{"Retry-After": {"3600"}}, `{"error":{"message":"slow down"}}`))
	patient := "circuit_breaker_failure_threshold = 1000\n"
	return []stage{
		{name: "all is well", steps: 44, act: func(b *berry, step int) {
			for range 10 {
				b.wantStatus(200, annToken, hello("pool"))
				b.wantStatus(200, annToken, streamed)
			}
			b.wantStatus(404, annToken, hello("unknown"))
			if step%8 == 0 { // now and then one is refused, and one is tried again
				b.chat(badToken, hello("pool"))
				b.one.SetScript(mockllm.Attempts(failing, good))
				b.wantStatus(200, annToken, hello("pool"))
			}
		}},
		{name: "one answer in three is a 5xx", steps: 44, setup: setup{config: alone}, act: func(b *berry, step int) {
			for range 2 {
				b.one.SetScript(failing)
				b.wantStatus(503, annToken, hello("pool"))
				b.one.SetScript(good)
				b.wantStatus(200, annToken, hello("pool"))
				b.wantStatus(200, annToken, hello("pool"))
			}
		}, want: []string{`HighErrorRate severity="warning",method="POST",path="/v1/chat/completions",status="503"`}},
		{name: "a backend is down, another one answers", steps: 20, mend: 10, setup: setup{settings: patient}, act: func(b *berry, step int) {
			switch step {
			case 2:
				b.one.SetScript(failing)
				b.wantStatus(200, annToken, hello("pool"))
				b.wantStatus(200, annToken, hello("pool"))
			case 10:
				b.one.SetScript(good)
				eventually(b.t, "a trial that brings it back", func() bool {
					b.wantStatus(200, annToken, hello("pool"))
					return b.scrape().samples[`backend_health_status{provider="one",model="up-1"}`] == 1
				})
			}
		}, want: []string{`BackendDown severity="critical",provider="one",model="up-1"`}},
		{name: "a breaker is open", steps: 10, setup: setup{settings: "circuit_breaker_failure_threshold = 2\n"}, act: func(b *berry, step int) {
			if step == 2 {
				b.one.SetScript(failing)
			}
			b.wantStatus(200, annToken, hello("pool"))
		}, want: []string{`BackendDown severity="critical",provider="one",model="up-1"`, `BreakerOpen severity="warning",provider="one",model="up-1"`}},
		{name: "both are over their limit", steps: 10, setup: setup{settings: patient}, act: func(b *berry, step int) {
			if step == 2 {
				b.one.SetScript(limited)
				b.two.SetScript(limited)
				b.wantStatus(429, annToken, hello("pool"))
			}
		}, want: []string{`NoHealthyBackend severity="critical",model="pool"`, `NoHealthyBackend severity="critical",model="org/m1"`}},
		{name: "the configuration cannot be read", steps: 16, mend: 8, act: func(b *berry, step int) {
			switch step {
			case 2:
				if err := b.srv.ReloadFile(); err == nil { // there is no file
					b.t.Error("a reload from no file was not refused")
				}
			case 8:
				if err := b.srv.Reload(b.load(setup{})); err != nil {
					b.t.Error(err)
				}
			}
		}, want: []string{`ReloadFailed severity="warning"`}},
		{name: "a model list cannot be read", steps: 26, setup: setup{config: discovering, two: failing}, act: func(b *berry, step int) {
			b.wantStatus(200, annToken, hello("pool"))
		}, want: []string{`DiscoveryFailed severity="warning",provider="two"`}},
		{name: "a user is over the limit", steps: 44, act: func(b *berry, step int) {
			for range 3 {
				b.chat(narrowTok, hello("pool"))
			}
		}, want: []string{`RateLimitedUsers severity="info",user="narrow"`}},
		{name: "answers break", steps: 44, setup: setup{config: alone, settings: patient}, act: func(b *berry, step int) {
			b.one.SetScript(breaking)
			res := b.open(streamed)
			if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
				b.t.Errorf("%d %v", res.StatusCode, err)
			}
			b.one.SetScript(good)
			for range 4 {
				b.wantStatus(200, annToken, streamed)
			}
		}, want: []string{`StreamBreaks severity="warning",provider="one",model="pool"`}},
		{name: "answers are slow", steps: 40, setup: setup{one: good}, act: func(b *berry, step int) {
			b.wantStatus(200, annToken, hello("pool"))
			if step%16 != 2 {
				return
			}
			b.one.SetScript(slow)
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() { b.wantStatus(200, annToken, hello("pool")) })
			}
			all.Wait()
			b.one.SetScript(good)
		}, want: []string{`HighLatency severity="warning",method="POST",path="/v1/chat/completions"`}},
	}
}

// TestAlertsOnBerrysOwnOutput stages each alert's cause; it fires, and no other does.
func TestAlertsOnBerrysOwnOutput(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is missing (Debian's package prometheus has it): what the alert rules make of Berry's metrics is not tested")
	}
	rules, err := filepath.Abs(deploy + "prometheus/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	fmt.Fprintf(&tests, "rule_files:\n  - %q\nevaluation_interval: 15s\ntests:\n", rules)
	staged := map[string]bool{}
	for _, s := range stages() {
		s.test(t, &tests)
		for _, a := range s.want {
			name, _, _ := strings.Cut(a, " ")
			staged[name] = true
		}
	}
	for _, m := range alertNames.FindAllStringSubmatch(fileText(t, rules), -1) {
		if !staged[m[1]] {
			t.Errorf("the cause of %s is not staged", m[1])
		}
	}
	file := filepath.Join(t.TempDir(), "staged_test.yml")
	writeFile(t, file, tests.String())
	if out, err := exec.CommandContext(t.Context(), promtool, "test", "rules", file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
