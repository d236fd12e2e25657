package gemini

import (
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/cursor"
)

// answer is one GenerateContentResponse: a whole answer or an event of a
// stream. What is JSON stands as it came, nil if it did not.
type answer struct {
	parts       []piece // of the first candidate
	reason      string  // its finish reason, "" if there is none yet
	logprobs    []byte  // logprobsResult, an object
	candidate   bool    // there is one
	blocked     string  // why the prompt was refused, "" if it was not
	blockedText string
	usage       dialect.Usage
	id          []byte // a string
	fault       []byte // error
	known       bool   // it has a member that makes it a response

	// Where things are, for a shape.
	whole   []byte
	textAt  dialect.Span   // of the last part
	counted []dialect.Span // the counts of usage, in order
	feeds   []counter      // what each of them counts
}

// counter is one of the counts that a response has.
type counter uint8

const (
	promptTokens counter = iota
	toolTokens
	candidateTokens
	thoughtTokens
	cachedTokens
	totalTokens // of all; Berry adds up itself
	counters
)

// counterOf is the counter of a member of usageMetadata; counters for none.
func counterOf(key []byte) counter {
	switch string(key) {
	case "promptTokenCount":
		return promptTokens
	case "toolUsePromptTokenCount":
		return toolTokens
	case "candidatesTokenCount":
		return candidateTokens
	case "thoughtsTokenCount":
		return thoughtTokens
	case "cachedContentTokenCount":
		return cachedTokens
	case "totalTokenCount":
		return totalTokens
	}
	return counters
}

// piece is one part of a candidate. What is JSON stands as it came.
type piece struct {
	text      []byte // a string, as it must go out
	thought   bool
	call      []byte // functionCall
	signature []byte // a string
	data      []byte // inlineData, an object
}

// read takes a response apart, in one walk; it is false when data is nothing
// of the kind. The storage of a.parts is reused.
func (a *answer) read(data []byte) bool {
	c := cursor.New(data)
	ok := utf8.Valid(data) && a.readObject(c) && c.Done() && (a.known || a.fault != nil)
	a.whole = data
	return ok
}

func (a *answer) readObject(c *cursor.Cursor) bool {
	*a = answer{parts: a.parts[:0], counted: a.counted[:0], feeds: a.feeds[:0]}
	return c.Object(func(key []byte) bool {
		switch string(key) {
		case "candidates":
			a.known = true
			if c.Peek() == '[' {
				return c.Array(func() bool { return a.readCandidate(c) })
			}
		case "promptFeedback":
			a.known = true
			if c.Peek() == '{' {
				return a.readFeedback(c)
			}
		case "usageMetadata":
			a.known = true
			if c.Peek() == '{' {
				return a.readUsage(c)
			}
		case "responseId":
			return raw(c, '"', &a.id)
		case "error":
			if c.Peek() != 'n' {
				return raw(c, c.Peek(), &a.fault)
			}
		}
		return skip(c)
	})
}

func skip(c *cursor.Cursor) bool {
	_, ok := c.Value()
	return ok
}

// raw passes a value and keeps it if it begins with first.
func raw(c *cursor.Cursor, first byte, to *[]byte) bool {
	keep := c.Peek() == first
	span, ok := c.Value()
	if keep && ok {
		*to = c.Bytes(span)
	}
	return ok
}

// words is raw for a string that is needed as text.
func words(c *cursor.Cursor, to *string) bool {
	var quoted []byte
	ok := raw(c, '"', &quoted)
	*to = unquoted(quoted)
	return ok
}

// unquoted is the text of a JSON string, "" of none.
func unquoted(quoted []byte) string {
	if len(quoted) <= len(`""`) {
		return ""
	}
	text, _ := jsontext.AppendUnquote(nil, quoted) // half of a surrogate pair is replaced
	return string(text)
}

// isEmpty reports whether a JSON string is absent or without text.
func isEmpty(quoted []byte) bool { return len(quoted) <= len(`""`) }

// readCandidate takes the first candidate; others were not asked for.
func (a *answer) readCandidate(c *cursor.Cursor) bool {
	if a.candidate || c.Peek() != '{' {
		return skip(c)
	}
	index := 0
	ok := c.Object(func(key []byte) bool {
		switch string(key) {
		case "index":
			return c.Into(&index)
		case "content":
			if c.Peek() == '{' {
				return a.readContent(c)
			}
		case "finishReason":
			return words(c, &a.reason)
		case "logprobsResult":
			return raw(c, '{', &a.logprobs)
		}
		return skip(c)
	})
	if a.candidate = index == 0; !a.candidate {
		a.parts, a.reason, a.logprobs = a.parts[:0], "", nil
	}
	return ok
}

// maxParts bounds the parts of one response: a real one has a few.
const maxParts = 1 << 16

func (a *answer) readContent(c *cursor.Cursor) bool {
	return c.Object(func(key []byte) bool {
		if string(key) == "parts" && c.Peek() == '[' {
			return c.Array(func() bool {
				switch {
				case c.Peek() != '{':
					return skip(c)
				case len(a.parts) == maxParts:
					return false
				}
				a.parts = append(a.parts, piece{})
				return a.readPart(c)
			})
		}
		return skip(c)
	})
}

func (a *answer) readPart(c *cursor.Cursor) bool {
	p := &a.parts[len(a.parts)-1]
	return c.Object(func(key []byte) bool {
		switch string(key) {
		case "text":
			c.Peek()
			a.textAt.Start = c.Offset()
			ok := raw(c, '"', &p.text)
			a.textAt.End = c.Offset()
			return ok
		case "thought":
			p.thought = c.Peek() == 't'
		case "functionCall":
			return raw(c, '{', &p.call)
		case "thoughtSignature":
			return raw(c, '"', &p.signature)
		case "inlineData":
			return raw(c, '{', &p.data)
		}
		return skip(c)
	})
}

func (a *answer) readFeedback(c *cursor.Cursor) bool {
	return c.Object(func(key []byte) bool {
		switch string(key) {
		case "blockReason":
			return words(c, &a.blocked)
		case "blockReasonMessage":
			return words(c, &a.blockedText)
		}
		return skip(c)
	})
}

// readUsage takes the totals so far.
func (a *answer) readUsage(c *cursor.Cursor) bool {
	var room [counters]int
	counts := room[:0]
	a.counted, a.feeds = a.counted[:0], a.feeds[:0]
	ok := c.Object(func(key []byte) bool {
		feeds := counterOf(key)
		if feeds == counters {
			return skip(c)
		}
		c.Peek()
		at, n := c.Offset(), 0
		ok := c.Into(&n)
		if len(counts) < cap(counts) {
			counts = append(counts, n)
			a.counted = append(a.counted, dialect.Span{Start: at, End: c.Offset()})
			a.feeds = append(a.feeds, feeds)
		}
		return ok
	})
	a.usage = usageOf(a.feeds, counts)
	return ok
}

// usageOf adds up counts. Thoughts are output, and what tools put into the
// prompt is input.
func usageOf(feeds []counter, counts []int) dialect.Usage {
	var n [counters]int
	for i, v := range counts {
		n[feeds[i]] = v
	}
	return dialect.Usage{
		Input: n[promptTokens] + n[toolTokens], Output: n[candidateTokens] + n[thoughtTokens],
		CachedInput: n[cachedTokens], Reasoning: n[thoughtTokens],
	}
}
