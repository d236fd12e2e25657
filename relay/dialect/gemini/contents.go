package gemini

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/tidwall/gjson"

	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
)

// dummySignature is what Google documents for function calls that were not
// made by Gemini: the model then does not insist on their signature.
const dummySignature = "skip_thought_signature_validator"

// param names a field of an element of a list as clients write it.
func param(list string, i int, field string) string { return fmt.Sprintf("%s[%d].%s", list, i, field) }

// conversation turns the messages into contents. Other providers' reasoning in
// them stays behind.
func (e *encoder) conversation(out *request) error {
	e.made = map[string]string{}
	var system []part
	var c contents
	turn := e.currentTurn()
	ms := e.in.Messages
	for i := 0; i < len(ms); i++ {
		m := &ms[i]
		switch m.Role {
		case chat.RoleSystem, chat.RoleDeveloper:
			parts, err := texts(m.Content, i)
			if err != nil {
				return err
			}
			system = append(system, parts...)
		case chat.RoleUser:
			parts, err := e.parts(m.Content, i)
			if err != nil {
				return err
			}
			c.add(roleUser, parts)
		case chat.RoleAssistant:
			parts, err := e.said(m, i, i > turn)
			if err != nil {
				return err
			}
			c.add(roleModel, parts)
			n, err := e.results(&c, i)
			if err != nil {
				return err
			}
			i += n
		default: // a result without its call before it
			if err := e.result(&c, i); err != nil {
				return err
			}
		}
	}
	switch {
	case len(c) == 0 && len(system) == 0:
		return chat.Refuse("messages", "messages hold no text and nothing else to answer")
	case len(c) == 0: // there must be a turn to answer
		c.add(roleUser, system)
	case len(system) > 0:
		out.SystemInstruction = &content{Parts: system}
	}
	if c[0].Role == roleModel { // the user begins
		c = append(contents{{Role: roleUser, Parts: []part{{Text: " "}}}}, c...)
	}
	out.Contents = c
	return nil
}

// currentTurn is where the last message of the user stands: the calls after it
// are of the turn under way.
func (e *encoder) currentTurn() int {
	for i, v := range slices.Backward(e.in.Messages) {
		if v.Role == chat.RoleUser {
			return i
		}
	}
	return -1
}

// contents are a conversation in the making.
type contents []content

// add appends parts to the last content if it is of the same role, else begins
// another. Results of functions keep a content to themselves, as many as there
// were calls; calls stand in one with what the model said before them, since
// they are refused right after another of its contents.
func (c *contents) add(role string, parts []part) {
	if len(parts) == 0 {
		return
	}
	if n := len(*c); n > 0 && (*c)[n-1].Role == role && !hasCalls((*c)[n-1].Parts) && (role == roleModel || !hasCalls(parts)) {
		(*c)[n-1].Parts = append((*c)[n-1].Parts, parts...)
		return
	}
	*c = append(*c, content{Role: role, Parts: parts})
}

func hasCalls(parts []part) bool {
	for i := range parts {
		if parts[i].FunctionCall != nil || parts[i].FunctionResponse != nil {
			return true
		}
	}
	return false
}

// said is what the assistant's message i said and called.
func (e *encoder) said(m *chat.Message, i int, current bool) ([]part, error) {
	parts, err := texts(m.Content, i)
	if err != nil {
		return nil, err
	}
	if m.Refusal != "" {
		parts = append(parts, part{Text: m.Refusal})
	}
	calls := m.ToolCalls
	if m.FunctionCall != nil {
		calls = append(slices.Clip(calls), chat.ToolCall{Function: *m.FunctionCall})
	}
	own := e.ownIDs(calls)
	for j := range calls {
		call := &calls[j]
		args, ok := object(call.Function.Arguments)
		if !ok {
			return nil, chat.Refuse(fmt.Sprintf("messages[%d].tool_calls[%d].function.arguments", i, j),
				"messages[%d].tool_calls[%d].function.arguments must be a JSON object", i, j)
		}
		p := part{
			FunctionCall:     &functionCall{Name: call.Function.Name, Args: args},
			ThoughtSignature: e.signature(call),
		}
		if own != nil {
			p.FunctionCall.ID = own[j]
		}
		if p.ThoughtSignature == "" && j == 0 && current && e.model.signs() {
			p.ThoughtSignature = dummySignature
		}
		e.made[call.ID] = call.Function.Name
		parts = append(parts, p)
	}
	return parts, nil
}

