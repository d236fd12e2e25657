package e2e

import (
	"encoding/json"
	"strings"

	"github.com/anthropics/anthropic-sdk-go"
	"google.golang.org/genai"

	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// A say is what a provider answers: thoughts, then text, then calls.
type say struct {
	thought, text string
	calls         [][3]string // id, name, arguments
}

// A format is one wire format that providers speak, for the cases that are the same in all.
type format struct {
	name   string // also the first part of its models' names
	config string // of the provider, besides its address and key
	speaks mockllm.Format

	model func(name string) string // the provider's name of a model that can do everything
	asked func(r *mockllm.Seen) (name string, stream bool)

	whole  func(s say) string       // an answer, as JSON
	stream func(s say) mockllm.Step // the same streamed, with its end
	begun  mockllm.Step             // a stream up to the text "he"
	reject string                   // the body of a 400 with the message "bad temp"

	result string // stands in a request that gives a tool's result
	image  string // in one with pngURI
	schema string // in one with a JSON schema for the answer
	effort string // in one that wants much reasoning
}

func formats() []format {
	azure := openAIFormat("azure")
	azure.config, azure.speaks = "backend_type = \"azure\"\napi_version = \"2024-10-21\"\n", mockllm.Azure
	azureV1 := openAIFormat("azure-v1")
	azureV1.config, azureV1.speaks = "backend_type = \"azure\"\n", mockllm.Azure
	return []format{openAIFormat("openai"), azure, azureV1, claudeFormat(), geminiFormat()}
}

// asJSON is v as JSON; what the SDKs' types hold can always be written.
func asJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func finishOf(s say) string {
	if len(s.calls) > 0 {
		return "tool_calls"
	}
	return "stop"
}

// openAIFormat is OpenAI's own, at OpenAI or at Azure.
func openAIFormat(name string) format {
	calls := func(s say) (all []map[string]any) {
		for i, c := range s.calls {
			all = append(all, map[string]any{"index": i, "id": c[0], "type": "function", "function": map[string]any{"name": c[1], "arguments": c[2]}})
		}
		return all
	}
	return format{
		name: name, speaks: mockllm.OpenAI,
		model: func(name string) string { return "gpt-" + name },
		asked: func(r *mockllm.Seen) (string, bool) {
			var body struct {
				Model  string
				Stream bool
			}
			_ = json.Unmarshal(r.Body, &body) // the mock refuses what is not JSON
			return strings.TrimPrefix(body.Model, "gpt-"), body.Stream
		},
		whole: func(s say) string {
			message := map[string]any{"role": "assistant", "content": s.text, "refusal": nil}
			if s.thought != "" {
				message["reasoning_content"] = s.thought
			}
			if len(s.calls) > 0 {
				message["tool_calls"] = calls(s)
			}
			return asJSON(map[string]any{
				"id": "c1", "object": "chat.completion", "created": 1, "model": "m",
				"choices": []any{map[string]any{"index": 0, "message": message, "logprobs": nil, "finish_reason": finishOf(s)}},
				"usage":   map[string]any{"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
			})
		},
		stream: func(s say) mockllm.Step {
			frames := []string{mockllm.Role()}
			if s.thought != "" {
				frames = append(frames, mockllm.Chunk(asJSON(map[string]any{"reasoning_content": s.thought}), ""))
			}
			if s.text != "" {
				frames = append(frames, mockllm.Text(s.text))
			}
			for _, c := range calls(s) {
				frames = append(frames, mockllm.Chunk(asJSON(map[string]any{"tool_calls": []any{c}}), ""))
			}
			return mockllm.SSE(append(frames, mockllm.Finish(finishOf(s)), mockllm.UsageChunk(7, 3), mockllm.Done)...)
		},
		begun:  mockllm.SSE(mockllm.Role(), mockllm.Text("he")),
		reject: mockllm.Fault("bad temp", "invalid_request_error", "temperature", "x"),
		result: `"tool_call_id":`, image: pngURI, schema: `"json_schema":{`, effort: `"reasoning_effort":"high"`,
	}
}

// claudeFormat builds its answers with the types of Anthropic's SDK, as far as
// these can be written: the unions of answers can only be read.
func claudeFormat() format {
	stop := func(s say) string {
		if len(s.calls) > 0 {
			return "tool_use"
		}
		return "end_turn"
	}
	return format{
		name: "claude", config: "backend_type = \"claude\"\n", speaks: mockllm.Claude,
		model: func(name string) string { return "claude-opus-4-6-" + name },
		asked: func(r *mockllm.Seen) (string, bool) {
			var body struct {
				Model  string
				Stream bool
			}
			_ = json.Unmarshal(r.Body, &body)
			return strings.TrimPrefix(body.Model, "claude-opus-4-6-"), body.Stream
		},
		whole: func(s say) string {
			var blocks []any
			if s.thought != "" {
				blocks = append(blocks, anthropic.ThinkingBlock{Thinking: s.thought, Signature: "c2ln"})
			}
			if s.text != "" {
				blocks = append(blocks, anthropic.TextBlock{Text: s.text})
			}
			for _, c := range s.calls {
				blocks = append(blocks, anthropic.ToolUseBlock{ID: c[0], Name: c[1], Input: json.RawMessage(c[2])})
			}
			return asJSON(map[string]any{
				"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": blocks,
				"stop_reason": stop(s), "stop_sequence": nil, "usage": anthropic.Usage{InputTokens: 7, OutputTokens: 3},
			})
		},
		stream: func(s say) mockllm.Step {
			events := []string{mockllm.ClaudeStart(7), mockllm.ClaudePing()}
			block := func(start any, deltas ...any) {
				n := strings.Count(strings.Join(events, ""), "content_block_start")
				events = append(events, mockllm.ClaudeBlock(n, asJSON(start)))
				for _, d := range deltas {
					events = append(events, mockllm.ClaudeDelta(n, asJSON(d)))
				}
				events = append(events, mockllm.ClaudeBlockStop(n))
			}
			if s.thought != "" {
				block(anthropic.ThinkingBlock{}, anthropic.ThinkingDelta{Thinking: s.thought}, anthropic.SignatureDelta{Signature: "c2ln"})
			}
			if s.text != "" {
				block(anthropic.TextBlock{}, anthropic.TextDelta{Text: s.text})
			}
			for _, c := range s.calls {
				start := anthropic.ToolUseBlock{ID: c[0], Name: c[1], Input: json.RawMessage("{}")}
				if c[2] == "{}" {
					block(start)
					continue
				}
				half := len(c[2]) / 2
				block(start, anthropic.InputJSONDelta{PartialJSON: c[2][:half]}, anthropic.InputJSONDelta{PartialJSON: c[2][half:]})
			}
			return mockllm.ClaudeEvents(append(events, mockllm.ClaudeFinish(stop(s), 3), mockllm.ClaudeStop())...)
		},
		begun:  mockllm.ClaudeEvents(mockllm.ClaudeStart(7), mockllm.ClaudeBlock(0, asJSON(anthropic.TextBlock{})), mockllm.ClaudeText("he")),
		reject: mockllm.ClaudeFault("invalid_request_error", "bad temp"),
		result: `"type":"tool_result"`, image: `"media_type":"image/png","data":"iVBORw0KGgo="`,
		schema: `"format":{"type":"json_schema"`, effort: `"effort":"high"`,
	}
}

// geminiFormat builds its answers with the types of Google's SDK.
func geminiFormat() format {
	part := func(p *genai.Part, finish genai.FinishReason) string {
		r := &genai.GenerateContentResponse{
			ResponseID: "r1", ModelVersion: "m",
			Candidates: []*genai.Candidate{{Content: &genai.Content{Role: "model", Parts: []*genai.Part{p}}, FinishReason: finish}},
		}
		if finish != "" {
			r.UsageMetadata = &genai.GenerateContentResponseUsageMetadata{PromptTokenCount: 7, CandidatesTokenCount: 3, TotalTokenCount: 10}
		}
		return asJSON(r)
	}
	chunks := func(s say) (all []string) {
		if s.thought != "" {
			all = append(all, part(&genai.Part{Text: s.thought, Thought: true}, ""))
		}
		for i, c := range s.calls {
			call := &genai.Part{FunctionCall: &genai.FunctionCall{Name: c[1]}}
			_ = json.Unmarshal([]byte(c[2]), &call.FunctionCall.Args) // the cases' own
			if i == 0 {
				call.ThoughtSignature = []byte("sig")
			}
			all = append(all, part(call, ""))
		}
		return append(all, part(&genai.Part{Text: s.text}, genai.FinishReasonStop))
	}
	return format{
		name: "gemini", config: "backend_type = \"gemini\"\nsafety_settings = { HARM_CATEGORY_HARASSMENT = \"BLOCK_NONE\" }\n", speaks: mockllm.Gemini,
		model: func(name string) string { return "gemini-3-" + name },
		asked: func(r *mockllm.Seen) (string, bool) {
			name, method, _ := strings.Cut(strings.TrimPrefix(r.Path, "/v1beta/models/gemini-3-"), ":")
			return name, method == "streamGenerateContent"
		},
		whole:  func(s say) string { return "[" + strings.Join(chunks(s), ",") + "]" },
		stream: func(s say) mockllm.Step { return mockllm.SSE(chunks(s)...) },
		begun:  mockllm.SSE(part(&genai.Part{Text: "he"}, "")),
		reject: mockllm.GeminiFault(400, "INVALID_ARGUMENT", "bad temp"),
		result: `"functionResponse":`, image: `"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="}`,
		schema: `"responseJsonSchema":`, effort: `"thinkingLevel":"HIGH"`,
	}
}
