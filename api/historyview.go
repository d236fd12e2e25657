package api

import (
	"net/http"
	"time"

	"github.com/PPKunOfficial/berry-api/core/apierror"
)

// figuresView is what became of the requests that ended in a span of time.
type figuresView struct {
	Requests  uint64           `json:"requests"` // the sum of the next five
	Succeeded uint64           `json:"succeeded"`
	Failed    uint64           `json:"failed"`  // answered with a 5xx, or broken off
	Limited   uint64           `json:"limited"` // answered with a 429
	Refused   uint64           `json:"refused"` // answered with another 4xx
	Left      uint64           `json:"left"`    // the client did not wait for the end
	Attempts  uint64           `json:"attempts"`
	Input     uint64           `json:"input_tokens"`
	Output    uint64           `json:"output_tokens"`
	Cost      float64          `json:"cost"`
	Latency   *percentilesView `json:"latency_ms"` // of those that succeeded; null: none did
	TTFT      *percentilesView `json:"ttft_ms"`    // of streams; null: there were none
}

type pointView struct {
	Time *string `json:"time"` // of its beginning
	figuresView
}

type spanView struct {
	Seconds int `json:"seconds"`
	figuresView
}

// recentSteps are the intervals that make "now": a minute.
const recentSteps = int64(time.Minute / historyStep)

// history shows what became of the requests of the last half hour, or of the
// newest ?points= intervals of it, the oldest first. The interval under way is
// not in it.
func (x *exchange) history() {
	points, ok := uintOf(x.r.URL.Query().Get("points"), historyLength)
	if !ok || points < 1 || points > historyLength {
		x.fail(apierror.New(apierror.InvalidValue, "points must be a number from 1 to %d", historyLength).WithParam("points"))
		return
	}
	h, now := x.server.metrics.history, time.Now()
	end := intervalAt(now)
	out := []pointView{}
	for n := max(h.start, end-int64(points)); n < end; n++ {
		out = append(out, pointView{stamp(time.Unix(n*int64(historyStep/time.Second), 0)), h.figures(n, n+1)})
	}
	span := func(most int64) spanView {
		from := max(h.start, end-most)
		return spanView{int((end - from) * int64(historyStep/time.Second)), h.figures(from, end)}
	}
	x.json(http.StatusOK, struct {
		Timestamp *string     `json:"timestamp"`
		Step      int         `json:"step_seconds"`
		Recent    spanView    `json:"recent"` // up to a minute
		Kept      spanView    `json:"kept"`   // up to half an hour
		Points    []pointView `json:"points"`
	}{stamp(now), int(historyStep / time.Second), span(recentSteps), span(historyLength), out})
}

// figures sums the intervals from one number up to, and without, another.
func (h *history) figures(from, to int64) figuresView {
	var v figuresView
	var latency, ttft counts
	var nanodollars uint64
	for n := from; n < to; n++ {
		i := h.ring[uint64(n)%historyLength].Load()
		if i == nil || i.number != n {
			continue
		}
		v.Succeeded += i.succeeded.Load()
		v.Failed += i.failed.Load()
		v.Limited += i.limited.Load()
		v.Refused += i.refused.Load()
		v.Left += i.left.Load()
		v.Attempts += i.attempts.Load()
		v.Input += i.input.Load()
		v.Output += i.output.Load()
		nanodollars += i.nanodollars.Load()
		latency.add(&i.latency)
		ttft.add(&i.firstContent)
	}
	v.Requests = v.Succeeded + v.Failed + v.Limited + v.Refused + v.Left
	v.Cost = float64(nanodollars) / 1e9
	v.Latency, v.TTFT = latency.percentiles(), ttft.percentiles()
	return v
}
