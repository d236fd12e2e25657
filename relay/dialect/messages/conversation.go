package messages

import (
	"fmt"
	"strings"

	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
	"github.com/PPKunOfficial/berry-api/relay/dialect/hub"
)

// attribution begins the text in which Anthropic's own tools say whom to bill:
// it changes with each request, and would keep any other provider from finding
// the rest in its cache.
const attribution = "x-anthropic-billing-header"

// conversation sets the messages.
func (e *encoding) conversation() error {
	if err := e.system(e.in.System, "system"); err != nil {
		return err
	}
	for i := range e.in.Messages {
		t, at := &e.in.Messages[i], fmt.Sprintf("messages[%d]", i)
		var err error
		switch t.Role {
		case chat.RoleUser:
			err = e.user(t.Content, at+".content")
		case chat.RoleAssistant:
			err = e.assistant(t.Content, at+".content")
		case chat.RoleSystem:
			err = e.system(t.Content, at+".content")
		default:
			err = chat.Refuse(at+".role", "%s.role must be user, assistant or system, not %.40q", at, t.Role)
		}
		if err != nil {
			return err
		}
	}
	if len(e.in.Messages) == 0 || len(e.out.Messages) == 0 {
		return chat.Refuse("messages", "messages must hold at least one message that says something")
	}
	return nil
}

func (e *encoding) system(c content, at string) error {
	var all []string
	for i, b := range c {
		if b.Type != blockText {
			return notHere(at, i, &b)
		}
		text := b.Text
		if strings.HasPrefix(text, attribution) {
			_, text, _ = strings.Cut(text, "\n") // it is one line, whether or not others follow in its block
		}
		if text != "" {
			all = append(all, text)
		}
	}
	if len(all) > 0 {
		e.out.Messages = append(e.out.Messages, hub.Message{Role: chat.RoleSystem, Content: strings.Join(all, "\n")})
	}
	return nil
}

func notHere(at string, i int, b *block) error {
	where := fmt.Sprintf("%s[%d]", at, i)
	return chat.Refuse(where+".type", "%s: a block of type %.60q cannot be carried here to this model", where, b.Type)
}

// user adds the results of calls, each a message of its own, and then what the
// user says. What a result holds beside text is shown by the user: a tool's
// message may hold text only.
func (e *encoding) user(c content, at string) error {
	var shown, said []hub.Part
	for i := range c {
		b, where := &c[i], fmt.Sprintf("%s[%d]", at, i)
		if b.Type != blockToolResult {
			more, err := e.part(b, where)
			if err != nil {
				return err
			}
			said = append(said, more...)
			continue
		}
		result, media, err := e.result(b, where)
		if err != nil {
			return err
		}
		e.out.Messages, shown = append(e.out.Messages, result), append(shown, media...)
	}
	if all := append(shown, said...); len(all) > 0 {
		e.out.Messages = append(e.out.Messages, hub.Message{Role: chat.RoleUser, Content: hub.Plainly(all)})
	}
	return nil
}

// failed begins the text of a result that says that the call failed.
const failed = "Error: "

// result is the message that tells what a call returned, and what of it the user shows.
func (e *encoding) result(b *block, at string) (m hub.Message, shown []hub.Part, err error) {
	if b.ToolUseID == "" {
		return m, nil, chat.Refuse(at+".tool_use_id", "%s is a tool's result and must name its call in tool_use_id", at)
	}
	var all []hub.Part
	for i := range b.Content {
		parts, err := e.part(&b.Content[i], fmt.Sprintf("%s.content[%d]", at, i))
		if err != nil {
			return m, nil, err
		}
		all = append(all, parts...)
	}
	m, shown = hub.Result(b.ToolUseID, all)
	if text, ok := m.Content.(string); ok && b.IsError {
		m.Content = failed + text
	}
	return m, shown, nil
}

// assistant adds what the model said and called.
func (e *encoding) assistant(c content, at string) error {
	m := hub.Message{Role: chat.RoleAssistant}
	var text, thought strings.Builder
	for i := range c {
		b, where := &c[i], fmt.Sprintf("%s[%d]", at, i)
		switch {
		case b.Type == blockText:
			text.WriteString(b.Text)
		case b.Type == blockToolUse:
			if b.ID == "" || b.Name == "" {
				return chat.Refuse(where, "%s is a tool call and must have an id and a name", where)
			}
			if k := b.Input.Kind(); len(b.Input) > 0 && k != '{' && k != 'n' {
				return chat.Refuse(where+".input", "%s.input must be an object", where)
			}
			m.ToolCalls = append(m.ToolCalls, hub.Called(b.ID, e.names.Short(b.Name), arguments(b.Input)))
		case b.Type == blockThinking && b.Signature == "" && e.to.Reasoning:
			thought.WriteString(b.Thinking)
		case b.Type == blockThinking, b.Type == blockRedacted:
			// for the provider that made it; no other has a use for it
		case strings.HasSuffix(b.Type, "_tool_use"), strings.HasSuffix(b.Type, "_tool_result"):
			// of a tool that the provider carried out; the text rests on it
		default:
			return notHere(at, i, b)
		}
	}
	m.Reasoning = thought.String()
	if text.Len() > 0 {
		m.Content = text.String()
	}
	if m.Content != nil || len(m.ToolCalls) > 0 {
		e.out.Messages = append(e.out.Messages, m)
	}
	return nil
}
