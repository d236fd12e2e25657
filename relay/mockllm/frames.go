package mockllm

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Done is the frame that ends a stream in OpenAI's format.
const Done = "[DONE]"

// Chunk is a chat.completion.chunk with one choice. delta is a JSON object; finish is the finish reason, "" for null.
// Every chunk made here has the id "c1", the creation time 1 and the model "m".
func Chunk(delta, finish string) string {
	reason := "null"
	if finish != "" {
		reason = quote(finish)
	}
	return chunk(fmt.Sprintf(`[{"index":0,"delta":%s,"logprobs":null,"finish_reason":%s}]`, delta, reason), "")
}

// Role is the chunk that opens a choice.
func Role() string { return Chunk(`{"role":"assistant","content":"","refusal":null}`, "") }

// Text is a chunk of content.
func Text(text string) string { return Chunk(`{"content":`+quote(text)+`}`, "") }

// Finish is the chunk that ends a choice, with "stop", "length", "tool_calls" or "content_filter".
func Finish(reason string) string { return Chunk(`{}`, reason) }

// UsageChunk is the chunk without choices that reports the tokens.
func UsageChunk(prompt, completion int) string {
	return chunk("[]", `,"usage":`+usage(prompt, completion))
}

// TextStream is a whole good stream for the pieces of a text: role, text, finish "stop" and Done. It has no usage.
func TextStream(pieces ...string) []string {
	frames := []string{Role()}
	for _, piece := range pieces {
		frames = append(frames, Text(piece))
	}
	return append(frames, Finish("stop"), Done)
}

// Completion is a whole chat.completion with the id "c1", the creation time 1 and the model "m", that ended with
// "stop".
func Completion(text string, prompt, completion int) string {
	return fmt.Sprintf(`{"id":"c1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,`+
		`"message":{"role":"assistant","content":%s,"refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":%s}`,
		quote(text), usage(prompt, completion))
}

// ModelList is a list of models with these ids, such as answers GET /models.
func ModelList(ids ...string) string {
	var data []string
	for _, id := range ids {
		data = append(data, `{"id":`+quote(id)+`,"object":"model"}`)
	}
	return `{"object":"list","data":[` + strings.Join(data, ",") + `]}`
}

// Fault is an error envelope; it serves as the body of an answer and as the frame of a failing stream. An empty param
// or code is null.
func Fault(message, kind, param, code string) string {
	return fmt.Sprintf(`{"error":{"message":%s,"type":%s,"param":%s,"code":%s}}`,
		quote(message), quote(kind), quoteOrNull(param), quoteOrNull(code))
}

func chunk(choices, more string) string {
	return `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":` + choices + more + `}`
}

func usage(prompt, completion int) string {
	return fmt.Sprintf(`{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}`, prompt, completion, prompt+completion)
}

// quote writes a JSON string; invalid UTF-8 becomes U+FFFD.
func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic("mockllm: a string did not marshal: " + err.Error()) // json.Marshal takes every string
	}
	return string(b)
}

func quoteOrNull(s string) string {
	if s == "" {
		return "null"
	}
	return quote(s)
}
