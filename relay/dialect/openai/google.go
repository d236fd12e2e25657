package openai

import (
	"strconv"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/cursor"
)

// google sets right what Google's own layer of this format says otherwise in the
// chunks of one answer, and clients stumble over:
//
//   - Tool calls have no index, which the official SDKs insist on.
//   - A choice with tool calls ends with "stop", which agents take for the end of
//     their work.
//
// At others both are left alone: OpenAI itself says "stop" for a call of the
// function that tool_choice names.
type google struct {
	called uint64          // bit set of the choices that had tool calls
	calls  [maxChoices]int // how many each had
	found  []foundCall     // in the choice that is being read
}

// foundCall is an element of tool_calls.
type foundCall struct {
	at     int  // offset behind its brace
	index  int  // -1: it has none
	begins bool // it has an id or a name: it is a call of its own, not more of the last
	empty  bool
}

// mending is what mends the provider's next answer; nil: nothing does.
func (d *Dialect) mending() *google {
	if !d.google {
		return nil
	}
	return &google{}
}

// begin forgets what was found in a choice, which may have been unreadable.
func (g *google) begin() { g.found = g.found[:0] }

// find takes the value of tool_calls, which begins at offset start of the chunk.
func (g *google) find(calls []byte, start int) {
	c := cursor.New(calls)
	if c.Peek() != '[' {
		return
	}
	c.Array(func() bool {
		if c.Peek() != '{' {
			_, ok := c.Value()
			return ok
		}
		call := foundCall{at: start + c.Offset() + 1, index: -1, empty: true}
		ok := c.Object(func(key []byte) bool {
			call.empty = false
			switch string(key) {
			case "index":
				n, ok := c.Integer()
				call.index = max(n, 0)
				return ok
			case "id":
				return says(c, &call.begins)
			case "function":
				if c.Peek() == '{' {
					return c.Object(func(key []byte) bool {
						if string(key) == "name" {
							return says(c, &call.begins)
						}
						_, ok := c.Value()
						return ok
					})
				}
			}
			_, ok := c.Value()
			return ok
		})
		g.found = append(g.found, call)
		return ok
	})
}

// says sets it if the value that follows is a string with something in it.
func says(c *cursor.Cursor, it *bool) bool {
	text := c.Peek() == '"'
	span, ok := c.Value()
	*it = *it || text && span.End-span.Start > len(`""`)
	return ok
}

// mend edits a choice that was read. Its finish reason "stop" stands at stop, which
// is zero if it has none or another.
func (g *google) mend(a *answer, choice int, stop dialect.Span) {
	for _, f := range g.found {
		index := f.index
		if index < 0 {
			if f.begins {
				g.calls[choice]++
			}
			index = max(g.calls[choice]-1, 0)
			text := strconv.AppendInt([]byte(`"index":`), int64(index), 10)
			if !f.empty {
				text = append(text, ',')
			}
			a.edits = append(a.edits, dialect.Edit{Span: dialect.Span{Start: f.at, End: f.at}, Text: text})
		}
		g.calls[choice] = max(g.calls[choice], index+1)
	}
	bit := uint64(1) << choice
	if a.called {
		g.called |= bit
	}
	if g.called&bit != 0 && !stop.IsZero() {
		a.edits = append(a.edits, dialect.Edit{Span: stop, Text: []byte(`"tool_calls"`)})
	}
}
