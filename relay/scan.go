package relay

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

// scanner reads a request body once. It rejects what two JSON parsers could
// read differently, duplicate member names above all: with two "model" members
// the access check could see one and the upstream the other.
type scanner struct {
	dec  *jsontext.Decoder
	body []byte
	scan dialect.Scan
	// seenMessages is whether the member messages is there.
	seenMessages bool
}

var scanners = sync.Pool{New: func() any {
	return &scanner{dec: jsontext.NewDecoder(bytes.NewBuffer(nil))}
}}

// scanBody finds in one pass what relay needs of a chat request. The error is
// a 400 that names the fault.
func scanBody(body []byte) (dialect.Scan, *apierror.Error) {
	s := scanners.Get().(*scanner)
	defer func() {
		*s = scanner{dec: s.dec}
		s.dec.Reset(bytes.NewBuffer(nil))
		scanners.Put(s)
	}()
	s.body = body
	s.dec.Reset(bytes.NewBuffer(body))
	if err := s.run(); err != nil {
		if e, ok := errors.AsType[*apierror.Error](err); ok {
			return dialect.Scan{}, e
		}
		return dialect.Scan{}, invalidJSON(err)
	}
	return s.scan, nil
}

// maxDetail bounds how much of a parser's message, which quotes the client's
// own text, goes back to the client.
const maxDetail = 300

func invalidJSON(err error) *apierror.Error {
	detail := strings.TrimPrefix(err.Error(), "jsontext: ")
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
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
	tok, err := s.dec.ReadToken()
	if err != nil {
		return err
	}
	if tok.Kind() != '{' {
		return apierror.New(apierror.InvalidJSON, "the request body must be a JSON object")
	}
	s.scan.Open = int(s.dec.InputOffset())
	for {
		before := int(s.dec.InputOffset())
		tok, err := s.dec.ReadToken()
		if err != nil {
			return err
		}
		if tok.Kind() == '}' {
			break
		}
		if err := s.member(tok.String(), before); err != nil {
			return err
		}
	}
	if _, err := s.dec.ReadToken(); !errors.Is(err, io.EOF) {
		if err == nil {
			err = errors.New("there is more after the object")
		}
		return err
	}
	if s.scan.ModelValue.IsZero() {
		return apierror.New(apierror.InvalidValue, "the request names no model: set the field model").WithParam("model")
	}
	if !s.seenMessages {
		return apierror.New(apierror.InvalidValue, "the request has no messages: set the field messages").WithParam("messages")
	}
	return nil
}

// member reads one member of the top-level object; before is the offset where
// the text between the previous value and its name begins.
func (s *scanner) member(name string, before int) error {
	switch name {
	case "model":
		v, span, err := s.value()
		if err != nil {
			return err
		}
		if s.scan.Model = text(v); s.scan.Model == "" {
			return invalidField("model", "a non-empty string")
		}
		s.scan.ModelValue = span
	case "stream":
		v, _, err := s.value()
		if err != nil {
			return err
		}
		switch v.Kind() {
		case 't':
			s.scan.Stream = true
		case 'f', 'n':
		default:
			return invalidField("stream", "true or false")
		}
	case "backend":
		v, span, err := s.value()
		if err != nil {
			return err
		}
		if v.Kind() != '"' && v.Kind() != 'n' {
			return invalidField("backend", "a provider's id")
		}
		s.scan.Backend = text(v)
		s.scan.BackendMember = dialect.Span{Start: before, End: span.End}
	case "stream_options":
		return s.options(before)
	case "messages":
		s.seenMessages = true
		return s.messages()
	default:
		return s.dec.SkipValue()
	}
	return nil
}

// value reads one value and says where it stands.
func (s *scanner) value() (jsontext.Value, dialect.Span, error) {
	v, err := s.dec.ReadValue()
	end := int(s.dec.InputOffset())
	return v, dialect.Span{Start: end - len(v), End: end}, err
}

// text is a string value's text; "" for anything else.
func text(v jsontext.Value) string {
	if v.Kind() != '"' {
		return ""
	}
	b, err := jsontext.AppendUnquote(nil, v)
	if err != nil {
		return ""
	}
	return string(b)
}

// options reads stream_options.
func (s *scanner) options(before int) error {
	if kind := s.dec.PeekKind(); kind != '{' {
		v, span, err := s.value()
		if err != nil {
			return err
		}
		if v.Kind() != 'n' {
			return invalidField("stream_options", "an object")
		}
		s.scan.OptionsNull = true
		s.scan.OptionsValue, s.scan.OptionsMember = span, dialect.Span{Start: before, End: span.End}
		return nil
	}
	if _, err := s.dec.ReadToken(); err != nil {
		return err
	}
	start := int(s.dec.InputOffset()) - 1
	s.scan.OptionsEmpty = true
	for {
		tok, err := s.dec.ReadToken()
		if err != nil {
			return err
		}
		if tok.Kind() == '}' {
			break
		}
		s.scan.OptionsEmpty = false
		if tok.String() != "include_usage" {
			if err := s.dec.SkipValue(); err != nil {
				return err
			}
			continue
		}
		v, span, err := s.value()
		if err != nil {
			return err
		}
		if k := v.Kind(); k != 't' && k != 'f' && k != 'n' {
			return invalidField("stream_options.include_usage", "true or false")
		}
		s.scan.IncludeUsage, s.scan.UsageValue = v.Kind() == 't', span
	}
	end := int(s.dec.InputOffset())
	s.scan.OptionsValue, s.scan.OptionsMember = dialect.Span{Start: start, End: end}, dialect.Span{Start: before, End: end}
	return nil
}

// looked are what makes a conversation worth looking into. An escape could
// spell any of them otherwise, which no client does.
var looked = [][]byte{[]byte("tool_call"), []byte(dialect.ThinkingBlocks), []byte(dialect.ExtraContent)}

// messages reads the conversation. Only one that may hold tool calls or
// extensions is looked into, for what an OpenAI-format upstream would refuse.
func (s *scanner) messages() error {
	if s.dec.PeekKind() != '[' {
		v, _, err := s.value()
		if err != nil {
			return err
		}
		if v.Kind() == 'n' {
			s.seenMessages = false
			return nil
		}
		return invalidField("messages", "an array")
	}
	for _, word := range looked {
		if bytes.Contains(s.body, word) {
			return s.walk()
		}
	}
	return s.dec.SkipValue()
}
