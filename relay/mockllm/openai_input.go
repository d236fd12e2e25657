package mockllm

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
)

// openAIInput is the part of a chat request that an answer depends on.
type openAIInput struct {
	Model         string          `json:"model"`
	Messages      []openAIMessage `json:"messages"`
	Stream        bool            `json:"stream"`
	StreamOptions *struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
	MaxTokens           *int `json:"max_tokens"`
	MaxCompletionTokens *int `json:"max_completion_tokens"`
}

type openAIMessage struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"`
}

// readOpenAI parses a chat request and checks it as the real one is checked; fault is an error envelope, "" if there
// is none.
func readOpenAI(body []byte) (in openAIInput, fault string) {
	invalid := func(param, code, message string) (openAIInput, string) {
		return openAIInput{}, Fault(message, "invalid_request_error", param, code)
	}
	if err := json.Unmarshal(body, &in); err != nil {
		if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) && wrong.Field != "" {
			return invalid(wrong.Field, "invalid_type", "Invalid type for '"+wrong.Field+"': got "+wrong.Value)
		}
		return invalid("", "", "The body of the request is not a valid JSON object")
	}
	switch {
	case in.Model == "":
		return invalid("model", "missing_required_parameter", "Missing required parameter: 'model'")
	case in.Messages == nil:
		return invalid("messages", "missing_required_parameter", "Missing required parameter: 'messages'")
	case len(in.Messages) == 0:
		return invalid("messages", "empty_array", "Invalid 'messages': an empty array; at least one message is needed")
	case in.StreamOptions != nil && !in.Stream:
		return invalid("stream_options", "", "'stream_options' is only allowed when 'stream' is true")
	case in.MaxTokens != nil && in.MaxCompletionTokens != nil:
		return invalid("max_tokens", "invalid_parameter_combination", "'max_tokens' and 'max_completion_tokens' cannot both be set")
	case in.MaxTokens != nil && *in.MaxTokens < 1:
		return invalid("max_tokens", "integer_below_min_value", "Invalid 'max_tokens': want 1 or more")
	case in.MaxCompletionTokens != nil && *in.MaxCompletionTokens < 1:
		return invalid("max_completion_tokens", "integer_below_min_value", "Invalid 'max_completion_tokens': want 1 or more")
	}
	for i, m := range in.Messages {
		if m.Role == "" {
			param := "messages[" + strconv.Itoa(i) + "].role"
			return invalid(param, "missing_required_parameter", "Missing required parameter: '"+param+"'")
		}
	}
	return in, ""
}

// limit is the most tokens that the answer may have; 0: no limit.
func (in *openAIInput) limit() int {
	switch {
	case in.MaxCompletionTokens != nil:
		return *in.MaxCompletionTokens
	case in.MaxTokens != nil:
		return *in.MaxTokens
	}
	return 0
}

// texts returns the text of all messages and that of the last one from the user.
func (in *openAIInput) texts() (all, lastUser string) {
	var b strings.Builder
	for _, m := range in.Messages {
		text := m.text()
		b.WriteString(text + "\n")
		if m.Role == "user" {
			lastUser = text
		}
	}
	return b.String(), lastUser
}

// text is the content if it is a string, or its text parts.
func (m *openAIMessage) text() string {
	var text string
	if json.Unmarshal(m.Content, &text) == nil {
		return text
	}
	var parts []struct {
		Text string `json:"text"`
	}
	if json.Unmarshal(m.Content, &parts) != nil {
		return ""
	}
	texts := make([]string, 0, len(parts))
	for _, part := range parts {
		texts = append(texts, part.Text)
	}
	return strings.Join(texts, " ")
}
