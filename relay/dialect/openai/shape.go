package openai

import (
	"bytes"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/cursor"
)

// shape is that of a stream's chunks, and what is changed in them.
type shape struct {
	cursor.Shape
	text   dialect.Span    // where the text stood in the chunk that was learnt
	edits  []dialect.Edit  // of that chunk
	store  []byte          // what the edits put in
	inline [1]dialect.Edit // edits, where the model's name is all
}

// learn takes the shape of a chunk whose only content is one text, and what
// was changed in it.
func (s *shape) learn(data []byte, a *answer) {
	if bytes.IndexByte(data, '\n') >= 0 || bytes.IndexByte(data, '\r') >= 0 { // which is changed as well
		return
	}
	s.Learn(data, a.text)
	if s.edits == nil {
		s.edits = s.inline[:0]
	}
	s.text, s.edits, s.store = a.text, append(s.edits[:0], a.edits...), s.store[:0]
	for i := range s.edits {
		from := len(s.store)
		s.store = append(s.store, s.edits[i].Text...)
		s.edits[i].Text = s.store[from:len(s.store):len(s.store)]
	}
}

// write appends a chunk that has the shape, with another text, which stands at
// hole in data, as one event. The chunk is at hand; a stored one would not be.
func (s *shape) write(dst, data []byte, hole dialect.Span) []byte {
	dst = append(dst, dataField...)
	pos, shift := 0, hole.End-s.text.End
	for i := range s.edits {
		e := &s.edits[i]
		from, to := e.Start, e.End
		if from >= s.text.End {
			from, to = from+shift, to+shift
		}
		dst = append(dst, data[pos:from]...)
		dst = append(dst, e.Text...)
		pos = to
	}
	dst = append(dst, data[pos:]...)
	return append(dst, "\n\n"...)
}
