// Package cursor walks the JSON of upstreams: each event of a stream passes
// through it once, and what a dialect does not ask for is only looked at for
// its syntax.
//
// The dialects use it from the goroutine of one stream.
package cursor

import (
	"unicode/utf8"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/strict"
)

// maxDepth bounds how deep an upstream's JSON may nest.
const maxDepth = 512

// Cursor walks one JSON text, checking its syntax on the way. It copies
// nothing. Its methods return false at the first fault, and the walk ends there.
type Cursor struct {
	b     []byte
	i     int
	depth int
	drop  bool // the member that a visitor has just passed is to be left out
}

// New returns a cursor at the beginning of text, which must not change while
// the cursor is in use.
func New(text []byte) *Cursor { return &Cursor{b: text} }

// Valid reports whether text is one JSON value in UTF-8 that does not nest
// without end.
func Valid(text []byte) bool {
	c := New(text)
	return c.skip() && c.Done() && utf8.Valid(text)
}

// Offset is where the cursor stands, after what was passed.
func (c *Cursor) Offset() int { return c.i }

// Bytes is the part of the text that s spans.
func (c *Cursor) Bytes(s dialect.Span) []byte { return c.b[s.Start:s.End] }

func (c *Cursor) space() {
	for c.i < len(c.b) {
		switch c.b[c.i] {
		case ' ', '\t', '\n', '\r':
			c.i++
		default:
			return
		}
	}
}

// Peek returns the next byte that is not white space, 0 at the end.
func (c *Cursor) Peek() byte {
	c.space()
	if c.i < len(c.b) {
		return c.b[c.i]
	}
	return 0
}

func (c *Cursor) eat(ch byte) bool {
	if c.Peek() != ch {
		return false
	}
	c.i++
	return true
}

// Done reports whether nothing but white space is left.
func (c *Cursor) Done() bool { return c.Peek() == 0 && c.i >= len(c.b) }

// Value passes one value of any kind and returns where it stands.
func (c *Cursor) Value() (dialect.Span, bool) {
	ch := c.Peek()
	start := c.i
	var ok bool
	switch {
	case ch == '"':
		ok = c.str()
	case ch == '{':
		ok = c.skipObject()
	case ch == '[':
		ok = c.skipArray()
	case ch == 't':
		ok = c.word("true")
	case ch == 'f':
		ok = c.word("false")
	case ch == 'n':
		ok = c.word("null")
	default:
		ok = c.number()
	}
	return dialect.Span{Start: start, End: c.i}, ok
}

func (c *Cursor) word(w string) bool {
	if len(c.b)-c.i < len(w) || string(c.b[c.i:c.i+len(w)]) != w {
		return false
	}
	c.i += len(w)
	return true
}

// str passes a string that begins at i.
func (c *Cursor) str() bool {
	b := c.b
	i := c.i + 1
	for {
		n, _ := strict.Plain(b[i:])
		if i += n; i >= len(b) {
			return false
		}
		switch ch := b[i]; {
		case ch == '"':
			c.i = i + 1
			return true
		case ch < ' ':
			return false
		case ch == '\\':
			n := escape(b[i:])
			if n == 0 {
				return false
			}
			i += n
		default: // in the last bytes, too few for a word
			i++
		}
	}
}

// escape is the length of the escape sequence that b begins with, 0 if it is none.
func escape(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(b) < 6 {
			return 0
		}
		for _, ch := range b[2:6] {
			if !(ch >= '0' && ch <= '9' || ch >= 'a' && ch <= 'f' || ch >= 'A' && ch <= 'F') {
				return 0
			}
		}
		return 6
	}
	return 0
}

func (c *Cursor) number() bool {
	if c.i < len(c.b) && c.b[c.i] == '-' {
		c.i++
	}
	switch {
	case c.i < len(c.b) && c.b[c.i] == '0':
		c.i++
	case !c.digits():
		return false
	}
	if c.i < len(c.b) && c.b[c.i] == '.' {
		c.i++
		if !c.digits() {
			return false
		}
	}
	if c.i < len(c.b) && (c.b[c.i] == 'e' || c.b[c.i] == 'E') {
		c.i++
		if c.i < len(c.b) && (c.b[c.i] == '+' || c.b[c.i] == '-') {
			c.i++
		}
		return c.digits()
	}
	return true
}

func (c *Cursor) digits() bool {
	start := c.i
	for c.i < len(c.b) && c.b[c.i] >= '0' && c.b[c.i] <= '9' {
		c.i++
	}
	return c.i > start
}

// Array passes an array; f passes each element.
func (c *Cursor) Array(f func() bool) bool {
	if !c.enter('[') {
		return false
	}
	for first := true; ; first = false {
		switch {
		case first && c.eat(']'):
			c.leave()
			return true
		case !f():
			return false
		case c.eat(']'):
			c.leave()
			return true
		case !c.eat(','):
			return false
		}
	}
}

// Object passes an object; f passes the value of each member, whose name is key
// as it stands, escapes unread.
func (c *Cursor) Object(f func(key []byte) bool) bool {
	return c.ObjectDropping(f, nil)
}

// Drop says that the member whose value the visitor has just passed is to be
// left out; see ObjectDropping.
func (c *Cursor) Drop() { c.drop = true }

// ObjectDropping is Object for a visitor that may leave members out: dropped
// gets the span of each such member with the one comma that goes with it.
func (c *Cursor) ObjectDropping(f func(key []byte) bool, dropped func(dialect.Span)) bool {
	if !c.enter('{') {
		return false
	}
	if c.eat('}') {
		c.leave()
		return true
	}
	comma, kept := -1, 0 // where the comma before the member stands
	for {
		if c.Peek() != '"' {
			return false
		}
		start := c.i
		if !c.str() {
			return false
		}
		key := c.b[start+1 : c.i-1]
		if !c.eat(':') || !f(key) {
			return false
		}
		drop := c.drop
		c.drop = false
		end := c.i
		last := c.eat('}')
		if !last && !c.eat(',') {
			return false
		}
		switch {
		case !drop:
			kept++
		case kept > 0:
			dropped(dialect.Span{Start: comma, End: end})
		case last:
			dropped(dialect.Span{Start: start, End: end})
		default:
			dropped(dialect.Span{Start: start, End: c.i})
		}
		if last {
			c.leave()
			return true
		}
		comma = c.i - 1
	}
}

func (c *Cursor) enter(ch byte) bool {
	c.depth++
	return c.depth <= maxDepth && c.eat(ch)
}

func (c *Cursor) leave() { c.depth-- }
