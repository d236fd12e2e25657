package openai

import (
	"bytes"
	"unicode/utf8"

	"github.com/PPKunOfficial/berry-api/relay/dialect/cursor"
)

// maxShape is the longest chunk that a shape is learnt from.
const maxShape = 2 << 10

// shape is what the chunks of one stream have in common: nearly all say the
// same but for one piece of text. Where a chunk begins and ends as the last one
// that was read whole did, and has one string between, reading it whole again
// would find the same; only the text is new.
type shape struct {
	in, out [2][]byte // the chunk and the event around the text: before, after
	store   []byte
}

// learn takes the shape of a chunk whose only content is one text, and of the
// event that was written for it.
func (s *shape) learn(data []byte, a *answer, event []byte) {
	s.in[0] = nil
	if len(data) > maxShape || len(event) > maxShape {
		return
	}
	from, to := a.text.Start+1, a.text.End-1
	shift := len(dataField)
	for _, e := range a.edits {
		if e.End <= from {
			shift += len(e.Text) - (e.End - e.Start)
		}
	}
	s.store = append(append(s.store[:0], data...), event...)
	chunk, event := s.store[:len(data)], s.store[len(data):]
	s.in = [2][]byte{chunk[:from], chunk[to:]}
	s.out = [2][]byte{event[:from+shift], event[to+shift:]}
}

// match returns the text of a chunk that has the shape.
func (s *shape) match(data []byte) ([]byte, bool) {
	before, after := s.in[0], s.in[1]
	if len(before) == 0 || len(data) <= len(before)+len(after) ||
		!bytes.HasPrefix(data, before) || !bytes.HasSuffix(data, after) {
		return nil, false
	}
	// The quotes around the text are the shape's; between them must be one string.
	from, to := len(before), len(data)-len(after)
	c := cursor.New(data[from-1 : to+1])
	_, ok := c.Value()
	text := data[from:to]
	return text, ok && c.Done() && utf8.Valid(text)
}

// write appends the event with another text.
func (s *shape) write(dst, text []byte) []byte {
	dst = append(dst, s.out[0]...)
	dst = append(dst, text...)
	return append(dst, s.out[1]...)
}
