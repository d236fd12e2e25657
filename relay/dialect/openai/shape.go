package openai

import (
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/cursor"
)

// shape is that of a stream's chunks, and of the events written for them.
type shape struct {
	cursor.Shape
	before, after []byte // of the event, around the text and its quotes
	store         []byte
}

// learn takes the shape of a chunk whose only content is one text, and of the
// event that was written for it.
func (s *shape) learn(data []byte, a *answer, event []byte) {
	s.Learn(data, a.text)
	shift := len(dataField)
	for _, e := range a.edits {
		if e.End <= a.text.Start {
			shift += len(e.Text) - (e.End - e.Start)
		}
	}
	s.store = append(s.store[:0], event...)
	s.before, s.after = s.store[:a.text.Start+shift], s.store[a.text.End+shift:]
}

// write appends the event with another text, which stands at hole in data.
func (s *shape) write(dst, data []byte, hole dialect.Span) []byte {
	dst = append(dst, s.before...)
	dst = append(dst, data[hole.Start:hole.End]...)
	return append(dst, s.after...)
}
