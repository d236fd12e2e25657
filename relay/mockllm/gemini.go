package mockllm

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

const geminiModels = "/v1beta/models"

// geminiAnswer is what a provider with Gemini's format does about one request.
func geminiAnswer(b *Behaviour, r *Seen, chats *atomic.Uint64) []Step {
	if b.Outage != 0 {
		return geminiFailure(b.Outage)
	}
	if b.Key != "" && r.Header.Get("X-Goog-Api-Key") != b.Key {
		return refuse(http.StatusBadRequest, GeminiFault(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.",
			`{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID","domain":"googleapis.com"}`))
	}
	path, method, _ := strings.Cut(strings.TrimPrefix(r.Path, geminiModels), ":")
	model, err := url.PathUnescape(strings.TrimPrefix(path, "/"))
	switch {
	case !strings.HasPrefix(r.Path, geminiModels) || err != nil:
	case path == "" && r.Method == http.MethodGet:
		return geminiList(b)
	case r.Method == http.MethodPost && (method == "generateContent" || method == "streamGenerateContent"):
		return geminiChat(b, r, geminiCall{model: model, stream: method == "streamGenerateContent", n: chats.Add(1)})
	case r.Method == http.MethodPost && method == "countTokens":
		return geminiCount(b, r, model)
	case r.Method == http.MethodPost && method == "batchEmbedContents":
		return geminiEmbeddings(b, r, model)
	}
	return refuse(http.StatusNotFound, GeminiFault(404, "NOT_FOUND", "Not found: "+r.Method+" "+r.Path))
}

// geminiFailure is a failure that the request is not to blame for.
func geminiFailure(status int) []Step {
	switch status {
	case http.StatusTooManyRequests:
		return refuse(status, GeminiFault(status, "RESOURCE_EXHAUSTED", "You exceeded your current quota.",
			`{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1s"}`))
	case http.StatusServiceUnavailable:
		return refuse(status, GeminiFault(status, "UNAVAILABLE", "The model is overloaded. Please try again later."))
	case http.StatusUnauthorized:
		return refuse(status, GeminiFault(status, "UNAUTHENTICATED", "This account cannot be served"))
	case http.StatusForbidden:
		return refuse(status, GeminiFault(status, "PERMISSION_DENIED", "This account cannot be served"))
	}
	if status < 500 {
		return refuse(status, GeminiFault(status, "FAILED_PRECONDITION", "This account cannot be served"))
	}
	return refuse(status, GeminiFault(status, "INTERNAL", "An internal error has occurred."))
}

func geminiList(b *Behaviour) []Step {
	var models []string
	for _, m := range b.models() {
		models = append(models, fmt.Sprintf(`{"name":%s,"displayName":%s,"supportedGenerationMethods":["generateContent","countTokens"]}`, quote("models/"+m), quote(m)))
	}
	return []Step{JSON(http.StatusOK, nil, `{"models":[`+strings.Join(models, ",")+`]}`)}
}

type geminiCall struct {
	model  string
	stream bool
	n      uint64
}

func geminiChat(b *Behaviour, r *Seen, c geminiCall) []Step {
	if !b.has(c.model) {
		return refuse(http.StatusNotFound, GeminiFault(404, "NOT_FOUND", "models/"+c.model+" is not found for API version v1beta"))
	}
	in, err := readGemini(r.Body, c.model)
	if err != nil {
		return refuse(http.StatusBadRequest, GeminiFault(400, "INVALID_ARGUMENT", err.Error()))
	}
	if status := b.failure(c.n); status != 0 {
		return append([]Step{Sleep(b.Latency)}, geminiFailure(status)...)
	}
	history, last := in.texts()
	reply := b.reply(Prompt{Model: c.model, Text: last}, history, in.limit())
	finish := "STOP"
	if reply.truncated {
		finish = "MAX_TOKENS"
	}
	frame := func(text, finish string, tokens int) string {
		return fmt.Sprintf(`{"candidates":[{"content":{"parts":[{"text":%s}],"role":"model"}%s,"index":0}],"usageMetadata":%s,"modelVersion":%s,"responseId":%s}`,
			quote(text), geminiReason(finish), geminiUsage(reply.promptTokens, tokens), quote(c.model), quote(openAIID(b.name(), c.n)))
	}
	if !c.stream {
		pause := b.Latency + time.Duration(max(0, len(reply.words)-1))*b.TokenInterval
		return []Step{Sleep(pause), JSON(http.StatusOK, nil, frame(strings.Join(reply.words, ""), finish, reply.completionTokens))}
	}
	steps := []Step{Sleep(b.Latency)}
	words := append([]string(nil), reply.words...)
	if len(words) == 0 {
		words = []string{""}
	}
	sse := strings.Contains(r.Query, "alt=sse")
	if !sse {
		steps = append(steps, Header(http.StatusOK, http.Header{"Content-Type": {"application/json; charset=UTF-8"}}))
	}
	for i, word := range words {
		if i > 0 {
			steps = append(steps, Sleep(b.TokenInterval))
		}
		end := ""
		if i == len(words)-1 {
			end = finish
		}
		text := frame(word, end, reply.completionTokens*(i+1)/len(words))
		switch {
		case sse:
			steps = append(steps, SSE(text))
		case i == 0:
			steps = append(steps, Body("["+text))
		default:
			steps = append(steps, Body(",\r\n"+text))
		}
	}
	if !sse {
		steps = append(steps, Body("]"))
	}
	return steps
}
