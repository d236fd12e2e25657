package gemini

import (
	"slices"

	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
)

// encoder puts one chat request into Gemini's form.
type encoder struct {
	d       *Dialect
	in      *chat.Request
	model   generation
	dropped []string
	made    map[string]string // function names by tool-call id
}

// carried are the request's members that have a place in Gemini's form or are
// Berry's own business. The others are dropped by name.
var carried = map[string]struct{}{
	"model": {}, "messages": {}, "stream": {}, "stream_options": {}, "backend": {},
	"tools": {}, "functions": {}, "tool_choice": {}, "function_call": {},
	"max_tokens": {}, "max_completion_tokens": {}, "temperature": {}, "top_p": {}, "stop": {}, "seed": {},
	"presence_penalty": {}, "frequency_penalty": {}, "response_format": {},
	"n": {}, "modalities": {}, "logprobs": {},
}

// maxStops is how many stop sequences Gemini takes.
const maxStops = 5

func (e *encoder) request() (*request, error) {
	out := &request{SafetySettings: e.d.safety}
	if err := e.refused(); err != nil {
		return nil, err
	}
	if err := e.conversation(out); err != nil {
		return nil, err
	}
	if err := e.tools(out); err != nil {
		return nil, err
	}
	g := &generationConfig{}
	if err := e.generation(g); err != nil {
		return nil, err
	}
	if !g.isZero() {
		out.GenerationConfig = g
	}
	for _, name := range e.in.Names {
		if _, ok := carried[name]; !ok && !e.saysNothing(name) {
			e.dropped = append(e.dropped, name)
		}
	}
	return out, nil
}

// refused is the error for what cannot be carried and must not be dropped.
func (e *encoder) refused() error {
	if n := e.in.N; n != nil && *n != 1 {
		return chat.Refuse("n", "n must be 1: this model gives one choice at a time")
	}
	for _, m := range e.in.Modalities {
		if m != "text" {
			return chat.Refuse("modalities", "modalities must be text alone: %.40q cannot be asked of this model", m)
		}
	}
	if len(e.in.Stop) > maxStops {
		return chat.Refuse("stop", "stop may hold at most %d sequences for this model", maxStops)
	}
	return nil
}

// saysNothing reports whether a member that has no place says only what is so
// anyway, or was carried after all.
func (e *encoder) saysNothing(name string) bool {
	switch name {
	case "parallel_tool_calls":
		return e.in.Parallel == nil || *e.in.Parallel
	case "top_logprobs":
		return e.in.Logprobs != nil && *e.in.Logprobs
	case "reasoning_effort":
		c, _ := e.model.thinking(e.in.ReasoningEffort)
		return c != nil
	}
	return false
}

func (g *generationConfig) isZero() bool {
	return g.Temperature == nil && g.TopP == nil && g.MaxOutputTokens == nil && g.StopSequences == nil &&
		g.Seed == nil && g.PresencePenalty == nil && g.FrequencyPenalty == nil && g.ResponseMIMEType == "" &&
		g.ThinkingConfig == nil && !g.ResponseLogprobs
}

func (e *encoder) generation(g *generationConfig) error {
	in := e.in
	g.Temperature, g.TopP, g.Seed, g.MaxOutputTokens = in.Temperature, in.TopP, in.Seed, in.MaxOutput()
	g.PresencePenalty, g.FrequencyPenalty = penalty(in.PresencePenalty), penalty(in.FrequencyPenalty)
	for _, s := range in.Stop {
		if s != "" {
			g.StopSequences = append(g.StopSequences, s)
		}
	}
	if in.Logprobs != nil && *in.Logprobs {
		g.ResponseLogprobs, g.Logprobs = true, in.TopLogprobs
	}
	if err := e.format(g); err != nil {
		return err
	}
	if in.ReasoningEffort == "" {
		return nil
	}
	t, ok := e.model.thinking(in.ReasoningEffort)
	if !ok {
		return chat.Refuse("reasoning_effort", "reasoning_effort must be none, minimal, low, medium, high, xhigh or max, not %.40q", in.ReasoningEffort)
	}
	if t != nil {
		// A client that speaks of reasoning is one that knows what to do with its text.
		t.IncludeThoughts = e.d.reasoning && in.ReasoningEffort != effortNone
	}
	g.ThinkingConfig = t
	return nil
}

// penalty leaves out one of 0, which is no penalty: some models refuse the mere field.
func penalty(p *float64) *float64 {
	if p == nil || *p == 0 {
		return nil
	}
	return p
}

const jsonMIME = "application/json"

// format asks for the form of the answer's text.
func (e *encoder) format(g *generationConfig) error {
	f := e.in.ResponseFormat
	if f == nil {
		return nil
	}
	switch f.Type {
	case "", "text":
		return nil
	case "json_object":
		g.ResponseMIMEType = jsonMIME
		return nil
	case "json_schema":
	default:
		return chat.Refuse("response_format.type", "response_format.type must be text, json_object or json_schema, not %.40q", f.Type)
	}
	if f.JSONSchema == nil || f.JSONSchema.Schema.Kind() != '{' {
		return chat.Refuse("response_format.json_schema", "response_format.json_schema must hold a schema")
	}
	g.ResponseMIMEType = jsonMIME
	if e.model.modern() {
		g.ResponseJSONSchema = jsonSchema(f.JSONSchema.Schema)
	} else {
		g.ResponseSchema = openAPISchema(f.JSONSchema.Schema)
	}
	return nil
}

// tools says what the model may call and whether it must.
func (e *encoder) tools(out *request) error {
	choice := e.in.Choice()
	var set toolSet
	for i, t := range e.in.Tools {
		if t.Type != "function" {
			return chat.Refuse(param("tools", i, "type"), "tools[%d] is of type %.40q: this model takes functions only", i, t.Type)
		}
		if choice != nil && choice.Mode == chat.ChoiceAuto && len(choice.Names) > 0 && !slices.Contains(choice.Names, t.Function.Name) {
			continue // not one of the allowed ones, and only ANY can name those
		}
		set.FunctionDeclarations = append(set.FunctionDeclarations, e.declare(&t.Function))
	}
	if len(set.FunctionDeclarations) == 0 {
		if choice != nil && choice.Mode == chat.ChoiceRequired {
			return chat.Refuse("tool_choice", "tool_choice asks for a call but the request has no tools")
		}
		for _, name := range []string{"tool_choice", "function_call"} { // a mode without functions is refused
			if slices.Contains(e.in.Names, name) {
				e.dropped = append(e.dropped, name)
			}
		}
		return nil
	}
	out.Tools = []toolSet{set}
	if choice == nil {
		return nil
	}
	config := callingConfig{Mode: "AUTO"}
	switch choice.Mode {
	case chat.ChoiceNone:
		config.Mode = "NONE"
	case chat.ChoiceRequired:
		config.Mode, config.AllowedFunctionNames = "ANY", choice.Names
	}
	out.ToolConfig = &toolConfig{config}
	return nil
}

func (e *encoder) declare(f *chat.Function) functionDeclaration {
	out := functionDeclaration{Name: f.Name, Description: f.Description}
	switch {
	case f.Parameters.Kind() != '{' || takesNothing(f.Parameters):
	case e.model.modern():
		out.ParametersJSONSchema = jsonSchema(f.Parameters)
	default:
		out.Parameters = openAPISchema(f.Parameters)
	}
	return out
}
