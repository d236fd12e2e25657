package responses

import (
	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
	"github.com/PPKunOfficial/berry-api/relay/dialect/hub"
)

// kept refuses what only a provider of this format keeps: without it the request
// would mean something else.
func (e *encoding) kept() error {
	const instead = "this model's provider keeps no responses: send the whole conversation as input, with store false"
	isSet := func(raw []byte) bool { return len(raw) > 0 && raw[0] != 'n' }
	switch {
	case e.in.Previous != "":
		return chat.Refuse("previous_response_id", "previous_response_id cannot be used here: %s", instead)
	case isSet(e.in.Conversation):
		return chat.Refuse("conversation", "conversation cannot be used here: %s", instead)
	case isSet(e.in.Prompt):
		return chat.Refuse("prompt", "prompt names a template that is kept at OpenAI, and this model's provider does not know it: send its text as instructions and input")
	case e.in.Background:
		return chat.Refuse("background", "background cannot be used here: this model's provider keeps no responses to be asked for later; use stream")
	}
	return nil
}

// includeLogprobs is the element of include that asks for log probabilities.
const includeLogprobs = "message.output_text.logprobs"

// limits sets how long and how likely the answer may be, and for whom it is.
func (e *encoding) limits() error {
	if n := e.in.MaxOutput; n != nil {
		if *n < 1 {
			return chat.Refuse("max_output_tokens", "max_output_tokens must be above 0")
		}
		e.out.MaxTokens = n
	}
	e.out.Temperature, e.out.TopP = e.in.Temperature, e.in.TopP
	// 1 is the default in both formats, and the only value that many models take.
	if t := e.out.Temperature; t != nil && *t == 1 {
		e.out.Temperature = nil
	}
	if n := e.in.TopLogprobs; n != nil && *n > 0 {
		e.out.Logprobs, e.out.TopLogprobs = true, n
	}
	for _, name := range e.in.Include {
		if name == includeLogprobs {
			e.out.Logprobs = true
		} else {
			e.drop("include." + name)
		}
	}
	e.bookkeeping()
	return nil
}

// bookkeeping sets what is not the model's concern.
func (e *encoding) bookkeeping() {
	for _, f := range []struct {
		name, value string
		to          *string
	}{
		{"user", e.in.User, &e.out.User},
		{"safety_identifier", e.in.SafetyID, &e.out.SafetyID},
		{"prompt_cache_key", e.in.CacheKey, &e.out.CacheKey},
		{"prompt_cache_retention", e.in.CacheRetention, &e.out.CacheRetention},
		{"service_tier", e.in.ServiceTier, &e.out.ServiceTier},
	} {
		switch {
		case f.value == "", f.to == &e.out.ServiceTier && f.value == "auto": // what it is anyway
		case e.to.Bookkeeping:
			*f.to = f.value
		default:
			e.drop(f.name)
		}
	}
}

// format says what form the answer's text is to have.
func (e *encoding) format() error {
	t := e.in.Text
	if t == nil {
		return nil
	}
	for name, v := range t.Extra {
		if v.Kind() != 'n' {
			e.drop("text." + name)
		}
	}
	switch {
	case t.Verbosity == "":
	case e.to.Bookkeeping: // a server that refuses the one refuses the other
		e.out.Verbosity = t.Verbosity
	default:
		e.drop("text.verbosity")
	}
	f := t.Format
	if f == nil {
		return nil
	}
	switch f.Type {
	case "text":
	case "json_object":
		e.out.ResponseFormat = &hub.ResponseFormat{Type: f.Type}
	case "json_schema":
		if len(f.Schema) == 0 || f.Schema.Kind() != '{' {
			return chat.Refuse("text.format.schema", "text.format.schema must be a JSON Schema, an object")
		}
		if f.Name == "" {
			return chat.Refuse("text.format.name", "text.format of type json_schema must have a name")
		}
		e.out.ResponseFormat = &hub.ResponseFormat{Type: f.Type, Schema: &hub.Schema{
			Name: f.Name, Description: f.Description, Schema: f.Schema, Strict: f.Strict,
		}}
	default:
		return chat.Refuse("text.format.type", "text.format.type must be text, json_object or json_schema, not %.40q", f.Type)
	}
	return nil
}

// leftovers names what is left out and harms nobody by it.
func (e *encoding) leftovers() {
	if e.in.Store {
		e.drop("store")
	}
	if e.in.Truncation != "" && e.in.Truncation != "disabled" {
		e.drop("truncation")
	}
	if o := e.in.StreamOpts; o != nil && o.Obfuscation {
		e.drop("stream_options")
	}
	if r := e.in.Reasoning; r != nil {
		for name, v := range r.Extra {
			if v.Kind() != 'n' {
				e.drop("reasoning." + name)
			}
		}
	}
	for name, v := range e.in.Extra {
		switch {
		case v.Kind() == 'n', name == "model", name == "backend": // put in by the caller; Berry's own
		case name == "metadata": // the answer repeats it, which is all that becomes of it
		default:
			e.drop(name)
		}
	}
}
