package relay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/openai"
	"github.com/PPKunOfficial/berry-api/relay/stored"
	"github.com/PPKunOfficial/berry-api/relay/upstream"
)

// Stored names a response that a provider keeps, and what is asked about it.
type Stored struct {
	ID string
	// Action is what follows the id in the path: "" for the response itself,
	// "cancel" or "input_items".
	Action string
}

// ServeStored answers one request for the response that rec.Stored names, by the
// method of r: its provider alone is asked, once, and no balancer is told of it.
// Users get what they asked for themselves; for all other ids there is a 404.
// All else is as for Serve.
func (g *Gateway) ServeStored(w http.ResponseWriter, r *http.Request, rt *Runtime, rec *Record) {
	x := exchanges.Get().(*exchange)
	x.g, x.rt, x.w, x.r, x.rec = g, rt, w, r, rec
	x.format = FormatOf(rec.Endpoint)
	rec.Attempts = rec.inline[:0]
	defer x.finish()
	v, e := x.revisit()
	if e == nil {
		e = v.err
	}
	if e != nil {
		x.fail(e)
	}
}

// revisit finds the response's provider and asks it.
func (x *exchange) revisit() (verdict, *apierror.Error) {
	id := x.rec.Stored.ID
	h, ok, _ := x.g.stored.Find(x.rec.User.ID, id)
	if !ok {
		return verdict{}, notKept(id)
	}
	up := x.rt.upstreams[h.Provider]
	if up == nil {
		return verdict{}, apierror.New(apierror.NotFound, "the provider that keeps the response %.100q is not configured any more", id)
	}
	keeper, ok := up.Dialect.(dialect.Keeper)
	if !ok {
		return verdict{}, notKept(id)
	}
	m, t := x.rt.homeOf(h, up)
	x.rec.Model = m
	if m != nil && (!x.rec.User.MayUse(m.ID) || !x.rec.User.MayUseTags(t.listing.Tags)) {
		return verdict{}, apierror.New(apierror.ModelNotAllowed, "you may no longer use the model %q, which the response is of", m.Name)
	}
	if err := x.g.limiter.Acquire(x.rec.User, &x.permit); err != nil {
		return verdict{}, x.denied(err)
	}
	x.permit.SetHeaders(x.w.Header())
	query := x.r.URL.Query()
	query.Del("api-version") // the provider's, if it wants one
	if x.r.Method == http.MethodGet && x.r.ContentLength != 0 {
		stream, e := x.saysStream()
		if e != nil {
			return verdict{}, e
		}
		if stream {
			query.Set("stream", "true")
		}
	}
	x.rec.Stream = x.r.Method == http.MethodGet && query.Get("stream") == "true"
	x.in.Endpoint = dialect.Responses
	x.meta = dialect.Meta{Endpoint: dialect.Responses, Model: []byte(h.Name), User: x.rec.User.ID, Retold: true}
	x.gate.to(x.w)
	x.gate.stream, x.gate.keepalive = x.rec.Stream, x.rt.limits.keepalive
	if x.rec.Stream {
		x.gate.hold = x.rec.Start.Add(x.g.hold)
	}
	method := x.r.Method
	if method == http.MethodHead { // the server keeps the body back
		method = http.MethodGet
		query.Del("stream")
	}
	return x.ask(keeper, t, &dialect.Stored{
		Method: method, ID: id, Action: x.rec.Stored.Action, Query: query, Stream: x.rec.Stream, Header: x.r.Header,
	}), nil
}

// maxAsked bounds the body of a request that needs none.
const maxAsked = 1 << 10

// saysStream reports whether the body of a GET asks for a stream, as openai-go's does,
// which has no query for it. The caller of ServeStored has set when it must have
// arrived; that goes for an answer too, until the body has: net/http reads on to
// its end before it writes one.
func (x *exchange) saysStream() (bool, *apierror.Error) {
	body, err := io.ReadAll(io.LimitReader(x.r.Body, maxAsked+1))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return false, notInTime(x.w)
	case err != nil:
		return false, apierror.New(apierror.InvalidJSON, "the request body could not be read to its end")
	case len(body) > maxAsked:
		return false, apierror.New(apierror.RequestTooLarge, "the body of this request may only say {\"stream\":true}; it is longer than %d bytes", maxAsked)
	}
	_ = http.NewResponseController(x.w).SetReadDeadline(time.Time{}) // the answer may take longer
	var said struct{ Stream bool }
	return json.Unmarshal(body, &said) == nil && said.Stream, nil
}

func notKept(id string) *apierror.Error {
	return apierror.New(apierror.NotFound, "there is no response %.100q of yours here: its answer did not come through this gateway, or from a provider that keeps none, or too long ago, or before it was restarted",
		strings.ToValidUTF8(id, "\ufffd"))
}

