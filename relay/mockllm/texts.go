package mockllm

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// TextChunk is a chunk of a stream of completions; finish is the finish reason, "" for null.
func TextChunk(text, finish string) string {
	return fmt.Sprintf(`{"id":"c1","object":"text_completion","created":1,"model":"m","choices":[{"text":%s,"index":0,"logprobs":null,"finish_reason":%s}]}`,
		quote(text), quoteOrNull(finish))
}

// TextCompletion is a whole answer of completions with the id "c1", that ended with "stop".
func TextCompletion(text string, prompt, completion int) string {
	return strings.TrimSuffix(TextChunk(text, "stop"), "}") + `,"usage":` + usage(prompt, completion) + "}"
}

// textsInput is the part of a request for completions that an answer depends on.
type textsInput struct {
	Model         string `json:"model"`
	Prompt        any    `json:"prompt"`
	Stream        bool   `json:"stream"`
	StreamOptions *struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
	MaxTokens *int `json:"max_tokens"`
}

// openAITexts answers a request for completions.
func openAITexts(b *Behaviour, r *Seen, calls *atomic.Uint64) []Step {
	var in textsInput
	if err := json.Unmarshal(r.Body, &in); err != nil {
		return openAIInvalid("", "The body of the request is not a valid JSON object")
	}
	prompt, isText := in.Prompt.(string)
	limit := 16 // the real one's
	if in.MaxTokens != nil {
		limit = *in.MaxTokens
	}
	switch {
	case in.Model == "":
		return openAIInvalid("model", "Missing required parameter: 'model'")
	case !b.has(in.Model):
		return openAINoModel(in.Model)
	case in.Prompt != nil && !isText:
		return openAIInvalid("prompt", "This provider takes one text as 'prompt'")
	case in.StreamOptions != nil && !in.Stream:
		return openAIInvalid("stream_options", "'stream_options' is only allowed when 'stream' is true")
	case limit < 1:
		return openAIInvalid("max_tokens", "Invalid 'max_tokens': want 1 or more")
	}
	n := calls.Add(1)
	if status := b.failure(n); status != 0 {
		return append([]Step{Sleep(b.Latency)}, openAIFailure(status)...)
	}
	out := openAIOutput{
		reply:   b.reply(Prompt{Model: in.Model, Text: prompt}, prompt, limit),
		id:      strings.Replace(openAIID(b.name(), n), "chatcmpl-", "cmpl-", 1),
		created: time.Now().Unix(),
		model:   quote(in.Model),
	}
	if in.Stream {
		return out.texts(b, in.StreamOptions != nil && in.StreamOptions.IncludeUsage)
	}
	body := fmt.Sprintf(`{"id":%q,"object":"text_completion","created":%d,"model":%s,"choices":[{"text":%s,"index":0,"logprobs":null,"finish_reason":%q}],"usage":%s}`,
		out.id, out.created, out.model, quote(strings.Join(out.words, "")), out.finish(), usage(out.promptTokens, out.completionTokens))
	pause := b.Latency + time.Duration(max(0, len(out.words)-1))*b.TokenInterval
	return []Step{Sleep(pause), JSON(http.StatusOK, out.header("application/json"), body)}
}

// texts is a streamed answer of completions.
func (o openAIOutput) texts(b *Behaviour, withUsage bool) []Step {
	head := fmt.Sprintf(`{"id":%q,"object":"text_completion","created":%d,"model":%s,"choices":`, o.id, o.created, o.model)
	steps := []Step{Sleep(b.Latency), Header(http.StatusOK, o.header("text/event-stream"))}
	for i, word := range o.words {
		if i > 0 {
			steps = append(steps, Sleep(b.TokenInterval))
		}
		finish := "null"
		if i == len(o.words)-1 {
			finish = quote(o.finish())
		}
		steps = append(steps, SSE(head+`[{"text":`+quote(word)+`,"index":0,"logprobs":null,"finish_reason":`+finish+`}]}`))
	}
	if withUsage {
		steps = append(steps, SSE(head+`[],"usage":`+usage(o.promptTokens, o.completionTokens)+`}`))
	}
	return append(steps, SSE(Done))
}

func openAIInvalid(param, message string) []Step {
	return refuse(http.StatusBadRequest, Fault(message, "invalid_request_error", param, ""))
}
