package relay

import (
	"cmp"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/core/auth"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
)

// headerHold is how long a stream's header waits for the first content. Past
// it the client gets a 200 and comments, so that nothing on the way gives up
// on the connection; a failure from then on is a frame inside the stream.
const headerHold = 15 * time.Second

// exchange is one request on its way through the pipe.
type exchange struct {
	g   *Gateway
	rt  *Runtime
	w   http.ResponseWriter
	r   *http.Request
	rec *Record

	// anchored is the provider that keeps what the request goes on from; "" for
	// none. adrift is set where it goes on from something that nobody here knows.
	anchored string
	adrift   bool

	model  *Model // whose backends are tried: rec.Model's for the endpoint, or its context_fallback's
	format Format // in which the client hears of failures

	gate   gate
	pump   pump
	in     dialect.Request
	meta   dialect.Meta
	permit auth.Permit
	pick   loadbalance.Request
	ledger ledger

	clientLeft bool
	answerType []string // of a whole answer; nil for JSON
	cut        bool     // an answer of bytes broke: the client's connection must break too
	said       *said    // what a stream has sent; nil unless it may be resumed

	translation *translation // nil unless a provider needs it
	estimates   bool         // a count that none of the backends would make
}

var exchanges = sync.Pool{New: func() any { return new(exchange) }}

// Serve answers one request of rec.Endpoint that api has authenticated: rt is the
// runtime that it began with, and the first fields of rec are set. It returns when the
// answer is complete or the client has left; rec then says what happened. It
// must be called on the request's own goroutine. Where an answer of bytes broke off
// after its first ones it panics with http.ErrAbortHandler, so that the server
// breaks the client's connection too.
func (g *Gateway) Serve(w http.ResponseWriter, r *http.Request, rt *Runtime, rec *Record) {
	x := exchanges.Get().(*exchange)
	x.g, x.rt, x.w, x.r, x.rec = g, rt, w, r, rec
	x.format = FormatOf(rec.Endpoint)
	rec.Attempts = rec.inline[:0]
	defer x.finish()
	if e := x.admit(); e != nil {
		x.fail(e)
		return
	}
	if x.estimates {
		x.count()
		return
	}
	switch e := x.run(); {
	case e == nil:
	case x.uncounted(e):
		x.count()
	default:
		x.fail(e)
	}
	if x.cut {
		panic(http.ErrAbortHandler)
	}
}

// admit reads the request and checks what may be checked before a backend is
// picked: the body 400 413, the model 404, the user 403, the user's limit 429.
func (x *exchange) admit() *apierror.Error {
	body, e := readBody(x.w, x.r, x.rt.limits.body)
	if e != nil {
		return e
	}
	endpoint := x.rec.Endpoint
	x.in.Endpoint, x.in.Body, x.in.Header, x.in.User = endpoint, body, x.r.Header, x.rec.User.ID
	if x.in.Scan, e = x.scanRequest(body.Bytes()); e != nil {
		return e
	}
	scan := &x.in.Scan
	x.rec.Stream = scan.Stream
	m, ok := x.rt.Model(scan.Model)
	if !ok {
		return x.g.unknownModel(scan.Model)
	}
	x.rec.Model, x.model = m, x.counter(m)
	if e := x.permission(m); e != nil {
		return e
	}
	if e := x.anchor(); e != nil {
		return e
	}
	if err := x.g.limiter.Acquire(x.rec.User, &x.permit); err != nil {
		return x.denied(err)
	}
	x.permit.SetHeaders(x.w.Header())
	if x.model.Balancer == nil {
		x.permit.Refund()
		return apierror.New(apierror.NoBackendAvailable, "the model %q has no backend that can be used; tell the gateway's operator", m.Name)
	}
	x.meta = dialect.Meta{
		Endpoint: endpoint, InputBytes: len(body.Bytes()), Base64: scan.Base64,
		Model:     append([]byte(nil), body.Bytes()[scan.ModelValue.Start:scan.ModelValue.End]...),
		User:      x.rec.User.ID,
		WantUsage: scan.IncludeUsage,
	}
	if scan.Form || scan.ModelValue.IsZero() { // it stands there without quotes, or not at all
		x.meta.Model = chat.AppendText(nil, scan.Model)
	}
	if endpoint.Form() { // a file's length says nothing of tokens
		x.meta.InputBytes = 0
	}
	x.pick.Tags, x.pick.AllTags = x.rec.User.Tags, x.rec.User.Admin
	x.pick.Only = cmp.Or(scan.Backend, x.anchored)
	x.gate.to(x.w)
	x.gate.stream, x.gate.keepalive = scan.Stream, x.rt.limits.keepalive
	if scan.Stream && x.rt.limits.resume && endpoint == dialect.Chat {
		x.said = &said{}
	}
	if scan.Stream {
		x.gate.hold = x.rec.Start.Add(x.g.hold)
		if scan.Form { // whose files may have taken longer than that to arrive
			x.gate.hold = time.Now().Add(x.g.hold)
		}
	}
	return nil
}

