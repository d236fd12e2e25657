package api

import (
	"io"
	"testing"
	"time"

	"github.com/PPKunOfficial/berry-api/core/auth"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay"
)

// BenchmarkObserver is what metrics and log cost a request.
func BenchmarkObserver(b *testing.B) {
	sink := newLogSink(io.Discard)
	sink.running = true // but nothing runs: the benchmark flushes
	o := &watcher{metrics: newMetrics(), log: newTestLogger(sink, "")}
	r := &relay.Record{
		RequestID: requestID(nil), User: &auth.User{ID: "ann"}, Start: time.Now(),
		Model:  &relay.Model{Name: "gpt-4o-mini", Strategy: "weighted_failover"},
		Status: 200, Duration: 1234567 * time.Microsecond, FirstContent: 12345 * time.Microsecond,
		Usage: relay.Usage{Input: 12, Output: 34}, Cost: 0.000123,
	}
	r.Attempts = []relay.Attempt{{
		Backend: "one:up-1", Provider: "one", Model: "up-1", Why: relay.ReasonFirst,
		Start: r.Start, Kind: loadbalance.Success, Status: 200, Duration: time.Second,
	}}
	const together = 100 // lines in one write, as under load
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		o.Selected(r, r.Last())
		o.Attempted(r, r.Last())
		o.Finished(r)
		if n%together == 0 {
			sink.flush()
		}
	}
}
