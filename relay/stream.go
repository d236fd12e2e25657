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
}

// watched tells the gate of each sign of life from the upstream.
type watched struct {
	src  io.Reader
	gate *gate
}

func (r *watched) Read(p []byte) (int, error) {
	n, err := r.src.Read(p)
	r.gate.touch()
	return n, err
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
	bufs.in.Reset(&watched{resp.Body, &x.gate}, maxEvent)
	p := &pump{x: x, c: c, resp: resp, dec: c.t.up.dialect.Stream(&x.meta), in: &bufs.in, out: bufs.out[:0]}
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
		var state dialect.State
		p.out, state, err = p.dec.Event(p.out, ev.Name, ev.Data)
		var fault *apierror.Error
		switch {
		case errors.As(err, &fault):
			return p.faulted(fault)
		case err != nil:
			return p.interrupted(loadbalance.Server)
		case state == dialect.Dropped:
			p.x.rec.Malformed++
		case state == dialect.End:
			return p.over()
		case state == dialect.Content && !p.x.rec.Committed:
			if !p.commit() {
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

// commit is the moment of the first content: from here on nothing is retried.
func (p *pump) commit() bool {
	x := p.x
	x.rec.Committed, x.rec.Status = true, http.StatusOK
	p.c.a.FirstContent = time.Since(p.c.a.Start)
	x.rec.FirstContent = time.Since(x.rec.Start)
	x.release()
	err := x.gate.commit(p.out, x.rt.limits.idle, func(h http.Header) {
		copyHeader(h, p.resp.Header)
		x.backendHeader(h)
	})
	p.out = p.out[:0]
	return err == nil
}

func (p *pump) flush() bool {
	err := p.x.gate.send(p.out)
	p.out = p.out[:0]
	return err == nil
}

// over ends a stream that the upstream said is over.
func (p *pump) over() verdict {
	x := p.x
	if !x.rec.Committed { // it never said anything
		return x.unreadable()
	}
	p.out = append(p.out, doneFrame...)
	if !p.flush() {
		x.clientLeft = true // with a whole answer, or nearly
	}
	p.drain()
	return verdict{kind: loadbalance.Success}
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
	x := p.x
	if p.dec.Finished() && x.rec.Committed && brokenKind(p.c.ctx) != loadbalance.Cancelled {
		return p.over()
	}
	kind := loadbalance.Server // cut, or an event beyond the limit
	if !errors.Is(err, io.EOF) && !errors.Is(err, sse.ErrTooLong) {
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
	return p.frame(kind, apierror.New(apierror.StreamInterrupted, "%s; the answer is not complete", why))
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
	return p.frame(kind, fault)
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
	if !x.rec.Committed {
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
	x.rec.Usage, x.rec.Cost = u, p.c.t.cost(u)
}

func tokens(n int) int { return (n + bytesPerToken - 1) / bytesPerToken }
