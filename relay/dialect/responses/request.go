// Package responses is OpenAI's Responses format as clients speak it, put into
// OpenAI's chat format and back: so that a client of it is served by any
// provider. Providers that have the format themselves get it as it is, from the
// dialect openai.
//
// An item is one piece of a conversation: a message, the model's reasoning, a
// call of a tool, its output. What is asked and what is answered is made of them.
//
// relay reads a request with Parse and calls the rest from the request's
// goroutine.
package responses

import (
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
	"github.com/PPKunOfficial/berry-api/relay/dialect/hub"
)

// Request is one request in the Responses format. It is immutable.
type Request struct {
	in   wire
	echo []byte // what an answer repeats of it; see echo
	size int    // of the body, in bytes
}

// Parse reads a request body that relay has scanned: one JSON object without
// duplicate names. The error is an *apierror.Error, a 400 that names what is
// wrong with which parameter. The result shares no memory with body.
func Parse(body []byte) (*Request, error) {
	r := &Request{size: len(body)}
	if err := json.Unmarshal(body, &r.in); err != nil {
		return nil, chat.Invalid(err)
	}
	var e echo
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, chat.Invalid(err)
	}
	r.echo = e.append(nil)
	return r, nil
}

// ShowsThinking reports whether the answer may hold the model's reasoning:
// clients of this format expect items of it from any model.
func (r *Request) ShowsThinking() bool { return true }

// Effort is how much the model called model is to reason; see hub.Effort.
func (r *Request) Effort(model string) string {
	return hub.Effort(r.wanted(), model)
}

// wanted is the effort that the client asks for: the last word counts.
func (r *Request) wanted() string {
	for i := len(r.in.Input) - 1; i >= 0; i-- {
		if in := &r.in.Input[i]; in.Type == itemUpdate && in.Reasoning != nil && in.Reasoning.Effort != "" {
			return in.Reasoning.Effort
		}
	}
	if r.in.Reasoning == nil {
		return ""
	}
	return r.in.Reasoning.Effort
}

// Chat is a request put into OpenAI's chat format, and what it takes to put the
// answer back.
type Chat struct {
	Body []byte // the whole request
	// Dropped are the request's parameters that the chat format cannot carry.
	Dropped []string

	echo  []byte
	size  int // of the request, in bytes
	tools tools
}

// Request is the whole chat request.
func (c *Chat) Request() []byte { return c.Body }

// Settle lets go of the chat request. What an answer repeats of it stays.
func (c *Chat) Settle() { c.Body = nil }

// LeftOut is what could not be carried, given what the provider's dialect left
// out of the chat request.
func (c *Chat) LeftOut(byDialect []string) []string {
	all := slices.Clone(c.Dropped)
	for _, name := range byDialect {
		all = append(all, ownName(name))
	}
	return chat.Dropped(all)
}

// ownName is what the client calls a parameter of a chat request.
func ownName(name string) string {
	switch name {
	case "max_completion_tokens":
		return "max_output_tokens"
	case "response_format":
		return "text.format"
	case "reasoning_effort":
		return "reasoning.effort"
	case "verbosity":
		return "text.verbosity"
	case "logprobs":
		return "include"
	}
	return name
}

// estimate is the usage of an answer whose provider does not tell it.
func (c *Chat) estimate(output int) dialect.Usage {
	return dialect.Usage{Input: perToken(c.size), Output: perToken(output), Estimated: true}
}

func perToken(n int) int { return (n + dialect.BytesPerToken - 1) / dialect.BytesPerToken }

// encoding is one request on its way into the chat format.
type encoding struct {
	in      *wire
	to      hub.Target
	out     hub.Request
	tools   tools
	dropped []string
}

// Chat puts the request into the chat format. The error is an *apierror.Error:
// the request holds what the chat format cannot say.
func (r *Request) Chat(to hub.Target) (*Chat, error) {
	e := &encoding{in: &r.in, to: to, tools: newTools()}
	e.out = hub.Request{Model: to.Model, Effort: to.Effort}
	if r.in.Stream {
		e.out.Streamed()
	}
	for _, step := range []func() error{e.kept, e.limits, e.describe, e.format, e.conversation} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	if to.Effort == "" && r.wanted() != "" {
		e.drop("reasoning.effort")
	}
	e.leftovers()
	body, err := e.out.Body(r.size)
	if err != nil {
		return nil, err
	}
	return &Chat{Body: body, Dropped: chat.Dropped(e.dropped), echo: r.echo, size: r.size, tools: e.tools}, nil
}

func (e *encoding) drop(name string) { e.dropped = append(e.dropped, name) }
