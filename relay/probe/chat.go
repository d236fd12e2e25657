package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
	"github.com/PPKunOfficial/berry-api/relay/scan"
	"github.com/PPKunOfficial/berry-api/relay/sse"
	"github.com/PPKunOfficial/berry-api/relay/upstream"
)

const (
	// probeTokens makes the fleet's chats as cheap as a chat can be.
	probeTokens = 1
	// leastResponse is the least that OpenAI lets a response be bounded to.
	leastResponse = 16
	// testTokens is enough for an answer that has words in it.
	testTokens = 16
)

// question is what a probe asks of a model.
type question struct {
	endpoint dialect.Endpoint
	model    string // the upstream's name
	stream   bool
	tokens   int // most tokens of the answer
	// newLimit bounds the tokens by max_completion_tokens: models that reason
	// refuse max_tokens, and most others know nothing else.
	newLimit bool

	first, idle patience // limits besides ctx; zero: none
}

// chat sends one short message and reads the whole answer.
func (p *Probe) chat(ctx context.Context, q question) result {
	r := p.ask(ctx, q)
	if q.endpoint == dialect.Chat && r.Status == http.StatusBadRequest && r.param == "max_tokens" {
		q.newLimit = true
		r = p.ask(ctx, q)
	}
	r.Model = q.model
	return r
}

// ask makes the call.
func (p *Probe) ask(ctx context.Context, q question) result {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w := &watch{cancel: cancel}
	w.within(q.first)
	defer w.stop()

	req, err := p.encode(ctx, q)
	if err != nil {
		return p.failed(CheckedChat, loadbalance.Caller, "the request cannot be put into the provider's format: %v", err)
	}
	resp, err := p.roundTrip(req)
	if err != nil {
		return p.broken(ctx, CheckedChat, err)
	}
	defer func() { _ = resp.Body.Close() }()
	var r result
	switch {
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return p.refused(CheckedChat, resp)
	case q.stream && !upstream.IsJSON(resp.Header):
		r = p.readStream(ctx, resp, &answered{dec: p.up.Dialect.Stream(q.meta()), watch: w, idle: q.idle})
	default:
		r = p.readWhole(ctx, resp, q)
	}
	if r.Status == 0 {
		r.Status = resp.StatusCode
	}
	return r
}

// greeting is all that a probe ever says.
const greeting = "Hi"

// encode puts the chat into the provider's format.
func (p *Probe) encode(ctx context.Context, q question) (*http.Request, error) {
	limit := "max_tokens"
	if q.newLimit {
		limit = "max_completion_tokens"
	}
	model := chat.AppendText(nil, q.model)
	body := dialect.NewBody(len(q.model) + 256)
	defer body.Release()
	text := body.Bytes()
	switch q.endpoint {
	case dialect.Chat:
		text = fmt.Appendf(text, `{"model":%s,"messages":[{"role":"user","content":%q}],%q:%d,"stream":%t}`,
			model, greeting, limit, q.tokens, q.stream)
	case dialect.Completions:
		text = fmt.Appendf(text, `{"model":%s,"prompt":%q,"max_tokens":%d}`, model, greeting, q.tokens)
	case dialect.Responses:
		text = fmt.Appendf(text, `{"model":%s,"input":%q,"max_output_tokens":%d,"store":false}`,
			model, greeting, max(q.tokens, leastResponse))
	default:
		text = fmt.Appendf(text, `{"model":%s,"input":%q}`, model, greeting)
	}
	body.Set(text)
	found, fault := scan.JSON(text, q.endpoint)
	if fault != nil {
		return nil, fault
	}
	return p.up.Dialect.Encode(ctx, &dialect.Request{Endpoint: q.endpoint, Body: body, Scan: found, Model: model, Header: http.Header{}})
}

func (q *question) meta() *dialect.Meta {
	return &dialect.Meta{Endpoint: q.endpoint, Model: chat.AppendText(nil, q.model), WantUsage: true}
}

