// Package chat is OpenAI's chat format in Go types: the requests, read for the
// dialects that say them in another format, and the answers and chunks that
// those dialects write.
//
// It is used by the dialects that translate. The dialects that speak the
// format themselves pass bytes through and do not need it.
package chat

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/PPKunOfficial/berry-api/core/apierror"
)

// Extra holds the members of an object that its type does not name, as they
// stood. nil if there are none.
type Extra = map[string]jsontext.Value

// Request is one chat request. A pointer is nil and a text empty where the
// client said nothing or null.
type Request struct {
	// Names are the request's top-level members whose value is not null, in
	// order: a dialect leaves out those that it cannot carry and names them.
	Names []string `json:"-"`

	Messages     []Message   `json:"messages"`
	Tools        []Tool      `json:"tools"`
	Functions    []Function  `json:"functions"` // the older form of Tools
	ToolChoice   *ToolChoice `json:"tool_choice"`
	FunctionCall *ToolChoice `json:"function_call"` // the older form of ToolChoice
	Parallel     *bool       `json:"parallel_tool_calls"`

	MaxTokens           *int64   `json:"max_tokens"` // the older form of the next
	MaxCompletionTokens *int64   `json:"max_completion_tokens"`
	Temperature         *float64 `json:"temperature"` // 0 to 2
	TopP                *float64 `json:"top_p"`       // 0 to 1
	N                   *int64   `json:"n"`
	Stop                Texts    `json:"stop"`
	Seed                *int64   `json:"seed"`
	PresencePenalty     *float64 `json:"presence_penalty"`
	FrequencyPenalty    *float64 `json:"frequency_penalty"`
	Logprobs            *bool    `json:"logprobs"`
	TopLogprobs         *int64   `json:"top_logprobs"`
	Modalities          Texts    `json:"modalities"`

	ResponseFormat  *ResponseFormat `json:"response_format"`
	ReasoningEffort string          `json:"reasoning_effort"` // none, minimal, low, medium, high, xhigh, max
	User            string          `json:"user"`
	SafetyID        string          `json:"safety_identifier"`

	Extra Extra `json:",embed"`
}

// ResponseFormat says what form the answer's text must have.
type ResponseFormat struct {
	Type       string  `json:"type"` // text, json_object, json_schema
	JSONSchema *Schema `json:"json_schema"`
	Extra      Extra   `json:",embed"`
}

// Schema is a named JSON Schema.
type Schema struct {
	Name        string         `json:"name"`
	Description string         `json:"description"`
	Schema      jsontext.Value `json:"schema"` // nil if absent
	Strict      *bool          `json:"strict"`
	Extra       Extra          `json:",embed"`
}

// MaxOutput is the client's bound on the answer, nil if it set none: the newer
// name wins.
func (r *Request) MaxOutput() *int64 {
	if r.MaxCompletionTokens != nil {
		return r.MaxCompletionTokens
	}
	return r.MaxTokens
}

// Parse reads a request body that relay has scanned: one JSON object without
// duplicate names. The error is an *apierror.Error, a 400 that names what is
// wrong with which parameter. The result shares no memory with body.
func Parse(body []byte) (*Request, error) {
	r := &Request{}
	if err := json.Unmarshal(body, r); err != nil {
		return nil, Invalid(err)
	}
	if err := r.readNames(body); err != nil {
		return nil, Invalid(err)
	}
	if len(r.Messages) == 0 {
		return nil, Refuse("messages", "messages must hold at least one message")
	}
	for i := range r.Messages {
		if err := r.Messages[i].check(fmt.Sprintf("messages[%d]", i)); err != nil {
			return nil, err
		}
	}
	return r, r.checkTools()
}

func (r *Request) readNames(body []byte) error {
	dec := jsontext.NewDecoder(bytes.NewBuffer(body))
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return err
		}
		text := name.String()
		if dec.PeekKind() != 'n' {
			r.Names = append(r.Names, text)
		}
		if err := dec.SkipValue(); err != nil {
			return err
		}
	}
	return nil
}

// Refuse is the answer to a request whose parameter param is wrong or cannot
// be carried: a 400 with code invalid_value.
func Refuse(param, format string, args ...any) *apierror.Error {
	return apierror.New(apierror.InvalidValue, format, args...).WithParam(param)
}

// maxDetail bounds how much of a parser's message goes back to the client.
const maxDetail = 300

// Invalid is the answer to a request whose JSON could not be read into its type:
// a 400 that names the parameter.
func Invalid(err error) error {
	if e, ok := errors.AsType[*apierror.Error](err); ok {
		return e
	}
	var at jsontext.Pointer
	detail := err.Error()
	if se, ok := errors.AsType[*json.SemanticError](err); ok {
		at = se.JSONPointer
		detail = "a value of another type is needed"
		if se.JSONKind != 0 {
			detail = fmt.Sprintf("it must not be %s", kindName(se.JSONKind))
		}
	}
	if len(detail) > maxDetail {
		detail = detail[:maxDetail]
	}
	param := path(at)
	return Refuse(param, "%s cannot be read: %s", cmpOr(param, "the request"), strings.ToValidUTF8(detail, "?"))
}

func cmpOr(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func kindName(k jsontext.Kind) string {
	switch k {
	case '"':
		return "a string"
	case '0':
		return "this number"
	case '{':
		return "an object"
	case '[':
		return "an array"
	case 'n':
		return "null"
	default:
		return "a boolean"
	}
}

// path writes a pointer as clients write it: messages[0].content.
func path(p jsontext.Pointer) string {
	var b strings.Builder
	for token := range p.Tokens() {
		switch {
		case token != "" && strings.Trim(token, "0123456789") == "":
			fmt.Fprintf(&b, "[%s]", token)
		case b.Len() > 0:
			b.WriteString("." + token)
		default:
			b.WriteString(token)
		}
	}
	return b.String()
}
