package responses

import (
	"errors"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
	"github.com/PPKunOfficial/berry-api/relay/dialect/cursor"
	"github.com/PPKunOfficial/berry-api/relay/dialect/hub"
)

var (
	errNoAnswer   = errors.New("the answer is not a chat completion")
	errBrokenCall = errors.New("a tool call's arguments are not the text of one JSON object")
)

// Answer puts a whole chat answer, as a dialect's Decode returns it, into a
// response. Model is the name that it must carry, as JSON. An error means that
// the answer is unreadable.
func (c *Chat) Answer(body, model []byte, u dialect.Usage) ([]byte, error) {
	if !cursor.Valid(body) {
		return nil, errNoAnswer
	}
	choice := gjson.GetBytes(body, "choices.0")
	m := choice.Get("message")
	if !m.IsObject() {
		return nil, errNoAnswer
	}
	if u.IsZero() {
		u = c.estimate(len(body))
	}
	finish := choice.Get("finish_reason").Str
	w := whole{object: newObject(c, model), end: endingOf(finish, u)}
	if text := hub.ReasoningOf(m); text != "" {
		w.add(reasoningItem(w.next(idReasoning), summaryPart(chat.AppendText(nil, text))))
	}
	w.message(m, choice.Get("logprobs.content"))
	for _, call := range m.Get("tool_calls").Array() {
		if err := w.call(call); err != nil {
			return nil, err
		}
	}
	return w.append(make([]byte, 0, len(body)+len(c.echo)+1024), w.end), nil
}

// whole is a response that is known as a whole.
type whole struct {
	object
	end   ending
	items int
}

func (w *whole) next(prefix string) string {
	id := w.itemID(prefix, w.items)
	w.items++
	return id
}

// message adds what the model says.
func (w *whole) message(m, logprobs gjson.Result) {
	var parts []byte
	if text := hub.ContentOf(m); text != "" {
		parts = textPart(chat.AppendText(nil, text), elements(logprobs))
	}
	if text := m.Get("refusal").String(); text != "" {
		if len(parts) > 0 {
			parts = append(parts, ',')
		}
		parts = append(parts, refusalPart(chat.AppendText(nil, text))...)
	}
	if len(parts) > 0 {
		w.add(messageItem(w.next(idMessage), w.end.status, parts))
	}
}

// elements are those of an array, as JSON with commas between them.
func elements(array gjson.Result) []byte {
	if !array.IsArray() {
		return nil
	}
	return []byte(strings.TrimSpace(array.Raw[1 : len(array.Raw)-1]))
}

// call adds a call. Arguments of an answer that was cut for its length may be cut
// too; any others that are no object are the provider's fault.
func (w *whole) call(given gjson.Result) error {
	args := given.Get("function.arguments")
	text := args.Raw
	if args.Type == gjson.String {
		text = strings.TrimSpace(args.Str)
	}
	switch {
	case text == "" || text == "null":
		text = ""
	case text[0] == '{' && cursor.Valid([]byte(text)):
	case w.end.reason == "":
		return errBrokenCall
	}
	c := toolCall{to: w.chat.tools.of(given.Get("function.name").Str), call: w.callID(given.Get("id").Str)}
	c.id = w.next(c.prefix())
	w.add(c.item(w.end.status, c.inputOf(text)))
	return nil
}

func (c *toolCall) prefix() string {
	if c.to.custom {
		return idCustom
	}
	return idCall
}
