package responses

import (
	"github.com/tidwall/gjson"

	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
)

// The items of an answer, written. What is taken as JSON goes out as it is.

// textPart is a part of a message: its text, as JSON, and the elements of its log
// probabilities, as JSON with commas between them.
func textPart(text, logprobs []byte) []byte {
	dst := append([]byte(`{"type":"output_text","annotations":[],"logprobs":[`), logprobs...)
	return append(append(append(dst, `],"text":`...), text...), '}')
}

// refusalPart is a part of a message that says why the model will not answer.
func refusalPart(text []byte) []byte {
	return append(append([]byte(`{"type":"refusal","refusal":`), text...), '}')
}

// summaryPart is a part of the model's reasoning.
func summaryPart(text []byte) []byte {
	return append(append([]byte(`{"type":"summary_text","text":`), text...), '}')
}

// messageItem is a message; parts are JSON with commas between them.
func messageItem(id, status string, parts []byte) []byte {
	dst := append([]byte(`{"id":"`+id+`","type":"message","status":"`+status+`","role":"assistant","content":[`), parts...)
	return append(dst, "]}"...)
}

// reasoningItem is the model's reasoning.
func reasoningItem(id string, parts []byte) []byte {
	dst := append([]byte(`{"id":"`+id+`","type":"reasoning","summary":[`), parts...)
	return append(dst, "]}"...)
}

// toolCall is a call of a tool, for its items to be written.
type toolCall struct {
	to       callee
	id, call string // the item's, the call's
}

// item is the call with its input, as JSON: text that is JSON, or for a custom
// tool any.
func (c *toolCall) item(status string, input []byte) []byte {
	kind, member := "function_call", "arguments"
	if c.to.custom {
		kind, member = "custom_tool_call", "input"
	}
	dst := []byte(`{"id":"` + c.id + `","type":"` + kind + `","status":"` + status + `","call_id":`)
	dst = chat.AppendText(dst, c.call)
	dst = chat.AppendText(append(dst, `,"name":`...), c.to.name)
	if c.to.namespace != "" {
		dst = chat.AppendText(append(dst, `,"namespace":`...), c.to.namespace)
	}
	return append(append(append(dst, `,"`+member+`":`...), input...), '}')
}

// inputOf is what a call's arguments say as its item does, as JSON text.
func (c *toolCall) inputOf(args string) []byte {
	if !c.to.custom {
		if args == "" {
			args = "{}"
		}
		return chat.AppendText(nil, args)
	}
	// Some models write the text itself.
	if in := gjson.Get(args, customInput); gjson.Valid(args) && in.Exists() {
		args = in.String()
	}
	return chat.AppendText(nil, args)
}
