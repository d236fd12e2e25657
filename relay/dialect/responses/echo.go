package responses

import (
	"github.com/go-json-experiment/json/jsontext"
)

// echo is what a response repeats of its request, as it stood there.
type echo struct {
	Instructions   jsontext.Value `json:"instructions"`
	MaxOutput      jsontext.Value `json:"max_output_tokens"`
	MaxToolCalls   jsontext.Value `json:"max_tool_calls"`
	Metadata       jsontext.Value `json:"metadata"`
	Parallel       jsontext.Value `json:"parallel_tool_calls"`
	CacheKey       jsontext.Value `json:"prompt_cache_key"`
	CacheRetention jsontext.Value `json:"prompt_cache_retention"`
	Reasoning      jsontext.Value `json:"reasoning"`
	SafetyID       jsontext.Value `json:"safety_identifier"`
	ServiceTier    jsontext.Value `json:"service_tier"`
	Temperature    jsontext.Value `json:"temperature"`
	Text           jsontext.Value `json:"text"`
	ToolChoice     jsontext.Value `json:"tool_choice"`
	Tools          jsontext.Value `json:"tools"`
	TopLogprobs    jsontext.Value `json:"top_logprobs"`
	TopP           jsontext.Value `json:"top_p"`
	User           jsontext.Value `json:"user"`
}

// append appends the members of a response that say what was asked, those with
// OpenAI's defaults that were not said; each is followed by a comma.
func (e *echo) append(dst []byte) []byte {
	for _, m := range []struct {
		name, otherwise string
		said            jsontext.Value
	}{
		{"background", "false", nil},
		{"instructions", "null", e.Instructions},
		{"max_output_tokens", "null", e.MaxOutput},
		{"max_tool_calls", "null", e.MaxToolCalls},
		{"metadata", "{}", e.Metadata},
		{"parallel_tool_calls", "true", e.Parallel},
		{"previous_response_id", "null", nil},
		{"prompt_cache_key", "null", e.CacheKey},
		{"prompt_cache_retention", "null", e.CacheRetention},
		{"reasoning", `{"effort":null,"summary":null}`, e.Reasoning},
		{"safety_identifier", "null", e.SafetyID},
		{"service_tier", `"default"`, e.ServiceTier},
		{"store", "false", nil}, // whatever was asked for: nobody keeps it
		{"temperature", "1", e.Temperature},
		{"text", `{"format":{"type":"text"}}`, e.Text},
		{"tool_choice", `"auto"`, e.ToolChoice},
		{"tools", "[]", e.Tools},
		{"top_logprobs", "0", e.TopLogprobs},
		{"top_p", "1", e.TopP},
		{"truncation", `"disabled"`, nil},
		{"user", "null", e.User},
	} {
		dst = append(append(append(dst, '"'), m.name...), `":`...)
		said := m.said
		if len(said) == 0 || said.Kind() == 'n' || said.Compact() != nil { // what was read is valid
			said = jsontext.Value(m.otherwise)
		}
		dst = append(append(dst, said...), ',')
	}
	return dst
}
