package relay

import (
	"errors"
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
	// maxHeld bounds the events that wait for the first content. What they repeat
	// of the request comes on top, up to maxRepeats times: a response is told
	// again with its instructions and tools for each state that it has.
	maxHeld    = 1 << 20
	maxRepeats = 4
	// drainTime is how long the upstream gets to close a stream that it said is
	// over, so that its connection can be used again.
	drainTime = 10 * time.Millisecond
)

// pump carries one streamed answer from the upstream to the client. What each
// event needs stands here and together, also where it belongs to the exchange:
// between two events of a stream that comes slowly other streams have had the
// processor's caches, and each place in memory that is touched again costs as
// much as all that is done there.
type pump struct {
	in   sse.Reader
	from watched // what in reads
	dec  dialect.StreamDecoder
	out  []byte // events on their way: held before the commit, a clump after it
	lent *clump // what out lies in, as long as it holds something
	gate *gate
	said *said // the exchange's

	committed bool // as the record says
	flowing   bool // this attempt's first content has come
	pending   bool // the header is still to go out, with the first clump
	replay    bool // this attempt repeats what an earlier one began

	burst    time.Duration
	contents int       // events of content in the clump
	flushed  time.Time // when the last clump went out; zero before the first

	x    *exchange
	c    *call
	resp *http.Response
	raw  []byte
}

// clump is the storage of one.
type clump struct{ b []byte }

var clumps = sync.Pool{New: func() any { return new(clump) }}

// borrow takes storage for a clump.
func (p *pump) borrow() {
	if p.lent == nil {
		p.lent = clumps.Get().(*clump)
		p.out = p.lent.b[:0]
	}
}

// giveBack gives the storage back with what it holds.
func (p *pump) giveBack() {
	if p.lent == nil {
		return
	}
	if p.lent.b = p.out; cap(p.out) > keptOut {
		p.lent.b = nil
	}
	clumps.Put(p.lent)
	p.lent, p.out = nil, nil
}

// keptOut is the largest clump buffer that is kept for another stream.
const keptOut = 64 << 10

// stream carries a streamed answer.
func (x *exchange) stream(c *call, resp *http.Response) verdict {
	p := &x.pump
	p.x, p.c, p.resp, p.dec = x, c, resp, c.decoder()
	p.gate, p.said, p.burst = &x.gate, x.said, x.g.burst
	p.committed, p.replay = x.rec.Committed, x.rec.Committed
	p.from = watchedBody(resp.Body, x)
	p.in.Reset(&p.from, maxEvent)
	dialect.ReadBare(&p.in, p.dec)
	if p.replay {
		x.said.begin()
	}
	v := p.run()
	p.book()
	p.reset()
	return v
}

// reset makes p ready for another stream.
func (p *pump) reset() {
	p.giveBack()
	p.in.Reset(nil, 0)
	*p = pump{in: p.in}
}

// run passes events on until the stream ends.
func (p *pump) run() verdict {
	for {
		ev, err := p.in.Next()
		if err != nil {
			return p.ended(err)
		}
		p.borrow()
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
			if p.contents++; !p.flowing {
				p.begin()
			}
		}
		switch {
		case !p.committed && len(p.out) > maxHeld+maxRepeats*p.x.meta.InputBytes:
			return p.x.unreadable()
		case p.committed && len(p.out) > 0 && !p.in.Buffered():
			now, ok := p.flush()
			if !ok {
				return p.left()
			}
			p.gather(now)
		}
	}
}

// event decodes one upstream event into out.
func (p *pump) event(ev sse.Event) (state dialect.State, err error) {
	if p.said == nil {
		p.out, state, err = dialect.Feed(p.dec, p.out, ev)
		return state, err
	}
	p.raw, state, err = dialect.Feed(p.dec, p.raw[:0], ev)
	if err != nil || len(p.raw) == 0 {
		return state, err
	}
	if !p.replay {
		p.said.note(p.raw)
		p.out = append(p.out, p.raw...)
		return state, nil
	}
	p.out, err = p.said.follow(p.out, p.raw)
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
// commit: from here on nothing is retried, but for a resume. The header goes out
// with the clump that this content stands in.
func (p *pump) begin() {
	x := p.x
	p.flowing = true
	p.c.a.FirstContent = time.Since(p.c.a.Start)
	if p.c.lease != nil { // none is needed to have a response told again
		p.c.lease.Answered()
	}
	if p.committed {
		x.gate.flowing(x.rt.limits.idle)
		return
	}
	p.committed = true
	x.rec.Committed, x.rec.Status = true, http.StatusOK
	x.rec.FirstContent = time.Since(x.rec.Start)
	p.pending = true
	if x.said == nil {
		x.release()
	}
	x.rememberStream(p.c, p.dec)
}

// open lets the header out, if it is still to go.
func (p *pump) open() {
	if !p.pending {
		return
	}
	p.pending = false
	p.gate.commit(p.x.rt.limits.idle, func(h http.Header) {
		p.x.format.copyHeader(h, p.resp.Header, p.c.t.up.Secrets)
		p.x.backendHeader(h)
	})
}

// flush sends the clump and returns when it had gone; it is false when the client
// has gone.
func (p *pump) flush() (time.Time, bool) {
	p.open()
	now, err := p.gate.send(p.out)
	p.giveBack()
	p.from.untold = false
	// A client that left is noticed by the server too, which then says whether
	// to read on.
	return now, err == nil || p.x.rt.limits.readOn
}

// book learns the usage: the upstream's own figures, or an estimate for an
// answer that was cut before they came.
func (p *pump) book() {
	x := p.x
	if !p.flowing {
		return
	}
	if x.meta.Retold {
		x.settleStream(p.c, p.dec)
		return
	}
	u := p.dec.Usage()
	if x.goesOn(p.c, p.dec) { // what it will have consumed is booked when it is asked for
		u = dialect.Usage{}
	} else if u.IsZero() {
		u = dialect.Usage{
			Input:     dialect.Tokens(x.meta.InputBytes),
			Output:    dialect.Tokens(p.dec.TextBytes()),
			Estimated: true,
		}
	}
	x.book(p.c, u)
}
