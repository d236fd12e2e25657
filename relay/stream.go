package relay

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/sse"
)

const (
	// maxEvent bounds one upstream event, as the official Go client does.
	maxEvent = 32 << 20
	// maxHeld bounds the events that wait for the first content.
	maxHeld = 1 << 20
	// drainTime is how long the upstream gets to close a stream that it said is
	// over, so that its connection can be used again.
	drainTime = 10 * time.Millisecond
	// bytesPerToken is a usual ratio, for an estimate of a cut answer's usage.
	bytesPerToken = 4
)

var doneFrame = []byte("data: [DONE]\n\n")

// pump carries one streamed answer from the upstream to the client.
type pump struct {
	x    *exchange
	c    *call
	resp *http.Response
	dec  dialect.StreamDecoder
	in   *sse.Reader
	out  []byte // events on their way: held before the commit, a clump after it

	flowing bool // this attempt's first content has come
	replay  bool // this attempt repeats what an earlier one began
	raw     []byte
}

type buffers struct {
	in  sse.Reader
	out []byte
}

var streams = sync.Pool{New: func() any { return new(buffers) }}

// keptOut is the largest clump buffer that is kept for another stream.
const keptOut = 64 << 10

// stream carries a streamed answer.
func (x *exchange) stream(c *call, resp *http.Response) verdict {
	bufs := streams.Get().(*buffers)
	bufs.in.Reset(&watched{src: resp.Body, x: x}, maxEvent)
	p := &pump{x: x, c: c, resp: resp, dec: c.t.up.dialect.Stream(&x.meta), in: &bufs.in, out: bufs.out[:0], replay: x.rec.Committed}
	expectBare(p.in, p.dec)
	if p.replay {
		x.said.begin()
	}
	v := p.run()
	p.book()
	bufs.in.Reset(nil, 0)
	if bufs.out = p.out; cap(bufs.out) > keptOut {
		bufs.out = nil
	}
	streams.Put(bufs)
	return v
}

// run passes events on until the stream ends.
func (p *pump) run() verdict {
	for {
		ev, err := p.in.Next()
		if err != nil {
			return p.ended(err)
		}
		state, err := p.event(ev)
		if err != nil {
			return p.failed(err)
		}
		switch state {
		case dialect.Dropped:
			p.x.rec.Malformed++
		case dialect.End:
			return p.over()
		case dialect.Content:
			if !p.flowing && !p.begin() {
				return p.left()
			}
		}
		switch {
		case !p.x.rec.Committed && len(p.out) > maxHeld:
			return p.x.unreadable()
		case p.x.rec.Committed && len(p.out) > 0 && !p.in.Buffered():
			if !p.flush() {
				return p.left()
			}
		}
	}
}

// event decodes one upstream event into out.
func (p *pump) event(ev sse.Event) (state dialect.State, err error) {
	if p.x.said == nil {
		p.out, state, err = decode(p.dec, p.out, ev)
		return state, err
	}
	p.raw, state, err = decode(p.dec, p.raw[:0], ev)
	if err != nil || len(p.raw) == 0 {
		return state, err
	}
	if !p.replay {
		p.x.said.note(p.raw)
		p.out = append(p.out, p.raw...)
		return state, nil
	}
	p.out, err = p.x.said.follow(p.out, p.raw)
	return state, err
}

// failed ends a stream whose decoder gave up.
func (p *pump) failed(err error) verdict {
	var fault *apierror.Error
	switch {
	case errors.As(err, &fault):
		return p.faulted(fault)
	case errors.Is(err, errDiffers):
		return p.differs()
	}
	return p.interrupted(loadbalance.Server)
}

// differs ends a stream whose second run says something else than the first:
// nobody is to blame, and no third one will do better.
func (p *pump) differs() verdict {
	return p.frame(loadbalance.Cancelled, apierror.New(apierror.StreamInterrupted,
		"the provider broke the stream off, and another one answers differently; the answer is not complete"))
}

// begin is the moment of the attempt's first content. The first time it is the
// commit: from here on nothing is retried, but for a resume.
func (p *pump) begin() bool {
	x := p.x
	p.flowing = true
	p.c.a.FirstContent = time.Since(p.c.a.Start)
	if x.rec.Committed {
		x.gate.flowing(x.rt.limits.idle)
		return true
	}
	x.rec.Committed, x.rec.Status = true, http.StatusOK
	x.rec.FirstContent = time.Since(x.rec.Start)
	if x.said == nil {
		x.release()
	}
	err := x.gate.commit(p.out, x.rt.limits.idle, func(h http.Header) {
		copyHeader(h, p.resp.Header)
		x.backendHeader(h)
	})
	p.out = p.out[:0]
	return err == nil || x.rt.limits.readOn
}

func (p *pump) flush() bool {
	err := p.x.gate.send(p.out)
	p.out = p.out[:0]
	// A client that left is noticed by the server too, which then says whether
	// to read on.
	return err == nil || p.x.rt.limits.readOn
}

// over ends a stream that the upstream said is over.
func (p *pump) over() verdict {
	x := p.x
	if !p.flowing { // it never said anything
		return p.interrupted(loadbalance.Server)
	}
	if err := p.close(); err != nil {
		return p.failed(err)
	}
	p.out = append(p.out, doneFrame...)
	early := x.left()
	if !p.flush() || early || x.gate.left() {
		x.clientLeft = true // with a whole answer, or nearly
	}
	p.drain()
	return verdict{kind: loadbalance.Success}
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
		return p.left()
	}
	return p.interrupted(kind)
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
	if len(p.out) > 0 && !p.flush() {
		return p.left()
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
	if kind == loadbalance.Caller {
		kind = loadbalance.Server
	}
	return p.brokenOff(kind, fault)
}

// frame sends what is whole and then the error.
func (p *pump) frame(kind loadbalance.Kind, e *apierror.Error) verdict {
	p.x.rec.Error = e
	p.out = errorFrame(p.out, e)
	if !p.flush() {
		p.x.clientLeft = true
	}
	return verdict{kind: kind}
}

// book learns the usage: the upstream's own figures, or an estimate for an
// answer that was cut before they came.
func (p *pump) book() {
	x := p.x
	if !p.flowing {
		return
	}
	u := p.dec.Usage()
	if u.IsZero() {
		u = dialect.Usage{
			Input:     tokens(x.inputBytes),
			Output:    tokens(p.dec.TextBytes()),
			Estimated: true,
		}
	}
	x.book(p.c, u)
}

func tokens(n int) int { return (n + bytesPerToken - 1) / bytesPerToken }
