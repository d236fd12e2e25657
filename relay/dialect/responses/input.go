package responses

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
	"github.com/PPKunOfficial/berry-api/relay/dialect/hub"
)

// conversation sets the messages.
func (e *encoding) conversation() error {
	c := conversation{e: e, outputs: map[string][]int{}, same: map[string][]int{}}
	if text := e.in.Instructions; text != "" {
		c.add(hub.Message{Role: chat.RoleSystem, Content: text})
	}
	for i := range e.in.Input {
		switch in := &e.in.Input[i]; in.Type {
		case itemOutput, itemCustomOutput:
			c.outputs[in.CallID] = append(c.outputs[in.CallID], i)
		case itemCall, itemCustomCall:
			c.same[in.CallID] = append(c.same[in.CallID], i)
		}
	}
	before := len(e.out.Messages)
	for i := range e.in.Input {
		if err := c.item(i); err != nil {
			return err
		}
	}
	if err := c.flush(); err != nil {
		return err
	}
	if len(e.out.Messages) == before {
		return chat.Refuse("input", "input must be a text, or items that say something")
	}
	return nil
}

// conversation makes messages of items. Items of the model's are put into one
// message, with the outputs of its calls right after it, wherever they stand.
type conversation struct {
	e *encoding
	// By call id, in order: the outputs that no call took yet, and the calls that
	// took none. Not every server's ids are unique.
	outputs, same map[string][]int

	// What the model says, until something else comes.
	turn           hub.Message
	texts, thought []string
	calls          []int // the items of its calls
}

func (c *conversation) add(m hub.Message) { c.e.out.Messages = append(c.e.out.Messages, m) }

func at(i int) string { return fmt.Sprintf("input[%d]", i) }

// item takes an item.
func (c *conversation) item(i int) error {
	in := &c.e.in.Input[i]
	switch in.Type {
	case itemMessage, "":
		if in.Type == "" && in.Role == "" { // an id alone
			return referred(i)
		}
		return c.message(i)
	case itemReasoning:
		c.reasoning(in)
		return nil
	case itemCall, itemCustomCall:
		return c.call(i)
	case itemOutput, itemCustomOutput:
		if err := c.flush(); err != nil {
			return err
		}
		if left := c.outputs[in.CallID]; len(left) > 0 && left[0] == i {
			return chat.Refuse(at(i)+".call_id", "%s is the output of a call %.60q that does not stand before it in input: send the whole conversation", at(i), in.CallID)
		}
		return nil
	case itemTools: // described with the others
		return nil
	case itemUpdate:
		if in.Text != nil {
			c.e.drop("input.configuration_update.text")
		}
		return nil
	case "item_reference":
		return referred(i)
	}
	// What a provider carried out shows in the text that rests on it.
	for _, begin := range []string{"web_search", "file_search", "code_interpreter", "image_generation", "tool_search", "mcp_call", "mcp_list_tools"} {
		if strings.HasPrefix(in.Type, begin) {
			c.e.drop("input." + in.Type)
			return nil
		}
	}
	return chat.Refuse(at(i)+".type", "%s: an item of type %.60q cannot be carried to this model", at(i), in.Type)
}

func referred(i int) error {
	return chat.Refuse(at(i), "%s refers to an item that is kept elsewhere: send the item itself, with store false", at(i))
}

// message takes what one side says.
func (c *conversation) message(i int) error {
	in, where := &c.e.in.Input[i], at(i)+".content"
	switch in.Role {
	case chat.RoleAssistant:
		text, err := texts(in.Content, where)
		if err != nil || text == "" {
			return err
		}
		if len(c.calls) == 0 && len(c.texts) > 0 { // another message
			err = c.flush()
		}
		c.texts = append(c.texts, text)
		return err
	case chat.RoleSystem, chat.RoleDeveloper: // not every server knows the latter
		text, err := texts(in.Content, where)
		if err == nil {
			err = c.flush()
		}
		if err == nil && text != "" {
			c.add(hub.Message{Role: chat.RoleSystem, Content: text})
		}
		return err
	case chat.RoleUser:
		parts, err := shown(in.Content, where)
		if err == nil {
			err = c.flush()
		}
		if err == nil && len(parts) > 0 {
			c.add(hub.Message{Role: chat.RoleUser, Content: hub.Plainly(parts)})
		}
		return err
	}
	return chat.Refuse(at(i)+".role", "%s.role must be user, assistant, system or developer, not %.40q", at(i), in.Role)
}

