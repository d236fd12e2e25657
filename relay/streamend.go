package relay

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/sse"
)

// How a stream ends: said to be over, cut, broken by a fault, or left.

// over ends a stream that the upstream said is over.
func (p *pump) over() verdict {
	x := p.x
	if !p.flowing && !p.dec.Finished() { // it never said anything
		return p.interrupted(loadbalance.Server)
	}
	if !p.flowing { // all that it said is that it is over, which is an answer too
		p.begin()
	}
	p.borrow()
	if err := p.close(); err != nil {
		return p.failed(err)
	}
	p.out = x.format.Done(p.out)
	early := x.left()
	// Where the upstream's end is there too, the last events go out with ours.
	ended := p.finished()
	var sent bool
	if ended {
		p.open()
		sent = x.gate.last(p.out) == nil
	} else {
		_, sent = p.flush()
	}
	if !sent || early || x.gate.left() {
		x.clientLeft = true // with a whole answer, or nearly
	}
	if !ended {
		p.drain()
	}
	return verdict{kind: loadbalance.Success}
}

// finished reports whether the upstream's answer is known to have ended, without waiting.
func (p *pump) finished() bool {
	b, ok := p.resp.Body.(interface{ Finish() bool })
	return ok && b.Finish()
}

// close adds what the decoder has left to say at the end.
func (p *pump) close() (err error) {
	if !p.replay {
		p.out = p.dec.End(p.out)
		return nil
	}
	if p.out, err = p.x.said.follow(p.out, p.dec.End(p.raw[:0])); err == nil && !p.x.said.caughtUp() {
		err = errDiffers
	}
	return err
}

// drain reads the stream's end, so that the connection can be used again. What
// is not there at once is not waited for.
func (p *pump) drain() {
	p.x.gate.begin(p.c.cancel, drainTime, errDrained)
	var rest [512]byte
	for range 8 {
		if _, err := p.resp.Body.Read(rest[:]); err != nil {
			return
		}
	}
}

// ended judges a stream that stopped without saying that it is over.
func (p *pump) ended(err error) verdict {
	if p.dec.Finished() && p.flowing && brokenKind(p.c.ctx) != loadbalance.Cancelled {
		return p.over()
	}
	kind := loadbalance.Server // cut, or an event beyond the limit
	switch {
	case errors.Is(err, errGone):
		kind = loadbalance.Cancelled
	case !errors.Is(err, io.EOF) && !errors.Is(err, sse.ErrTooLong):
		kind = brokenKind(p.c.ctx)
	}
	if kind == loadbalance.Cancelled {
		return p.cancelled()
	}
	return p.interrupted(kind)
}

// cancelled ends a stream that was ended from outside.
func (p *pump) cancelled() verdict {
	if !p.x.stopping() {
		return p.left()
	}
	v := p.x.cancelled()
	if p.x.rec.Committed {
		return p.frame(v.kind, v.err)
	}
	return v
}

// left ends a stream whose client has gone.
func (p *pump) left() verdict {
	p.x.clientLeft = true
	p.c.cancel(context.Canceled)
	return verdict{kind: loadbalance.Cancelled}
}

// interrupted ends a stream that broke: before the commit another attempt may
// follow, after it the client is told inside the stream.
func (p *pump) interrupted(kind loadbalance.Kind) verdict {
	if !p.x.rec.Committed {
		return verdict{kind: kind, err: clientError(kind, nil, 0)}
	}
	why := "the provider broke the stream off"
	if kind == loadbalance.Timeout {
		why = "the provider fell silent in the middle of the stream"
	}
	return p.brokenOff(kind, apierror.New(apierror.StreamInterrupted, "%s; the answer is not complete", why))
}

// brokenOff ends a stream after content: by another run of the request, if it
// may be resumed, or by the error frame.
func (p *pump) brokenOff(kind loadbalance.Kind, e *apierror.Error) verdict {
	x := p.x
	if x.said == nil || !x.said.plain() || !kind.Elsewhere() || x.left() {
		return p.frame(kind, e)
	}
	if len(p.out) > 0 {
		if _, ok := p.flush(); !ok {
			return p.left()
		}
	}
	return verdict{kind: kind, err: e, broken: true}
}

// faulted ends a stream in which the upstream reported an error.
func (p *pump) faulted(fault *apierror.Error) verdict {
	v := p.x.faulted(p.c, fault, p.resp.Header)
	if !p.x.rec.Committed {
		return v
	}
	// The upstream's own words say most; what it blames cannot be the client,
	// whose request it had begun to answer.
	fault.Type = apierror.TypeServer
	if fault.Code == "" {
		fault.Code = string(apierror.UpstreamError)
	}
	kind := v.kind
	switch kind {
	case loadbalance.Auth: // of our account nothing is told
		fault = v.err
	case loadbalance.Caller, loadbalance.Model:
		fault.Status = http.StatusBadGateway // formats that tell of it by a type name that
	}
	if kind == loadbalance.Caller {
		kind = loadbalance.Server
	}
	return p.brokenOff(kind, fault)
}

// frame sends what is whole and then the error.
func (p *pump) frame(kind loadbalance.Kind, e *apierror.Error) verdict {
	p.x.rec.Error = e
	p.borrow()
	if b, ok := p.dec.(dialect.Breaker); ok {
		p.out = b.Break(p.out, e)
	} else {
		p.out = p.x.format.Break(p.out, e, p.x.rec.RequestID)
	}
	if _, ok := p.flush(); !ok {
		p.x.clientLeft = true
	}
	return verdict{kind: kind}
}
