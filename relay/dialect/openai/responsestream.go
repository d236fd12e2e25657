package openai

import (
	"bytes"
	"errors"
	"slices"
	"unicode/utf8"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/cursor"
)

// happening is what one walk over an event of a response's stream found.
type happening struct {
	kind      dialect.Span // the value of type
	sequence  int          // sequence_number; -1 if absent
	response  response     // the member response; its span all is zero if absent
	item      dialect.Span // the value of item.type
	fault     bool         // there is a non-null error beside type
	textBytes int          // raw length of its delta
}

// read walks data. It is false when data is not one JSON object in UTF-8.
func (h *happening) read(data []byte) bool {
	*h = happening{sequence: -1}
	if !utf8.Valid(data) {
		return false
	}
	c := cursor.New(data)
	return c.Object(func(key []byte) bool { return h.member(c, key) }) && c.Done()
}

func (h *happening) member(c *cursor.Cursor, key []byte) bool {
	switch string(key) {
	case "type":
		return textAt(c, &h.kind)
	case "sequence_number":
		n, ok := c.Integer()
		h.sequence = n
		return ok
	case "response":
		if c.Peek() == '{' {
			return h.response.read(c)
		}
	case "item":
		if c.Peek() == '{' {
			return c.Object(func(key []byte) bool {
				if string(key) == "type" {
					return textAt(c, &h.item)
				}
				_, ok := c.Value()
				return ok
			})
		}
	case "error":
		h.fault = c.Peek() != 'n'
	case "delta":
		var text dialect.Span
		ok := textAt(c, &text)
		h.textBytes = max(0, text.End-text.Start-len(`""`))
		return ok
	}
	_, ok := c.Value()
	return ok
}

// Responses decodes the streams of /v1/responses: each event goes on under its
// own name, byte for byte but for the model's name, those that nobody here
// knows too.
type Responses struct {
	model  []byte              // the name that the client asked for, as JSON
	retold bool                // see Meta.Retold
	hide   func(string) string // see Meta.Hide
	h      happening

	id, conversation string
	unstored         bool
	background       bool // it goes on, whatever becomes of its stream
	next             int  // the number of the event after the last one
	finished         bool
	usage            dialect.Usage
	textBytes        int
	breaking
}

var (
	errUnfinished = errors.New("the stream says that it is over in the middle of a response")

	_ dialect.StreamDecoder = (*Responses)(nil)
)

// NewResponses returns a decoder for one stream.
func NewResponses(m *dialect.Meta) *Responses {
	return &Responses{model: m.Model, retold: m.Retold, hide: m.Hide}
}

// Event implements dialect.StreamDecoder.
func (d *Responses) Event(dst, name, data []byte) ([]byte, dialect.State, error) {
	data = bytes.TrimSpace(data)
	if string(data) == "[DONE]" { // some say it; the client needs only what came before it
		if !d.finished {
			return dst, dialect.Dropped, errUnfinished
		}
		return dst, dialect.End, nil
	}
	h := &d.h
	if !h.read(data) {
		if string(name) == "error" {
			return dst, dialect.Dropped, d.faulted(data)
		}
		return dst, dialect.Dropped, nil
	}
	if len(name) == 0 {
		name = eventName(word(data, h.kind))
	}
	d.note(data)
	kind := word(data, h.kind)
	switch {
	case string(kind) == "error", h.fault, string(name) == "error":
		e := d.faulted(data)
		if string(kind) == "error" { // and not a chat's frame, which clients of this format do not expect
			d.keepFailure(e, name, data)
		}
		return dst, dialect.Dropped, e
	case string(kind) == "response.failed" && !d.retold:
		e := h.response.failure(data)
		d.keepFailure(e, name, data)
		return dst, dialect.Dropped, e
	}
	if clean := cleanError(data, h.response.fault, d.hide); clean != nil {
		f := h.response.fault
		data = slices.Concat(data[:f.Start], clean, data[f.End:])
		h.read(data)
		kind = word(data, h.kind)
	}
	d.next++
	if h.sequence >= 0 {
		d.next = h.sequence + 1
	}
	return d.write(dst, name, data), d.state(kind, data), nil
}

