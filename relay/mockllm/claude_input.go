package mockllm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// claudeInput is a request in Claude's format. What it does not name is refused, as the real one does.
type claudeInput struct {
	Model         string            `json:"model"`
	MaxTokens     int               `json:"max_tokens"`
	System        json.RawMessage   `json:"system"`
	Messages      []claudeMessage   `json:"messages"`
	Tools         []claudeTool      `json:"tools"`
	ToolChoice    *claudeToolChoice `json:"tool_choice"`
	StopSequences []string          `json:"stop_sequences"`
	Temperature   *float64          `json:"temperature"`
	TopP          *float64          `json:"top_p"`
	TopK          *int              `json:"top_k"`
	Thinking      *struct {
		Type         string `json:"type"`
		BudgetTokens int    `json:"budget_tokens"`
		Display      string `json:"display"`
	} `json:"thinking"`
	OutputConfig *struct {
		Effort string `json:"effort"`
		Format *struct {
			Type   string          `json:"type"`
			Schema json.RawMessage `json:"schema"`
		} `json:"format"`
	} `json:"output_config"`
	Metadata *struct {
		UserID string `json:"user_id"`
	} `json:"metadata"`
	ServiceTier string `json:"service_tier"`
	Stream      bool   `json:"stream"`

	// What clients of the format itself say besides; it means nothing here.
	CacheControl      json.RawMessage `json:"cache_control"`
	Container         json.RawMessage `json:"container"`
	ContextManagement json.RawMessage `json:"context_management"`
	Diagnostics       json.RawMessage `json:"diagnostics"`
	InferenceGeo      json.RawMessage `json:"inference_geo"`
	MCPServers        json.RawMessage `json:"mcp_servers"`
	Speed             json.RawMessage `json:"speed"`

	// beta is set for clients that ask for what is not in the format yet.
	beta bool
}

type claudeMessage struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"` // a string or blocks

	blocks []claudeBlock
}

// claudeBlock is a block of any type.
type claudeBlock struct {
	Type         string          `json:"type"`
	Text         *string         `json:"text"`
	Source       *claudeSource   `json:"source"`
	Title        string          `json:"title"`
	ID           string          `json:"id"`
	Name         string          `json:"name"`
	Input        json.RawMessage `json:"input"`
	ToolUseID    string          `json:"tool_use_id"`
	Content      json.RawMessage `json:"content"` // of a tool_result: a string or blocks
	IsError      bool            `json:"is_error"`
	Thinking     *string         `json:"thinking"`
	Signature    string          `json:"signature"`
	Data         string          `json:"data"`
	CacheControl *struct {
		Type string `json:"type"`
		TTL  string `json:"ttl"`
	} `json:"cache_control"`
}

type claudeSource struct {
	Type      string `json:"type"`
	MediaType string `json:"media_type"`
	Data      string `json:"data"`
	URL       string `json:"url"`
}

type claudeTool struct {
	Type         string          `json:"type"`
	Name         string          `json:"name"`
	Description  string          `json:"description"`
	InputSchema  json.RawMessage `json:"input_schema"`
	Strict       bool            `json:"strict"`
	CacheControl json.RawMessage `json:"cache_control"`
}

type claudeToolChoice struct {
	Type            string `json:"type"`
	Name            string `json:"name"`
	DisableParallel *bool  `json:"disable_parallel_tool_use"`
}

// strictly decodes one JSON value whose members must all be known.
func strictly(data []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	return dec.Decode(into)
}

// readClaude parses a request and checks it as the real one is checked; fault says what is wrong, "" if nothing is.
func readClaude(body []byte, h http.Header) (in *claudeInput, fault string) {
	in = &claudeInput{beta: h.Get("Anthropic-Beta") != ""}
	if err := strictly(body, in); err != nil {
		return nil, strings.TrimPrefix(err.Error(), "json: ")
	}
	for i := range in.Messages {
		m := &in.Messages[i]
		var err error
		if m.blocks, err = claudeBlocks(m.Content); err != nil {
			return nil, fmt.Sprintf("messages.%d.content: %v", i, err)
		}
	}
	for _, check := range []func() string{in.checkHead, in.checkSampling, in.checkThinking, in.checkTools, in.checkMessages} {
		if fault := check(); fault != "" {
			return nil, fault
		}
	}
	return in, ""
}

// claudeBlocks reads content; a string is one text block.
func claudeBlocks(content json.RawMessage) ([]claudeBlock, error) {
	var text string
	if json.Unmarshal(content, &text) == nil {
		return []claudeBlock{{Type: "text", Text: &text}}, nil
	}
	var blocks []claudeBlock
	err := strictly(content, &blocks)
	return blocks, err
}

// thinks reports whether the answer begins with reasoning.
func (in *claudeInput) thinks() bool { return in.Thinking != nil && in.Thinking.Type != "disabled" }

// texts returns the text of all messages and that of the last one from the user.
func (in *claudeInput) texts() (all, lastUser string) {
	var b strings.Builder
	if blocks, err := claudeBlocks(in.System); err == nil {
		b.WriteString(textOfClaude(blocks) + "\n")
	}
	for _, m := range in.Messages {
		text := textOfClaude(m.blocks)
		b.WriteString(text + "\n")
		if m.Role == "user" && text != "" {
			lastUser = text
		}
	}
	return b.String(), lastUser
}

func textOfClaude(blocks []claudeBlock) string {
	var texts []string
	for _, b := range blocks {
		if b.Text != nil {
			texts = append(texts, *b.Text)
		}
	}
	return strings.Join(texts, " ")
}
