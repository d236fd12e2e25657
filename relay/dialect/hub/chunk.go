package hub

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/cursor"
)

// Chunk is what one walk over a chunk found: of its first choice, where things
// stand; zero for what is absent, or null.
type Chunk struct {
	c *cursor.Cursor

	Data []byte // what the spans stand in
	ID   dialect.Span

	Reasoning, Thought dialect.Span // under its two names
	Text, Refusal      dialect.Span
	Parts              []dialect.Span // the texts of content that some servers give in parts
	Finish             dialect.Span
	Logprobs           dialect.Span // an object
	Calls              []CallPiece
}

// CallPiece is a piece of a tool call.
type CallPiece struct {
	Index          int // -1 if it has none
	ID, Name, Args dialect.Span
}

// Read walks data, which a dialect has written or let through. It is false when
// that is no object; k is used again, and keeps data.
func (k *Chunk) Read(data []byte) bool {
	*k = Chunk{c: cursor.New(data), Data: data, Calls: k.Calls[:0], Parts: k.Parts[:0]}
	return k.c.Object(func(key []byte) bool {
		switch string(key) {
		case "id":
			return k.string(&k.ID)
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
func (k *Chunk) choice() bool {
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
		case "logprobs":
			if k.c.Peek() == '{' {
				span, ok := k.c.Value()
				k.Logprobs = span
				return ok
			}
		case "finish_reason":
			return k.string(&k.Finish)
		}
		_, ok := k.c.Value()
		return ok
	})
}

func (k *Chunk) delta(key []byte) bool {
	switch string(key) {
	case "content":
		if k.c.Peek() == '[' {
			return k.c.Array(k.part)
		}
		return k.string(&k.Text)
	case "refusal":
		return k.string(&k.Refusal)
	case "reasoning_content":
		return k.string(&k.Reasoning)
	case "reasoning":
		return k.string(&k.Thought)
	case "tool_calls":
		if k.c.Peek() == '[' {
			return k.c.Array(k.call)
		}
	}
	_, ok := k.c.Value()
	return ok
}

// part takes an element of content.
func (k *Chunk) part() bool {
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
		k.Parts = append(k.Parts, text)
	}
	return ok
}

func (k *Chunk) call() bool {
	if k.c.Peek() != '{' {
		_, ok := k.c.Value()
		return ok
	}
	p := CallPiece{Index: -1}
	ok := k.c.Object(func(key []byte) bool {
		switch string(key) {
		case "index":
			n, ok := k.c.Integer()
			p.Index = n
			return ok
		case "id":
			return k.string(&p.ID)
		case "function":
			if k.c.Peek() == '{' {
				return k.c.Object(func(key []byte) bool { return k.function(&p, key) })
			}
		}
		_, ok := k.c.Value()
		return ok
	})
	k.Calls = append(k.Calls, p)
	return ok
}

func (k *Chunk) function(p *CallPiece, key []byte) bool {
	switch string(key) {
	case "name":
		return k.string(&p.Name)
	case "arguments": // some servers give the object itself
		if k.c.Peek() == '{' {
			var ok bool
			p.Args, ok = k.c.Value()
			return ok
		}
		return k.string(&p.Args)
	}
	_, ok := k.c.Value()
	return ok
}

// string takes a value that counts if it is a string with something in it.
func (k *Chunk) string(to *dialect.Span) bool {
	span, ok := k.c.Value()
	if ok && span.End-span.Start > len(`""`) && k.Data[span.Start] == '"' {
		*to = span
	}
	return ok
}

// Thinking is the piece of reasoning, under whichever name.
func (k *Chunk) Thinking() dialect.Span {
	if k.Reasoning.IsZero() {
		return k.Thought
	}
	return k.Reasoning
}

// Plain reports whether the chunk brings text and nothing else.
func (k *Chunk) Plain() bool {
	return !k.Text.IsZero() && len(k.Calls) == 0 && k.Reasoning.IsZero() && k.Thought.IsZero() && k.Refusal.IsZero() &&
		k.Finish.IsZero() && k.Logprobs.IsZero()
}

// Bytes are what stands at s.
func (k *Chunk) Bytes(s dialect.Span) []byte { return k.Data[s.Start:s.End] }

// EachChunk calls f with the data of each event in events, as the dialects write them.
func EachChunk(events []byte, f func(data []byte)) {
	for len(events) > 0 {
		event, rest, _ := bytes.Cut(events, []byte("\n\n"))
		events = rest
		if data, ok := bytes.CutPrefix(event, []byte("data: ")); ok {
			f(data)
		}
	}
}

// Unquote reads a JSON string; "" for none.
func Unquote(raw []byte) string {
	if len(raw) == 0 {
		return ""
	}
	text, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		return strings.ToValidUTF8(string(text), "\ufffd")
	}
	return string(text)
}
