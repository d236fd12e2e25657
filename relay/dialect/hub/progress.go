package hub

import (
	"github.com/go-json-experiment/json/jsontext"
)

// progress follows the arguments of a call, which come in pieces: whether what
// came so far is one whole JSON object. It looks at the structure only.
type progress struct {
	depth   int
	text    bool // within a string
	escaped bool // right after a backslash in it
	begun   bool
	bad     bool // no object, or something after its end
	buf     []byte
}

// add takes a piece, a JSON string with its quotes.
func (p *progress) add(piece []byte) {
	// What it cannot read is half of a surrogate pair, which is no structure.
	p.buf, _ = jsontext.AppendUnquote(p.buf[:0], piece)
	for _, ch := range p.buf {
		p.byte(ch)
	}
}

func (p *progress) byte(ch byte) {
	switch {
	case p.escaped:
		p.escaped = false
	case p.text:
		p.escaped = ch == '\\'
		p.text = ch != '"'
	case ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r':
	case p.begun && p.depth == 0:
		p.bad = true
	case ch == '{' || ch == '[':
		p.bad = p.bad || !p.begun && ch == '['
		p.begun = true
		p.depth++
	case !p.begun:
		p.begun, p.bad = true, true
		p.depth++ // whatever it is, it does not end well
	case ch == '}' || ch == ']':
		p.depth--
	case ch == '"':
		p.text = true
	}
}

// whole reports whether one object has come.
func (p *progress) whole() bool { return p.begun && p.depth == 0 && !p.bad }
