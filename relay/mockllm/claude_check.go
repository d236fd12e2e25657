package mockllm

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// What the real one refuses, in the order in which it is looked for. Each returns what is wrong, "" if nothing is.

func (in *claudeInput) checkHead() string {
	switch {
	case in.Model == "":
		return "model: Field required"
	case in.MaxTokens < 1:
		return "max_tokens: Field required, and at least 1"
	case len(in.Messages) == 0:
		return "messages: at least one message is required"
	case len(in.System) > 0 && !validClaudeSystem(in.System):
		return "system: must be a string or text blocks that are not blank"
	}
	for i, s := range in.StopSequences {
		if strings.TrimSpace(s) == "" {
			return fmt.Sprintf("stop_sequences.%d: each stop sequence must contain non-whitespace", i)
		}
	}
	if o := in.OutputConfig; o != nil {
		if o.Effort != "" && !slices.Contains([]string{"low", "medium", "high", "xhigh", "max"}, o.Effort) {
			return "output_config.effort: unknown"
		}
		if f := o.Format; f != nil && (f.Type != "json_schema" || !closedObjects(f.Schema)) {
			return "output_config.format.schema: for 'object' type, 'additionalProperties' must be explicitly set to false"
		}
	}
	return ""
}

func validClaudeSystem(system json.RawMessage) bool {
	blocks, err := claudeBlocks(system)
	return err == nil && !slices.ContainsFunc(blocks, func(b claudeBlock) bool { return b.Type != "text" || isBlank(b.Text) })
}

func isBlank(s *string) bool { return s == nil || strings.TrimSpace(*s) == "" }

// closedObjects reports whether every object of a schema is closed.
func closedObjects(schema json.RawMessage) bool {
	var v any
	if json.Unmarshal(schema, &v) != nil {
		return false
	}
	return allClosed(v)
}

func allClosed(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		if v["type"] == "object" && v["additionalProperties"] != false {
			return false
		}
		for _, member := range v {
			if !allClosed(member) {
				return false
			}
		}
	case []any:
		return !slices.ContainsFunc(v, func(e any) bool { return !allClosed(e) })
	}
	return true
}

func (in *claudeInput) checkSampling() string {
	newest := strings.Contains(in.Model, "opus-4-7")
	switch t := in.Temperature; {
	case newest && (t != nil || in.TopP != nil || in.TopK != nil):
		return "temperature, top_p and top_k are not supported by this model"
	case t != nil && (*t < 0 || *t > 1):
		return "temperature: range: 0..1"
	case t != nil && in.TopP != nil:
		return "`temperature` and `top_p` cannot both be specified for this model"
	case newest && in.Thinking != nil && in.Thinking.Type != "adaptive":
		return "thinking.type: this model takes adaptive only"
	}
	return ""
}

func (in *claudeInput) checkThinking() string {
	t := in.Thinking
	if t == nil || t.Type == "disabled" {
		return ""
	}
	last := in.Messages[len(in.Messages)-1]
	switch {
	case t.Type != "enabled" && t.Type != "adaptive":
		return "thinking.type: unknown"
	case t.Type == "enabled" && t.BudgetTokens < 1024:
		return "thinking.enabled.budget_tokens: at least 1024"
	case t.Type == "enabled" && t.BudgetTokens >= in.MaxTokens:
		return "max_tokens must be greater than thinking.budget_tokens"
	case in.Temperature != nil && *in.Temperature != 1:
		return "temperature may only be set to 1 when thinking is enabled"
	case in.TopK != nil, in.TopP != nil && *in.TopP < 0.95:
		return "top_k and top_p below 0.95 must be unset when thinking is enabled"
	case in.ToolChoice != nil && (in.ToolChoice.Type == "any" || in.ToolChoice.Type == "tool"):
		return "Thinking may not be enabled when tool_choice forces tool use."
	case last.Role == "assistant":
		return "messages: an assistant prefill is not possible with thinking"
	}
	for i, m := range slices.Backward(in.Messages) {

		if m.Role != "assistant" || len(m.blocks) == 0 {
			continue
		}
		uses := slices.ContainsFunc(m.blocks, func(b claudeBlock) bool { return b.Type == "tool_use" })
		if first := m.blocks[0].Type; uses && first != "thinking" && first != "redacted_thinking" {
			return fmt.Sprintf("messages.%d.content.0.type: Expected `thinking` or `redacted_thinking`, but found `%s`", i, first)
		}
		break
	}
	return ""
}

