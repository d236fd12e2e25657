package responses

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// wire is the body of POST /v1/responses, as far as it is looked at. What has no
// place in OpenAI's chat format is in Extra, by name.
type wire struct {
	Input        items       `json:"input"`
	Instructions string      `json:"instructions"`
	Tools        []tool      `json:"tools"`
	ToolChoice   *toolChoice `json:"tool_choice"`
	Parallel     *bool       `json:"parallel_tool_calls"`

	MaxOutput   *int64         `json:"max_output_tokens"`
	Temperature *float64       `json:"temperature"`
	TopP        *float64       `json:"top_p"`
	TopLogprobs *int64         `json:"top_logprobs"`
	Include     []string       `json:"include"`
	Text        *textConfig    `json:"text"`
	Reasoning   *reasoning     `json:"reasoning"`
	Stream      bool           `json:"stream"`
	StreamOpts  *streamOptions `json:"stream_options"`

	Store          bool   `json:"store"`
	Truncation     string `json:"truncation"`
	User           string `json:"user"`
	SafetyID       string `json:"safety_identifier"`
	CacheKey       string `json:"prompt_cache_key"`
	CacheRetention string `json:"prompt_cache_retention"`
	ServiceTier    string `json:"service_tier"`

	// What one provider keeps, and others do not know.
	Previous     string         `json:"previous_response_id"`
	Conversation jsontext.Value `json:"conversation"`
	Prompt       jsontext.Value `json:"prompt"`
	Background   bool           `json:"background"`

	Extra map[string]jsontext.Value `json:",embed"`
}

// items are what the model is to go on from. A plain string is a user's message.
type items []item

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (in *items) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*in = nil
	if dec.PeekKind() != '"' {
		return json.UnmarshalDecode(dec, (*[]item)(in))
	}
	var text string
	err := json.UnmarshalDecode(dec, &text)
	*in = items{{Type: itemMessage, Role: "user", Content: content{{Text: text}}}}
	return err
}

// The types of items that have a meaning in OpenAI's chat format.
const (
	itemMessage      = "message"
	itemReasoning    = "reasoning"
	itemCall         = "function_call"
	itemOutput       = "function_call_output"
	itemCustomCall   = "custom_tool_call"
	itemCustomOutput = "custom_tool_call_output"
	itemTools        = "additional_tools"
	itemUpdate       = "configuration_update"
)

// item is one item; of its members those that its type knows are set. A message
// may leave its type out.
type item struct {
	Type    string  `json:"type"`
	Role    string  `json:"role"`
	Content content `json:"content"`
	Summary content `json:"summary"` // of reasoning

	CallID    string         `json:"call_id"`
	Name      string         `json:"name"`
	Namespace string         `json:"namespace"`
	Arguments jsontext.Value `json:"arguments"` // of a function_call a string
	Input     jsontext.Value `json:"input"`     // of a custom_tool_call a string
	Output    jsontext.Value `json:"output"`    // of the outputs a string, or parts

	Tools     []tool      `json:"tools"`     // of additional_tools
	Reasoning *reasoning  `json:"reasoning"` // of a configuration_update
	Text      *textConfig `json:"text"`      // of a configuration_update
}

// content is a list of parts. A plain string is one part with text and no type.
type content []part

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (c *content) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*c = nil
	if dec.PeekKind() != '"' {
		return json.UnmarshalDecode(dec, (*[]part)(c))
	}
	var text string
	err := json.UnmarshalDecode(dec, &text)
	*c = content{{Text: text}}
	return err
}

// part is one part of a content.
type part struct {
	Type    string `json:"type"`
	Text    string `json:"text"`
	Refusal string `json:"refusal"`

	ImageURL string `json:"image_url"` // an address, or a data URI
	Detail   string `json:"detail"`
	FileID   string `json:"file_id"`
	FileURL  string `json:"file_url"`
	FileData string `json:"file_data"` // a data URI
	Filename string `json:"filename"`
	Audio    *audio `json:"input_audio"`
}

type audio struct {
	Data   string `json:"data"`
	Format string `json:"format"`
}

type tool struct {
	Type        string         `json:"type"`
	Name        string         `json:"name"`
	Description string         `json:"description"`
	Parameters  jsontext.Value `json:"parameters"`
	Strict      bool           `json:"strict"`
	Format      *grammar       `json:"format"` // of a custom tool
	Tools       []tool         `json:"tools"`  // of a namespace
}

// grammar is what the input of a custom tool must look like.
type grammar struct {
	Type       string `json:"type"` // text, grammar
	Syntax     string `json:"syntax"`
	Definition string `json:"definition"`
}

// toolChoice is a mode, or an object that says more. A plain string is a mode.
type toolChoice struct {
	Type  string `json:"type"`
	Name  string `json:"name"`
	Mode  string `json:"mode"`
	Tools []tool `json:"tools"`
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (c *toolChoice) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*c = toolChoice{}
	if dec.PeekKind() == '"' {
		return json.UnmarshalDecode(dec, &c.Mode)
	}
	type plain toolChoice
	return json.UnmarshalDecode(dec, (*plain)(c))
}

type textConfig struct {
	Format    *format                   `json:"format"`
	Verbosity string                    `json:"verbosity"`
	Extra     map[string]jsontext.Value `json:",embed"`
}

type format struct {
	Type        string         `json:"type"` // text, json_object, json_schema
	Name        string         `json:"name"`
	Description string         `json:"description"`
	Schema      jsontext.Value `json:"schema"`
	Strict      bool           `json:"strict"`
}

type reasoning struct {
	Effort string `json:"effort"`
	// What is told of the reasoning: whatever the provider tells.
	Summary         string                    `json:"summary"`
	GenerateSummary string                    `json:"generate_summary"`
	Extra           map[string]jsontext.Value `json:",embed"`
}

type streamOptions struct {
	Obfuscation bool `json:"include_obfuscation"`
}
