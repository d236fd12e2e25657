package claude

import (
	"github.com/go-json-experiment/json/jsontext"
)

// request is the body of POST /v1/messages.
type request struct {
	Model         jsontext.Value `json:"model"`
	MaxTokens     int64          `json:"max_tokens,omitzero"`
	System        any            `json:"system,omitempty"` // string or []block
	Messages      []turn         `json:"messages"`
	Tools         []tool         `json:"tools,omitempty"`
	ToolChoice    *toolChoice    `json:"tool_choice,omitempty"`
	StopSequences []string       `json:"stop_sequences,omitempty"`
	Temperature   *float64       `json:"temperature,omitempty"`
	TopP          *float64       `json:"top_p,omitempty"`
	TopK          jsontext.Value `json:"top_k,omitempty"`
	Thinking      jsontext.Value `json:"thinking,omitempty"`
	OutputConfig  *outputConfig  `json:"output_config,omitempty"`
	Metadata      *metadata      `json:"metadata,omitempty"`
	Stream        bool           `json:"stream,omitzero"`
}

// countable leaves what a request for a count may hold.
func (r *request) countable() {
	*r = request{
		Model: r.Model, System: r.System, Messages: r.Messages, Tools: r.Tools, ToolChoice: r.ToolChoice,
		Thinking: r.Thinking, OutputConfig: r.OutputConfig,
	}
}

type turn struct {
	Role    string  `json:"role"`
	Content []block `json:"content"`
}

// block is one block of content; of its members those that its type knows are set.
type block struct {
	Type string `json:"type"`
	Text string `json:"text,omitempty"`

	Source *source `json:"source,omitempty"` // image, document
	Title  string  `json:"title,omitempty"`  // document

	ID    string         `json:"id,omitempty"` // tool_use
	Name  string         `json:"name,omitempty"`
	Input jsontext.Value `json:"input,omitzero"`

	ToolUseID string  `json:"tool_use_id,omitempty"` // tool_result
	Content   []block `json:"content,omitempty"`
	IsError   bool    `json:"is_error,omitzero"`

	CacheControl jsontext.Value `json:"cache_control,omitempty"`

	// raw is a thinking block as it came, which goes out instead of all else.
	raw jsontext.Value
}

// MarshalJSONTo implements json.MarshalerTo.
func (b block) MarshalJSONTo(enc *jsontext.Encoder) error {
	if b.raw != nil {
		return enc.WriteValue(b.raw)
	}
	type plain block
	return marshalTo(enc, plain(b))
}

type source struct {
	Type      string `json:"type"` // base64, url, text
	MediaType string `json:"media_type,omitempty"`
	Data      string `json:"data,omitempty"`
	URL       string `json:"url,omitempty"`
}

type tool struct {
	Name         string         `json:"name"`
	Description  string         `json:"description,omitempty"`
	InputSchema  jsontext.Value `json:"input_schema"`
	Strict       bool           `json:"strict,omitzero"`
	CacheControl jsontext.Value `json:"cache_control,omitempty"`
}

type toolChoice struct {
	Type            string `json:"type"` // auto, any, tool, none
	Name            string `json:"name,omitempty"`
	DisableParallel bool   `json:"disable_parallel_tool_use,omitzero"`
}

type outputConfig struct {
	Effort string  `json:"effort,omitempty"`
	Format *format `json:"format,omitempty"`
}

type format struct {
	Type   string         `json:"type"`
	Schema jsontext.Value `json:"schema"`
}

type metadata struct {
	UserID string `json:"user_id"`
}