// permission checks what the user may do with the model.
func (x *exchange) permission(m *Model) *apierror.Error {
	u := x.rec.User
	switch {
	case !u.MayUse(m.ID):
		return apierror.New(apierror.ModelNotAllowed, "you may not use the model %q; GET /v1/models lists those you may", m.Name).WithParam("model")
	case x.in.Scan.Backend != "" && !u.Admin:
		return apierror.New(apierror.BackendPinDenied, "only an administrator may choose the backend; leave the field backend out").WithParam("backend")
	case x.model == nil:
		return unsupportedEndpoint(m, x.rec.Endpoint)
	case !x.model.allowsTags(u):
		return noBackend(&loadbalance.Unavailable{Reason: loadbalance.ReasonTags})
	}
	return nil
}

func (x *exchange) denied(err error) *apierror.Error {
	var d *auth.Denied
	if !errors.As(err, &d) {
		return apierror.New(apierror.Internal, "your limit could not be checked")
	}
	d.SetHeaders(x.w.Header())
	return apierror.New(apierror.RateLimitExceeded, "%s", d.Error()).WithRetryAfter(d.RetryAfter)
}

// fail tells the client that its request failed: by a status where the header
// is not out yet, else by a frame inside the stream.
func (x *exchange) fail(e *apierror.Error) {
	// Reading a body past its deadline cancels the context as a client does that
	// leaves, but this one is there, and waits for an answer.
	if x.left() && e.Code != string(apierror.RequestTimeout) {
		x.clientLeft = true
		return
	}
	x.rec.Error = e
	x.gate.final(func(open bool) {
		if open {
			x.rec.Status = http.StatusOK
			_, _ = x.w.Write(x.format.Break(nil, e, x.rec.RequestID))
			return
		}
		x.rec.Status = e.Status
		h := x.w.Header()
		delete(h, "Cache-Control")
		x.backendHeader(h)
		x.format.Fail(x.w, e)
	})
}

// backendHeader names the backend that answered.
func (x *exchange) backendHeader(h http.Header) {
	a := x.rec.Last()
	if a == nil {
		return
	}
	h[headerProvider] = a.target.providerHeader
	h[headerModel] = a.target.modelHeader
	h[headerAttempts] = countHeader(len(x.rec.Attempts))
	if a.upstreamID != "" {
		h[headerUpstreamID] = []string{a.upstreamID}
	}
	if len(x.in.Dropped) > 0 {
		h[headerDropped] = []string{strings.Join(x.in.Dropped, ",")}
	}
}

// finish books what is known and tells the observer; it runs however Serve ends.
func (x *exchange) finish() {
	still := x.gate.close()
	x.release()
	rec := x.rec
	if x.clientLeft {
		rec.Disconnected = true
		if rec.Status == 0 {
			rec.Status = apierror.StatusClientClosed
		}
	}
	if rec.Status == 0 { // a panic is on its way; the recovery above answers it
		rec.Status = http.StatusInternalServerError
	}
	x.permit.Spend(rec.Usage.Input + rec.Usage.Output)
	x.permit.Release()
	rec.Duration = time.Since(rec.Start)
	x.g.observer.Finished(rec)
	if still {
		x.recycle()
	}
}

// recycle makes x ready for another request.
func (x *exchange) recycle() {
	timer := x.gate.timer // rests, and is this gate's
	*x = exchange{pump: pump{in: x.pump.in}}
	x.gate.timer = timer
	exchanges.Put(x)
}

// release gives the request body back. After it nothing can be sent again.
func (x *exchange) release() {
	if x.in.Body != nil {
		x.in.Body.Release()
		x.in.Body = nil
	}
	x.translation.settle()
}
