package openai

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

// maxSnapshot bounds the response that is kept for the case that its stream
// breaks: it repeats the client's instructions and tools.
const maxSnapshot = 256 << 10

// breaking is what a stream of a response needs in order to end badly: clients
// of this format wait for an event that says so.
type breaking struct {
	snapshot      []byte       // the response as it began, under the client's name of the model
	status, fault dialect.Span // where its status and its error stand; zero if absent

	// failure is the event in which the upstream itself told of err.
	failure []byte
	err     apierror.Error
}

// keepSnapshot keeps the response that an event holds.
func (b *breaking) keepSnapshot(data []byte, r *response, model []byte) {
	b.snapshot = b.snapshot[:0]
	all := data[r.all.Start:r.all.End]
	if len(all) > maxSnapshot {
		return
	}
	b.status, b.fault = r.status, r.errorValue
	shift := -r.all.Start
	if m := r.model; !m.IsZero() && data[m.Start] == '"' {
		b.snapshot = append(b.snapshot, data[r.all.Start:m.Start]...)
		b.snapshot = append(b.snapshot, model...)
		all = data[m.End:r.all.End]
		moved := len(model) - (m.End - m.Start)
		for _, s := range []*dialect.Span{&b.status, &b.fault} {
			if s.Start > m.Start {
				s.Start, s.End = s.Start+moved, s.End+moved
			}
		}
	}
	b.snapshot = append(b.snapshot, all...)
	for _, s := range []*dialect.Span{&b.status, &b.fault} {
		if !s.IsZero() {
			s.Start, s.End = s.Start+shift, s.End+shift
		}
	}
	oneLine(b.snapshot)
}

// keepFailure keeps the event that told of e, unless a text in it holds a secret.
func (d *Responses) keepFailure(e *apierror.Error, name, data []byte) {
	if !holds(data, d.hide) {
		d.failure, d.err = d.write(nil, name, data), *e
	}
}

// cleanError is an error that stands in an answer without the secrets that a text
// of it holds; nil where there is none, or no secret in it.
func cleanError(data []byte, at dialect.Span, hide func(string) string) []byte {
	if at.IsZero() || !holds(data[at.Start:at.End], hide) {
		return nil
	}
	e := faultInBand(data[at.Start:at.End])
	e.Code, e.Message = hide(e.Code), hide(e.Message)
	return failedError(e)
}

// holds reports whether a text in data, in whatever spelling, is not what hide
// makes of it. Data is JSON.
func holds(data []byte, hide func(string) string) bool {
	if hide == nil {
		return false
	}
	for texts := json.NewDecoder(bytes.NewReader(data)); ; {
		token, err := texts.Token()
		if err != nil { // its end
			return false
		}
		if text, ok := token.(string); ok && hide(text) != text {
			return true
		}
	}
}

// Break appends what ends the stream because of e: the upstream's own event, if
// that told of e and e was not changed since, or the response as failed.
func (d *Responses) Break(dst []byte, e *apierror.Error) []byte {
	if d.failure != nil && e.Message == d.err.Message && e.Param == d.err.Param && (e.Code == d.err.Code || d.err.Code == "") {
		return append(dst, d.failure...)
	}
	if len(d.snapshot) == 0 || d.background { // one in the background has not failed
		return AppendErrorEvent(dst, e, d.next)
	}
	edits := make([]dialect.Edit, 0, 3)
	fault := failedError(e)
	const open = len("{") // of an object that is not empty: it has an id
	if d.fault.IsZero() {
		edits = append(edits, insert(open, `"error":`+string(fault)+`,`))
	} else {
		edits = append(edits, dialect.Edit{Span: d.fault, Text: fault})
	}
	if d.status.IsZero() {
		edits = append(edits, insert(open, `"status":"`+statusFailed+`",`))
	} else {
		edits = append(edits, dialect.Edit{Span: d.status, Text: []byte(`"` + statusFailed + `"`)})
	}
	dst = append(dst, "event: response.failed\ndata: {\"type\":\"response.failed\",\"sequence_number\":"...)
	dst = strconv.AppendInt(dst, int64(d.next), 10)
	dst = append(dst, `,"response":`...)
	dst = append(dst, apply(d.snapshot, edits)...)
	d.snapshot = nil // used up
	return append(dst, "}\n\n"...)
}

// failedError is e as a response's error.
func failedError(e *apierror.Error) []byte {
	b, err := json.Marshal(struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}{e.Code, e.Message})
	if err != nil { // strings always marshal
		return []byte("null")
	}
	return b
}

// AppendErrorEvent appends the event that tells of e in a stream that has not
// named its response; sequence is its number.
func AppendErrorEvent(dst []byte, e *apierror.Error, sequence int) []byte {
	var param *string
	if e.Param != "" {
		param = &e.Param
	}
	b, err := json.Marshal(struct {
		Type     string  `json:"type"`
		Code     string  `json:"code"`
		Message  string  `json:"message"`
		Param    *string `json:"param"`
		Sequence int     `json:"sequence_number"`
	}{"error", e.Code, e.Message, param, sequence})
	if err != nil { // strings always marshal
		return dst
	}
	dst = append(append(dst, "event: error\ndata: "...), b...)
	return append(dst, "\n\n"...)
}

// oneLine makes white space between tokens such that p is one line.
func oneLine(p []byte) {
	for i, ch := range p {
		if ch == '\n' || ch == '\r' {
			p[i] = ' '
		}
	}
}
