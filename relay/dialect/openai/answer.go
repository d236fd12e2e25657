package openai

import (
	"bytes"
	"math/bits"
	"strings"
	"unicode/utf8"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

// answer is what one walk over a chat answer or a stream's chunk found.
type answer struct {
	model dialect.Span // the value of model; zero if absent

	fault     dialect.Span // the value of a non-null error; zero if there is none
	choices   bool         // the member choices is there and an array
	empty     bool         // ... and has no element
	content   bool         // something that a client waits for
	textBytes int          // raw length of its text
	began     uint64       // bit set of the choices' indices
	ended     uint64       // those with a finish reason
	usage     dialect.Usage
	hasUsage  bool // usage is there and not null

	edits []dialect.Edit // what must change, in order
}

// keep says what an answer may carry on to the client.
type keep struct {
	usage     bool
	reasoning bool
}

// maxChoices is how many choices of one answer are followed singly; an index
// beyond counts as the last one.
const maxChoices = 64

// read walks data. It is false when data is not one JSON object in UTF-8.
// a.edits' storage is reused.
func (a *answer) read(data []byte, k keep) bool {
	*a = answer{edits: a.edits[:0]}
	if !utf8.Valid(data) {
		return false
	}
	c := &cursor{b: data}
	ok := c.objectDropping(func(m *member) bool { return a.member(c, m, k) }, a.remove)
	return ok && c.done()
}

func (a *answer) remove(s dialect.Span) { a.edits = append(a.edits, dialect.Edit{Span: s}) }

// member takes a member of the top-level object.
func (a *answer) member(c *cursor, m *member, k keep) bool {
	switch string(m.key) {
	case "model":
		span, ok := c.value()
		a.model = span
		return ok
	case "error":
		span, ok := c.value()
		if string(c.b[span.Start:span.End]) == "null" {
			// One widely used SDK takes the mere key for a failure.
			m.drop = true
		} else {
			a.fault = span
		}
		return ok
	case "usage":
		if c.peek() != '{' {
			m.drop = !k.usage
			_, ok := c.value()
			return ok
		}
		m.drop = !k.usage
		a.hasUsage = true
		return a.readUsage(c)
	case "choices":
		if c.peek() != '[' {
			_, ok := c.value()
			return ok
		}
		a.choices, a.empty = true, true
		return c.array(func() bool {
			a.empty = false
			return a.choice(c, k)
		})
	}
	_, ok := c.value()
	return ok
}

// choice takes one element of choices.
func (a *answer) choice(c *cursor, k keep) bool {
	if c.peek() != '{' {
		return false
	}
	index, ended := 0, false
	ok := c.object(func(m *member) bool {
		switch string(m.key) {
		case "index":
			n, ok := c.integer()
			index = min(max(n, 0), maxChoices-1)
			return ok
		case "delta", "message":
			if c.peek() == '{' {
				return a.message(c, k)
			}
		case "text":
			return a.text(c)
		case "finish_reason":
			ended = c.peek() == '"'
		}
		_, ok := c.value()
		return ok
	})
	bit := uint64(1) << index
	a.began |= bit
	if ended {
		a.ended |= bit
		a.content = true
	}
	return ok
}

// message takes a delta or a message.
func (a *answer) message(c *cursor, k keep) bool {
	return c.objectDropping(func(m *member) bool {
		key := string(m.key)
		switch {
		case key == "role":
		case strings.HasPrefix(key, "reasoning"):
			if !k.reasoning {
				m.drop = true
				_, ok := c.value()
				return ok
			}
			return a.text(c)
		case key == "content", key == "refusal":
			return a.text(c)
		case key == "tool_calls", key == "function_call", key == "audio":
			return a.part(c)
		}
		_, ok := c.value()
		return ok
	}, a.remove)
}

// text takes a string that is content unless it is empty.
func (a *answer) text(c *cursor) bool {
	span, ok := c.value()
	if n := span.End - span.Start; ok && n > 2 && c.b[span.Start] != 'n' {
		a.content = true
		a.textBytes += n - 2
	}
	return ok
}

// part takes an object or array that is content unless it is empty.
func (a *answer) part(c *cursor) bool {
	span, ok := c.value()
	if !ok {
		return false
	}
	if v := bytes.TrimSpace(c.b[span.Start+1 : max(span.Start+1, span.End-1)]); c.b[span.Start] != 'n' && len(v) > 0 {
		a.content = true
		a.textBytes += len(v)
	}
	return true
}

// readUsage takes the object usage.
func (a *answer) readUsage(c *cursor) bool {
	u := &a.usage
	return c.object(func(m *member) bool {
		switch string(m.key) {
		case "prompt_tokens":
			return c.into(&u.Input)
		case "completion_tokens":
			return c.into(&u.Output)
		case "prompt_tokens_details":
			return c.details(func(key []byte) *int {
				switch string(key) {
				case "cached_tokens":
					return &u.CachedInput
				case "cache_write_tokens":
					return &u.CacheWrite
				}
				return nil
			})
		case "completion_tokens_details":
			return c.details(func(key []byte) *int {
				if string(key) == "reasoning_tokens" {
					return &u.Reasoning
				}
				return nil
			})
		}
		_, ok := c.value()
		return ok
	})
}

// details passes an object of counters into where f says; anything else is skipped.
func (c *cursor) details(f func(key []byte) *int) bool {
	if c.peek() != '{' {
		_, ok := c.value()
		return ok
	}
	return c.object(func(m *member) bool {
		if to := f(m.key); to != nil {
			return c.into(to)
		}
		_, ok := c.value()
		return ok
	})
}

// into passes a value and stores it when it is a whole number.
func (c *cursor) into(to *int) bool {
	n, ok := c.integer()
	*to = max(n, 0)
	return ok
}

// integer passes any value; it returns 0 for what is not a whole number, and
// the largest int32 for one that is larger.
func (c *cursor) integer() (int, bool) {
	span, ok := c.value()
	n, neg := 0, false
	for i, ch := range c.b[span.Start:span.End] {
		switch {
		case ch == '-' && i == 0:
			neg = true
		case ch >= '0' && ch <= '9':
			n = min(n*10+int(ch-'0'), 1<<31-1)
		case ch == '.' && i > 0: // some upstreams write 7.0
			if neg {
				n = -n
			}
			return n, ok
		default:
			return 0, ok
		}
	}
	if neg {
		n = -n
	}
	return n, ok
}

// allEnded reports whether at least one choice began and every one that did has ended.
func allEnded(began, ended uint64) bool {
	return began != 0 && bits.OnesCount64(began) == bits.OnesCount64(ended&began)
}
