package cursor

import (
	"bytes"
	"unicode/utf8"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

const (
	// maxShape is the longest text that a shape is learnt from.
	maxShape = 2 << 10
	// maxDigits bounds a count.
	maxDigits = 9
)

// Shape is what the events of one stream have in common: nearly all say the
// same but for one string, and perhaps some counts after it. A text that is like
// one that was walked, but for these, is JSON of the same structure, so that
// walking it would find the same; only the string and the counts are new. The
// zero value matches nothing.
type Shape struct {
	before []byte   // up to the string
	after  [][]byte // from the string to the first count, between counts, to the end
	store  []byte
}

// Learn takes the shape of text, JSON that was walked: around the string at
// hole, and around the counts, which are whole numbers without a sign and stand
// in order. Of a text that is too long, or has a count before the string, no
// shape is taken.
func (s *Shape) Learn(text []byte, hole dialect.Span, counts ...dialect.Span) {
	s.Forget()
	if len(text) > maxShape {
		return
	}
	from := hole.End
	for _, c := range counts {
		if c.Start < from {
			return
		}
		from = c.End
	}
	s.store = append(s.store[:0], text...)
	s.after = s.after[:0]
	from = hole.End
	for _, c := range counts {
		s.after = append(s.after, s.store[from:c.Start])
		from = c.End
	}
	s.after = append(s.after, s.store[from:])
	s.before = s.store[:hole.Start]
}

// Forget makes s match nothing.
func (s *Shape) Forget() { s.before = nil }

// Match returns where the string stands, quotes included, in a text that has
// the shape, and sets counts, which has as many as were learnt. It is false for
// an empty string too, which may mean something else.
func (s *Shape) Match(text []byte, counts []int) (hole dialect.Span, ok bool) {
	if len(s.before) == 0 || len(counts) != len(s.after)-1 || !bytes.HasPrefix(text, s.before) {
		return hole, false
	}
	c := Cursor{b: text, i: len(s.before)}
	if c.i == len(text) || text[c.i] != '"' || !c.str() || c.i-len(s.before) <= len(`""`) {
		return hole, false
	}
	hole = dialect.Span{Start: len(s.before), End: c.i}
	rest := text[c.i:]
	for i, piece := range s.after {
		if !bytes.HasPrefix(rest, piece) {
			return hole, false
		}
		rest = rest[len(piece):]
		if i == len(counts) {
			break
		}
		var digits int
		if counts[i], digits = count(rest); digits == 0 {
			return hole, false
		}
		rest = rest[digits:]
	}
	return hole, len(rest) == 0 && utf8.Valid(text[hole.Start:hole.End])
}

// count reads a whole number without a sign, as JSON writes it; digits is 0 if
// there is none.
func count(b []byte) (n, digits int) {
	for digits < len(b) && digits <= maxDigits && b[digits] >= '0' && b[digits] <= '9' {
		n = n*10 + int(b[digits]-'0')
		digits++
	}
	if digits > maxDigits || digits > 1 && b[0] == '0' {
		return 0, 0
	}
	return n, digits
}