// reasoning takes what the model thought. It is for the provider that made it,
// and most have no use for its text.
func (c *conversation) reasoning(in *item) {
	if !c.e.to.Reasoning {
		c.e.drop("input.reasoning")
		return
	}
	for _, p := range append(slices.Clone(in.Summary), in.Content...) {
		c.thought = append(c.thought, p.Text)
	}
}

// call takes a call that the model made.
func (c *conversation) call(i int) error {
	in := &c.e.in.Input[i]
	if in.CallID == "" || in.Name == "" {
		return chat.Refuse(at(i), "%s is a call and must have a call_id and a name", at(i))
	}
	name := c.e.tools.function(callee{name: in.Name, namespace: in.Namespace})
	args := "{}"
	if in.Type == itemCustomCall {
		args = string(chat.AppendText([]byte(`{"`+customInput+`":`), plain(in.Input))) + "}"
	} else if text := strings.TrimSpace(plain(in.Arguments)); text != "" {
		args = text
	}
	c.turn.ToolCalls = append(c.turn.ToolCalls, hub.Called(in.CallID, name, args))
	c.calls = append(c.calls, i)
	return nil
}

// plain is a string's text, and any other value as it stands.
func plain(v jsontext.Value) string {
	if v.Kind() != '"' {
		return string(v)
	}
	return hub.Unquote(v)
}

// flush ends what the model says, and adds what its calls returned.
func (c *conversation) flush() error {
	if c.turn.Role = chat.RoleAssistant; len(c.texts) > 0 {
		c.turn.Content = strings.Join(c.texts, "\n")
	}
	if len(c.texts) > 0 || len(c.calls) > 0 {
		c.turn.Reasoning = strings.Join(c.thought, "")
		c.add(c.turn)
	}
	var all []hub.Part
	for _, i := range c.calls {
		outputs := c.take(i)
		if len(outputs) == 0 {
			continue // what the provider makes of that it says itself
		}
		var said []hub.Part
		for _, n := range outputs {
			parts, err := c.output(n)
			if err != nil {
				return err
			}
			said = append(said, parts...)
		}
		m, media := hub.Result(c.e.in.Input[i].CallID, said)
		c.add(m)
		all = append(all, media...)
	}
	if len(all) > 0 {
		c.add(hub.Message{Role: chat.RoleUser, Content: all})
	}
	c.turn, c.texts, c.thought, c.calls = hub.Message{}, nil, nil, nil
	return nil
}

// take returns the outputs of a call: those of its id up to the next such call. A
// tool may have several, for what it tells while it works. Calls come here in
// order, and none of the outputs left stands before its call.
func (c *conversation) take(call int) []int {
	id := c.e.in.Input[call].CallID
	c.same[id] = c.same[id][1:] // the call itself
	left, n := c.outputs[id], 0
	for n < len(left) && (len(c.same[id]) == 0 || left[n] < c.same[id][0]) {
		n++
	}
	// Calls of one turn may share an id; their outputs come in their order.
	if n == 0 && len(left) > 0 && c.same[id][0] <= c.calls[len(c.calls)-1] {
		n = 1
	}
	c.outputs[id] = left[n:]
	return left[:n]
}

// output is what an output says.
func (c *conversation) output(i int) ([]hub.Part, error) {
	var out content
	if raw := c.e.in.Input[i].Output; len(raw) > 0 {
		if err := json.Unmarshal(raw, &out); err != nil {
			return nil, chat.Refuse(at(i)+".output", "%s.output must be a text, or a list of parts", at(i))
		}
	}
	return shown(out, at(i)+".output")
}
