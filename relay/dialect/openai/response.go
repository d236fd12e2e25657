package openai

import (
	"errors"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/cursor"
)

// Response is what an answer of /v1/responses says of itself.
type Response struct {
	ID           string // "" if it says none
	Conversation string // the conversation that it belongs to; "" for none
	Status       string // completed, queued, in_progress, ...; "" if it says none
	// Unstored is set when it says that the provider does not keep it.
	Unstored bool
	Usage    dialect.Usage // zero until the provider has counted it
}

// Over reports whether nothing more will come of the response.
func (r *Response) Over() bool {
	switch r.Status {
	case "queued", "in_progress":
		return false
	}
	return true
}

// response is what a walk over a response found. The spans are values, quotes
// included; zero if absent.
type response struct {
	all                 dialect.Span // the object itself
	id, model, status   dialect.Span
	conversation, fault dialect.Span // the fault is a non-null error
	errorValue          dialect.Span // error, null or not
	unstored            bool
	background          bool
	usage               dialect.Usage
}

// read walks the object that comes next.
func (r *response) read(c *cursor.Cursor) bool {
	if c.Peek() != '{' {
		return false
	}
	start := c.Offset()
	ok := c.Object(func(key []byte) bool { return r.member(c, key) })
	r.all = dialect.Span{Start: start, End: c.Offset()}
	return ok
}

func (r *response) member(c *cursor.Cursor, key []byte) bool {
	switch string(key) {
	case "id":
		return textAt(c, &r.id)
	case "model":
		span, ok := c.Value()
		r.model = span
		return ok
	case "status":
		span, ok := c.Value()
		r.status = span
		return ok
	case "store":
		r.unstored = c.Peek() == 'f'
	case "background":
		r.background = c.Peek() == 't'
	case "conversation":
		return r.readConversation(c)
	case "error":
		span, ok := c.Value()
		r.errorValue = span
		if ok && c.Bytes(span)[0] != 'n' {
			r.fault = span
		}
		return ok
	case "usage":
		return r.readUsage(c)
	}
	_, ok := c.Value()
	return ok
}

// textAt passes any value and notes it when it is a string.
func textAt(c *cursor.Cursor, to *dialect.Span) bool {
	isText := c.Peek() == '"'
	span, ok := c.Value()
	if isText {
		*to = span
	}
	return ok
}

// readConversation takes a conversation: an object with its id, or the id.
func (r *response) readConversation(c *cursor.Cursor) bool {
	if c.Peek() != '{' {
		return textAt(c, &r.conversation)
	}
	return c.Object(func(key []byte) bool {
		if string(key) == "id" {
			return textAt(c, &r.conversation)
		}
		_, ok := c.Value()
		return ok
	})
}

// readUsage takes the object usage; null until the response is over.
func (r *response) readUsage(c *cursor.Cursor) bool {
	if c.Peek() != '{' {
		_, ok := c.Value()
		return ok
	}
	return readUsage(c, &r.usage, newerUsage)
}

// says is r in words; data is what was walked.
func (r *response) says(data []byte) Response {
	return Response{
		ID: plainText(data, r.id), Conversation: plainText(data, r.conversation),
		Status: plainText(data, r.status), Unstored: r.unstored, Usage: r.usage,
	}
}

// plainText is a string's text; "" for what is not one, or needs escapes: no id does.
func plainText(data []byte, s dialect.Span) string {
	if s.End-s.Start < len(`""`) || data[s.Start] != '"' {
		return ""
	}
	text := string(data[s.Start+1 : s.End-1])
	if strings.ContainsRune(text, '\\') {
		return ""
	}
	return text
}

// readWhole walks a body that is one response. It is false when data is not
// one JSON object in UTF-8.
func readWhole(data []byte) (r response, ok bool) {
	if !utf8.Valid(data) {
		return r, false
	}
	c := cursor.New(data)
	return r, r.read(c) && c.Done()
}

var errNoResponse = errors.New("the answer is not a response")

// ReadResponse reads what a whole answer says of itself; ok is false when it is
// not one JSON object.
func ReadResponse(body []byte) (_ Response, ok bool) {
	r, ok := readWhole(body)
	return r.says(body), ok
}

// ReadStored takes the answer to a request for what the provider keeps, whatever
// object that is: the model's name becomes the one that the client asked for, an
// error is cleaned of secrets, all else stays. It may change body and returns its storage.
func ReadStored(body []byte, m *dialect.Meta) ([]byte, Response, error) {
	r, ok := readWhole(body)
	if !ok {
		return nil, Response{}, errNoResponse
	}
	says := r.says(body)
	return r.put(body, m), says, nil
}

// put makes the whole answer what the client may see: with its name of the model,
// and an error without secrets.
func (r *response) put(body []byte, m *dialect.Meta) []byte {
	var edits []dialect.Edit
	if !r.model.IsZero() && body[r.model.Start] == '"' {
		edits = append(edits, dialect.Edit{Span: r.model, Text: m.Model})
	}
	if clean := cleanError(body, r.fault, m.Hide); clean != nil {
		edits = append(edits, dialect.Edit{Span: r.fault, Text: clean})
	}
	dialect.SortEdits(edits)
	return apply(body, edits)
}

// decodeResponse is Decode for an answer of /v1/responses and what is below it. A response that
// failed is its provider's fault, as an error's status would be.
func decodeResponse(body []byte, m *dialect.Meta) ([]byte, dialect.Usage, error) {
	r, ok := readWhole(body)
	switch {
	case !ok:
		return nil, dialect.Usage{}, errNoResponse
	case !r.fault.IsZero() && r.id.IsZero():
		return nil, dialect.Usage{}, faultInBand(body)
	case plainText(body, r.status) == statusFailed:
		return nil, r.usage, r.failure(body)
	case r.id.IsZero() && m.Endpoint != dialect.InputTokens:
		return nil, dialect.Usage{}, errNoResponse
	}
	return r.put(body, m), r.usage, nil
}

const statusFailed = "failed"

// failure is the error that a failed response tells of.
func (r *response) failure(data []byte) *apierror.Error {
	says := []byte("{}")
	if !r.fault.IsZero() {
		says = data[r.fault.Start:r.fault.End]
	}
	e := faultInBand(says)
	if e.Status == http.StatusInternalServerError && blamesRequest(e.Code) {
		e.Status, e.Type = http.StatusBadRequest, apierror.TypeInvalidRequest
	}
	return e
}

// blamesRequest reports whether a failed response's code says that what the
// client sent cannot be answered, by anybody.
func blamesRequest(code string) bool {
	for _, prefix := range []string{"invalid_", "image_", "unsupported_image", "empty_image", "failed_to_download_image"} {
		if strings.HasPrefix(code, prefix) {
			return true
		}
	}
	return false
}
