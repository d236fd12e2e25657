// Package scan reads a client's request body once, before anything is done
// with it, and says what Berry needs of it: the model, whether a stream is asked
// for, and where what an upstream must not get stands, in a dialect.Scan.
//
// JSON reads a JSON text and Form a multipart form. Both refuse what two parsers
// could read differently, so that nobody passes the check of access with one
// model and reaches a provider with another; what else is wrong with a request
// its upstream says. A new field that relay needs is one case in member (or
// field, of a form) and one field of dialect.Scan.
//
// relay calls it for each request, and for the chats that it makes itself. It
// knows nothing of HTTP but a form's content type, and keeps nothing of a body.
package scan

import (
	"errors"
	"io"
	"strings"
	"sync"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/strict"
)

// scanner reads a JSON text once.
type scanner struct {
	strict.Reader
	endpoint dialect.Endpoint
	scan     dialect.Scan
	// seenMessages is whether the member messages is there.
	seenMessages bool
	turns        turns // of a request in Anthropic's form
}

var scanners = sync.Pool{New: func() any { return new(scanner) }}

// JSON finds in one pass what is needed of a JSON request of endpoint e. The
// spans are offsets in body, which it only reads; the strings are copies. The
// error is a 400 that names the fault, and the scan is zero then. Two members of
// one name are such a fault: with two "model" the check of access could see one
// and the upstream the other. Safe for concurrent use.
func JSON(body []byte, e dialect.Endpoint) (dialect.Scan, *apierror.Error) {
	s := scanners.Get().(*scanner)
	s.endpoint, s.scan, s.seenMessages, s.turns = e, dialect.Scan{}, false, turns{}
	s.Reset(body)
	err := s.run()
	scan := s.scan
	s.scan = dialect.Scan{}
	s.Reset(nil)
	scanners.Put(s)
	if err == nil {
		return scan, nil
	}
	if e, ok := errors.AsType[*apierror.Error](err); ok {
		return dialect.Scan{}, e
	}
	return dialect.Scan{}, invalidJSON(err)
}

// maxDetail bounds how much of a parser's message, which quotes the client's
// own text, goes back to the client.
const maxDetail = 300

func invalidJSON(err error) *apierror.Error {
	detail := err.Error()
	if errors.Is(err, io.ErrUnexpectedEOF) {
		detail = "it ends too early"
	}
	if len(detail) > maxDetail {
		detail = detail[:maxDetail]
	}
	return apierror.New(apierror.InvalidJSON, "the request body is not valid JSON: %s", strings.ToValidUTF8(detail, "?"))
}

func invalidField(name, want string) *apierror.Error {
	return apierror.New(apierror.InvalidValue, "%s must be %s", name, want).WithParam(name)
}

func (s *scanner) run() error {
	if kind := s.Peek(); kind != '{' && kind != 0 {
		return apierror.New(apierror.InvalidJSON, "the request body must be a JSON object")
	}
	if err := s.Begin('{'); err != nil {
		return err
	}
	s.scan.Open = s.Offset()
	for {
		before := s.Offset()
		name, err := s.Name()
		if err != nil {
			return err
		}
		if name == nil {
			break
		}
		if err := s.member(name, before); err != nil {
			return err
		}
	}
	if err := s.End(); err != nil {
		return err
	}
	s.settle()
	if s.scan.ModelValue.IsZero() && s.endpoint == dialect.Moderations {
		s.scan.Model = defaultModeration
	}
	if s.scan.Model == "" {
		return apierror.New(apierror.InvalidValue, "the request names no model: set the field model").WithParam("model")
	}
	if s.endpoint == dialect.Chat && !s.seenMessages {
		return apierror.New(apierror.InvalidValue, "the request has no messages: set the field messages").WithParam("messages")
	}
	return nil
}

// defaultModeration is the model of a moderation that names none, by OpenAI's
// documentation.
const defaultModeration = "omni-moderation-latest"

