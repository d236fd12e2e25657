package relay

import (
	"errors"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/hub"
	"github.com/PPKunOfficial/berry-api/relay/dialect/messages"
	"github.com/PPKunOfficial/berry-api/relay/dialect/responses"
)

// form is a request in a client's form that can be put into a chat request.
type form interface {
	// ShowsThinking reports whether the answer may hold the model's reasoning.
	ShowsThinking() bool
	// Effort is how much the model called model is to reason; see hub.Effort.
	Effort(model string) string
}

// chatOf is such a request put into a chat request, and what it takes to put the
// answer back.
type chatOf interface {
	// Request is the whole chat request.
	Request() []byte
	// Settle lets go of what needs much memory: the request is not made again.
	Settle()
	// LeftOut is what could not be carried, in the client's words, given what the
	// dialect left out of the chat request.
	LeftOut(byDialect []string) []string
	// Answer puts a whole chat answer into the client's form; model is JSON.
	Answer(body, model []byte, u dialect.Usage) ([]byte, error)
	// Stream puts the chunks of in into the events of the client's form.
	Stream(in dialect.StreamDecoder, model []byte) dialect.StreamDecoder
}

// parse reads a request of an endpoint that is InChat.
func parse(e dialect.Endpoint, body []byte) (form, error) {
	switch e {
	case dialect.Responses, dialect.InputTokens:
		return responses.Parse(body)
	}
	return messages.Parse(body)
}

// inChat puts a request into a chat request for the target.
func inChat(f form, to hub.Target) (chatOf, error) {
	switch f := f.(type) {
	case *messages.Request:
		return f.Chat(to)
	case *responses.Request:
		return f.Chat(to)
	default: // parse makes no other
		return nil, errNoForm
	}
}

// countOf puts an answer of dialect.ChatTokens into the client's form, which for
// messages is the same.
func countOf(c chatOf, count []byte) []byte {
	if _, ok := c.(*responses.Chat); ok {
		return append([]byte(`{"object":"response.input_tokens",`), count[1:]...)
	}
	return count
}

var errNoForm = errors.New("the request is in no form that a chat request can be made of")
