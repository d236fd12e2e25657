package mockllm

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
)

// Strict refuses what the real API of that format refuses, with 400; what is well-formed is left to the script.
func Strict(f Format, script Script) Script {
	switch f {
	case Claude:
		return StrictClaude(script)
	case Gemini:
		return StrictGemini(script)
	default:
		return StrictOpenAI(script)
	}
}

// StrictClaude refuses what the real API refuses, with 400; what is well-formed is left to the script.
func StrictClaude(script Script) Script {
	return func(r *Seen) []Step {
		if r.Method == http.MethodPost {
			if _, fault := readClaude(r.Body, r.Header); fault != "" {
				return claudeRefuse(fault)
			}
		}
		return script(r)
	}
}

// StrictOpenAI refuses conversations that OpenAI and Azure refuse, with 400: messages with members that they do not
// know, tool-call ids over 40 bytes, and calls without their results. What is well-formed is left to the script.
func StrictOpenAI(script Script) Script {
	return func(r *Seen) []Step {
		if r.Method == http.MethodPost {
			if fault := checkOpenAIMessages(r.Body); fault != "" {
				return refuse(http.StatusBadRequest, Fault(fault, "invalid_request_error", "messages", "invalid_value"))
			}
		}
		return script(r)
	}
}

const maxCallID = 40

var (
	// The official SDK for JavaScript sends parsed back with the messages that its stream helper makes.
	openAIMessageKeys = []string{"role", "content", "name", "refusal", "tool_calls", "tool_call_id", "function_call", "audio", "annotations", "reasoning_content", "parsed"}
	openAICallKeys    = []string{"id", "type", "function", "index"}
)

// checkOpenAIMessages returns what is wrong, "" if nothing is.
func checkOpenAIMessages(body []byte) string {
	var in struct {
		Messages []map[string]json.RawMessage `json:"messages"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return err.Error()
	}
	open := map[string]bool{} // calls without a result yet
	for i, m := range in.Messages {
		for key := range m {
			if !slices.Contains(openAIMessageKeys, key) {
				return fmt.Sprintf("Additional properties are not allowed (%q was unexpected) - 'messages.%d'", key, i)
			}
		}
		var role, result string
		_, _ = json.Unmarshal(m["role"], &role), json.Unmarshal(m["tool_call_id"], &result)
		switch {
		case role == "tool" && !open[result]:
			return fmt.Sprintf("messages.%d: a tool message must follow a message with the tool call %q", i, result)
		case role == "tool":
			delete(open, result)
			continue
		case len(open) > 0:
			return fmt.Sprintf("messages.%d: the tool calls before it have no results", i)
		}
		var calls []map[string]json.RawMessage
		_ = json.Unmarshal(m["tool_calls"], &calls)
		for j, call := range calls {
			for key := range call {
				if !slices.Contains(openAICallKeys, key) {
					return fmt.Sprintf("Additional properties are not allowed (%q was unexpected) - 'messages.%d.tool_calls.%d'", key, i, j)
				}
			}
			var id string
			if err := json.Unmarshal(call["id"], &id); err != nil || id == "" || len(id) > maxCallID {
				return fmt.Sprintf("messages.%d.tool_calls.%d.id: 1 to %d characters", i, j, maxCallID)
			}
			open[id] = true
		}
	}
	if len(open) > 0 {
		return "the last tool calls have no results"
	}
	return ""
}
