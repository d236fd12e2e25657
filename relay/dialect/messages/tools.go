package messages

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
)

// carriedOut are the beginnings of the types of tools that Anthropic itself
// carries out: an answer without them is still an answer.
var carriedOut = [...]string{"web_search_", "web_fetch_", "code_execution_", "tool_search_tool_"}

// tools sets the tools and which of them may be called.
func (e *encoding) tools() error {
	for i := range e.in.Tools {
		t := &e.in.Tools[i]
		at := fmt.Sprintf("tools[%d]", i)
		if t.Type != "" && t.Type != "custom" {
			if !e.leaveOut(t.Type) {
				return chat.Refuse(at+".type", "%s is of type %.60q, which only Anthropic's models know: describe the tool with an input_schema", at, t.Type)
			}
			continue
		}
		if t.Name == "" {
			return chat.Refuse(at+".name", "%s must have a name", at)
		}
		if k := t.InputSchema.Kind(); len(t.InputSchema) > 0 && k != '{' && k != 'n' {
			return chat.Refuse(at+".input_schema", "%s.input_schema must be a JSON Schema, an object", at)
		}
		f := toolFunction{Name: e.names.short(t.Name), Description: t.Description, Strict: t.Strict && closed(t.InputSchema)}
		if len(t.InputSchema) > 0 && t.InputSchema.Kind() == '{' {
			f.Parameters = t.InputSchema
		}
		e.out.Tools = append(e.out.Tools, chatTool{"function", f})
	}
	return e.choose()
}

// leaveOut leaves out a tool that the provider would carry out.
func (e *encoding) leaveOut(kind string) bool {
	for _, begin := range carriedOut {
		if strings.HasPrefix(kind, begin) {
			e.dropped = append(e.dropped, "tools."+kind)
			return true
		}
	}
	return false
}

// choose says which tools may or must be called.
func (e *encoding) choose() error {
	c := e.in.ToolChoice
	if c == nil {
		return nil
	}
	if len(e.out.Tools) == 0 {
		e.dropped = append(e.dropped, "tool_choice")
		return nil
	}
	switch c.Type {
	case "auto", "none":
		e.out.ToolChoice = c.Type
	case "any":
		e.out.ToolChoice = chat.ChoiceRequired
	case "tool":
		if c.Name == "" {
			return chat.Refuse("tool_choice.name", "tool_choice of type tool must name the tool")
		}
		e.out.ToolChoice = chatChoice{"function", chatNaming{e.names.short(c.Name)}}
	default:
		return chat.Refuse("tool_choice.type", "tool_choice.type must be auto, any, tool or none, not %.40q", c.Type)
	}
	if c.DisableParallel && c.Type != "none" {
		e.out.Parallel = new(bool)
	}
	return nil
}

// names are the tools whose names had to be changed: what the client calls
// them, by what the provider does.
type names map[string]string

const (
	// maxName is the longest name of a function in the chat format, in bytes.
	maxName = 64
	// nameSum is how many digits of a hash tell changed names apart.
	nameSum = 12
)

// short is a tool's name as the chat format takes it: the same where it can be,
// else one made from it, always the same.
func (n names) short(name string) string {
	clean := strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, name)
	if clean == name && len(name) <= maxName {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	out := clean[:min(len(clean), maxName-nameSum-1)] + "_" + hex.EncodeToString(sum[:nameSum/2])
	n[out] = name
	return out
}

// long is the name that the client gave the tool.
func (n names) long(name string) string {
	if own, ok := n[name]; ok {
		return own
	}
	return name
}

// arguments is a call's input as text, without white space.
func arguments(input jsontext.Value) string {
	if len(input) == 0 || input.Kind() == 'n' {
		return "{}"
	}
	text := input.Clone()
	if text.Compact() != nil { // what was read is valid
		return string(input)
	}
	return string(text)
}
