package simulate

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/PPKunOfficial/berry-api/loadbalance"
)

// What a script does not say.
const (
	defaultPerToken = 10 * time.Millisecond
	refusal         = 5 * time.Millisecond   // until a broken connection is known
	complaint       = 100 * time.Millisecond // until an error has come
)

func defaultLatency() Distribution { return Lognormal(0.8, 0.4) }

// actor is a backend that follows its script.
type actor struct {
	script  Script
	latency Distribution
	token   time.Duration
	rnd     *rand.Rand

	minute  int64 // of the clock, that used counts
	used    int   // requests in it
	outages []span
}

// span is a time in which everything fails.
type span struct{ from, until moment }

func newActor(s Script, whole time.Duration, rnd *rand.Rand) *actor {
	a := &actor{script: s, latency: s.Latency.or(defaultLatency()), token: defaultPerToken, rnd: rnd, minute: -1}
	if s.PerToken != nil {
		a.token = time.Duration(*s.PerToken)
	}
	for i := range s.Faults {
		a.outages = append(a.outages, s.Faults[i].spans(moment(whole))...)
	}
	a.outages = merged(a.outages)
	return a
}

// spans returns when everything fails, up to the end.
func (f *Fault) spans(end moment) []span {
	if !f.total() {
		return nil
	}
	period := moment(f.Every)
	if period == 0 {
		period = moment(maxDuration)
	}
	var all []span
	for begin := moment(0); begin+moment(f.From) < end; begin += period {
		until := begin + moment(f.Until)
		if f.Until == 0 {
			until = begin + period
		}
		all = append(all, span{begin + moment(f.From), until})
	}
	return all
}

// merged joins the spans that overlap.
func merged(all []span) []span {
	slices.SortFunc(all, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	var out []span
	for _, s := range all {
		if n := len(out); n > 0 && s.from <= out[n-1].until {
			out[n-1].until = max(out[n-1].until, s.until)
			continue
		}
		out = append(out, s)
	}
	return out
}

// fate is what a backend does with a request: what is known, and when.
type fate struct {
	kind       loadbalance.Kind
	status     int
	first      time.Duration // to the first content
	total      time.Duration // to the end of the answer or to the failure
	retryAfter time.Duration
}

// ask is what a request asks of a backend.
type ask struct {
	output int           // tokens
	limit  time.Duration // until the first content, or the end for a whole answer
	whole  bool
}

// answer decides the fate of a request that begins now.
func (a *actor) answer(now moment, q ask) fate {
	if wait, over := a.overLimit(now); over {
		return fate{kind: loadbalance.RateLimit, status: 429, total: complaint, retryAfter: wait}
	}
	for i := range a.script.Faults {
		if f := &a.script.Faults[i]; f.covers(now) {
			if f.total() || a.rnd.Float64() < f.Share {
				return f.fate(q.limit)
			}
			break
		}
	}
	first := time.Duration(a.latency.draw(a.rnd) * float64(time.Second))
	x := fate{kind: loadbalance.Success, status: 200, first: first, total: first + time.Duration(q.output)*a.token}
	if q.whole {
		x.first = x.total
	}
	if x.first > q.limit {
		return fate{kind: loadbalance.Timeout, total: q.limit}
	}
	return x
}

// fate is that of a request which the fault hits.
func (f *Fault) fate(limit time.Duration) fate {
	x := fate{kind: loadbalance.Kind(f.Kind), total: complaint, retryAfter: time.Duration(f.RetryAfter)}
	switch x.kind {
	case loadbalance.Network:
		x.total = refusal
	case loadbalance.Timeout:
		x.total = limit
	case loadbalance.Server:
		x.status = 500
		if f.RetryAfter > 0 {
			x.status = 503
		}
	case loadbalance.RateLimit:
		x.status = 429
	case loadbalance.Auth:
		x.status = 401
	case loadbalance.Model:
		x.status = 404
	}
	if f.After > 0 {
		x.total = min(time.Duration(f.After), limit)
	}
	return x
}

// overLimit counts a request, and reports whether it is one too many and for
// how long.
func (a *actor) overLimit(now moment) (wait time.Duration, over bool) {
	if a.script.RequestsPerMinute == 0 {
		return 0, false
	}
	if m := int64(now / moment(time.Minute)); m != a.minute {
		a.minute, a.used = m, 0
	}
	if a.used == a.script.RequestsPerMinute {
		return time.Duration(moment(time.Minute) - now%moment(time.Minute)), true
	}
	a.used++
	return 0, false
}

// checked is what a check that costs nothing finds.
func (a *actor) checked(now moment, kind loadbalance.CheckKind) loadbalance.Outcome {
	if kind == loadbalance.CheckList && a.script.NoList {
		return loadbalance.Outcome{Kind: loadbalance.Model, Status: 404}
	}
	for i := range a.script.Faults {
		f := &a.script.Faults[i]
		if !f.covers(now) {
			continue
		}
		if f.shows(kind) && (f.total() || a.rnd.Float64() < f.Share) {
			x := f.fate(0)
			if x.kind == loadbalance.Model {
				x.status = 200 // the list was read; the model is not in it
			}
			return loadbalance.Outcome{Kind: x.kind, Status: x.status, RetryAfter: x.retryAfter}
		}
		break
	}
	return loadbalance.Outcome{Kind: loadbalance.Success, Status: 200}
}

// shows reports whether a check of that kind, which costs nothing, sees the
// fault.
func (f *Fault) shows(kind loadbalance.CheckKind) bool {
	switch loadbalance.Kind(f.Kind) {
	case loadbalance.Network:
		return true
	case loadbalance.Auth, loadbalance.Model:
		return kind == loadbalance.CheckList
	default:
		return kind == loadbalance.CheckList && f.Account
	}
}
