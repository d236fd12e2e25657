// Package messages is Anthropic's Messages format as clients speak it, put into
// OpenAI's chat format and back: so that a client of Anthropic's is served by
// any provider. The other way round, a client of OpenAI's at a provider that
// speaks the Messages format, is the dialect claude.
//
// A turn is what one side says; a block is one piece of a turn, or of an
// answer: text, the model's reasoning (thinking), a tool call (tool_use), its
// result (tool_result).
//
// relay reads a request with Parse and calls the rest from the request's
// goroutine.
package messages

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
	"github.com/PPKunOfficial/berry-api/relay/dialect/hub"
)

// Request is one request in the Messages format. It is immutable.
type Request struct {
	in   wire
	size int // of the body, in bytes
}

// Parse reads a request body that relay has scanned: one JSON object without
// duplicate names. The error is an *apierror.Error, a 400 that names what is
// wrong with which parameter. The result shares no memory with body.
func Parse(body []byte) (*Request, error) {
	r := &Request{size: len(body)}
	if err := json.Unmarshal(body, &r.in); err != nil {
		return nil, chat.Invalid(err)
	}
	return r, nil
}

// ShowsThinking reports whether the answer may hold the model's reasoning: a
// client that did not ask for it does not expect a block of it.
func (r *Request) ShowsThinking() bool {
	t := r.in.Thinking
	return t != nil && (t.Type == "enabled" || t.Type == "adaptive") && t.Display != "omitted"
}

// Chat is a request put into OpenAI's chat format, and what it takes to put the
// answer back.
type Chat struct {
	Body []byte // the whole request
	// Dropped are the request's parameters that the chat format cannot carry.
	Dropped []string

	in     *Request // nil after Settle
	thinks bool     // the answer may hold reasoning
	tokens int      // of the request, about; set by Settle
	names  hub.Names
}

// Request is the whole chat request.
func (c *Chat) Request() []byte { return c.Body }

// Effort is how much the model called model is to reason; see hub.Effort.
func (r *Request) Effort(model string) string {
	want := ""
	if c := r.in.OutputConfig; c != nil {
		want = c.Effort
	}
	if t := r.in.Thinking; t != nil && t.Type == "disabled" {
		want = hub.NoEffort
	}
	return hub.Effort(want, model)
}

// Settle lets go of a large request, of which only its length in tokens may
// still be asked for. Nothing is made of it any more.
func (c *Chat) Settle() {
	if c.in != nil && c.in.size > large {
		c.tokens, c.in, c.Body = c.in.Tokens(), nil, nil
	}
}

// large is a request, in bytes, that is not worth its memory until the end of
// the answer. A smaller one is not worth counting.
const large = 256 << 10

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
	case "user":
		return "metadata.user_id"
	case "stop":
		return "stop_sequences"
	case "max_completion_tokens":
		return "max_tokens"
	case "response_format":
		return "output_config.format"
	case "reasoning_effort":
		return "output_config.effort"
	case "parallel_tool_calls":
		return "tool_choice.disable_parallel_tool_use"
	}
	return name
}

// encoding is one request on its way into the chat format.
type encoding struct {
	in      *wire
	to      hub.Target
	out     hub.Request
	names   hub.Names
	dropped []string
}

// Chat puts the request into the chat format. The error is an *apierror.Error:
// the request holds what the chat format cannot say.
func (r *Request) Chat(to hub.Target) (*Chat, error) {
	e := &encoding{in: &r.in, to: to, names: hub.Names{}}
	e.out = hub.Request{Model: to.Model, Effort: to.Effort, Temperature: r.in.Temperature, TopP: r.in.TopP}
	if r.in.Stream {
		e.out.Streamed()
	}
	for _, step := range []func() error{e.limits, e.tools, e.format, e.conversation} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	if c := r.in.OutputConfig; to.Effort == "" && c != nil && c.Effort != "" {
		e.dropped = append(e.dropped, "output_config.effort")
	}
	e.dropped = append(e.dropped, slices.Collect(maps.Keys(r.unknown()))...)
	body, err := e.out.Body(r.size)
	if err != nil {
		return nil, err
	}
	return &Chat{Body: body, Dropped: chat.Dropped(e.dropped), in: r, thinks: r.ShowsThinking(), names: e.names}, nil
}

// unknown are the top-level members that have no place in the chat format.
func (r *Request) unknown() map[string]struct{} {
	out := map[string]struct{}{}
	for name, v := range r.in.Extra {
		// model is put in by the caller, backend is Berry's own.
		if name != "model" && name != "backend" && v.Kind() != 'n' {
			out[name] = struct{}{}
		}
	}
	return out
}

const (
	// maxStops is how many texts may end an answer in the chat format.
	maxStops = 4
	// maxUser is the longest name of a user in the chat format, in bytes.
	maxUser = 64
)

// limits sets how long the answer may be, where it ends and for whom it is.
func (e *encoding) limits() error {
	if n := e.in.MaxTokens; n != nil {
		if *n < 0 {
			return chat.Refuse("max_tokens", "max_tokens must not be below 0")
		}
		// 0, which only fills a cache at Anthropic, is no length of an answer here.
		least := max(*n, 1)
		e.out.MaxTokens = &least
	}
	// 1 is the default in both formats, and the only value that many models take.
	if t := e.out.Temperature; t != nil && *t == 1 {
		e.out.Temperature = nil
	}
	if e.out.Stop = e.in.StopSequences; len(e.out.Stop) > maxStops {
		e.out.Stop = e.out.Stop[:maxStops]
		e.dropped = append(e.dropped, "stop_sequences")
	}
	switch m := e.in.Metadata; {
	case m == nil || m.UserID == "":
	case !e.to.Bookkeeping:
		e.dropped = append(e.dropped, "metadata.user_id")
	default:
		e.out.User = m.UserID
		if len(m.UserID) > maxUser {
			sum := sha256.Sum256([]byte(m.UserID))
			e.out.User = hex.EncodeToString(sum[:])
		}
	}
	return nil
}
