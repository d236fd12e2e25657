package claude

import (
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/tidwall/gjson"

	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
)

// tools sets the tools and which of them may be called.
func (e *encoding) tools() error {
	choice := e.in.Choice()
	for i := range e.in.Tools {
		t := &e.in.Tools[i]
		at := fmt.Sprintf("tools[%d]", i)
		if t.Type != "function" {
			return chat.Refuse(at+".type", "%s.type %.40q cannot be carried to this model: use function", at, t.Type)
		}
		if choice != nil && len(choice.Names) > 1 && !slices.Contains(choice.Names, t.Function.Name) {
			continue // only some are allowed
		}
		out, err := e.tool(t, at)
		if err != nil {
			return err
		}
		e.out.Tools = append(e.out.Tools, out)
	}
	e.choose(choice)
	return nil
}

func (e *encoding) tool(t *chat.Tool, at string) (tool, error) {
	f := &t.Function
	out := tool{Name: f.Name, Description: f.Description}
	if out.CacheControl = t.Extra["cache_control"]; out.CacheControl == nil {
		out.CacheControl = f.Extra["cache_control"]
	}
	schema := f.Parameters
	if len(schema) == 0 || schema.Kind() == 'n' {
		schema = jsontext.Value(`{"type":"object","properties":{}}`)
	}
	at += ".function.parameters"
	if schema.Kind() != '{' {
		return out, chat.Refuse(at, "%s must be a JSON Schema, an object", at)
	}
	for _, name := range []string{"anyOf", "oneOf", "allOf"} {
		if gjson.GetBytes(schema, name).Exists() {
			return out, chat.Refuse(at, "%s must not have %s at its top for this model: make it a property", at, name)
		}
	}
	if !gjson.GetBytes(schema, "type").Exists() {
		schema = withMember(schema, `"type":"object"`)
	}
	if f.Strict != nil && *f.Strict && e.model.schemas() {
		out.Strict = true
		closed, err := closedSchema(schema)
		if err != nil {
			return out, chat.Refuse(at, "%s cannot be read as a JSON Schema", at)
		}
		schema = closed
	}
	out.InputSchema = schema
	return out, nil
}

// choose says which tools may or must be called.
func (e *encoding) choose(choice *chat.ToolChoice) {
	if len(e.out.Tools) == 0 {
		e.drop("tool_choice")
		e.drop("function_call")
		e.drop("parallel_tool_calls")
		return
	}
	var out *toolChoice
	if choice != nil {
		out = &toolChoice{Type: choice.Mode}
		switch {
		case choice.Mode != chat.ChoiceRequired:
		case e.thinks || !e.model.forced(): // refused then
			out.Type = "auto"
			e.drop("tool_choice")
			e.drop("function_call")
		case len(choice.Names) == 1:
			out.Type, out.Name = "tool", choice.Names[0]
		default:
			out.Type = "any"
		}
		if choice.Mode == chat.ChoiceAuto && len(choice.Names) == 1 {
			e.out.Tools = slices.DeleteFunc(e.out.Tools, func(t tool) bool { return t.Name != choice.Names[0] })
		}
	}
	p := e.in.Parallel
	if alone := e.in.OlderCalls() || p != nil && !*p; alone && (out == nil || out.Type != "none") {
		if out == nil {
			out = &toolChoice{Type: "auto"}
		}
		out.DisableParallel = true
	}
	e.out.ToolChoice = out
}
