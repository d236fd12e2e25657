package hub

import (
	"bytes"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
)

// Request is the body of POST /v1/chat/completions, as far as it is written.
// What is empty is left out.
type Request struct {
	Model          string          `json:"model"`
	Messages       []Message       `json:"messages"`
	Tools          []Tool          `json:"tools,omitempty"`
	ToolChoice     any             `json:"tool_choice,omitempty"` // a mode, or a Choice
	Parallel       *bool           `json:"parallel_tool_calls,omitempty"`
	MaxTokens      *int64          `json:"max_completion_tokens,omitempty"`
	Temperature    *float64        `json:"temperature,omitempty"`
	TopP           *float64        `json:"top_p,omitempty"`
	Stop           []string        `json:"stop,omitempty"`
	Effort         string          `json:"reasoning_effort,omitempty"`
	Verbosity      string          `json:"verbosity,omitempty"`
	ResponseFormat *ResponseFormat `json:"response_format,omitempty"`
	Logprobs       bool            `json:"logprobs,omitzero"`
	TopLogprobs    *int64          `json:"top_logprobs,omitempty"`
	User           string          `json:"user,omitempty"`
	SafetyID       string          `json:"safety_identifier,omitempty"`
	CacheKey       string          `json:"prompt_cache_key,omitempty"`
	CacheRetention string          `json:"prompt_cache_retention,omitempty"`
	ServiceTier    string          `json:"service_tier,omitempty"`
	Stream         bool            `json:"stream,omitzero"`
	StreamOptions  *StreamOptions  `json:"stream_options,omitempty"`
}

// StreamOptions asks for the totals in a stream.
type StreamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

// Streamed asks for a stream that tells its usage.
func (r *Request) Streamed() {
	r.Stream, r.StreamOptions = true, &StreamOptions{IncludeUsage: true}
}

// Body is the request as JSON; size is how long the client's own was, in bytes.
// The error is an *apierror.Error.
func (r *Request) Body(size int) ([]byte, error) {
	// With images it is as large as the other form. The encoder doubles a buffer
	// that is three quarters full.
	var body bytes.Buffer
	body.Grow(size + size/2 + 512)
	if err := json.MarshalWrite(&body, r); err != nil {
		return nil, chat.Refuse("", "the request cannot be put into OpenAI's format")
	}
	return body.Bytes(), nil
}

// Message is one message of the conversation.
type Message struct {
	Role       string `json:"role"`
	Content    any    `json:"content"` // a string, a []Part, or null
	Reasoning  string `json:"reasoning_content,omitempty"`
	ToolCalls  []Call `json:"tool_calls,omitempty"`
	ToolCallID string `json:"tool_call_id,omitempty"`
}

// Part is one part of a message's content.
type Part struct {
	Type  string    `json:"type"` // one of chat's
	Text  string    `json:"text,omitempty"`
	Image *ImageURL `json:"image_url,omitempty"`
	Audio *Audio    `json:"input_audio,omitempty"`
	File  *File     `json:"file,omitempty"`
}

// Text is text as parts: none where it is empty.
func Text(text string) []Part {
	if text == "" {
		return nil
	}
	return []Part{{Type: chat.PartText, Text: text}}
}

// ImageURL is an image, by address or as a data URI.
type ImageURL struct {
	URL    string `json:"url"`
	Detail string `json:"detail,omitempty"`
}

// Audio is a recording.
type Audio struct {
	Data   string `json:"data"` // base64
	Format string `json:"format"`
}

// File is a file.
type File struct {
	Name string `json:"filename"`
	Data string `json:"file_data"` // a data URI
}

// Call is a call that the model made of a function.
type Call struct {
	ID       string   `json:"id"`
	Type     string   `json:"type"`
	Function Function `json:"function"`
}

// Called is a call of the function name.
func Called(id, name, arguments string) Call {
	return Call{id, "function", Function{name, arguments}}
}

// Function is which function is called and with what.
type Function struct {
	Name      string `json:"name"`
	Arguments string `json:"arguments"` // JSON as text
}

// Tool is a function that may be called.
type Tool struct {
	Type     string    `json:"type"`
	Function Described `json:"function"`
}

// Described is what a function is for, and a JSON Schema of what it takes.
type Described struct {
	Name        string         `json:"name"`
	Description string         `json:"description,omitempty"`
	Parameters  jsontext.Value `json:"parameters,omitempty"`
	Strict      bool           `json:"strict,omitzero"`
}

// Choice is the one function that must be called.
type Choice struct {
	Type     string `json:"type"`
	Function Naming `json:"function"`
}

// Naming names a function.
type Naming struct {
	Name string `json:"name"`
}

// MustCall is the choice of the function name.
func MustCall(name string) Choice { return Choice{"function", Naming{name}} }

// ResponseFormat is the form that the answer's text must have.
type ResponseFormat struct {
	Type   string  `json:"type"`
	Schema *Schema `json:"json_schema,omitempty"`
}

// Schema is a named JSON Schema.
type Schema struct {
	Name        string         `json:"name"`
	Description string         `json:"description,omitempty"`
	Schema      jsontext.Value `json:"schema"`
	Strict      bool           `json:"strict,omitzero"`
}
