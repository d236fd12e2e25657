package openai

import (
	"bytes"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

// Decoder passes OpenAI's own chunks on, byte for byte but for the model's
// name, usage that the client did not ask for and what would break its SDK.
type Decoder struct {
	shape     shape
	textBytes int

	keep  keep
	model []byte // the name that the client asked for, as JSON
	a     answer

	began, ended uint64
	usage        dialect.Usage
}

// Quick is Event for a chunk that differs from an earlier one in its text
// alone; ok is false, and nothing is done, for any other.
func (d *Decoder) Quick(dst, data []byte) (_ []byte, ok bool) {
	hole, ok := d.shape.Match(data, nil)
	if !ok {
		return dst, false
	}
	d.textBytes += hole.End - hole.Start - len(`""`)
	return d.shape.write(dst, data, hole), true
}

// Event implements dialect.StreamDecoder.
func (d *Decoder) Event(dst, name, data []byte) ([]byte, dialect.State, error) {
	data = bytes.TrimSpace(data)
	if string(data) == "[DONE]" {
		return dst, dialect.End, nil
	}
	if len(name) == 0 {
		var ok bool
		if dst, ok = d.Quick(dst, data); ok {
			return dst, dialect.Content, nil
		}
	}
	a := &d.a
	if !a.read(data, d.keep) {
		if string(name) == "error" {
			return dst, dialect.Dropped, faultInBand(data)
		}
		return dst, dialect.Dropped, nil
	}
	if !a.fault.IsZero() || string(name) == "error" {
		return dst, dialect.Dropped, faultInBand(data)
	}
	if a.hasUsage {
		d.usage = a.usage
	}
	if !a.choices && !a.hasUsage {
		return dst, dialect.Dropped, nil
	}
	d.began |= a.began
	d.ended |= a.ended
	d.textBytes += a.textBytes
	if !a.choices || a.empty {
		// The totals at the end go only to a client that asked for them; other
		// chunks without a choice (some upstreams begin with one) crash clients.
		if !a.hasUsage || !d.keep.usage {
			return dst, dialect.Lifecycle, nil
		}
	}
	dst = d.write(dst, data)
	if a.pieces == 1 && a.ended == 0 && !a.hasUsage {
		d.shape.learn(data, a)
	}
	if a.content {
		return dst, dialect.Content, nil
	}
	return dst, dialect.Lifecycle, nil
}

const dataField = "data: "

// write appends data as one event with a's edits.
func (d *Decoder) write(dst, data []byte) []byte {
	a := &d.a
	if !a.model.IsZero() && !bytes.Equal(data[a.model.Start:a.model.End], d.model) {
		a.edits = append(a.edits, dialect.Edit{Span: a.model, Text: d.model})
	}
	if len(a.edits) > 1 {
		dialect.SortEdits(a.edits)
	}
	dst = append(dst, dataField...)
	from := len(dst)
	pos := 0
	if !a.choices { // usage alone: clients want the empty list beside it
		dst = append(dst, `{"choices":[],`...)
		pos = bytes.IndexByte(data, '{') + 1
	}
	for _, e := range a.edits {
		dst = append(dst, data[pos:e.Start]...)
		dst = append(dst, e.Text...)
		pos = e.End
	}
	dst = append(dst, data[pos:]...)
	oneLine(dst[from:])
	return append(dst, "\n\n"...)
}

// End implements dialect.StreamDecoder: the chunks have said it all.
func (d *Decoder) End(dst []byte) []byte { return dst }

// Finished implements dialect.StreamDecoder.
func (d *Decoder) Finished() bool { return allEnded(d.began, d.ended) }

// Usage implements dialect.StreamDecoder.
func (d *Decoder) Usage() dialect.Usage { return d.usage }

// TextBytes implements dialect.StreamDecoder.
func (d *Decoder) TextBytes() int { return d.textBytes }