// note learns what the event tells of the response.
func (d *Responses) note(data []byte) {
	h := &d.h
	d.textBytes += h.textBytes
	if h.response.all.IsZero() {
		return
	}
	says := h.response.says(data)
	if says.ID != "" && says.ID != d.id {
		d.id = says.ID
		d.keepSnapshot(data, &h.response, d.model)
	}
	if says.Conversation != "" {
		d.conversation = says.Conversation
	}
	d.unstored = d.unstored || says.Unstored
	d.background = d.background || h.response.background
	if !says.Usage.IsZero() {
		d.usage = says.Usage
	}
}

// state is what an event amounts to. One that is not known counts as content:
// it may be what the client waits for.
func (d *Responses) state(kind, data []byte) dialect.State {
	switch string(kind) {
	case "response.completed", "response.incomplete", "response.cancelled", "response.failed":
		d.finished = true
		return dialect.End
	case "response.created", "response.queued", "response.in_progress":
		// In the background it may wait for long, and must not be made twice
		// meanwhile; one that is told again can be told by nobody else.
		if d.background || d.retold {
			return dialect.Content
		}
		return dialect.Lifecycle
	case "response.content_part.added", "keepalive", "":
		return dialect.Lifecycle
	case "response.output_item.added":
		// An empty message is what a role is to a chat; any other item, such as
		// a call or a thought, is the first sign that the model is at work.
		if string(word(data, d.h.item)) == "message" {
			return dialect.Lifecycle
		}
	}
	return dialect.Content
}

// faulted reads an error that stands in the stream.
func (d *Responses) faulted(data []byte) *apierror.Error {
	e := faultInBand(data)
	if e.Type == "error" { // the event's, not the error's
		e.Type = apierror.TypeServer
	}
	return e
}

// eventName is what an event without a name goes by: its type, if that is one word.
func eventName(kind []byte) []byte {
	for _, ch := range kind {
		if ch <= ' ' || ch == '\\' || ch >= 0x7f {
			return nil
		}
	}
	return kind
}

// word is a string's text as it stands, escapes unread; nil for what is no string.
func word(data []byte, s dialect.Span) []byte {
	if s.End-s.Start < len(`""`) {
		return nil
	}
	return data[s.Start+1 : s.End-1]
}

// write appends data as one event under its name.
func (d *Responses) write(dst, name, data []byte) []byte {
	if len(name) > 0 {
		dst = append(append(append(dst, "event: "...), name...), '\n')
	}
	dst = append(dst, dataField...)
	from := len(dst)
	if m := d.h.response.model; !m.IsZero() && data[m.Start] == '"' {
		dst = append(dst, data[:m.Start]...)
		dst = append(dst, d.model...)
		data = data[m.End:]
	}
	dst = append(dst, data...)
	oneLine(dst[from:])
	return append(dst, "\n\n"...)
}

// End implements dialect.StreamDecoder: the last event has said it all.
func (d *Responses) End(dst []byte) []byte { return dst }

// Finished implements dialect.StreamDecoder.
func (d *Responses) Finished() bool { return d.finished }

// Usage implements dialect.StreamDecoder.
func (d *Responses) Usage() dialect.Usage { return d.usage }

// TextBytes implements dialect.StreamDecoder.
func (d *Responses) TextBytes() int { return d.textBytes }

// Background reports whether the response is made in the background.
func (d *Responses) Background() bool { return d.background }

// GoesOn reports whether the response is made in the background and is not over.
func (d *Responses) GoesOn() bool { return d.background && !d.finished }

// Response returns what the stream has told of its response so far.
func (d *Responses) Response() Response {
	r := Response{ID: d.id, Conversation: d.conversation, Unstored: d.unstored, Usage: d.usage}
	if !d.finished {
		r.Status = "in_progress"
	}
	return r
}
