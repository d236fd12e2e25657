package openai

import (
	"bytes"
	"math/bits"
	"strings"
	"unicode/utf8"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/cursor"
)

// answer is what one walk over a chat answer or a stream's chunk found.
type answer struct {
	model dialect.Span // the value of model; zero if absent

	fault     dialect.Span // the value of a non-null error; zero if there is none
	choices   bool         // the member choices is there and an array
	empty     bool         // ... and has no element
	content   bool         // something that a client waits for
	textBytes int          // raw length of its text
	text      dialect.Span // where the last text stands, quotes included
	pieces    int          // how many texts and other parts of content there are
	began     uint64       // bit set of the choices' indices
	ended     uint64       // those with a finish reason
	delta     bool         // the choice that is being read is a piece of one
	called    bool         // ... and has tool calls
	usage     dialect.Usage
	hasUsage  bool // usage is there and not null

	edits []dialect.Edit // what must change, in order
}

// keep says what an answer may carry on to the client.
type keep struct {
	usage     bool
	reasoning bool
	google    *google // nil: the answer is not Google's
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
	c := cursor.New(data)
	ok := c.ObjectDropping(func(key []byte) bool { return a.member(c, key, k) }, a.remove)
	return ok && c.Done()
}

func (a *answer) remove(s dialect.Span) { a.edits = append(a.edits, dialect.Edit{Span: s}) }

// member takes a member of the top-level object.
func (a *answer) member(c *cursor.Cursor, key []byte, k keep) bool {
	switch string(key) {
	case "model":
		span, ok := c.Value()
		a.model = span
		return ok
	case "error":
		span, ok := c.Value()
		if string(c.Bytes(span)) == "null" {
			// One widely used SDK takes the mere key for a failure.
			c.Drop()
		} else {
			a.fault = span
		}
		return ok
	case "usage":
		var ok bool
		if c.Peek() == '{' {
			a.hasUsage = true
			ok = readUsage(c, &a.usage, chatUsage)
		} else {
			_, ok = c.Value()
		}
		if !k.usage {
			c.Drop()
		}
		return ok
	case "choices":
		if c.Peek() != '[' {
			_, ok := c.Value()
			return ok
		}
		a.choices, a.empty = true, true
		return c.Array(func() bool {
			a.empty = false
			return a.choice(c, k)
		})
	}
	_, ok := c.Value()
	return ok
}

// choice takes one element of choices.
func (a *answer) choice(c *cursor.Cursor, k keep) bool {
	if c.Peek() != '{' {
		return false
	}
	index, ended := 0, false
	var finish dialect.Span
	a.called = false
	if k.google != nil {
		k.google.begin()
	}
	ok := c.Object(func(key []byte) bool {
		switch string(key) {
		case "index":
			n, ok := c.Integer()
			index = min(max(n, 0), maxChoices-1)
			return ok
		case "delta", "message":
			a.delta = string(key) == "delta"
			if c.Peek() == '{' {
				return a.message(c, k)
			}
		case "text":
			return a.takeText(c)
		case "finish_reason":
			ended = c.Peek() == '"'
			var ok bool
			finish, ok = c.Value()
			return ok
		}
		_, ok := c.Value()
		return ok
	})
	bit := uint64(1) << index
	a.began |= bit
	if ended {
		a.ended |= bit
		a.content = true
	}
	if ok && k.google != nil {
		if string(c.Bytes(finish)) != `"stop"` {
			finish = dialect.Span{}
		}
		k.google.mend(a, index, finish)
	}
	return ok
}

// message takes a delta or a message.
func (a *answer) message(c *cursor.Cursor, k keep) bool {
	return c.ObjectDropping(func(key []byte) bool {
		name := string(key)
		switch {
		case name == "role":
		case strings.HasPrefix(name, "reasoning"):
			if !k.reasoning {
				_, ok := c.Value()
				c.Drop()
				return ok
			}
			return a.takeText(c)
		case name == "content", name == "refusal":
			return a.takeText(c)
		case name == "tool_calls":
			c.Peek()
			before, start := a.pieces, c.Offset()
			ok := a.part(c)
			a.called = a.called || a.pieces > before
			if ok && k.google != nil && a.delta {
				k.google.find(c.Bytes(dialect.Span{Start: start, End: c.Offset()}), start)
			}
			return ok
		case name == "function_call", name == "audio":
			return a.part(c)
		}
		_, ok := c.Value()
		return ok
	}, a.remove)
}

// takeText takes a string that is content unless it is empty.
func (a *answer) takeText(c *cursor.Cursor) bool {
	span, ok := c.Value()
	if n := span.End - span.Start; ok && n > 2 && c.Bytes(span)[0] != 'n' {
		a.content = true
		a.textBytes += n - 2
		a.text = span
		a.pieces++
	}
	return ok
}

// part takes an object or array that is content unless it is empty.
func (a *answer) part(c *cursor.Cursor) bool {
	span, ok := c.Value()
	if !ok {
		return false
	}
	raw := c.Bytes(span)
	if v := bytes.TrimSpace(raw[1:max(1, len(raw)-1)]); raw[0] != 'n' && len(v) > 0 {
		a.content = true
		a.textBytes += len(v)
		a.pieces += 2 // never the one text of a shape
	}
	return true
}

// allEnded reports whether at least one choice began and every one that did has ended.
func allEnded(began, ended uint64) bool {
	return began != 0 && bits.OnesCount64(began) == bits.OnesCount64(ended&began)
}
