package api

import (
	vm "github.com/VictoriaMetrics/metrics"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay"
)

// watcher is relay's Observer: it keeps the metrics, writes the log lines of
// requests that reached a backend, and passes everything on to the embedder's.
type watcher struct {
	metrics *metrics
	log     *logger
	next    relay.Observer // nil: nobody
}

var _ relay.Observer = (*watcher)(nil)

// Selected counts a pick, and logs it for who asks for details.
func (o *watcher) Selected(r *relay.Record, a *relay.Attempt) {
	s := o.metrics.listing(r.Model.Name, r.Model.Strategy, a)
	s.selections.Inc()
	s.picks.Add(1)
	if a.Why == relay.ReasonFirst {
		o.metrics.overhead.Update(a.Start.Sub(r.Start).Seconds())
	} else {
		o.metrics.retry(a.Why).Inc()
	}
	o.logPick(r, a)
	if o.next != nil {
		o.next.Selected(r, a)
	}
}

// Attempted counts what came of an attempt.
func (o *watcher) Attempted(r *relay.Record, a *relay.Attempt) {
	s := o.metrics.backend(a)
	s.requests.Inc()
	switch {
	case a.Kind == loadbalance.Success:
		s.latency.Update(a.Duration.Seconds())
		s.successes.Add(1)
		s.micros.Add(a.Duration.Microseconds())
	case a.Kind.Elsewhere():
		s.failed(a.Kind)
	}
	if a.Kind == loadbalance.Auth {
		n := o.log.line(targetRelay, levelError, "Provider refused the API key of this gateway")
		n.fields.Str("request_id", r.RequestID).Str("provider", a.Provider).Str("upstream_model", a.Model).Int("status", a.Status)
		n.send()
	}
	o.logAttempt(r, a)
	if o.next != nil {
		o.next.Attempted(r, a)
	}
}

// Finished counts what the whole request used, and logs it if it reached a backend.
func (o *watcher) Finished(r *relay.Record) {
	m := o.metrics
	m.history.observe(r)
	if r.Disconnected {
		m.disconnects.Inc()
	}
	if r.Malformed > 0 {
		m.malformed.Add(r.Malformed)
	}
	if r.Error != nil && r.Error.Code == string(apierror.RateLimitExceeded) && r.User != nil {
		m.rateLimited(r.User.ID).Inc()
	}
	if a := r.Last(); a != nil {
		m.used(r)
		s := m.listing(r.Model.Name, r.Model.Strategy, a)
		if r.Stream && r.FirstContent > 0 { // a plain answer's first content is all of it
			s.firstContent.Update(r.FirstContent.Seconds())
		}
		if r.Error != nil && r.Committed {
			s.breaks.Inc()
		}
		o.logRequest(r, a)
	}
	if o.next != nil {
		o.next.Finished(r)
	}
}

// used counts tokens and cost where they arose: a request whose stream broke
// and was resumed elsewhere used two backends.
func (m *metrics) used(r *relay.Record) {
	for i := range r.Attempts {
		a := &r.Attempts[i]
		if a.Usage.IsZero() && a.Cost == 0 {
			continue
		}
		s := m.listing(r.Model.Name, r.Model.Strategy, a)
		s.input.Add(a.Usage.Input)
		s.output.Add(a.Usage.Output)
		s.cached.Add(a.Usage.CachedInput)
		s.reason.Add(a.Usage.Reasoning)
		if a.Cost > 0 {
			s.cost.Add(a.Cost)
		}
	}
}

// BackendChanged logs a transition. Getting worse is a warning, and so is
// getting better, so that a log of warnings tells the whole story; the steps on
// the way back to full weight are not.
func (o *watcher) BackendChanged(e loadbalance.Event) {
	lv := levelWarn
	if e.Subject == loadbalance.Recovery {
		lv = levelInfo
	}
	n := o.log.line(targetLoadbalance, lv, "health_check: backend "+e.Subject.String()+" changed")
	n.fields.Str("backend", e.ID).Str("provider", e.Group).Str("from", e.From).Str("to", e.To)
	n.fields.Str("cause", e.Kind.String())
	if e.Status != 0 {
		n.fields.Int("status", e.Status)
	}
	if e.Check != loadbalance.CheckNone {
		n.fields.Str("check", e.Check.String())
	}
	n.send()
	if o.next != nil {
		o.next.BackendChanged(e)
	}
}

func (m *metrics) retry(why relay.Reason) *vm.Counter {
	return m.retries.get(why, func() *vm.Counter {
		return m.set.GetOrCreateCounter("berry_retries_total{" + labels("reason", string(why)) + "}")
	})
}

// mostUserSeries bounds the series by user: an Authenticator may know any number.
const mostUserSeries = 2000

func (m *metrics) rateLimited(userID string) *vm.Counter {
	known := m.users.load()
	if _, ok := known[userID]; !ok && len(known) >= mostUserSeries {
		userID = "other"
	}
	return m.users.get(userID, func() *vm.Counter {
		return m.set.GetOrCreateCounter(rateLimitedName(userID))
	})
}

func rateLimitedName(userID string) string {
	return "berry_rate_limited_total{" + labels("user", userID) + "}"
}
