package api

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/PPKunOfficial/berry-api/relay"
)

const (
	// historyStep is how long the intervals of the history are.
	historyStep = 5 * time.Second
	// historyLength is how many of them are kept: half an hour.
	historyLength = 360
)

// history is what became of the requests of the last half hour, interval by
// interval, for the dashboard to draw. An interval is made by the first request
// that ends in it; the others only add to its counters.
type history struct {
	start int64 // the number of the interval that the server started in
	ring  [historyLength]atomic.Pointer[interval]
}

// interval counts the requests that ended in a span of historyStep.
type interval struct {
	number int64 // of steps since 1970

	// by what became of them
	succeeded, failed, limited, refused, left atomic.Uint64

	attempts, input, output atomic.Uint64
	nanodollars             atomic.Uint64

	latency      spread // of those that succeeded
	firstContent spread // of streams
}

func newHistory() *history { return &history{start: intervalAt(time.Now())} }

// intervalAt is the number of the interval that a moment is in.
func intervalAt(t time.Time) int64 { return t.Unix() / int64(historyStep/time.Second) }

// observe counts a request that has ended.
func (h *history) observe(r *relay.Record) {
	i := h.interval(intervalAt(r.Start.Add(r.Duration)))
	switch {
	case r.Error != nil && (r.Committed || r.Status >= 500): // committed: the answer broke
		i.failed.Add(1)
	case r.Error != nil && r.Status == 429:
		i.limited.Add(1)
	case r.Error != nil:
		i.refused.Add(1)
	case r.Disconnected:
		i.left.Add(1)
	default:
		i.succeeded.Add(1)
		i.latency.add(r.Duration)
	}
	if r.Stream && r.FirstContent > 0 { // a plain answer's first content is all of it
		i.firstContent.add(r.FirstContent)
	}
	if len(r.Attempts) == 0 {
		return
	}
	i.attempts.Add(uint64(len(r.Attempts)))
	i.input.Add(uint64(max(0, r.Usage.Input)))
	i.output.Add(uint64(max(0, r.Usage.Output)))
	if r.Cost > 0 {
		i.nanodollars.Add(uint64(math.Round(r.Cost * 1e9)))
	}
}

// interval returns the one with that number, made if there is none yet. When the
// clock was set back, an interval of the future that is in its place goes.
func (h *history) interval(number int64) *interval {
	slot := &h.ring[uint64(number)%historyLength]
	for {
		old := slot.Load()
		if old != nil && old.number == number {
			return old
		}
		fresh := &interval{number: number}
		if slot.CompareAndSwap(old, fresh) {
			return fresh
		}
	}
}
