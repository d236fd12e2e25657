package api

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay"
)

// decisionView is the record of one request's choices as the operator sees it.
type decisionView struct {
	Sequence   uint64          `json:"sequence"` // counts from 1 since the start
	RequestID  string          `json:"request_id"`
	Time       *string         `json:"time"` // of the request's arrival
	User       string          `json:"user"`
	Endpoint   string          `json:"endpoint"`
	Model      string          `json:"model"`
	Strategy   string          `json:"strategy"`
	Stream     bool            `json:"stream"`
	Candidates []candidateView `json:"candidates"` // at the first pick
	Omitted    int             `json:"omitted_candidates"`
	Attempts   []attemptView   `json:"attempts"`
	Outcome    string          `json:"outcome"` // success, or the code of the error
	Status     int             `json:"status"`
	Committed  bool            `json:"committed"`
	LatencyMS  float64         `json:"latency_ms"`
	TTFTMS     *float64        `json:"ttft_ms"` // null: no content was sent
	Input      int             `json:"input_tokens"`
	Output     int             `json:"output_tokens"`
	Estimated  bool            `json:"estimated"`
	Cost       float64         `json:"cost"`
}

// candidateView is a listing as the first pick saw it.
type candidateView struct {
	Provider        string   `json:"provider"`
	Model           string   `json:"model"`
	Picked          bool     `json:"picked"`
	Excluded        *string  `json:"excluded"` // why it could not be picked; null: it could
	Weight          float64  `json:"weight"`
	EffectiveWeight float64  `json:"effective_weight"`
	Share           float64  `json:"share"`
	Priority        int      `json:"priority"`
	LatencyMS       *float64 `json:"latency_ms"` // smoothed time to first content; null: unmeasured
	Confidence      float64  `json:"confidence"`
	Cost            float64  `json:"cost"` // expected, in USD
	Stage           int      `json:"recovery_stage_percent"`
	Breaker         string   `json:"breaker"`
	Healthy         bool     `json:"healthy"`
}

type attemptView struct {
	Provider  string   `json:"provider"`
	Model     string   `json:"model"`
	Why       string   `json:"why"`
	Kind      string   `json:"kind"`
	Status    *int     `json:"status"` // null: there was no answer
	LatencyMS float64  `json:"latency_ms"`
	TTFTMS    *float64 `json:"ttft_ms"` // null: no content came
	PauseMS   float64  `json:"pause_ms"`
}

const (
	fewDecisions  = 50   // that are shown when the query does not say
	mostDecisions = 1000 // that one answer shows
)

// decisions shows the newest decisions, newest first: ?limit= of them, only
// ?model='s, only those after the sequence number ?after=. A model that a reload
// removed is known by its name for as long as one of its decisions is kept.
func (x *exchange) decisions() {
	q := x.r.URL.Query()
	limit, ok := uintOf(q.Get("limit"), fewDecisions)
	if !ok || limit < 1 || limit > mostDecisions {
		x.fail(apierror.New(apierror.InvalidValue, "limit must be a number from 1 to %d", mostDecisions).WithParam("limit"))
		return
	}
	after, ok := uintOf(q.Get("after"), 0)
	if !ok {
		x.fail(apierror.New(apierror.InvalidValue, "after must be a sequence number").WithParam("after"))
		return
	}
	model := q.Get("model")
	known := model == ""
	if m, found := x.view.rt.Find(model); found {
		model, known = m.Name, true
	}
	out := []decisionView{}
	newest := uint64(0)
	x.server.decisions.read(func(d *decision) bool {
		newest = max(newest, d.sequence)
		asked := model == "" || d.model == model
		known = known || asked
		wanted := d.sequence > after && uint64(len(out)) < limit
		if wanted && asked {
			out = append(out, d.view())
		}
		return wanted || !known
	})
	if !known {
		x.fail(apierror.New(apierror.ModelNotFound,
			"there is no model %q, and no decision of one that was called so is kept", clip(strings.ToValidUTF8(model, "\ufffd"))).WithParam("model"))
		return
	}
	x.json(http.StatusOK, struct {
		Newest    uint64         `json:"newest"` // the newest one's sequence number, shown or not
		Decisions []decisionView `json:"decisions"`
	}{newest, out})
}

// decision shows the newest decision of one request id; clients may choose
// their ids, so there may be several.
func (x *exchange) decision() {
	id := x.rest()
	var found *decisionView
	x.server.decisions.read(func(d *decision) bool {
		if d.id == id {
			v := d.view()
			found = &v
		}
		return found == nil
	})
	if found == nil {
		x.fail(apierror.New(apierror.NotFound,
			"no decision of the request %q is kept: only the newest are, and none of requests that were refused before balancing", clip(id)))
		return
	}
	x.json(http.StatusOK, found)
}

func uintOf(text string, unset uint64) (uint64, bool) {
	if text == "" {
		return unset, true
	}
	n, err := strconv.ParseUint(text, 10, 64)
	return n, err == nil
}

// outcomeOf is "success", or the code of what the client was told.
func outcomeOf(r *relay.Record) string {
	switch {
	case r.Error != nil && r.Error.Code == "": // as an upstream gave it
		return "status_" + strconv.Itoa(r.Error.Status)
	case r.Error != nil:
		return clip(r.Error.Code)
	case r.Disconnected:
		return string(apierror.ClientClosed)
	}
	return loadbalance.Success.String()
}

func (d *decision) view() decisionView {
	v := decisionView{
		Sequence: d.sequence, RequestID: d.id, Time: preciseStamp(d.start), User: d.user, Endpoint: d.endpoint.String(), Model: d.model, Strategy: d.strategy,
		Stream: d.stream, Candidates: []candidateView{}, Omitted: d.pick.Omitted, Attempts: []attemptView{},
		Outcome: d.outcome, Status: d.status, Committed: d.committed,
		LatencyMS: millis(d.duration), TTFTMS: someMillis(d.firstContent),
		Input: d.usage.Input, Output: d.usage.Output, Estimated: d.usage.Estimated, Cost: rounded(d.cost),
	}
	for i := range d.pick.Considered {
		c := &d.pick.Considered[i]
		v.Candidates = append(v.Candidates, candidateView{
			Provider: c.Group, Model: modelOf(c.ID, c.Group), Picked: i == d.pick.Picked, Excluded: orNull(c.Excluded),
			Weight: c.Weight, EffectiveWeight: rounded(c.EffectiveWeight), Share: rounded(c.Share), Priority: c.Priority,
			LatencyMS: someMillis(c.Latency), Confidence: c.Confidence, Cost: rounded(c.Cost),
			Stage: c.Stage, Breaker: c.Breaker.String(), Healthy: c.Healthy,
		})
	}
	for i := range d.attempts {
		a := &d.attempts[i]
		w := attemptView{
			Provider: a.provider, Model: a.model, Why: string(a.why), Kind: a.kind.String(),
			LatencyMS: millis(a.duration), TTFTMS: someMillis(a.firstContent), PauseMS: millis(a.pause),
		}
		if status := a.status; status != 0 { // a copy: the record is used again
			w.Status = &status
		}
		v.Attempts = append(v.Attempts, w)
	}
	return v
}

// preciseStamp is stamp to the millisecond, for moments that are compared.
func preciseStamp(t time.Time) *string {
	s := t.UTC().Format("2006-01-02T15:04:05.000Z07:00")
	return &s
}

// someMillis is nil, which is null in JSON, for no time at all.
func someMillis(d time.Duration) *float64 {
	if d <= 0 {
		return nil
	}
	ms := millis(d)
	return &ms
}