func (in *claudeInput) checkTools() string {
	for i, t := range in.Tools {
		var schema map[string]any
		err := json.Unmarshal(t.InputSchema, &schema)
		switch {
		case t.Type != "" && t.Type != "custom":
			return fmt.Sprintf("tools.%d.type: unknown", i)
		case !regexp.MustCompile(`^[a-zA-Z0-9_-]{1,128}$`).MatchString(t.Name):
			return fmt.Sprintf("tools.%d.name: String should match pattern", i)
		case err != nil || schema["type"] != "object":
			return fmt.Sprintf("tools.%d.custom.input_schema.type: Input should be 'object'", i)
		case schema["anyOf"] != nil || schema["oneOf"] != nil || schema["allOf"] != nil:
			return fmt.Sprintf("tools.%d.custom.input_schema: does not support oneOf, allOf, or anyOf at the top level", i)
		case t.Strict && !closedObjects(t.InputSchema):
			return fmt.Sprintf("tools.%d.custom.input_schema: 'additionalProperties' must be false", i)
		}
	}
	switch c := in.ToolChoice; {
	case c == nil:
	case len(in.Tools) == 0:
		return "tool_choice: may only be specified while providing tools"
	case !slices.Contains([]string{"auto", "any", "tool", "none"}, c.Type):
		return "tool_choice.type: unknown"
	case c.Type == "none" && c.DisableParallel != nil:
		return "tool_choice.none.disable_parallel_tool_use: Extra inputs are not permitted"
	case c.Type == "tool" && !slices.ContainsFunc(in.Tools, func(t claudeTool) bool { return t.Name == c.Name }):
		return "tool_choice: tool '" + c.Name + "' not found in provided tools"
	}
	return ""
}

func (in *claudeInput) checkMessages() string {
	if in.Messages[0].Role != "user" {
		return "messages: first message must use the user role"
	}
	var calls []string // of the message before
	for i, m := range in.Messages {
		at := fmt.Sprintf("messages.%d", i)
		if in.beta && m.Role == "system" { // instructions in the middle of a conversation
			continue
		}
		if m.Role != "user" && m.Role != "assistant" {
			return at + ".role: Input should be 'user' or 'assistant'"
		}
		if len(m.blocks) == 0 {
			return at + ": all messages must have non-empty content"
		}
		var made, answered []string
		for j, b := range m.blocks {
			if fault := b.check(m.Role); fault != "" {
				return fmt.Sprintf("%s.content.%d: %s", at, j, fault)
			}
			switch b.Type {
			case "tool_use":
				made = append(made, b.ID)
			case "tool_result":
				if !slices.Contains(calls, b.ToolUseID) || slices.Contains(answered, b.ToolUseID) || j != len(answered) {
					return fmt.Sprintf("%s.content.%d: unexpected `tool_use_id` found in `tool_result` blocks: %s", at, j, b.ToolUseID)
				}
				answered = append(answered, b.ToolUseID)
			}
		}
		if len(answered) != len(calls) {
			return at + ": `tool_use` ids were found without `tool_result` blocks immediately after: " + strings.Join(calls, ", ")
		}
		calls = made
	}
	last := in.Messages[len(in.Messages)-1]
	if b := last.blocks[len(last.blocks)-1]; last.Role == "assistant" && b.Text != nil && *b.Text != strings.TrimRightFunc(*b.Text, unicode.IsSpace) {
		return "messages: final assistant content cannot end with trailing whitespace"
	}
	if len(calls) > 0 {
		return "messages: `tool_use` ids were found without `tool_result` blocks"
	}
	return ""
}

var claudeCallID = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)

func (b *claudeBlock) check(role string) string {
	var input map[string]any
	switch b.Type {
	case "text":
		if isBlank(b.Text) {
			return "text content blocks must be non-empty"
		}
	case "image", "document":
		if role != "user" || b.Source == nil || !b.Source.valid(b.Type) {
			return b.Type + ".source: invalid"
		}
	case "tool_use":
		if role != "assistant" || !claudeCallID.MatchString(b.ID) || b.Name == "" || json.Unmarshal(b.Input, &input) != nil || input == nil {
			return "tool_use: invalid id, name or input"
		}
	case "tool_result":
		if len(b.Content) == 0 {
			break
		}
		blocks, err := claudeBlocks(b.Content)
		if err != nil || role != "user" {
			return "tool_result.content: invalid"
		}
		for _, c := range blocks {
			if fault := c.check(role); fault != "" || c.Type == "tool_result" {
				return "tool_result.content: " + fault
			}
		}
	case "thinking":
		if role != "assistant" || b.Signature == "" || b.Thinking == nil {
			return "thinking: Invalid `signature` in `thinking` block"
		}
	case "redacted_thinking":
		if role != "assistant" || b.Data == "" {
			return "redacted_thinking.data: Field required"
		}
	default:
		return "type: Input tag '" + b.Type + "' found using 'type' does not match any of the expected tags"
	}
	return ""
}

func (s *claudeSource) valid(block string) bool {
	switch s.Type {
	case "base64":
		types := []string{"image/jpeg", "image/png", "image/gif", "image/webp"}
		if block == "document" {
			types = []string{"application/pdf"}
		}
		return slices.Contains(types, s.MediaType) && s.Data != "" && s.URL == ""
	case "url":
		return strings.HasPrefix(strings.ToLower(s.URL), "http") && s.Data == "" && s.MediaType == ""
	case "text":
		return block == "document" && s.MediaType == "text/plain" && s.Data != ""
	}
	return false
}
