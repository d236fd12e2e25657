package httplb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/PPKunOfficial/berry-api/loadbalance"
)

// attempt is one request to one target. It lasts until its answer's body is
// read to its end, broken or closed.
type attempt struct {
	x      *exchange
	target *target
	lease  *loadbalance.Lease
	start  time.Time
	cancel context.CancelCauseFunc
	timer  *time.Timer // of FirstByteTimeout; nil: there is none
	watch  func() bool // ends the watch on the caller's context

	kind loadbalance.Kind // as known when RoundTrip has to decide
	resp *http.Response   // nil: there is none for the caller
	err  error            // then why

	status int
	first  atomic.Int64 // nanoseconds from start to the first byte, 0: none yet
	ended  sync.Once
}

// failure is why a target gave no whole answer. http.Client asks only the
// outermost error whether it is a timeout.
type failure struct {
	target  string
	err     error
	timeout bool
}

func (f *failure) Error() string   { return fmt.Sprintf("httplb: %q: %v", f.target, f.err) }
func (f *failure) Unwrap() error   { return f.err }
func (f *failure) Timeout() bool   { return f.timeout }
func (f *failure) Temporary() bool { return f.timeout }

// firstByteError is the cause of an attempt that took too long to begin.
type firstByteError struct{ limit time.Duration }

func (e *firstByteError) Error() string { return fmt.Sprintf("no answer within %v", e.limit) }

// attempt sends the request by a lease, and returns when the caller can have
// the answer or when it failed.
func (x *exchange) attempt(lease *loadbalance.Lease, body io.ReadCloser) *attempt {
	ctx, cancel := context.WithCancelCause(x.request.Context())
	a := &attempt{
		x: x, target: x.targets[lease.Index()], lease: lease,
		start: time.Now(), cancel: cancel, watch: func() bool { return true },
	}
	handed := false
	defer func() {
		if !handed { // Base panics
			a.end(loadbalance.Cancelled, errors.New("httplb: panic"))
		}
	}()
	if limit := x.options.FirstByteTimeout; limit > 0 {
		a.timer = time.AfterFunc(limit, func() { cancel(&firstByteError{limit}) })
		defer a.timer.Stop()
	}
	out := a.outgoing(ctx, body)
	resp, err := x.base.RoundTrip(out)
	if err != nil {
		a.broke(ctx, err)
	} else {
		a.answered(ctx, resp, out)
	}
	handed = true
	return a
}

// outgoing makes the request to the target.
func (a *attempt) outgoing(ctx context.Context, body io.ReadCloser) *http.Request {
	out := a.x.request.Clone(ctx)
	out.URL = join(a.target.base, a.x.request.URL)
	out.Host = a.target.Header.Get("Host")
	out.Body, out.GetBody = body, a.x.source.getBody
	if out.Header == nil {
		out.Header = http.Header{}
	}
	a.target.setHeader(out.Header)
	return out
}

// setHeader puts the target's own header into a request's.
func (t *target) setHeader(h http.Header) {
	for name, values := range t.Header {
		name = http.CanonicalHeaderKey(name)
		h.Del(name)
		if len(values) > 0 {
			h[name] = values
		}
	}
}

// answered looks at the header of an answer and waits for its first byte.
func (a *attempt) answered(ctx context.Context, resp *http.Response, out *http.Request) {
	shown := *a.x.request
	shown.URL = withQuery(out.URL, a.x.request.URL.RawQuery) // the target's own may be a secret
	resp.Request = &shown
	a.resp, a.status = resp, resp.StatusCode
	a.kind = a.x.options.Classify(&a.target.Target, resp)
	if resp.StatusCode == http.StatusSwitchingProtocols {
		// The body is a connection now, and nobody's to wrap.
		a.report(a.kind, 0, nil)
		return
	}
	b := &body{attempt: a, ctx: ctx, from: resp.Body}
	if b.from == nil {
		b.from = http.NoBody
	}
	resp.Body = b
	empty := b.from == http.NoBody || resp.ContentLength == 0 || out.Method == http.MethodHead
	if err := a.begin(ctx, b, empty); err != nil {
		_ = b.from.Close()
		a.resp = nil
		a.broke(ctx, err)
		return
	}
	if empty || a.kind != loadbalance.Success {
		a.report(a.kind, retryAfter(resp.Header, time.Now()), nil)
	}
	a.watchCaller()
}

