package sse

// bare is the walk over a JSON object that stands in the stream outside of any
// event.
type bare struct {
	on      bool // inside one, or one stands ready
	depth   int
	quoted  bool // inside a string
	escaped bool // after a backslash in it
}

// ReadBare makes r hand out, as an Event with Bare set, also the JSON objects
// that stand between events without being any field's value, alone or in an
// array: Google's API reports a failure in the middle of a stream so. It holds
// until the next Reset.
func (r *Reader) ReadBare() { r.bares = true }

// atBare reports whether a bare object is under way or begins here. Between two
// of them it passes over what makes an array of them.
func (r *Reader) atBare() bool {
	if r.bare.on {
		return true
	}
	if r.pos != r.line || r.has || r.name != (span{}) {
		return false
	}
	for r.buf[r.pos] != '{' {
		switch r.buf[r.pos] {
		case '[', ',', ']':
			r.listed = true
		case ' ':
			if !r.listed {
				return false
			}
		default:
			return false
		}
		r.pos++
		r.line, r.event = r.pos, r.pos
		if r.pos == len(r.buf) {
			return false
		}
	}
	r.event, r.data = r.pos, span{r.pos, r.pos + 1}
	r.bare = bare{on: true}
	return true
}

// scanBare looks for the end of the object; it is false when more is needed.
func (r *Reader) scanBare() bool {
	b := &r.bare
	for ; r.pos < len(r.buf); r.pos++ {
		switch ch := r.buf[r.pos]; {
		case b.escaped:
			b.escaped = false
		case ch == '\\':
			b.escaped = b.quoted
		case ch == '"':
			b.quoted = !b.quoted
		case b.quoted:
		case ch == '{', ch == '[':
			b.depth++
		case ch == '}', ch == ']':
			if b.depth--; b.depth == 0 {
				r.pos++
				r.line, r.data.to, r.has, r.event, r.listed = r.pos, r.pos, true, -1, true
				return true
			}
		}
	}
	return false
}
