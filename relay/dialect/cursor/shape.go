package cursor

import (
	"bytes"
	"unicode/utf8"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

// maxShape is the longest text that a shape is learnt from.
const maxShape = 2 << 10

// Shape is what the events of one stream have in common: nearly all say the
// same but for one string. Where an event begins and ends as the one before,
// which was walked whole, and has one string between, walking it would find the
// same; only that string is new. The zero value matches nothing.
type Shape struct {
	before, after []byte // the string's quotes included
	store         []byte
}

// Learn takes the shape of text, JSON that was walked, whose string at hole is
// what will differ.
func (s *Shape) Learn(text []byte, hole dialect.Span) {
	s.before, s.after = nil, nil
	if len(text) > maxShape {
		return
	}
	s.store = append(s.store[:0], text...)
	s.before, s.after = s.store[:hole.Start+1], s.store[hole.End-1:]
}

// Match returns where the string stands, quotes included, in a text that has
// the shape. It is false for an empty string too, which may mean something else.
func (s *Shape) Match(text []byte) (dialect.Span, bool) {
	if len(s.before) == 0 || len(text) <= len(s.before)+len(s.after) ||
		!bytes.HasPrefix(text, s.before) || !bytes.HasSuffix(text, s.after) {
		return dialect.Span{}, false
	}
	// The quotes are the shape's; between them must be one string.
	hole := dialect.Span{Start: len(s.before) - 1, End: len(text) - len(s.after) + 1}
	c := Cursor{b: text[hole.Start:hole.End]}
	return hole, c.str() && c.i == len(c.b) && utf8.Valid(c.b)
}
