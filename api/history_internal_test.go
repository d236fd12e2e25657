package api

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/relay"
)

// askHistory is GET /admin/history as an administrator sees it.
func askHistory(t *testing.T, h http.Handler, query string) string {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/admin/history"+query, nil)
	r.Header.Set("Authorization", "Bearer history-canary-1")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return strings.TrimSpace(w.Body.String())
}

// The whole answer, as time goes by.
func TestHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := built(t, `
[users.boss]
token = "history-canary-1"
tags = ["admin"]
`)
		h, _ := s.routers(false)
		f := func(query, want string) {
			t.Helper()
			var compact strings.Builder
			for line := range strings.Lines(want) {
				compact.WriteString(strings.TrimSpace(line))
			}
			if d := cmp.Diff(compact.String(), askHistory(t, h, query)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		}
		const none = `"requests":0,"succeeded":0,"failed":0,"limited":0,"refused":0,"left":0,"attempts":0,"input_tokens":0,"output_tokens":0,"cost":0,"latency_ms":null,"ttft_ms":null}`

		// The clock of the bubble stands at midnight: a step begins.
		f("", `{"timestamp":"2000-01-01T00:00:00Z","step_seconds":5,"recent":{"seconds":0,`+none+`,"kept":{"seconds":0,`+none+`,"points":[]}`)

		failed := func(status int) *apierror.Error { return &apierror.Error{Status: status} }
		for _, r := range []relay.Record{
			{
				Status: 200, Duration: time.Second, Stream: true, FirstContent: 100 * time.Millisecond, Committed: true,
				Attempts: make([]relay.Attempt, 2), Usage: relay.Usage{Input: 10, Output: 20}, Cost: 0.25,
			},
			{Status: 200, Duration: time.Second, Committed: true, Attempts: make([]relay.Attempt, 1), Cost: 0.5},
			{Status: 503, Error: failed(503)},
			{Status: 200, Error: failed(502), Committed: true, Attempts: make([]relay.Attempt, 1)},
			{Status: 429, Error: failed(429)},
			{Status: 404, Error: failed(404)},
			{Status: 499, Disconnected: true},
		} {
			r.Start = time.Now()
			s.metrics.history.observe(&r)
		}
		const some = `"requests":7,"succeeded":2,"failed":2,"limited":1,"refused":1,"left":1,"attempts":4,"input_tokens":10,"output_tokens":20,"cost":0.75,
			"latency_ms":{"p50":999.42,"p95":1032.19,"p99":1032.19},"ttft_ms":{"p50":102.4,"p95":102.4,"p99":102.4}}`
		f("", `{"timestamp":"2000-01-01T00:00:00Z","step_seconds":5,"recent":{"seconds":0,`+none+`,"kept":{"seconds":0,`+none+`,"points":[]}`)
		time.Sleep(10 * time.Second)
		f("", `{"timestamp":"2000-01-01T00:00:10Z","step_seconds":5,"recent":{"seconds":10,`+some+`,"kept":{"seconds":10,`+some+`,"points":[
			{"time":"2000-01-01T00:00:00Z",`+some+`,{"time":"2000-01-01T00:00:05Z",`+none+`]}`)
		f("?points=1", `{"timestamp":"2000-01-01T00:00:10Z","step_seconds":5,"recent":{"seconds":10,`+some+`,"kept":{"seconds":10,`+some+`,"points":[
			{"time":"2000-01-01T00:00:05Z",`+none+`]}`)

		// After a minute it is not recent, after half an hour it is forgotten.
		time.Sleep(time.Minute)
		f("?points=1", `{"timestamp":"2000-01-01T00:01:10Z","step_seconds":5,"recent":{"seconds":60,`+none+`,"kept":{"seconds":70,`+some+`,"points":[
			{"time":"2000-01-01T00:01:05Z",`+none+`]}`)
		time.Sleep(30 * time.Minute)
		f("?points=1", `{"timestamp":"2000-01-01T00:31:10Z","step_seconds":5,"recent":{"seconds":60,`+none+`,"kept":{"seconds":1800,`+none+`,"points":[
			{"time":"2000-01-01T00:31:05Z",`+none+`]}`)
		var all struct{ Points []any }
		if err := json.Unmarshal([]byte(askHistory(t, h, "")), &all); err != nil || len(all.Points) != historyLength {
			t.Errorf("%v, %d points", err, len(all.Points))
		}
	})
}

// Nothing is lost when many requests end at once, at the turn of an interval too.
func TestHistoryTogether(t *testing.T) {
	h := newHistory()
	start := time.Unix(1e9, 0)
	const each, together = 1000, 8
	var all sync.WaitGroup
	for range together {
		all.Go(func() {
			for i := range each {
				h.observe(&relay.Record{Start: start.Add(time.Duration(i) * 100 * time.Millisecond), Status: 200, Duration: time.Millisecond})
			}
		})
	}
	all.Wait()
	from := intervalAt(start)
	got := h.figures(from, from+each/50)
	if got.Succeeded != each*together || got.Requests != each*together {
		t.Errorf("%d of %d requests", got.Succeeded, each*together)
	}
	if n := h.figures(from, from+1).Requests; n != 50*together {
		t.Errorf("%d requests in the first interval, want %d", n, 50*together)
	}
}

func TestHistoryAllocatesNothing(t *testing.T) {
	h := newHistory()
	r := &relay.Record{Start: time.Now(), Status: 200, Duration: time.Second, Stream: true, FirstContent: time.Millisecond, Attempts: make([]relay.Attempt, 1), Cost: 1e-3}
	if n := testing.AllocsPerRun(100, func() { h.observe(r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkHistory(b *testing.B) {
	h := newHistory()
	b.RunParallel(func(pb *testing.PB) {
		r := &relay.Record{Start: time.Now(), Status: 200, Duration: time.Second, Stream: true, FirstContent: time.Millisecond, Attempts: make([]relay.Attempt, 1), Cost: 1e-3}
		for pb.Next() {
			h.observe(r)
		}
	})
}

// A percentile is at most an eighth away from the real one.
func TestPercentiles(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var s spread
		micros := make([]int64, 1+random.IntN(200))
		for i := range micros {
			micros[i] = int64(math.Exp2(finest + octaves*random.Float64()))
			s.add(time.Duration(micros[i]) * time.Microsecond)
		}
		var c counts
		c.add(&s)
		slices.Sort(micros)
		got := c.percentiles()
		for q, ms := range map[float64]float64{.5: got.P50, .95: got.P95, .99: got.P99} {
			want := float64(micros[max(1, int(math.Ceil(q*float64(len(micros)))))-1]) / 1000
			if math.Abs(ms-want) > want/8+.01 {
				t.Fatalf("p%v of %d is %v, want about %v", q*100, len(micros), ms, want)
			}
		}
	}
	f := func(d time.Duration, want int) {
		t.Helper()
		if got := stepOf(d); got != want {
			t.Errorf("%v is in step %d, want %d", d, got, want)
		}
	}
	f(-time.Second, 0)
	f(0, 0)
	f(255*time.Microsecond, 0)
	f(256*time.Microsecond, 1)
	f(287*time.Microsecond, 1)
	f(288*time.Microsecond, 2)
	f(512*time.Microsecond, 9)
	f(1000*time.Hour, octaves*steps)
	if got := new(counts).percentiles(); got != nil {
		t.Errorf("of nothing: %v", got)
	}
}
