package relay

import (
	"bytes"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

var answers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// keptAnswer is the largest answer buffer that is kept for another request.
const keptAnswer = 1 << 20

// plain carries a whole JSON answer to the client, as a stream if that is what
// the client asked for.
func (x *exchange) plain(c *call, resp *http.Response) verdict {
	buf := answers.Get().(*bytes.Buffer)
	buf.Reset()
	err := readAnswer(buf, resp)
	defer func() {
		if buf.Cap() <= keptAnswer {
			answers.Put(buf)
		}
	}()
	if errors.Is(err, errAnswerTooLong) {
		if x.rec.Endpoint.Media() && !x.rec.Stream { // many large images: what is there goes out, and the rest as it comes
			return x.raw(c, resp, buf.Bytes())
		}
		return x.unreadable()
	}
	if err != nil {
		return x.broken(c)
	}
	c.a.FirstContent = time.Since(c.a.Start)
	if v, ok := x.parts(c, buf); !ok {
		return v
	}
	body, usage, err := x.decode(c, resp.Header, buf.Bytes())
	if err != nil {
		if fault, ok := errors.AsType[*apierror.Error](err); ok {
			return x.faulted(c, fault, resp.Header)
		}
		if c.in.Endpoint == dialect.ChatTokens {
			return noCount()
		}
		return x.unreadable()
	}
	if x.rec.Committed { // the second run of a stream must be one
		return x.unreadable()
	}
	x.remember(c, body)
	if x.rec.Stream {
		body, err = x.events(body)
		if err != nil {
			return x.unreadable()
		}
		body = x.format.Done(body)
	}
	x.book(c, usage)
	x.release()
	if x.left() { // it cannot be told any more; the backend did its part
		x.clientLeft = true
		return verdict{kind: loadbalance.Success}
	}
	if x.rec.Stream {
		x.gate.commit(x.rt.limits.idle, func(h http.Header) {
			x.format.copyHeader(h, resp.Header, c.t.up.Secrets)
			x.backendHeader(h)
		})
		_, err = x.gate.send(body)
		x.rec.Status = http.StatusOK
	} else {
		err = x.answer(c, resp, body)
	}
	x.rec.Committed = true
	x.rec.FirstContent = time.Since(x.rec.Start)
	if err != nil {
		x.clientLeft = true // the backend did its part all the same
	}
	return verdict{kind: loadbalance.Success}
}

// parts makes the other requests of one that takes several, one after the other,
// and reads their answers into buf. It is false, with the verdict, when one fails:
// what is there is no answer then.
func (x *exchange) parts(c *call, buf *bytes.Buffer) (verdict, bool) {
	for c.in.Part = 1; c.in.Part < c.in.Parts; c.in.Part++ {
		req, err := c.t.up.Dialect.Encode(c.ctx, c.in)
		if err != nil {
			return x.unsaid(c, err), false
		}
		resp, err := c.t.up.Send(req)
		if err != nil {
			return x.broken(c), false
		}
		if c.a.Status = resp.StatusCode; resp.StatusCode < 200 || resp.StatusCode > 299 {
			v := x.refused(c, resp)
			_ = resp.Body.Close()
			return v, false
		}
		err = readAnswer(buf, resp)
		_ = resp.Body.Close()
		switch {
		case errors.Is(err, errAnswerTooLong):
			return x.unreadable(), false
		case err != nil:
			return x.broken(c), false
		}
	}
	return verdict{}, true
}

// answer writes a whole answer.
func (x *exchange) answer(c *call, resp *http.Response, body []byte) (err error) {
	x.gate.final(func(bool) {
		h := x.w.Header()
		x.format.copyHeader(h, resp.Header, c.t.up.Secrets)
		x.backendHeader(h)
		h["Content-Type"] = jsonType
		if x.answerType != nil {
			h["Content-Type"], h["X-Content-Type-Options"] = x.answerType, noSniff
		}
		h["Content-Length"] = []string{strconv.Itoa(len(body))}
		x.rec.Status = resp.StatusCode
		x.w.WriteHeader(resp.StatusCode)
		_, err = x.w.Write(body)
	})
	return err
}

var jsonType = []string{"application/json"}
