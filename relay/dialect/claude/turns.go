package claude

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/tidwall/gjson"

	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
)

const (
	roleUser      = "user"
	roleAssistant = "assistant"
)

// filler is what a user says where the format wants a turn and there is none.
const filler = "."

// noResult stands for the result of a call that the conversation never gave.
const noResult = "the call was not carried out"

// turns builds a conversation whose sides take turns, beginning with the user,
// with each call's result in the turn right after it.
type turns struct {
	thoughts memory

	all    []turn
	system []block
	// mayThink is false where the format refuses a model that thinks.
	mayThink bool

	calls   []call // of the last assistant turn, waiting for the user's turn
	results map[string]block
	said    []block // by the user, since the last assistant turn
}

// call is a tool call that waits for its result.
type call struct{ id, name string }

func (t *turns) read(messages []chat.Message) error {
	t.results = map[string]block{}
	for i := range messages {
		if err := t.message(&messages[i], fmt.Sprintf("messages[%d]", i)); err != nil {
			return err
		}
	}
	t.endUser()
	if len(t.all) == 0 || t.all[0].Role != roleUser {
		t.all = slices.Insert(t.all, 0, turn{roleUser, []block{{Type: "text", Text: filler}}})
	}
	t.end()
	return nil
}

func (t *turns) message(m *chat.Message, at string) error {
	switch m.Role {
	case chat.RoleSystem, chat.RoleDeveloper:
		blocks, err := texts(m.Content, at)
		t.system = append(t.system, cached(blocks, m)...)
		return err
	case chat.RoleUser:
		blocks, err := parts(m.Content, at)
		t.said = append(t.said, cached(blocks, m)...)
		return err
	case chat.RoleAssistant:
		return t.assistant(m, at)
	default:
		return t.result(m, at)
	}
}

// cached marks the last block of a message that is itself marked.
func cached(blocks []block, m *chat.Message) []block {
	if mark, ok := m.Extra["cache_control"]; ok && len(blocks) > 0 {
		blocks[len(blocks)-1].CacheControl = mark
	}
	return blocks
}

// assistant adds what the model said and called.
func (t *turns) assistant(m *chat.Message, at string) error {
	t.endUser()
	blocks, err := texts(m.Content, at)
	if err != nil {
		return err
	}
	blocks = cached(appendText(blocks, m.Refusal, nil), m)
	for i, c := range m.ToolCalls {
		where := fmt.Sprintf("%s.tool_calls[%d]", at, i)
		if c.Type != "function" && c.Type != "" {
			return chat.Refuse(where+".type", "%s is of type %.40q, which cannot be carried to this model: use function", where, c.Type)
		}
		if err := t.call(&blocks, call{chat.CallID(c.ID), c.Function.Name}, argument{c.Function.Arguments, where + ".function.arguments"}); err != nil {
			return err
		}
	}
	if f := m.FunctionCall; f != nil {
		id := fmt.Sprintf("call_%d_%s", len(t.all), f.Name)
		if err := t.call(&blocks, call{chat.CallID(id), f.Name}, argument{f.Arguments, at + ".function_call.arguments"}); err != nil {
			return err
		}
	}
	if len(blocks) == 0 {
		return nil
	}
	blocks = append(t.thinkingOf(m), blocks...)
	if n := len(t.all); n > 0 && t.all[n-1].Role == roleAssistant {
		t.all[n-1].Content = append(t.all[n-1].Content, blocks...)
		return nil
	}
	t.all = append(t.all, turn{roleAssistant, blocks})
	return nil
}

// argument is a call's arguments as text and where they stand.
type argument struct{ text, at string }

func (t *turns) call(blocks *[]block, c call, a argument) error {
	input := jsontext.Value(strings.TrimSpace(a.text))
	switch {
	case len(input) == 0 || string(input) == "null":
		input = jsontext.Value("{}")
	case input.Kind() != '{' || !input.IsValid():
		return chat.Refuse(a.at, "%s must be the text of one JSON object for this model", a.at)
	}
	if c.name == "" {
		return chat.Refuse(strings.TrimSuffix(a.at, "arguments")+"name", "a tool call must name its function")
	}
	*blocks = append(*blocks, block{Type: "tool_use", ID: c.id, Name: c.name, Input: input})
	t.calls = append(t.calls, c)
	return nil
}

