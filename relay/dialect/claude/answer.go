package claude

import (
	"errors"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/tidwall/gjson"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
	"github.com/PPKunOfficial/berry-api/relay/dialect/cursor"
)

var errNoAnswer = errors.New("the answer is not a message")

// Decode implements dialect.Dialect.
func (d *Dialect) Decode(body []byte, m *dialect.Meta) ([]byte, dialect.Usage, error) {
	if !cursor.Valid(body) {
		return nil, dialect.Usage{}, errNoAnswer
	}
	in := gjson.ParseBytes(body)
	if in.Get("type").Str == "error" {
		return nil, dialect.Usage{}, faultInBand(in)
	}
	switch {
	case m.Endpoint == dialect.ChatTokens:
		out, ok := chat.Count(in.Get("input_tokens").Num) // that of a text is 0
		if !ok {
			return nil, dialect.Usage{}, errNoAnswer
		}
		return out, dialect.Usage{}, nil // counting is free
	case m.Endpoint == dialect.CountTokens:
		if in.Get("input_tokens").Type != gjson.Number {
			return nil, dialect.Usage{}, errNoAnswer
		}
		return body, dialect.Usage{}, nil
	case !in.Get("content").IsArray():
		return nil, dialect.Usage{}, errNoAnswer
	case m.Endpoint == dialect.Messages:
		return passAnswer(body, m)
	}
	a := chat.Answer{ID: in.Get("id").Str, Created: d.now().Unix()}
	if a.ID == "" {
		a.ID = newID()
	}
	var reasoning []jsontext.Value
	var cites cited
	for _, b := range in.Get("content").Array() {
		switch b.Get("type").Str {
		case "text":
			from, text := cites.at, b.Get("text")
			if !isEmpty(text) {
				a.Content += text.Str
				cites.said([]byte(text.Raw))
			}
			var all []chat.Citation
			for _, c := range b.Get("citations").Array() {
				all = cites.add(all, c)
			}
			cites.place(all, from)
		case "thinking":
			a.Reasoning += b.Get("thinking").String()
			reasoning = append(reasoning, jsontext.Value(b.Raw))
		case "redacted_thinking":
			reasoning = append(reasoning, jsontext.Value(b.Raw))
		case "tool_use":
			a.Calls = append(a.Calls, chat.AnswerCall{ID: b.Get("id").Str, Name: b.Get("name").Str, Arguments: input(b)})
		}
	}
	a.Citations = cites.all
	var u counts
	u.read(in.Get("usage"))
	a.Usage = u.usage()
	a.Finish, a.Native = finish(in.Get("stop_reason").Str, len(a.Calls) > 0)
	if a.Finish == chat.FinishFilter {
		a.Refusal = in.Get("stop_details.explanation").String()
	}
	if len(a.Calls) > 0 {
		d.thoughts.of(m.User).keep(a.Calls[0].ID, reasoning)
	}
	return a.Append(make([]byte, 0, len(body)+len(body)/4+512), m), a.Usage, nil
}

// input is the arguments of a tool_use block.
func input(b gjson.Result) string {
	in := b.Get("input")
	if !in.IsObject() {
		return "{}"
	}
	return in.Raw
}

// finish turns the reason why the model stopped into OpenAI's. native is the
// model's own word where OpenAI's says less.
func finish(reason string, calls bool) (finish, native string) {
	switch reason {
	case "end_turn", "stop_sequence":
		return chat.FinishStop, ""
	case "max_tokens", "model_context_window_exceeded":
		return chat.FinishLength, ""
	case "tool_use":
		return chat.FinishTools, ""
	case "refusal":
		return chat.FinishFilter, ""
	case "":
	default:
		native = reason
	}
	if calls && reason != "pause_turn" {
		return chat.FinishTools, native
	}
	return chat.FinishStop, native
}

// counts are the tokens as the format tells them: the three of the prompt are
// disjoint, and each report is the total so far.
type counts struct{ input, cacheWrite, cacheRead, output, thinking int }

// read takes what a report says; what it does not say stays.
func (c *counts) read(u gjson.Result) {
	if !u.IsObject() {
		return
	}
	u.ForEach(func(name, v gjson.Result) bool {
		switch name.Str {
		case "input_tokens":
			set(&c.input, v)
		case "cache_creation_input_tokens":
			set(&c.cacheWrite, v)
		case "cache_read_input_tokens":
			set(&c.cacheRead, v)
		case "output_tokens":
			set(&c.output, v)
		case "output_tokens_details":
			set(&c.thinking, v.Get("thinking_tokens"))
		}
		return true
	})
}

// maxCount bounds a count: more tokens than any answer has.
const maxCount = 1 << 40

func set(n *int, v gjson.Result) {
	if v.Type == gjson.Number {
		*n = int(min(max(v.Num, 0), maxCount))
	}
}

func (c *counts) usage() dialect.Usage {
	return dialect.Usage{
		Input: c.input + c.cacheWrite + c.cacheRead, Output: c.output,
		CachedInput: c.cacheRead, CacheWrite: c.cacheWrite, Reasoning: c.thinking,
	}
}
