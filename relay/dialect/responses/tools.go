package responses

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
	"github.com/PPKunOfficial/berry-api/relay/dialect/hub"
)

// callee is a tool as the client knows it.
type callee struct {
	name, namespace string
	custom          bool // its input is text, and no JSON
}

// tools are the tools that a request describes, by the names that they have as
// functions of the chat format.
type tools struct {
	byName map[string]callee
	names  hub.Names
	// functions are those names, by the client's; a tool that is in no namespace
	// goes before one that is.
	functions map[string]string
}

func newTools() tools { return tools{map[string]callee{}, hub.Names{}, map[string]string{}} }

// add notes a tool and returns its name as a function.
func (t *tools) add(c callee) string {
	f := t.function(c)
	t.byName[f] = c
	if _, ok := t.functions[c.name]; !ok || c.namespace == "" {
		t.functions[c.name] = f
	}
	return f
}

// function is the name of a tool as a function of the chat format. The tools of a
// namespace bear its name too: two of them may have tools of one name.
func (t *tools) function(c callee) string {
	if c.namespace == "" {
		return t.names.Short(c.name)
	}
	return t.names.Short(c.namespace + "__" + c.name)
}

// of is the tool of a function that was called: one that the request does not
// describe is a function of that name.
func (t *tools) of(function string) callee {
	if c, ok := t.byName[function]; ok {
		return c
	}
	return callee{name: function}
}

// carriedOut are the tools that OpenAI itself carries out and that an answer can
// do without.
var carriedOut = [...]string{"web_search", "code_interpreter", "image_generation", "tool_search", "programmatic_tool_calling"}

func isCarriedOut(kind string) bool {
	return slices.ContainsFunc(carriedOut[:], func(begin string) bool { return strings.HasPrefix(kind, begin) })
}

// describe sets the tools and which of them may be called.
func (e *encoding) describe() error {
	if err := e.all(e.in.Tools, "tools", ""); err != nil {
		return err
	}
	for i := range e.in.Input { // some clients describe them there
		if in := &e.in.Input[i]; in.Type == itemTools {
			if err := e.all(in.Tools, at(i)+".tools", ""); err != nil {
				return err
			}
		}
	}
	if err := e.choose(); err != nil {
		return err
	}
	if p := e.in.Parallel; p != nil && !*p && len(e.out.Tools) > 0 { // those that are left
		e.out.Parallel = p
	}
	return nil
}

// all adds tools, which stand at at.
func (e *encoding) all(tools []tool, at, namespace string) error {
	for i := range tools {
		if err := e.tool(&tools[i], fmt.Sprintf("%s[%d]", at, i), namespace); err != nil {
			return err
		}
	}
	return nil
}

// tool adds a tool, or those of a namespace. What a namespace is for is told
// with its first tool.
func (e *encoding) tool(t *tool, at, namespace string) error {
	var f hub.Described
	switch {
	case t.Type == "namespace" && namespace == "":
		before := len(e.out.Tools)
		if err := e.all(t.Tools, at+".tools", t.Name); err != nil {
			return err
		}
		if len(e.out.Tools) > before && t.Description != "" {
			d := &e.out.Tools[before].Function.Description
			*d = strings.TrimSpace(t.Description + "\n\n" + *d)
		}
		return nil
	case t.Type == "function":
		if k := t.Parameters.Kind(); len(t.Parameters) > 0 && k != '{' && k != 'n' {
			return chat.Refuse(at+".parameters", "%s.parameters must be a JSON Schema, an object", at)
		}
		f = hub.Described{Description: t.Description, Strict: t.Strict}
		if len(t.Parameters) > 0 && t.Parameters.Kind() == '{' {
			f.Parameters = t.Parameters
		}
	case t.Type == "custom":
		f = e.custom(t)
	case isCarriedOut(t.Type):
		e.drop("tools." + t.Type)
		return nil
	default:
		return chat.Refuse(at+".type", "%s is of type %.60q, which this model's provider does not have: describe it as a function, and carry out its calls yourself", at, t.Type)
	}
	if t.Name == "" {
		return chat.Refuse(at+".name", "%s must have a name", at)
	}
	f.Name = e.tools.add(callee{t.Name, namespace, t.Type == "custom"})
	e.out.Tools = append(e.out.Tools, hub.Tool{Type: "function", Function: f})
	return nil
}

// customInput is the parameter of a function that stands for a custom tool.
const customInput = "input"

// custom is a custom tool as a function: its input is one text. A grammar is told
// to the model, which is not bound by it.
func (e *encoding) custom(t *tool) hub.Described {
	d := hub.Described{
		// Some say that the tool takes no JSON.
		Description: strings.TrimSpace(t.Description + "\n\nPut the whole input, as it is, into the parameter " + customInput + "."),
		Parameters:  jsontext.Value(`{"type":"object","properties":{"` + customInput + `":{"type":"string","description":"the whole input of the tool, as plain text"}},"required":["` + customInput + `"],"additionalProperties":false}`),
	}
	if g := t.Format; g != nil && g.Type == "grammar" {
		e.drop("tools.custom.format")
		d.Description += " It must match this grammar (" + g.Syntax + "):\n" + g.Definition
	}
	return d
}

// choose says which tools may or must be called.
func (e *encoding) choose() error {
	c := e.in.ToolChoice
	if c == nil {
		return nil
	}
	switch c.Type {
	case "":
		return e.mode(c.Mode)
	case "function", "custom":
		name, ok := e.tools.functions[c.Name]
		if !ok {
			return chat.Refuse("tool_choice.name", "tool_choice names the tool %.60q, which tools does not describe", c.Name)
		}
		e.out.ToolChoice = hub.MustCall(name)
		return nil
	case "allowed_tools":
		return e.allow(c)
	}
	return chat.Refuse("tool_choice.type", "tool_choice of type %.60q cannot be carried to this model: name a function", c.Type)
}

func (e *encoding) mode(mode string) error {
	switch mode {
	case chat.ChoiceNone, chat.ChoiceAuto:
		if len(e.out.Tools) > 0 {
			e.out.ToolChoice = mode
		}
		return nil
	case chat.ChoiceRequired:
		if len(e.out.Tools) == 0 {
			return chat.Refuse("tool_choice", "tool_choice demands the call of a tool, and this model has none of those in tools: describe a function")
		}
		e.out.ToolChoice = mode
		return nil
	}
	return chat.Refuse("tool_choice", "tool_choice must be none, auto, required or a tool, not %.40q", mode)
}

// allow takes away the tools that may not be called: not every server knows how
// to be told.
func (e *encoding) allow(c *toolChoice) error {
	allowed := make(map[string]bool, len(c.Tools))
	for i, t := range c.Tools {
		name, ok := e.tools.functions[t.Name]
		if !ok && !isCarriedOut(t.Type) {
			at := fmt.Sprintf("tool_choice.tools[%d]", i)
			return chat.Refuse(at, "%s is a tool that tools does not describe as a function", at)
		}
		allowed[name] = true
	}
	e.out.Tools = slices.DeleteFunc(e.out.Tools, func(t hub.Tool) bool { return !allowed[t.Function.Name] })
	return e.mode(c.Mode)
}