// signature is the thought signature of a call: what the client sent back, or
// what is remembered.
func (e *encoder) signature(call *chat.ToolCall) string {
	if v, ok := call.Extra["extra_content"]; ok {
		if s := gjson.GetBytes(v, "google.thought_signature").Str; s != "" {
			return s
		}
	}
	return e.d.signatures.get(call.ID).signature
}

// ownIDs are the ids by which Gemini knows the calls of one message, nil
// unless it gave one to each: ids that it does not know say nothing to it, and
// the order tells calls apart as well.
func (e *encoder) ownIDs(calls []chat.ToolCall) []string {
	ids := make([]string, len(calls))
	for i := range calls {
		if ids[i] = e.d.signatures.get(calls[i].ID).own; ids[i] == "" {
			return nil
		}
	}
	return ids
}

// object is a text that must be a JSON object; none at all is an empty one.
func object(text string) (json.RawMessage, bool) {
	if text == "" {
		return json.RawMessage("{}"), true
	}
	v := jsontext.Value(text)
	return json.RawMessage(text), v.Kind() == '{' && v.IsValid()
}

// results appends the results of the calls in message i, in the calls' order
// and as many, and returns how many messages they took. A call whose result is
// missing, with a conversation going on after it, gets one that says so.
func (e *encoder) results(c *contents, i int) (int, error) {
	ms := e.in.Messages
	n := 0
	for i+1+n < len(ms) && (ms[i+1+n].Role == chat.RoleTool || ms[i+1+n].Role == chat.RoleFunction) {
		n++
	}
	calls := ms[i].ToolCalls
	if ms[i].FunctionCall != nil || len(calls) == 0 || i+1 == len(ms) {
		return 0, nil // results of the older form come one by one
	}
	if err := oneEach(ms[i+1:i+1+n], i+1); err != nil {
		return 0, err
	}
	own := e.ownIDs(calls)
	var parts, media []part
	taken := map[string]bool{}
	for j := range calls {
		r := &functionResponse{Name: calls[j].Function.Name, Response: json.RawMessage(`{"error":"the call has no result"}`)}
		if own != nil {
			r.ID = own[j]
		}
		for k := i + 1; k <= i+n; k++ {
			if ms[k].ToolCallID != calls[j].ID || taken[calls[j].ID] {
				continue
			}
			taken[calls[j].ID] = true
			more, err := e.response(r, k)
			if err != nil {
				return 0, err
			}
			media = append(media, more...)
		}
		parts = append(parts, part{FunctionResponse: r})
	}
	c.add(roleUser, parts)
	c.add(roleUser, media)
	for k := i + 1; k <= i+n; k++ {
		if !taken[ms[k].ToolCallID] {
			if err := e.result(c, k); err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

// oneEach refuses a second result of a call: only one has a place. from is
// where the results stand in the conversation.
func oneEach(results []chat.Message, from int) error {
	seen := map[string]bool{}
	for k := range results {
		id := results[k].ToolCallID
		if id != "" && seen[id] {
			return chat.Refuse(param("messages", from+k, "tool_call_id"), "messages[%d] is a second result of the same call", from+k)
		}
		seen[id] = true
	}
	return nil
}

// result appends the result in message i, whose call is not the message before it.
func (e *encoder) result(c *contents, i int) error {
	m := &e.in.Messages[i]
	name, ok := e.made[m.ToolCallID]
	if m.Role == chat.RoleFunction {
		name, ok = m.Name, m.Name != ""
	}
	if !ok {
		return chat.Refuse(param("messages", i, "tool_call_id"), "messages[%d] is the result of a call that no message before it made", i)
	}
	r := &functionResponse{Name: name}
	media, err := e.response(r, i)
	if err != nil {
		return err
	}
	c.add(roleUser, []part{{FunctionResponse: r}})
	c.add(roleUser, media)
	return nil
}

// response sets what message i says as a function's result; what is no text
// follows as parts of the user.
func (e *encoder) response(r *functionResponse, i int) ([]part, error) {
	all, err := e.parts(e.in.Messages[i].Content, i)
	if err != nil {
		return nil, err
	}
	var text strings.Builder
	var media []part
	for _, p := range all {
		if p.Text == "" {
			media = append(media, p)
		}
		text.WriteString(p.Text)
	}
	if v, ok := object(text.String()); ok && text.String() != "" {
		r.Response = v
		return media, nil
	}
	quoted := chat.AppendText([]byte(`{"result":`), text.String())
	r.Response = append(quoted, '}')
	return media, nil
}
