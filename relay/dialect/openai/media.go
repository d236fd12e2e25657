package openai

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/cursor"
)

// media is what one walk over an answer with images or a transcript found, or
// over one event of such a stream.
type media struct {
	fault     dialect.Span // the value of a non-null error; zero if there is none
	kind      dialect.Span // the value of type
	delta     int          // the raw length of delta
	images    bool         // the member data is there and an array
	text      bool         // the member text is there
	usage     dialect.Usage
	hasUsage  bool
	edits     []dialect.Edit // what must change, in order
	modelName []byte         // for the answer, as JSON
}

// read walks data. It is false when data is not one JSON object in UTF-8.
func (a *media) read(data []byte) bool {
	*a = media{edits: a.edits[:0], modelName: a.modelName}
	c := cursor.New(data)
	return utf8.Valid(data) && c.ObjectDropping(func(key []byte) bool { return a.member(c, key) }, a.remove) && c.Done()
}

func (a *media) remove(s dialect.Span) { a.edits = append(a.edits, dialect.Edit{Span: s}) }

func (a *media) member(c *cursor.Cursor, key []byte) bool {
	first := c.Peek()
	if string(key) == "usage" && first == '{' {
		a.hasUsage = true
		return readUsage(c, &a.usage, newerUsage) // one of type "duration" has no tokens
	}
	span, ok := c.Value()
	switch string(key) {
	case "error":
		if first == 'n' {
			c.Drop() // one widely used SDK takes the mere key for a failure
		} else {
			a.fault = span
		}
	case "model":
		if first == '"' && !bytes.Equal(c.Bytes(span), a.modelName) {
			a.edits = append(a.edits, dialect.Edit{Span: span, Text: a.modelName})
		}
	case "type":
		a.kind = span
	case "delta":
		a.delta = max(0, span.End-span.Start-len(`""`))
	case "data":
		a.images = first == '['
	case "text":
		a.text = first == '"'
	}
	return ok
}

// decodeMedia is Decode for an answer with images or a transcript.
func decodeMedia(body []byte, m *dialect.Meta) ([]byte, dialect.Usage, error) {
	a := media{modelName: m.Model}
	ok, transcript := a.read(body), false
	there := a.images
	switch m.Endpoint {
	case dialect.Transcriptions, dialect.Translations:
		there, transcript = a.text, true
	case dialect.Speech: // sound is no JSON
		there = false
	}
	switch {
	case !ok:
		// Some servers put a transcript that is text into a JSON string.
		if t := bytes.TrimSpace(body); transcript && len(t) > 0 && t[0] == '"' && cursor.Valid(t) {
			return body, dialect.Usage{}, nil
		}
		return nil, dialect.Usage{}, errNoAnswer
	case !a.fault.IsZero():
		return nil, dialect.Usage{}, faultInBand(body)
	case !there:
		return nil, dialect.Usage{}, errNoAnswer
	}
	return apply(body, a.edits), a.usage, nil
}

// appendTranscript is AppendChunks for a transcript: OpenAI's own older models
// ignore stream too.
func appendTranscript(dst, body []byte) ([]byte, error) {
	var w struct {
		Text  *string         `json:"text"`
		Usage json.RawMessage `json:"usage"`
	}
	if err := json.Unmarshal(body, &w); err != nil || w.Text == nil {
		return dst, errNoAnswer
	}
	done := struct {
		Type  string          `json:"type"`
		Text  *string         `json:"text"`
		Usage json.RawMessage `json:"usage,omitempty"`
	}{"transcript.text.done", w.Text, w.Usage}
	delta := struct {
		Type  string  `json:"type"`
		Delta *string `json:"delta"`
	}{"transcript.text.delta", w.Text}
	for _, event := range []any{delta, done} {
		b, err := json.Marshal(event)
		if err != nil {
			return dst, fmt.Errorf("cannot write the transcript: %w", err)
		}
		dst = append(append(append(dst, dataField...), b...), "\n\n"...)
	}
	return dst, nil
}

// mediaDecoder passes the events of images and sound on, with their names.
type mediaDecoder struct {
	a         media
	finished  bool
	done      bool // the upstream sent [DONE], which is no part of the format
	usage     dialect.Usage
	textBytes int
}

var _ dialect.StreamDecoder = (*mediaDecoder)(nil)

// Event implements dialect.StreamDecoder.
func (d *mediaDecoder) Event(dst, name, data []byte) ([]byte, dialect.State, error) {
	data = bytes.TrimSpace(data)
	if string(data) == "[DONE]" {
		d.done = true
		return dst, dialect.End, nil
	}
	a := &d.a
	ok := a.read(data)
	kind := string(bytes.Trim(data[a.kind.Start:a.kind.End], `"`))
	switch {
	case string(name) == "error", ok && (!a.fault.IsZero() || kind == "error"):
		return dst, dialect.Dropped, faultInBand(data)
	case !ok:
		return dst, dialect.Dropped, nil
	}
	if a.hasUsage {
		d.usage = a.usage
	}
	d.textBytes += a.delta
	if kind == "" {
		kind = string(name)
	}
	state := dialect.Content
	switch kind[strings.LastIndexByte(kind, '.')+1:] {
	case "completed", "done":
		d.finished = true
	case "keepalive", "ping", "created", "queued", "in_progress", "generating":
		state = dialect.Lifecycle
	}
	return d.write(dst, name, data), state, nil
}

// write appends data as one event with its name and the edits.
func (d *mediaDecoder) write(dst, name, data []byte) []byte {
	if len(name) > 0 {
		dst = append(append(append(dst, "event: "...), name...), '\n')
	}
	dst = append(dst, dataField...)
	from, pos := len(dst), 0
	for _, e := range d.a.edits {
		dst = append(append(dst, data[pos:e.Start]...), e.Text...)
		pos = e.End
	}
	dst = append(dst, data[pos:]...)
	if slices.ContainsFunc(dst[from:], isLineEnd) { // white space between tokens
		for i, ch := range dst[from:] {
			if isLineEnd(ch) {
				dst[from+i] = ' '
			}
		}
	}
	return append(dst, "\n\n"...)
}

func isLineEnd(ch byte) bool { return ch == '\n' || ch == '\r' }

// End implements dialect.StreamDecoder.
func (d *mediaDecoder) End(dst []byte) []byte {
	if d.done {
		dst = append(dst, "data: [DONE]\n\n"...)
	}
	return dst
}

// Finished implements dialect.StreamDecoder.
func (d *mediaDecoder) Finished() bool { return d.finished }

// Usage implements dialect.StreamDecoder.
func (d *mediaDecoder) Usage() dialect.Usage { return d.usage }

// TextBytes implements dialect.StreamDecoder.
func (d *mediaDecoder) TextBytes() int { return d.textBytes }
