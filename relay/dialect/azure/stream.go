package azure

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/cursor"
	"github.com/PPKunOfficial/berry-api/relay/dialect/openai"
)

// decoder mends the chunks that tell of content filters, before OpenAI's
// decoder takes them: they lack the id, the time or the delta that every chunk
// must have.
type decoder struct {
	*openai.Decoder
	chat        bool   // not completions, whose choices have no delta
	id, created string // the answer's, as JSON; "" until known
	edits       []dialect.Edit
	mended      []byte
}

// Event implements dialect.StreamDecoder.
func (d *decoder) Event(dst, name, data []byte) ([]byte, dialect.State, error) {
	data = bytes.TrimSpace(data)
	if len(name) == 0 {
		// What is like a chunk that has been mended, or needed it not, needs it not.
		var ok bool
		if dst, ok = d.Quick(dst, data); ok {
			return dst, dialect.Content, nil
		}
	}
	if len(data) > 0 && data[0] == '{' { // whether it is JSON is looked at after this, once
		data = d.mend(data)
	}
	return d.Decoder.Event(dst, name, data)
}

// head is where a chunk has what it must have besides choices; zero where it
// is missing.
type head struct{ id, created, object dialect.Span }

// mend returns data, or a copy in which what is missing is filled in.
func (d *decoder) mend(data []byte) []byte {
	c := cursor.New(data)
	var in head
	choices := 0
	d.edits = d.edits[:0]
	ok := c.Object(func(key []byte) bool {
		var to *dialect.Span
		switch string(key) {
		case "id":
			to = &in.id
		case "created":
			to = &in.created
		case "object":
			to = &in.object
		case "choices":
			if c.Peek() == '[' {
				return c.Array(func() bool { choices++; return d.choice(c) })
			}
		}
		span, ok := c.Value()
		if to != nil {
			*to = span
		}
		return ok
	})
	if !ok || choices == 0 {
		return data // is dropped, or goes to no client but for the totals
	}
	d.heads(data, in)
	if len(d.edits) == 0 {
		return data
	}
	dialect.SortEdits(d.edits)
	d.mended = d.mended[:0]
	pos := 0
	for _, e := range d.edits {
		d.mended = append(append(d.mended, data[pos:e.Start]...), e.Text...)
		pos = e.End
	}
	d.mended = append(d.mended, data[pos:]...)
	return d.mended
}

// choice passes a choice and gives it a delta if it has none.
func (d *decoder) choice(c *cursor.Cursor) bool {
	object, start := c.Peek() == '{', c.Offset()
	if !object {
		_, ok := c.Value()
		return ok
	}
	members, delta := 0, false
	ok := c.Object(func(key []byte) bool {
		members++
		delta = delta || string(key) == "delta"
		_, ok := c.Value()
		return ok
	})
	switch {
	case delta, !d.chat:
	case members == 0:
		d.edits = append(d.edits, insert(start+1, `"delta":{}`))
	default:
		d.edits = append(d.edits, insert(start+1, `"delta":{},`))
	}
	return ok
}

func insert(at int, text string) dialect.Edit {
	return dialect.Edit{Span: dialect.Span{Start: at, End: at}, Text: []byte(text)}
}

// heads brings a chunk's id and time in line with the first ones.
func (d *decoder) heads(data []byte, in head) {
	id, created, object := data[in.id.Start:in.id.End], data[in.created.Start:in.created.End], data[in.object.Start:in.object.End]
	if d.id == "" {
		if d.id = string(id); !isText(id) {
			d.id = newID()
		}
	}
	if d.created == "" {
		if d.created = string(created); len(created) == 0 || created[0] < '1' || created[0] > '9' {
			d.created = strconv.FormatInt(time.Now().Unix(), 10)
		}
	}
	if string(id) != d.id {
		d.set(in.id, "id", d.id)
	}
	if string(created) != d.created {
		d.set(in.created, "created", d.created)
	}
	if len(object) > 0 && !isText(object) {
		name := `"text_completion"`
		if d.chat {
			name = `"chat.completion.chunk"`
		}
		d.set(in.object, "object", name)
	}
}

// isText reports whether a value is a string with something in it.
func isText(v []byte) bool { return len(v) > len(`""`) && v[0] == '"' }

// set gives the member name, which stands at v if it is there, the value want.
func (d *decoder) set(v dialect.Span, name, want string) {
	if v.IsZero() {
		d.edits = append(d.edits, insert(1, `"`+name+`":`+want+","))
		return
	}
	d.edits = append(d.edits, dialect.Edit{Span: v, Text: []byte(want)})
}

// newID names an answer, as JSON, whose first chunk with text has no id.
func newID() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails
	return `"chatcmpl-` + hex.EncodeToString(b[:]) + `"`
}