// readWhole reads an answer that is one JSON text.
func (p *Probe) readWhole(ctx context.Context, resp *http.Response, q question) result {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxList+1))
	switch {
	case err != nil:
		return p.broken(ctx, CheckedChat, err)
	case len(body) > maxList:
		return p.failed(CheckedChat, loadbalance.Server, "the answer to a short request has more than %d bytes", maxList)
	}
	_, usage, err := p.up.Dialect.Decode(body, q.meta())
	if err != nil {
		return p.unreadable(err, resp.Header)
	}
	r := p.passed(CheckedChat)
	r.FirstContent, r.Usage = r.Duration, usage
	return r
}

// unreadable is the result of a 2xx that holds an error or no answer.
func (p *Probe) unreadable(err error, h http.Header) result {
	if fault, ok := errors.AsType[*apierror.Error](err); ok {
		return p.faulted(CheckedChat, fault, h)
	}
	return p.failed(CheckedChat, loadbalance.Server,
		"what came is no answer to that request; are providers.%s.base_url and its backend_type right?", p.up.Provider.ID)
}

// answered is a streamed answer on its way.
type answered struct {
	dec   dialect.StreamDecoder
	watch *watch
	idle  patience
	first time.Duration // from the probe's start to the first content; 0: none yet
	buf   []byte
}

// readStream reads a streamed answer to its end.
func (p *Probe) readStream(ctx context.Context, resp *http.Response, a *answered) result {
	events := sse.NewReader(resp.Body, maxList)
	dialect.ReadBare(events, a.dec)
	for {
		ev, err := events.Next()
		if err != nil {
			return p.streamEnded(ctx, a, err)
		}
		var state dialect.State
		a.buf, state, err = dialect.Feed(a.dec, a.buf[:0], ev)
		switch {
		case err != nil:
			r := p.unreadable(err, resp.Header)
			r.FirstContent = a.first
			return r
		case state == dialect.End:
			return p.streamed(a)
		case state == dialect.Content && a.first == 0:
			a.first = time.Since(p.start)
		}
		if a.first > 0 {
			a.watch.within(a.idle)
		}
	}
}

// streamEnded judges a stream that stopped without saying that it is over.
func (p *Probe) streamEnded(ctx context.Context, a *answered, err error) result {
	if a.dec.Finished() && context.Cause(ctx) == nil {
		return p.streamed(a)
	}
	var r result
	switch {
	case errors.Is(err, sse.ErrTooLong):
		r = p.failed(CheckedChat, loadbalance.Server, "the stream holds an event of more than %d bytes", maxList)
	case errors.Is(err, io.EOF) && context.Cause(ctx) == nil:
		r = p.failed(CheckedChat, loadbalance.Server, "the stream ended before the answer was complete")
	default:
		r = p.broken(ctx, CheckedChat, err)
	}
	r.FirstContent = a.first
	return r
}

// streamed is the result of a stream that came to its end.
func (p *Probe) streamed(a *answered) result {
	if a.first == 0 {
		return p.failed(CheckedChat, loadbalance.Server, "the stream ended without an answer in it")
	}
	r := p.passed(CheckedChat)
	r.FirstContent, r.Usage = a.first, a.dec.Usage()
	if r.Usage.IsZero() {
		r.Usage = dialect.Usage{Input: dialect.Tokens(len(greeting)), Output: dialect.Tokens(a.dec.TextBytes()), Estimated: true}
	}
	return r
}

// watch ends a chat that takes too long.
type watch struct {
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

// within begins a new limit in place of the one before; a limit of 0 is none.
func (w *watch) within(p patience) {
	w.stop()
	if p.limit > 0 {
		w.timer = time.AfterFunc(p.limit, func() { w.cancel(&p) })
	}
}

func (w *watch) stop() {
	if w.timer != nil {
		w.timer.Stop()
	}
}
