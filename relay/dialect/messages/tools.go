package messages

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
	"github.com/PPKunOfficial/berry-api/relay/dialect/hub"
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
		f := hub.Described{Name: e.names.Short(t.Name), Description: t.Description, Strict: t.Strict && hub.Closed(t.InputSchema)}
		if len(t.InputSchema) > 0 && t.InputSchema.Kind() == '{' {
			f.Parameters = t.InputSchema
		}
		e.out.Tools = append(e.out.Tools, hub.Tool{Type: "function", Function: f})
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
		e.out.ToolChoice = hub.MustCall(e.names.Short(c.Name))
	default:
		return chat.Refuse("tool_choice.type", "tool_choice.type must be auto, any, tool or none, not %.40q", c.Type)
	}
	if c.DisableParallel && c.Type != "none" {
		e.out.Parallel = new(bool)
	}
	return nil
}

// schemaName is the name of an answer's schema: the chat format wants one, the
// Messages format has none.
const schemaName = "answer"

// format asks for an answer that fits a JSON Schema.
func (e *encoding) format() error {
	f, at := e.in.OutputFormat, "output_format"
	if c := e.in.OutputConfig; c != nil && c.Format != nil {
		f, at = c.Format, "output_config.format"
	}
	if f == nil {
		return nil
	}
	if f.Type != "json_schema" {
		return chat.Refuse(at+".type", "%s.type must be json_schema, not %.40q", at, f.Type)
	}
	if len(f.Schema) == 0 || f.Schema.Kind() != '{' {
		return chat.Refuse(at+".schema", "%s.schema must be a JSON Schema, an object", at)
	}
	e.out.ResponseFormat = &hub.ResponseFormat{
		Type: "json_schema", Schema: &hub.Schema{Name: schemaName, Schema: f.Schema, Strict: hub.Closed(f.Schema)},
	}
	return nil
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
