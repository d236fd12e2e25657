package relay

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/messages"
	"github.com/PPKunOfficial/berry-api/relay/upstream"
)

func (x *exchange) target(l *loadbalance.Lease) *target {
	return &x.model.targets[l.Index()]
}

// call is one attempt while it is made.
type call struct {
	t      *target
	lease  *loadbalance.Lease
	a      *Attempt
	ctx    context.Context
	cancel context.CancelCauseFunc

	in   *dialect.Request // what is asked for, in a form that the target speaks
	meta *dialect.Meta
	chat chatOf // where that is not the client's form; else nil
	// inChat is set where the target turned the client's form down.
	inChat bool
}

// attempt makes one upstream call and carries its answer to the client. It
// reports the lease, whatever happens.
func (x *exchange) attempt(try try) (v verdict) {
	t := x.target(try.lease)
	x.rec.Attempts = append(x.rec.Attempts, Attempt{
		Backend: t.backend, Provider: t.listing.Provider, Model: t.listing.Model,
		Why: try.why, Pause: try.pause, Start: time.Now(), Kind: loadbalance.Cancelled, target: t,
	})
	a := x.rec.Last()
	c := &call{t: t, lease: try.lease, a: a, in: &x.in, meta: &x.meta}
	t.use.Asked(x.asks(t))
	x.g.observer.Selected(x.rec, a)

	ctx, cancel := context.WithCancelCause(x.upstreamContext())
	stop := x.watchClient(cancel)
	v.kind = loadbalance.Cancelled
	defer func() {
		stop()
		x.gate.end()
		cancel(nil)
		a.Kind, a.Duration = v.kind, time.Since(a.Start)
		o := loadbalance.Outcome{
			Kind: v.kind, Status: a.Status, FirstContent: a.FirstContent, Duration: a.Duration, RetryAfter: v.wait,
		}
		switch {
		case x.rec.Endpoint.Counts() && speaksOfCounts(v.kind):
			o.Kind = loadbalance.Caller // no verdict
		case v.kind == loadbalance.Success:
			t.use.served(c)
			o.InputTokens, o.OutputTokens = a.Usage.Input, a.Usage.Output
		}
		try.lease.Report(o)
		x.g.observer.Attempted(x.rec, a)
	}()
	limit, cause := x.rt.limits.nonStream, errTotal
	if x.rec.Stream && !x.rec.Endpoint.Media() { // an image's first sight takes as long as an image
		limit, cause = t.up.FirstContent, errFirstContent
	}
	x.gate.begin(cancel, limit, cause)
	c.ctx, c.cancel = ctx, cancel
	return x.call(c)
}

// call sends the request and judges what comes.
func (x *exchange) call(c *call) verdict {
	if err := x.prepare(c); err != nil {
		return x.unsaid(c, err)
	}
	req, err := c.t.up.Dialect.Encode(c.ctx, c.in)
	if err != nil {
		return x.unsaid(c, err)
	}
	x.encoded(c)
	resp, err := c.t.up.Send(req)
	if err != nil {
		return x.broken(c)
	}
	defer func() { _ = resp.Body.Close() }()
	c.a.Status, c.a.upstreamID = resp.StatusCode, upstreamID(resp.Header, c.t.up.Secrets)
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		v := x.refused(c, resp)
		if x.effortRefused(c, v) || x.responsesRefused(c, &v) {
			return x.call(c)
		}
		return v
	}
	switch {
	case x.rec.Endpoint.Media():
		return x.media(c, resp)
	case x.rec.Stream && !upstream.IsJSON(resp.Header):
		return x.stream(c, resp)
	}
	v := x.plain(c, resp)
	if x.responsesRefused(c, &v) { // some servers say so inside a 200
		return x.call(c)
	}
	return v
}

// book notes what the attempt's answer consumed.
func (x *exchange) book(c *call, u Usage) {
	if x.rec.Endpoint.Counts() {
		return
	}
	c.a.Usage, c.a.Cost = u, c.t.cost(u)
	x.rec.Usage = x.rec.Usage.Add(u)
	x.rec.Cost += c.a.Cost
}

// broken is the verdict on a connection that failed before any content.
func (x *exchange) broken(c *call) verdict {
	kind := brokenKind(c.ctx)
	if kind == loadbalance.Cancelled {
		return x.cancelled()
	}
	return verdict{kind: kind, err: clientError(kind, nil, 0)}
}

// unreadable is the verdict on a 2xx that is not an answer.
func (x *exchange) unreadable() verdict {
	return verdict{kind: loadbalance.Server, err: serverError(nil)}
}

// maxAnswer bounds a whole answer that is held in memory.
const maxAnswer = 64 << 20

// refused is the verdict on an answer with a status that is not 2xx.
func (x *exchange) refused(c *call, resp *http.Response) verdict {
	fault, err := c.t.up.Fault(resp)
	if err != nil && context.Cause(c.ctx) != nil {
		return x.broken(c)
	}
	v := x.faulted(c, fault, resp.Header)
	if v.err == fault { // passed on as it is
		fault.RetryAfter = v.wait
		fault.NoRetry = resp.Header.Get("X-Should-Retry") == "false"
	}
	return v
}

// faulted is the verdict on an error that the upstream reported, by status or
// inside a 2xx.
func (x *exchange) faulted(c *call, fault *apierror.Error, h http.Header) verdict {
	c.t.up.Secrets.HideFault(fault)
	c.a.Status = fault.Status
	v := verdict{kind: upstream.Kind(fault.Status), wait: upstream.Wait(fault, h)}
	if x.lacks(c, v.kind, fault) {
		v.kind, v.unoffered = loadbalance.Caller, true
	}
	v.temporary = v.kind == loadbalance.RateLimit || fault.Status == http.StatusServiceUnavailable && v.wait > 0
	v.err = clientError(v.kind, fault, v.wait)
	v.tooLong = v.kind == loadbalance.Caller && !v.unoffered && tooLong(fault)
	if v.tooLong && x.format == FormatAnthropic {
		fault.Code = messages.TooLong
	}
	return v
}

// lacks reports whether a fault says that the provider does not offer what it was
// asked for, so that another one is to be asked.
func (x *exchange) lacks(c *call, k loadbalance.Kind, fault *apierror.Error) bool {
	if c.in.Endpoint == dialect.ChatTokens && k == loadbalance.Caller {
		return true // the form that it does not take is Berry's, not the client's
	}
	return (c.inChat || !c.in.Endpoint.Chats()) && unofferedBy(fault) || x.keptElsewhere(fault)
}

// readAnswer appends a whole answer to buf.
func readAnswer(buf *bytes.Buffer, resp *http.Response) error {
	if n := resp.ContentLength; n > 0 && n <= maxAnswer {
		buf.Grow(int(n) + bytes.MinRead)
	}
	_, err := buf.ReadFrom(io.LimitReader(resp.Body, int64(maxAnswer+1-buf.Len())))
	if err == nil && buf.Len() > maxAnswer {
		err = errAnswerTooLong
	}
	return err
}

var errAnswerTooLong = errors.New("the answer is too long")
