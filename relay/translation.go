package relay

import (
	"errors"
	"strings"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/hub"
	"github.com/PPKunOfficial/berry-api/relay/dialect/messages"
	"github.com/PPKunOfficial/berry-api/relay/dialect/openai"
	"github.com/PPKunOfficial/berry-api/relay/scan"
)

// A request in a form of its own, Anthropic's messages or OpenAI's responses,
// reaches a provider that has the endpoint as it is, and any other as a chat
// request whose answer is put back. So does one for its count of tokens.

// translation is a request in the client's form put into the chat format.
type translation struct {
	req  form       // nil once settled
	chat chatOf     // nil before the first attempt that needs it
	to   hub.Target // that chat was made for
	in   dialect.Request
	meta dialect.Meta
}

// release gives the chat request back.
func (t *translation) release() {
	if t != nil && t.in.Body != nil {
		t.in.Body.Release()
		t.in.Body = nil
	}
}

// settle ends what needs the request itself: its answer has begun.
func (t *translation) settle() {
	t.release()
	if t != nil && t.chat != nil {
		t.chat.Settle()
		t.req = nil
	}
}

// native reports whether the target gets the request as it is.
func (x *exchange) native(t *target) bool {
	e := x.rec.Endpoint
	if _, ok := e.InChat(); !ok {
		return true
	}
	if !t.up.Dialect.Serves(e) {
		return false
	}
	return e != dialect.Responses || t.use.hasResponses() || x.goesOnFrom()
}

// asks is what the target is asked for.
func (x *exchange) asks(t *target) dialect.Endpoint {
	if x.native(t) {
		return x.rec.Endpoint
	}
	as, _ := x.rec.Endpoint.InChat()
	return as
}

// prepare makes what the attempt asks its target for ready to be encoded.
func (x *exchange) prepare(c *call) error {
	if c.inChat || !x.native(c.t) {
		if err := x.translate(c); err != nil {
			return err
		}
	}
	c.in.Model, c.in.Dropped, c.in.OlderCalls, c.in.Vectors = c.t.model, nil, false, 0
	c.in.Parts, c.in.Part = 0, 0
	c.meta.Hide = c.t.up.Hide
	c.meta.DropReasoning = !c.t.up.Provider.Reasoning || c.chat != nil && !x.translation.req.ShowsThinking()
	return nil
}

// translate puts the request into the chat format, once for all targets that
// take the same form of it.
func (x *exchange) translate(c *call) error {
	if x.translation == nil {
		req, err := parse(x.in.Endpoint, x.in.Body.Bytes())
		if err != nil {
			return err
		}
		x.translation = &translation{req: req}
		if !x.mayPass() { // all targets get it in the other form
			x.in.Body.Release()
			x.in.Body = nil
		}
	}
	t := x.translation
	if to := x.formFor(c.t); t.chat == nil || t.to != to {
		made, err := inChat(t.req, to)
		if err != nil {
			return err
		}
		found, fault := scan.JSON(made.Request(), dialect.Chat)
		if fault != nil {
			return fault
		}
		t.release()
		body := dialect.NewBody(0)
		body.Set(made.Request())
		as, _ := x.rec.Endpoint.InChat()
		t.chat, t.to = made, to
		t.in = dialect.Request{Endpoint: as, Body: body, Scan: found, Header: x.in.Header, User: x.in.User}
		t.meta = dialect.Meta{Endpoint: as, Model: x.meta.Model, User: x.meta.User, WantUsage: true}
	}
	c.in, c.meta, c.chat = &t.in, &t.meta, t.chat
	return nil
}

// formFor says what a target takes of the chat format.
func (x *exchange) formFor(t *target) hub.Target {
	host, azure := t.up.Base.Hostname(), t.up.Provider.BackendType == config.TypeAzure
	model, effort := t.listing.Model, ""
	if azure { // a deployment's name says nothing
		model = ""
	}
	if !t.use.effortless.Load() {
		effort = x.translation.req.Effort(model)
	}
	return hub.Target{
		Model: x.in.Scan.Model, Effort: effort,
		Reasoning: t.up.Provider.ReasoningBack,
		// The other formats' dialects know what may be said to whom.
		Bookkeeping: t.up.Provider.BackendType != config.TypeOpenAI || host == "openai.com" || strings.HasSuffix(host, ".openai.com"),
	}
}

// effortRefused reports whether the backend refused the request for saying how
// much to reason, which Berry put into a chat's words: many models do not reason,
// and clients of this form say it always. The backend is told no more, so that
// the request can be made again.
func (x *exchange) effortRefused(c *call, v verdict) bool {
	if c.chat == nil || x.translation.to.Effort == "" || v.kind != loadbalance.Caller || x.left() {
		return false
	}
	const field = "reasoning_effort"
	if v.err.Param != field && !strings.Contains(v.err.Message, field) {
		return false
	}
	c.t.use.effortless.Store(true)
	return true
}

// mayPass reports whether a backend that the request may still come to takes it
// as it is.
func (x *exchange) mayPass() bool {
	for m := x.model; m != nil; m = x.fallbackOf(m) { // their configuration leads in no circle
		for i := range m.targets {
			if m.targets[i].up.Dialect.Serves(x.rec.Endpoint) {
				return true
			}
		}
	}
	return false
}

// encoded notes what encoding the request had to leave out.
func (x *exchange) encoded(c *call) {
	c.meta.OlderCalls, c.meta.Vectors = c.in.OlderCalls, c.in.Vectors
	if c.chat != nil {
		x.in.Dropped = c.chat.LeftOut(c.in.Dropped)
	}
}

// decode turns a whole answer into the client's form.
func (c *call) decode(body []byte) ([]byte, dialect.Usage, error) {
	out, u, err := c.t.up.Dialect.Decode(body, c.meta)
	switch {
	case err != nil || c.chat == nil:
	case c.in.Endpoint.Counts():
		out = countOf(c.chat, out)
	default:
		out, err = c.chat.Answer(out, c.meta.Model, u)
	}
	return out, u, err
}

// decoder returns what turns a stream into the client's form.
func (c *call) decoder() dialect.StreamDecoder {
	dec := c.t.up.Dialect.Stream(c.meta)
	if c.chat != nil {
		dec = c.chat.Stream(dec, c.meta.Model)
	}
	return dec
}

// events makes a stream of a whole answer in the client's form.
func (x *exchange) events(body []byte) ([]byte, error) {
	if x.rec.Endpoint == dialect.Messages {
		return messages.AppendEvents(nil, body)
	}
	return openai.AppendChunks(nil, body, &x.meta)
}

// unsaid is the verdict on a request that could not be put into the target's
// form. Where another backend takes it as it is, that one is asked; and what
// cannot be counted may still be estimated.
func (x *exchange) unsaid(c *call, err error) verdict {
	elsewhere := x.rec.Endpoint.Counts() || x.mayPass()
	return verdict{kind: loadbalance.Caller, err: clientFault(err), unoffered: !x.native(c.t) && elsewhere}
}

// clientFault is what the client is told of a request that could not be put
// into a provider's form.
func clientFault(err error) *apierror.Error {
	if e, ok := errors.AsType[*apierror.Error](err); ok {
		return e
	}
	return apierror.New(apierror.Internal, "the request could not be put into the provider's form")
}