// member reads one member of the top-level object; before is the offset where
// the text between the previous value and its name begins.
func (s *scanner) member(name []byte, before int) error {
	switch string(name) {
	case "model":
		v, span, err := s.value()
		if err != nil {
			return err
		}
		if s.scan.Model = strict.Unquote(v); s.scan.Model == "" {
			return invalidField("model", "a non-empty string")
		}
		s.scan.ModelValue = span
	case "stream":
		if !s.endpoint.Streams() {
			return s.Skip()
		}
		v, _, err := s.value()
		if err != nil {
			return err
		}
		switch v[0] {
		case 't':
			s.scan.Stream = true
		case 'f', 'n':
		default:
			return invalidField("stream", "true or false")
		}
	case "stream_format":
		if s.endpoint != dialect.Speech {
			return s.Skip()
		}
		v, _, err := s.value()
		if err != nil {
			return err
		}
		s.scan.Stream = strict.Unquote(v) == "sse"
	case "backend":
		v, span, err := s.value()
		if err != nil {
			return err
		}
		if v[0] != '"' && v[0] != 'n' {
			return invalidField("backend", "a provider's id")
		}
		s.scan.Backend = strict.Unquote(v)
		s.scan.BackendMember = dialect.Span{Start: before, End: span.End}
	case "encoding_format":
		if s.endpoint != dialect.Embeddings {
			return s.Skip()
		}
		v, _, err := s.value()
		s.scan.Base64 = strict.Unquote(v) == "base64"
		return err
	case "stream_options":
		if s.endpoint != dialect.Chat && s.endpoint != dialect.Completions {
			return s.Skip()
		}
		return s.options(before)
	case "thinking":
		if s.endpoint != dialect.Messages {
			return s.Skip()
		}
		return s.thinking()
	case "messages":
		switch s.endpoint {
		case dialect.Chat:
		case dialect.Messages, dialect.CountTokens:
			return s.readTurns()
		default:
			return s.Skip()
		}
		s.seenMessages = true
		return s.messages()
	case "previous_response_id":
		return s.previous()
	case "conversation":
		return s.conversation()
	case "input":
		if s.endpoint != dialect.Responses {
			return s.Skip()
		}
		return s.items()
	default:
		return s.Skip()
	}
	return nil
}

// value reads one value and says where it stands.
func (s *scanner) value() ([]byte, dialect.Span, error) {
	v, err := s.Value()
	end := s.Offset()
	return v, dialect.Span{Start: end - len(v), End: end}, err
}

// options reads stream_options.
func (s *scanner) options(before int) error {
	if s.Peek() != '{' {
		v, span, err := s.value()
		if err != nil {
			return err
		}
		if v[0] != 'n' {
			return invalidField("stream_options", "an object")
		}
		s.scan.OptionsNull = true
		s.scan.OptionsValue, s.scan.OptionsMember = span, dialect.Span{Start: before, End: span.End}
		return nil
	}
	if err := s.Begin('{'); err != nil {
		return err
	}
	start := s.Offset() - 1
	s.scan.OptionsEmpty = true
	for {
		name, err := s.Name()
		if err != nil {
			return err
		}
		if name == nil {
			break
		}
		s.scan.OptionsEmpty = false
		if string(name) != "include_usage" {
			if err := s.Skip(); err != nil {
				return err
			}
			continue
		}
		v, span, err := s.value()
		if err != nil {
			return err
		}
		if k := v[0]; k != 't' && k != 'f' && k != 'n' {
			return invalidField("stream_options.include_usage", "true or false")
		}
		s.scan.IncludeUsage, s.scan.UsageValue = v[0] == 't', span
	}
	end := s.Offset()
	s.scan.OptionsValue, s.scan.OptionsMember = dialect.Span{Start: start, End: end}, dialect.Span{Start: before, End: end}
	return nil
}

// messages reads the conversation.
func (s *scanner) messages() error {
	if s.Peek() == '[' {
		return s.walk()
	}
	v, err := s.Value()
	switch {
	case err != nil:
		return err
	case v[0] == 'n':
		s.seenMessages = false
		return nil
	}
	return invalidField("messages", "an array")
}
