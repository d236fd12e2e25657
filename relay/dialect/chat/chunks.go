package chat

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

// The finish reasons.
const (
	FinishStop   = "stop"
	FinishLength = "length"
	FinishTools  = "tool_calls"
	FinishFilter = "content_filter"

	finishCall = "function_call" // the older form of FinishTools
)

// Chunks writes the chunks of one streamed answer with one choice. Its methods
// append one whole event to dst. What they take as JSON is a JSON string with
// its quotes, which goes out as it is.
type Chunks struct {
	head  []byte
	older bool // a call is a function_call, and there is one at most
}

// NewChunks returns a writer for an answer; created is in seconds since 1970.
func NewChunks(id string, created int64, m *dialect.Meta) *Chunks {
	return &Chunks{
		head:  appendHead([]byte("data: "), "chat.completion.chunk", answerHead{id, created, m.Model}),
		older: m.OlderCalls,
	}
}

type answerHead struct {
	id      string
	created int64
	model   []byte
}

func appendHead(dst []byte, object string, h answerHead) []byte {
	dst = AppendText(append(dst, `{"id":`...), h.id)
	dst = append(append(append(dst, `,"object":"`...), object...), `","created":`...)
	dst = strconv.AppendInt(dst, h.created, 10)
	dst = append(append(dst, `,"model":`...), h.model...)
	return append(dst, `,"choices":[`...)
}

// AppendText appends s as a JSON string.
func AppendText(dst []byte, s string) []byte {
	out, err := jsontext.AppendQuote(dst, s)
	if err != nil { // not UTF-8: the same with the bad bytes replaced
		return appendValid(dst, s)
	}
	return out
}

func appendValid(dst []byte, s string) []byte {
	out, err := jsontext.AppendQuote(dst, string([]rune(s)))
	if err != nil {
		return append(dst, `""`...)
	}
	return out
}

const (
	deltaOpen  = `{"index":0,"delta":{`
	deltaClose = "},\"finish_reason\":null}]}\n\n"
)

func (c *Chunks) open(dst []byte, delta string) []byte {
	return append(append(append(dst, c.head...), deltaOpen...), delta...)
}

// Role appends the chunk that begins the choice; it comes before all others.
func (c *Chunks) Role(dst []byte) []byte {
	return append(c.open(dst, `"role":"assistant","content":""`), deltaClose...)
}

// Content appends a piece of the answer's text, as JSON.
func (c *Chunks) Content(dst, text []byte) []byte {
	return append(append(c.open(dst, `"content":`), text...), deltaClose...)
}

// Reasoning appends a piece of the model's reasoning, as JSON.
func (c *Chunks) Reasoning(dst []byte, text string) []byte {
	return append(append(c.open(dst, `"reasoning_content":`), text...), deltaClose...)
}

// Refusal appends a piece of why the model will not answer, as JSON.
func (c *Chunks) Refusal(dst []byte, text string) []byte {
	return append(append(c.open(dst, `"refusal":`), text...), deltaClose...)
}

// Logprobs appends the log probabilities of the text before, as JSON.
func (c *Chunks) Logprobs(dst []byte, logprobs string) []byte {
	dst = append(append(dst, c.head...), `{"index":0,"delta":{},"logprobs":`...)
	return append(append(dst, logprobs...), ",\"finish_reason\":null}]}\n\n"...)
}

// CallHead is how a tool call begins.
type CallHead struct {
	Index    int // counts the calls of the answer from 0 without gaps
	ID, Name string
	// Extra are more members of the call as JSON, without braces; "" for none.
	Extra string
}

// Call appends the chunk that begins a tool call; its arguments follow. In the
// older form of calls, which has no ids, all but the first are left out.
func (c *Chunks) Call(dst []byte, h CallHead) []byte {
	switch {
	case c.older && h.Index > 0:
		return dst
	case c.older:
		dst = AppendText(c.open(dst, `"function_call":{"name":`), h.Name)
		return append(append(dst, `,"arguments":""}`...), deltaClose...)
	}
	dst = strconv.AppendInt(c.open(dst, `"tool_calls":[{"index":`), int64(h.Index), 10)
	dst = AppendText(append(dst, `,"id":`...), h.ID)
	dst = AppendText(append(dst, `,"type":"function","function":{"name":`...), h.Name)
	dst = append(dst, `,"arguments":""}`...)
	if h.Extra != "" {
		dst = append(append(dst, ','), h.Extra...)
	}
	return append(append(dst, "}]"...), deltaClose...)
}

// Arguments appends a piece of a begun call's arguments, as JSON.
func (c *Chunks) Arguments(dst []byte, index int, text string) []byte {
	switch {
	case c.older && index > 0:
		return dst
	case c.older:
		return append(append(append(c.open(dst, `"function_call":{"arguments":`), text...), '}'), deltaClose...)
	}
	dst = strconv.AppendInt(c.open(dst, `"tool_calls":[{"index":`), int64(index), 10)
	dst = append(append(dst, `,"function":{"arguments":`...), text...)
	return append(append(dst, "}}]"...), deltaClose...)
}

// Finish appends the chunk that ends the choice. native is the upstream's own
// word where the reason says less than it did, else "".
func (c *Chunks) Finish(dst []byte, reason, native string) []byte {
	dst = append(append(dst, c.head...), `{"index":0,"delta":{},"finish_reason":"`...)
	dst = append(append(dst, wording(reason, c.older)...), '"')
	if native != "" {
		dst = AppendText(append(dst, `,"native_finish_reason":`...), native)
	}
	return append(dst, "}]}\n\n"...)
}

// wording is a finish reason as it goes out.
func wording(reason string, older bool) string {
	if older && reason == FinishTools {
		return finishCall
	}
	return reason
}

// Usage appends the chunk with the totals; only to a client that asked for it.
func (c *Chunks) Usage(dst []byte, u dialect.Usage) []byte {
	dst = append(append(dst, c.head...), `],"usage":`...)
	return append(AppendUsage(dst, u), "}\n\n"...)
}

// AppendUsage appends u as an answer's usage.
func AppendUsage(dst []byte, u dialect.Usage) []byte {
	dst = strconv.AppendInt(append(dst, `{"prompt_tokens":`...), int64(u.Input), 10)
	dst = strconv.AppendInt(append(dst, `,"completion_tokens":`...), int64(u.Output), 10)
	dst = strconv.AppendInt(append(dst, `,"total_tokens":`...), int64(u.Input+u.Output), 10)
	dst = strconv.AppendInt(append(dst, `,"prompt_tokens_details":{"cached_tokens":`...), int64(u.CachedInput), 10)
	dst = strconv.AppendInt(append(dst, `,"cache_write_tokens":`...), int64(u.CacheWrite), 10)
	dst = strconv.AppendInt(append(dst, `},"completion_tokens_details":{"reasoning_tokens":`...), int64(u.Reasoning), 10)
	return append(dst, "}}"...)
}