// thinkingOf returns the reasoning that led to a message: what the client kept
// of it, or what is remembered.
func (t *turns) thinkingOf(m *chat.Message) (blocks []block) {
	if kept := gjson.ParseBytes(m.Extra["thinking_blocks"]); kept.IsArray() {
		for _, b := range kept.Array() {
			signed := b.Get("type").Str == "thinking" && b.Get("signature").Str != ""
			if signed || b.Get("type").Str == "redacted_thinking" && b.Get("data").Str != "" {
				blocks = append(blocks, block{raw: jsontext.Value(b.Raw)})
			}
		}
		return blocks
	}
	if len(m.ToolCalls) == 0 {
		return nil
	}
	for _, raw := range t.thoughts.recall(m.ToolCalls[0].ID) {
		blocks = append(blocks, block{raw: raw})
	}
	return blocks
}

// result adds a tool's result to the user's turn.
func (t *turns) result(m *chat.Message, at string) error {
	id := chat.CallID(m.ToolCallID)
	param := at + ".tool_call_id"
	matches := func(c call) bool { return c.id == id }
	if m.Role == chat.RoleFunction {
		matches, param = func(c call) bool { return c.name == m.Name }, at+".name"
	}
	i := slices.IndexFunc(t.calls, matches)
	if i < 0 {
		return chat.Refuse(param, "%s is a result of a call that the assistant's last message does not make", at)
	}
	id = t.calls[i].id
	if _, ok := t.results[id]; ok {
		return chat.Refuse(param, "%s is a second result of the same call", at)
	}
	content, err := parts(m.Content, at)
	if err != nil {
		return err
	}
	for j, b := range content {
		if b.Type == "document" {
			return chat.Refuse(fmt.Sprintf("%s.content[%d]", at, j), "%s: a tool's result may hold text and images for this model", at)
		}
	}
	b := block{Type: "tool_result", ToolUseID: id, Content: content, CacheControl: m.Extra["cache_control"]}
	t.results[id] = b
	return nil
}

// endUser closes the user's turn: the results first, in the order of the
// calls, then what was said.
func (t *turns) endUser() {
	var blocks []block
	for _, c := range t.calls {
		b, ok := t.results[c.id]
		if !ok {
			b = block{Type: "tool_result", ToolUseID: c.id, Content: []block{{Type: "text", Text: noResult}}, IsError: true}
		}
		blocks = append(blocks, b)
	}
	blocks = append(blocks, t.said...)
	t.calls, t.said = nil, nil
	clear(t.results)
	if len(blocks) > 0 {
		t.all = append(t.all, turn{roleUser, blocks})
	}
}

// end looks at how the conversation stands at its end.
func (t *turns) end() {
	last := &t.all[len(t.all)-1]
	if last.Role == roleAssistant { // a beginning that the model is to go on with
		if b := &last.Content[len(last.Content)-1]; b.Type == "text" {
			b.Text = strings.TrimRightFunc(b.Text, unicode.IsSpace) // refused otherwise
		}
		return
	}
	t.mayThink = true
	if last.Content[0].Type == "tool_result" {
		t.mayThink = t.all[len(t.all)-2].Content[0].raw != nil
	}
}

// forget takes the thinking blocks out again.
func (t *turns) forget() {
	for i := range t.all {
		t.all[i].Content = slices.DeleteFunc(t.all[i].Content, func(b block) bool { return b.raw != nil })
	}
}

// systemText is the text that goes before the conversation: one string, or
// blocks where one is marked for the cache; nil if there is none.
func (t *turns) systemText() any {
	if len(t.system) == 0 {
		return nil
	}
	all := make([]string, len(t.system))
	for i, b := range t.system {
		if b.CacheControl != nil {
			return t.system
		}
		all[i] = b.Text
	}
	return strings.Join(all, "\n")
}
