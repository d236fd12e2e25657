package relay

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

// piece is how much of an answer of bytes is passed on at a time.
const piece = 32 << 10

var pieces = sync.Pool{New: func() any { return new([piece]byte) }}

// raw carries an answer that is bytes, such as speech, to the client as it
// comes. The commit is its first byte; from then on the limit is one of silence,
// as in a stream. head is what was read of it already.
func (x *exchange) raw(c *call, resp *http.Response, head []byte) verdict {
	if x.rt.limits.readOn { // there is no usage to be learnt by that
		stop := context.AfterFunc(x.r.Context(), func() { c.cancel(context.Canceled) })
		defer stop()
	}
	buf := pieces.Get().(*[piece]byte)
	defer pieces.Put(buf)
	in := watchedBody(resp.Body, x)
	p := head
	var err error
	for {
		if len(p) > 0 && !x.pass(c, resp, p) {
			x.clientLeft = true
			c.cancel(context.Canceled)
			break
		}
		if err != nil {
			break
		}
		var n int
		n, err = in.Read(buf[:])
		p = buf[:n]
	}
	whole := errors.Is(err, io.EOF)
	switch {
	case whole && !x.rec.Committed: // it never said anything
		return x.unreadable()
	case !x.rec.Committed:
		return x.broken(c)
	}
	// Bytes say nothing of tokens; what was sent for them is all that is known.
	x.book(c, Usage{Input: dialect.Tokens(x.meta.InputBytes), Estimated: true})
	if !whole {
		return x.cutOff(brokenKind(c.ctx))
	}
	return verdict{kind: loadbalance.Success}
}

// pass writes a piece of the answer, the header before the first one. It is
// false when the client has gone.
func (x *exchange) pass(c *call, resp *http.Response, p []byte) bool {
	if x.rec.Committed {
		_, err := x.gate.send(p)
		return err == nil && !x.left()
	}
	c.a.FirstContent = time.Since(c.a.Start)
	c.lease.Answered()
	x.rec.Committed, x.rec.Status = true, http.StatusOK
	x.rec.FirstContent = time.Since(x.rec.Start)
	x.release()
	x.gate.commit(x.rt.limits.idle, func(h http.Header) {
		x.format.copyHeader(h, resp.Header, c.t.up.Secrets)
		x.backendHeader(h)
		h["Content-Type"], h["X-Content-Type-Options"] = bytesType(resp.Header), noSniff
		if !resp.Uncompressed && resp.ContentLength > 0 {
			h["Content-Length"] = []string{strconv.FormatInt(resp.ContentLength, 10)}
		}
	})
	_, err := x.gate.send(p)
	return err == nil && !x.left()
}

// cutOff ends an answer of bytes after its first ones. No word can be put behind
// them, and a file without its end must not look whole: Serve breaks the
// client's connection.
func (x *exchange) cutOff(kind loadbalance.Kind) verdict {
	why := "the provider broke the answer off"
	switch kind {
	case loadbalance.Cancelled:
		if v := x.cancelled(); v.err == nil {
			return v
		}
		why = "the gateway is being stopped"
	case loadbalance.Timeout:
		why = "the provider fell silent in the middle of the answer"
	}
	x.rec.Error = apierror.New(apierror.StreamInterrupted, "%s; it is not complete", why)
	x.cut = true
	return verdict{kind: kind}
}
