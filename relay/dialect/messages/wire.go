package messages

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// wire is the body of POST /v1/messages and of count_tokens, as far as it is
// looked at. What has no place in OpenAI's chat format is in Extra, by name.
type wire struct {
	Messages      []turn        `json:"messages"`
	System        content       `json:"system"`
	Tools         []tool        `json:"tools"`
	ToolChoice    *toolChoice   `json:"tool_choice"`
	MaxTokens     *int64        `json:"max_tokens"`
	StopSequences []string      `json:"stop_sequences"`
	Temperature   *float64      `json:"temperature"`
	TopP          *float64      `json:"top_p"`
	Thinking      *thinking     `json:"thinking"`
	OutputConfig  *outputConfig `json:"output_config"`
	OutputFormat  *format       `json:"output_format"` // the older place of output_config.format
	Metadata      *metadata     `json:"metadata"`
	Stream        bool          `json:"stream"`

	Extra map[string]jsontext.Value `json:",embed"`
}

type turn struct {
	Role    string  `json:"role"`
	Content content `json:"content"`
}

// content is a list of blocks. A plain string is one text block.
type content []block

// UnmarshalJSONFrom implements json.UnmarshalerFrom. The results of Anthropic's
// own tools have one object where others have a list.
func (c *content) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*c = nil
	switch dec.PeekKind() {
	case '"':
		var text string
		err := json.UnmarshalDecode(dec, &text)
		*c = content{{Type: blockText, Text: text}}
		return err
	case '{':
		*c = content{{}}
		return json.UnmarshalDecode(dec, &(*c)[0])
	}
	return json.UnmarshalDecode(dec, (*[]block)(c))
}

// The types of blocks that have a meaning in OpenAI's chat format.
const (
	blockText       = "text"
	blockImage      = "image"
	blockDocument   = "document"
	blockSearch     = "search_result"
	blockToolUse    = "tool_use"
	blockToolResult = "tool_result"
	blockThinking   = "thinking"
	blockRedacted   = "redacted_thinking"
)

// block is one block of content; of its members those that its type knows are set.
type block struct {
	Type string `json:"type"`
	Text string `json:"text"`

	Source  *source `json:"source"` // image, document, search_result
	Title   string  `json:"title"`
	Context string  `json:"context"`

	ID    string         `json:"id"` // tool_use
	Name  string         `json:"name"`
	Input jsontext.Value `json:"input"`

	ToolUseID string  `json:"tool_use_id"` // tool_result
	Content   content `json:"content"`
	IsError   bool    `json:"is_error"`

	Thinking  string `json:"thinking"`
	Signature string `json:"signature"`
	Data      string `json:"data"` // redacted_thinking
}

type source struct {
	Type      string  `json:"type"` // base64, url, text, content, file
	MediaType string  `json:"media_type"`
	Data      string  `json:"data"`
	URL       string  `json:"url"`
	Content   content `json:"content"`
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom: a search result's source
// is a plain string.
func (s *source) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == '"' {
		*s = source{}
		return json.UnmarshalDecode(dec, &s.URL)
	}
	type plain source
	return json.UnmarshalDecode(dec, (*plain)(s))
}

type tool struct {
	Type        string         `json:"type"` // "" and custom: the client's own
	Name        string         `json:"name"`
	Description string         `json:"description"`
	InputSchema jsontext.Value `json:"input_schema"`
	Strict      bool           `json:"strict"`
}

type toolChoice struct {
	Type            string `json:"type"` // auto, any, tool, none
	Name            string `json:"name"`
	DisableParallel bool   `json:"disable_parallel_tool_use"`
}

type thinking struct {
	Type    string `json:"type"` // enabled, adaptive, disabled
	Display string `json:"display"`
}

type outputConfig struct {
	Effort string  `json:"effort"`
	Format *format `json:"format"`
}

type format struct {
	Type   string         `json:"type"`
	Schema jsontext.Value `json:"schema"`
}

type metadata struct {
	UserID string `json:"user_id"`
}
