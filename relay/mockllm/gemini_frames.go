package mockllm

import (
	"fmt"
	"net/http"
	"strings"
)

// GeminiChunk is a GenerateContentResponse with one candidate, whose parts are JSON objects; finish is the finish
// reason, "" for none. It has the response id "r1" and no usage.
func GeminiChunk(finish string, parts ...string) string {
	return fmt.Sprintf(`{"candidates":[{"content":{"parts":[%s],"role":"model"}%s,"index":0}],"modelVersion":"m","responseId":"r1"}`,
		strings.Join(parts, ","), geminiReason(finish))
}

func geminiReason(finish string) string {
	if finish == "" {
		return ""
	}
	return `,"finishReason":` + quote(finish)
}

// GeminiText is a part with text.
func GeminiText(text string) string { return `{"text":` + quote(text) + `}` }

// GeminiCall is a part with a function call; args is a JSON object, signature the thought signature, "" for none.
func GeminiCall(name, args, signature string) string {
	part := fmt.Sprintf(`{"functionCall":{"name":%s,"args":%s}`, quote(name), args)
	if signature != "" {
		part += `,"thoughtSignature":` + quote(signature)
	}
	return part + "}"
}

// GeminiFinish is the last event of a stream: no text, the finish reason and the usage.
func GeminiFinish(finish string, prompt, completion int) string {
	chunk := GeminiChunk(finish, GeminiText(""))
	return strings.TrimSuffix(chunk, "}") + `,"usageMetadata":` + geminiUsage(prompt, completion) + "}"
}

// GeminiStream is a whole good stream for the pieces of a text.
func GeminiStream(pieces ...string) []string {
	var frames []string
	for _, p := range pieces {
		frames = append(frames, GeminiChunk("", GeminiText(p)))
	}
	return append(frames, GeminiFinish("STOP", 11, len(pieces)))
}

func geminiUsage(prompt, completion int) string {
	return fmt.Sprintf(`{"promptTokenCount":%d,"candidatesTokenCount":%d,"totalTokenCount":%d}`, prompt, completion, prompt+completion)
}

// GeminiFault is an error as Google's API writes it; details are JSON objects. It serves as the body of an answer, as
// an event of a failing stream, and bare between events.
func GeminiFault(code int, status, message string, details ...string) string {
	more := ""
	if len(details) > 0 {
		more = `,"details":[` + strings.Join(details, ",") + `]`
	}
	return fmt.Sprintf("{\n  \"error\": {\n    \"code\": %d,\n    \"message\": %s,\n    \"status\": %s%s\n  }\n}\n", code, quote(message), quote(status), more)
}

// StrictGemini refuses what the real API refuses, with 400; what is well-formed is left to the script.
func StrictGemini(script Script) Script {
	return func(r *Seen) []Step {
		model, method, _ := strings.Cut(strings.TrimPrefix(r.Path, geminiModels+"/"), ":")
		if r.Method == http.MethodPost {
			read := readGemini
			if method == "countTokens" {
				read = readGeminiCount
			}
			if _, err := read(r.Body, model); err != nil {
				return refuse(http.StatusBadRequest, GeminiFault(400, "INVALID_ARGUMENT", err.Error()))
			}
		}
		return script(r)
	}
}
