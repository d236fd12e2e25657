package messages

import (
	"errors"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/tidwall/gjson"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
	"github.com/PPKunOfficial/berry-api/relay/dialect/cursor"
	"github.com/PPKunOfficial/berry-api/relay/dialect/hub"
)

var (
	errNoAnswer    = errors.New("the answer is not a chat completion")
	errBrokenInput = errors.New("a tool call's arguments are not the text of one JSON object")
)

// Answer puts a whole chat answer, as a dialect's Decode returns it, into a
// message. Model is the name that it must carry, as JSON. An error means that
// the answer is unreadable.
func (c *Chat) Answer(body []byte, model []byte, u dialect.Usage) ([]byte, error) {
	if !cursor.Valid(body) {
		return nil, errNoAnswer
	}
	choice := gjson.GetBytes(body, "choices.0")
	m := choice.Get("message")
	if !m.IsObject() {
		return nil, errNoAnswer
	}
	w := &writer{dst: make([]byte, 0, len(body)+512)}
	w.dst = append(append(w.dst, head(gjson.GetBytes(body, "id").Str, model)...), '[')
	if thought := hub.ReasoningOf(m); thought != "" && c.thinks {
		w.block(append(chat.AppendText([]byte(`{"type":"thinking","thinking":`), thought), `,"signature":""}`...))
	}
	refusal := m.Get("refusal").String()
	if text := hub.ContentOf(m) + refusal; text != "" {
		w.block(append(chat.AppendText([]byte(`{"type":"text","text":`), text), '}'))
	}
	finish := choice.Get("finish_reason").Str
	calls := m.Get("tool_calls").Array()
	for _, call := range calls {
		input, err := input(call.Get("function.arguments"), finish)
		if err != nil {
			return nil, err
		}
		w.block(append(append(c.callHead(call.Get("id").Str, call.Get("function.name").Str), input...), '}'))
	}
	if u.IsZero() {
		u = c.estimate(len(body))
	}
	w.dst = append(append(append(w.dst, "],"...), ending(stopReason(finish, len(calls) > 0, refusal != ""))...), `,"usage":`...)
	return append(appendUsage(w.dst, u), '}'), nil
}

// callHead is a tool_use block up to its input.
func (c *Chat) callHead(id, name string) []byte {
	dst := chat.AppendText([]byte(`{"type":"tool_use","id":`), callID(id))
	dst = chat.AppendText(append(dst, `,"name":`...), c.names.Long(name))
	return append(dst, `,"input":`...)
}

// bytesPerToken is a usual ratio.
const bytesPerToken = 4

// estimate is the usage of an answer whose provider does not tell it.
func (c *Chat) estimate(output int) dialect.Usage {
	if c.in != nil {
		c.tokens = c.in.Tokens()
	}
	return dialect.Usage{Input: c.tokens, Output: (output + bytesPerToken - 1) / bytesPerToken, Estimated: true}
}

// writer writes a message's content.
type writer struct {
	dst  []byte
	some bool
}

func (w *writer) block(b []byte) {
	if w.some {
		w.dst = append(w.dst, ',')
	}
	w.some = true
	w.dst = append(w.dst, b...)
}

// input is a call's arguments as an object. Those of an answer that was cut for
// its length may be cut too; any others that are no object are the provider's fault.
func input(given gjson.Result, finish string) (string, error) {
	raw := given.Raw
	if given.Type == gjson.String {
		raw = strings.TrimSpace(given.Str)
	}
	switch {
	case raw == "", raw == "null":
		return "{}", nil
	case raw[0] == '{' && cursor.Valid([]byte(raw)):
		return arguments(jsontext.Value(raw)), nil
	case finish == chat.FinishLength:
		return "{}", nil
	}
	return "", errBrokenInput
}