// homeOf is the model and the target that made a response; without a model where
// the configuration does not have them any more.
func (rt *Runtime) homeOf(h stored.Home, up *upstream.Upstream) (*Model, *target) {
	if m := rt.byID[h.Model]; m != nil {
		for _, by := range []*Model{m, rt.fallbackOf(m)} {
			if by == nil {
				continue
			}
			for i := range by.targets {
				if by.targets[i].backend == h.Backend {
					return m, &by.targets[i]
				}
			}
		}
	}
	_, name, _ := strings.Cut(h.Backend, ":")
	return nil, &target{
		up: up, backend: h.Backend, listing: config.Listing{Provider: h.Provider, Model: name},
		providerHeader: []string{h.Provider}, modelHeader: []string{name},
	}
}

// ask asks the provider and carries its answer to the client.
func (x *exchange) ask(keeper dialect.Keeper, t *target, in *dialect.Stored) (v verdict) {
	a := &Attempt{
		Backend: t.backend, Provider: t.listing.Provider, Model: t.listing.Model,
		Why: ReasonFirst, Start: time.Now(), Kind: loadbalance.Cancelled, target: t,
	}
	if x.rec.Model != nil { // else there are no metrics that it could count in
		x.rec.Attempts = append(x.rec.Attempts, *a)
		a = x.rec.Last()
	}
	ctx, cancel := context.WithCancelCause(x.r.Context())
	v.kind = loadbalance.Cancelled
	defer func() {
		x.gate.end()
		cancel(nil)
		a.Kind, a.Duration = v.kind, time.Since(a.Start)
	}()
	limit, cause := x.rt.limits.nonStream, errTotal
	if x.rec.Stream {
		limit, cause = t.up.FirstContent, errFirstContent
	}
	x.gate.begin(cancel, limit, cause)
	c := &call{t: t, a: a, ctx: ctx, cancel: cancel, in: &x.in, meta: &x.meta}
	x.meta.Hide = t.up.Hide
	req, err := keeper.Stored(ctx, in)
	if err != nil {
		return verdict{kind: loadbalance.Caller, err: apierror.New(apierror.Internal, "the request could not be put into the provider's form")}
	}
	resp, err := t.up.Send(req)
	if err != nil {
		return x.broken(c)
	}
	defer func() { _ = resp.Body.Close() }()
	a.Status, a.upstreamID = resp.StatusCode, upstreamID(resp.Header, t.up.Secrets)
	switch {
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return x.refused(c, resp)
	case x.rec.Stream && !upstream.IsJSON(resp.Header):
		return x.stream(c, resp)
	}
	return x.told(c, resp)
}

// told carries a whole answer about a stored response.
func (x *exchange) told(c *call, resp *http.Response) verdict {
	buf := answers.Get().(*bytes.Buffer)
	buf.Reset()
	err := readAnswer(buf, resp)
	defer func() {
		if buf.Cap() <= keptAnswer {
			answers.Put(buf)
		}
	}()
	switch {
	case errors.Is(err, errAnswerTooLong):
		return x.unreadable()
	case err != nil:
		return x.broken(c)
	}
	body, says, err := openai.ReadStored(buf.Bytes(), &x.meta)
	if err != nil || x.rec.Stream { // asked for a stream, it is none
		return x.unreadable()
	}
	c.a.FirstContent = time.Since(c.a.Start)
	if x.r.Method == http.MethodDelete {
		x.g.stored.Forget(x.rec.User.ID, x.rec.Stored.ID)
	} else {
		x.settle(c, says)
	}
	if x.left() || x.answer(c, resp, body) != nil {
		x.clientLeft = true
	}
	x.rec.Committed = true
	x.rec.FirstContent = time.Since(x.rec.Start)
	return verdict{kind: loadbalance.Success}
}

// settle books what a response consumed that was not over when it was made, as
// soon as it is known, once.
func (x *exchange) settle(c *call, says openai.Response) {
	if !says.Over() || says.Usage.IsZero() || !x.g.stored.Settle(x.rec.User.ID, x.rec.Stored.ID) {
		return
	}
	x.book(c, says.Usage)
	// The price of the request was booked when it was made.
	c.a.Cost -= c.t.listing.RequestPrice
	x.rec.Cost -= c.t.listing.RequestPrice
}

// settleStream is settle for a streamed answer at its end.
func (x *exchange) settleStream(c *call, dec dialect.StreamDecoder) {
	if d, ok := dec.(*openai.Responses); ok {
		x.settle(c, d.Response())
	}
}
