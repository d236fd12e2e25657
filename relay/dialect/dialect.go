// Package dialect says what relay needs of an upstream's wire format. OpenAI's
// chat format is the hub: a dialect turns a request in it into the upstream's
// form and the upstream's answers back.
//
// A backend is one upstream model at one provider; an Upstream is where and as
// whom to call a provider. The dialects are sub-packages; relay chooses one per
// provider when it builds a runtime and calls it from the request's goroutine.
package dialect

import (
	"context"
	"net/http"
	"net/url"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/core/config"
)

// Upstream is a provider made ready to be called. It is immutable.
type Upstream struct {
	Provider  config.Provider
	Base      *url.URL // base URL, path without a trailing slash
	UserAgent string   // names Berry to the provider
}

// Request is one client request in OpenAI's format, read and scanned. It
// belongs to the request's goroutine; a dialect reads it only.
type Request struct {
	Endpoint Endpoint // what is asked for

	Body   *Body       // as the client sent it, decompressed
	Scan   Scan        // where things are in Body
	Model  []byte      // the upstream's name of the model, to be sent, as JSON
	Header http.Header // the client's; only what is allow-listed may be forwarded
	User   string      // the id of who asks; see Meta.User

	// Dropped is set by Encode: the request's parameters that the upstream's
	// format cannot carry and that were left out.
	Dropped []string
	// OlderCalls is set by Encode: the client describes functions in the older
	// form, so that its answer must have the older form of calls too.
	OlderCalls bool
	// Vectors is set by Encode: how many vectors the answer must have; 0 for not known.
	Vectors int
	// Parts is set by Encode: how many upstream requests it takes, where the upstream
	// takes only so much in one; 0 is one. Part says which of them, from 0, Encode is
	// to make. Decode gets their answers one behind the other.
	Parts, Part int
}

// Usage is what one answer consumed, in tokens. CachedInput and CacheWrite are
// parts of Input, Reasoning is a part of Output.
type Usage struct {
	Input, Output           int
	CachedInput, CacheWrite int
	Reasoning               int
	// Estimated is set when the upstream's own figures never came and Input and
	// Output are guessed from the text's length.
	Estimated bool
}

// BytesPerToken is a usual ratio, for estimates.
const BytesPerToken = 4

// Tokens estimates the tokens of a text of so many bytes; 0 has none.
func Tokens(bytes int) int { return (bytes + BytesPerToken - 1) / BytesPerToken }

// IsZero reports whether nothing is known.
func (u Usage) IsZero() bool { return u == Usage{} }

// Add returns the usage of two answers together.
func (u Usage) Add(v Usage) Usage {
	return Usage{
		Input: u.Input + v.Input, Output: u.Output + v.Output,
		CachedInput: u.CachedInput + v.CachedInput, CacheWrite: u.CacheWrite + v.CacheWrite,
		Reasoning: u.Reasoning + v.Reasoning, Estimated: u.Estimated || v.Estimated,
	}
}

// Meta is what a decoder needs to know of the request that it answers.
type Meta struct {
	// Endpoint is what was asked for.
	Endpoint Endpoint
	// Model is the name that the answer must carry, what the client asked for, as JSON.
	Model []byte
	// User is the id of who asks: what a dialect remembers of an answer is for
	// the same user's requests only.
	User string
	// InputBytes is the length of the request's body, for an estimate of the usage.
	InputBytes int
	// Base64 is set when the client asked for vectors as base64.
	Base64 bool
	// WantUsage is set when the client asked for usage in the stream.
	WantUsage bool
	// DropReasoning leaves the model's reasoning text out of the answer.
	DropReasoning bool
	// OlderCalls makes a call of the answer a function_call.
	OlderCalls bool
	// Vectors is how many vectors the answer must have; 0 for not known.
	Vectors int
	// Retold is set when the answer tells of a response that was given before:
	// one that failed is then no failure to tell it.
	Retold bool
	// Hide takes the provider's secrets out of the text of an error that is part of
	// an answer; nil leaves texts as they are. Errors that a dialect returns are
	// its caller's to clean.
	Hide func(text string) string
}

// Dialect is one upstream wire format, bound to one Upstream. Values are safe
// for concurrent use.
type Dialect interface {
	// Serves reports whether this format has the endpoint. Only requests of such
	// an endpoint are given to Encode, and only their answers to Decode and Stream.
	Serves(e Endpoint) bool
	// Encode makes the upstream request for one attempt. It may be called again
	// for a retry and does not keep in, nor change anything in it but Dropped,
	// OlderCalls, Vectors and Parts.
	// The request's body is closed by the transport; a caller that does not
	// send it closes it. An error that is an *apierror.Error is the answer for
	// the client: the request holds what this format cannot say.
	Encode(ctx context.Context, in *Request) (*http.Request, error)
	// Decode turns one whole answer with a status of 2xx into OpenAI's form. It
	// may change body and return its storage. An *apierror.Error means that the upstream
	// reported a fault inside a 2xx, any other error that the answer is
	// unreadable.
	Decode(body []byte, m *Meta) ([]byte, Usage, error)
	// Stream returns a fresh decoder for one streamed answer.
	Stream(m *Meta) StreamDecoder
	// List makes the request for the provider's list of models, which costs
	// nothing; ReadList reads the names out of its answer and is false when
	// body is no such list. nil, other than an empty list, means that the answer
	// does not say which models there are.
	List(ctx context.Context) (*http.Request, error)
	ReadList(body []byte) (models []string, ok bool)
	// Fault turns an answer with another status into the error for the client.
	// Its Status and texts are the upstream's, unmasked.
	Fault(status int, h http.Header, body []byte) *apierror.Error
}

// StreamDecoder turns the events of one upstream stream into OpenAI's. It is
// used by one goroutine.
type StreamDecoder interface {
	// Event takes one upstream event: its name ("" if it had none) and data. It
	// appends whole client events to dst and returns it with what they amount
	// to. The data is valid only during the call.
	Event(dst []byte, name, data []byte) ([]byte, State, error)
	// End appends what is still to be said, such as a finish reason or the
	// totals, when the stream ended well: after a state of End, and where the
	// upstream ends without a word and Finished is true.
	End(dst []byte) []byte
	// Finished reports whether the answer is complete as far as its content
	// goes: every choice that began has ended. It decides whether the end of
	// the stream is success or truncation.
	Finished() bool
	// Usage returns what was learnt so far.
	Usage() Usage
	// TextBytes is the length of the content seen so far, for an estimate of
	// the usage when the stream is cut.
	TextBytes() int
}

// BareDecoder is a StreamDecoder for upstreams that may say something outside
// of events: Bare is Event for a JSON object that stands in the stream as it is.
type BareDecoder interface {
	StreamDecoder
	Bare(dst, data []byte) ([]byte, State, error)
}

// Breaker is a StreamDecoder whose streams end badly in a way of their own, such
// as with an event that continues a numbering: Break appends to dst what tells
// the client of e, as a whole, in place of the endpoint's usual form.
type Breaker interface {
	StreamDecoder
	Break(dst []byte, e *apierror.Error) []byte
}

// State is what one upstream event amounted to.
type State uint8

// The states, in order of weight.
const (
	Dropped   State = iota // unreadable, left out
	Lifecycle              // nothing that a client waits for: role, usage, ping
	Content                // text, a refusal, reasoning, a tool call, or a finish
	End                    // the upstream says that the stream is over
)
