package relay

import (
	"net/http"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/messages"
	"github.com/PPKunOfficial/berry-api/relay/dialect/openai"
)

// Format is the form in which a client hears of failures, and how a good
// stream of its ends. The zero value is chat's.
type Format uint8

// The formats.
const (
	// FormatChat is OpenAI's envelope; a stream ends with [DONE], whatever came of it.
	FormatChat Format = iota
	// FormatOpenAI is the same envelope; a stream ends without a word.
	FormatOpenAI
	// FormatResponses is the same envelope; in a stream it is an event named error.
	FormatResponses
	// FormatAnthropic is Anthropic's envelope; a stream ends with an event of its own.
	FormatAnthropic
)

// FormatOf is the format that the clients of an endpoint read.
func FormatOf(e dialect.Endpoint) Format {
	switch e {
	case dialect.Chat, dialect.Completions:
		return FormatChat
	case dialect.Responses:
		return FormatResponses
	case dialect.Messages, dialect.CountTokens:
		return FormatAnthropic
	}
	return FormatOpenAI
}

// Fail answers with e as a whole. Nothing may have been written before; the
// header has the request's id already.
func (f Format) Fail(w http.ResponseWriter, e *apierror.Error) {
	if f == FormatAnthropic {
		own := *e
		own.Raw = messages.Fault(e, w.Header().Get("X-Request-Id"))
		e = &own
	}
	e.Write(w)
}

// Break appends what ends a stream badly: the in-band form of e, and the
// terminator where the format has one. requestID is the request's.
func (f Format) Break(dst []byte, e *apierror.Error, requestID string) []byte {
	if f == FormatResponses { // as a stream begins; one that has begun says it in its own way
		return openai.AppendErrorEvent(dst, e, 0)
	}
	if f == FormatAnthropic {
		return messages.AppendFault(dst, e, requestID)
	}
	dst = append(dst, "data: "...)
	dst = append(dst, e.Body()...)
	return f.Done(append(dst, "\n\n"...))
}

// Done appends what ends a good stream.
func (f Format) Done(dst []byte) []byte {
	if f == FormatChat {
		dst = append(dst, "data: [DONE]\n\n"...)
	}
	return dst
}