// begin waits for the first byte, where there is one to wait for. The error
// says that it did not come, or too late.
func (a *attempt) begin(ctx context.Context, b *body, empty bool) error {
	switch {
	case a.kind != loadbalance.Success:
	case empty, a.x.source.again == nil: // the header has to do
		a.firstByte()
	default:
		if err := b.peek(); err != nil {
			return err
		}
	}
	if a.timer != nil && !a.timer.Stop() {
		return context.Cause(ctx)
	}
	return nil
}

// watchCaller ends the attempt with the caller's context, if its body is
// neither read nor closed by then.
func (a *attempt) watchCaller() {
	if ctx := a.x.request.Context(); ctx.Done() != nil {
		// It may run before watch is set, and the attempt's own context ends with ctx.
		a.watch = context.AfterFunc(ctx, func() { a.report(loadbalance.Cancelled, 0, context.Cause(ctx)) })
	}
}

// broke ends an attempt that the caller gets no answer of.
func (a *attempt) broke(ctx context.Context, err error) {
	kind, err := a.judge(ctx, err)
	a.kind, a.err = kind, err
	a.end(kind, err)
}

// judge finds out whose fault a broken connection is, and names the target.
func (a *attempt) judge(ctx context.Context, err error) (loadbalance.Kind, error) {
	late, tooLate := errors.AsType[*firstByteError](context.Cause(ctx))
	timeout, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	f := &failure{target: a.target.ID, err: err, timeout: ok && timeout.Timeout()}
	switch {
	case tooLate:
		f.err, f.timeout = late, true
		return loadbalance.Timeout, f
	case a.x.cancelled():
		return loadbalance.Cancelled, f
	case f.timeout:
		return loadbalance.Timeout, f
	}
	return loadbalance.Network, f
}

// cancelled reports whether the caller has given up. A deadline that has
// passed counts at once: a connection can notice it before the context does.
func (x *exchange) cancelled() bool {
	ctx := x.request.Context()
	if deadline, ok := ctx.Deadline(); ctx.Err() != nil || ok && !time.Now().Before(deadline) {
		return true
	}
	select {
	case <-x.request.Cancel: //nolint:staticcheck // http.Client's Timeout still uses it
		return true
	default:
		return false
	}
}

// firstByte notes the moment of the first byte.
func (a *attempt) firstByte() {
	if a.first.CompareAndSwap(0, max(1, int64(time.Since(a.start)))) {
		a.lease.Answered()
	}
}

// report books the attempt on its target, once, whatever is called after it.
func (a *attempt) report(kind loadbalance.Kind, rest time.Duration, err error) {
	a.ended.Do(func() {
		first, total := time.Duration(a.first.Load()), time.Since(a.start)
		a.lease.Report(loadbalance.Outcome{Kind: kind, Status: a.status, FirstContent: first, Duration: total, RetryAfter: rest})
		a.x.options.Observe(a.x.request, Attempt{
			Target: a.target.ID, Kind: kind, Status: a.status, FirstByte: first, Duration: total, Err: err,
		})
	})
}

// end reports the attempt and lets go of what it holds.
func (a *attempt) end(kind loadbalance.Kind, err error) {
	a.report(kind, 0, err)
	a.watch()
	a.cancel(context.Canceled)
}

// discardable and discardWait bound what is read of an answer that the caller
// does not get, so that its connection can be used again.
const (
	discardable = 4 << 10
	discardWait = 50 * time.Millisecond
)

// discard drops the answer of a failed attempt.
func (a *attempt) discard() {
	if a.resp == nil {
		return
	}
	if n := a.resp.ContentLength; n >= 0 && n <= discardable {
		timer := time.AfterFunc(discardWait, func() { a.cancel(context.Canceled) })
		_, _ = io.Copy(io.Discard, a.resp.Body)
		timer.Stop()
	}
	_ = a.resp.Body.Close()
}
