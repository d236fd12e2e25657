package messages

import (
	"bytes"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/cursor"
)

// chunk is what one walk over a chunk found: of its first choice, where things
// stand; zero for what is absent, or null.
type chunk struct {
	c    *cursor.Cursor
	data []byte
	id   dialect.Span

	reasoning, thought dialect.Span // under its two names
	text, refusal      dialect.Span
	parts              []dialect.Span // the texts of content that some servers give in parts
	finish             dialect.Span
	calls              []callPiece
}

// callPiece is a piece of a tool call.
type callPiece struct {
	index          int // -1 if it has none
	id, name, args dialect.Span
}

// read walks data, which a dialect has written or let through.
func (k *chunk) read(data []byte) bool {
	*k = chunk{c: cursor.New(data), data: data, calls: k.calls[:0], parts: k.parts[:0]}
	return k.c.Object(func(key []byte) bool {
		switch string(key) {
		case "id":
			return k.string(&k.id)
		case "choices":
			if k.c.Peek() == '[' {
				return k.c.Array(k.choice)
			}
		}
		_, ok := k.c.Value()
		return ok
	})
}

// choice takes an element of choices. A request put into the chat format asks for one.
func (k *chunk) choice() bool {
	if k.c.Peek() != '{' {
		_, ok := k.c.Value()
		return ok
	}
	return k.c.Object(func(key []byte) bool {
		switch string(key) {
		case "delta":
			if k.c.Peek() == '{' {
				return k.c.Object(k.delta)
			}
		case "finish_reason":
			return k.string(&k.finish)
		}
		_, ok := k.c.Value()
		return ok
	})
}

func (k *chunk) delta(key []byte) bool {
	switch string(key) {
	case "content":
		if k.c.Peek() == '[' {
			return k.c.Array(k.part)
		}
		return k.string(&k.text)
	case "refusal":
		return k.string(&k.refusal)
	case "reasoning_content":
		return k.string(&k.reasoning)
	case "reasoning":
		return k.string(&k.thought)
	case "tool_calls":
		if k.c.Peek() == '[' {
			return k.c.Array(k.call)
		}
	}
	_, ok := k.c.Value()
	return ok
}

// part takes an element of content.
func (k *chunk) part() bool {
	if k.c.Peek() != '{' {
		_, ok := k.c.Value()
		return ok
	}
	var text dialect.Span
	ok := k.c.Object(func(key []byte) bool {
		if string(key) == "text" {
			return k.string(&text)
		}
		_, ok := k.c.Value()
		return ok
	})
	if !text.IsZero() {
		k.parts = append(k.parts, text)
	}
	return ok
}

func (k *chunk) call() bool {
	if k.c.Peek() != '{' {
		_, ok := k.c.Value()
		return ok
	}
	p := callPiece{index: -1}
	ok := k.c.Object(func(key []byte) bool {
		switch string(key) {
		case "index":
			n, ok := k.c.Integer()
			p.index = n
			return ok
		case "id":
			return k.string(&p.id)
		case "function":
			if k.c.Peek() == '{' {
				return k.c.Object(func(key []byte) bool { return k.function(&p, key) })
			}
		}
		_, ok := k.c.Value()
		return ok
	})
	k.calls = append(k.calls, p)
	return ok
}

func (k *chunk) function(p *callPiece, key []byte) bool {
	switch string(key) {
	case "name":
		return k.string(&p.name)
	case "arguments": // some servers give the object itself
		if k.c.Peek() == '{' {
			var ok bool
			p.args, ok = k.c.Value()
			return ok
		}
		return k.string(&p.args)
	}
	_, ok := k.c.Value()
	return ok
}

// string takes a value that counts if it is a string with something in it.
func (k *chunk) string(to *dialect.Span) bool {
	span, ok := k.c.Value()
	if ok && span.End-span.Start > len(`""`) && k.data[span.Start] == '"' {
		*to = span
	}
	return ok
}

// plain reports whether the chunk brings text and nothing else.
func (k *chunk) plain() bool {
	return !k.text.IsZero() && len(k.calls) == 0 && k.reasoning.IsZero() && k.thought.IsZero() && k.refusal.IsZero() && k.finish.IsZero()
}

func (k *chunk) bytes(s dialect.Span) []byte { return k.data[s.Start:s.End] }

// eachChunk calls f with the data of each event in events, as the dialects write them.
func eachChunk(events []byte, f func(data []byte)) {
	for len(events) > 0 {
		event, rest, _ := bytes.Cut(events, []byte("\n\n"))
		events = rest
		if data, ok := bytes.CutPrefix(event, []byte("data: ")); ok {
			f(data)
		}
	}
}
