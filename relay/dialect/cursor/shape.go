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
	after  []byte   // from the string to the first count, or to the end
	more   [][]byte // from each count to the next one, or to the end
	store  []byte
	inline [512]byte // store, for a text that fits: what is looked at together lies together
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
	if s.store == nil {
		s.store = s.inline[:0]
	}
	s.store = append(s.store[:0], text...)
	s.before, s.after, s.more = s.store[:hole.Start], s.store[hole.End:], s.more[:0]
	for i, c := range counts {
		to := len(text)
		if i+1 < len(counts) {
			to = counts[i+1].Start
		}
		s.more = append(s.more, s.store[c.End:to])
	}
	if len(counts) > 0 {
		s.after = s.store[hole.End:counts[0].Start]
	}
}

// Forget makes s match nothing.
func (s *Shape) Forget() { s.before = nil }

// Match returns where the string stands, quotes included, in a text that has
// the shape, and sets counts, which has as many as were learnt. It is false for
// an empty string too, which may mean something else.
func (s *Shape) Match(text []byte, counts []int) (hole dialect.Span, ok bool) {
	if len(s.before) == 0 || len(counts) != len(s.more) || !bytes.HasPrefix(text, s.before) {
		return hole, false
	}
	c := Cursor{b: text, i: len(s.before)}
	if c.i == len(text) || text[c.i] != '"' || !c.str() || c.i-len(s.before) <= len(`""`) {
		return hole, false
	}
	hole = dialect.Span{Start: len(s.before), End: c.i}
	rest, ok := bytes.CutPrefix(text[c.i:], s.after)
	for i, piece := range s.more {
		if !ok {
			return hole, false
		}
		var digits int
		if counts[i], digits = count(rest); digits == 0 {
			return hole, false
		}
		rest, ok = bytes.CutPrefix(rest[digits:], piece)
	}
	return hole, ok && len(rest) == 0 && utf8.Valid(text[hole.Start:hole.End])
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
