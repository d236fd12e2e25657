package mockllm

import (
	"fmt"
	"hash/fnv"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const (
	chatPath   = "/v1/chat/completions"
	modelsPath = "/v1/models"
)

// listed is the creation time of every model in the list.
const listed = 1_700_000_000

// openAIAnswer is what a provider with OpenAI's format does about one request.
func openAIAnswer(b *Behaviour, r *Seen, chats *atomic.Uint64) []Step {
	if b.Outage != 0 {
		return openAIFailure(b.Outage)
	}
	if fault := openAIKey(b, r); fault != nil {
		return fault
	}
	switch path, _ := strings.CutSuffix(r.Path, "/"); {
	case path == chatPath && r.Method == http.MethodPost:
		return openAIChat(b, r, chats.Add(1))
	case path == responsesPath || strings.HasPrefix(path, responsesPath+"/"):
		return responsesAnswer(b, r, strings.TrimPrefix(path, responsesPath))
	case r.Method == http.MethodPost && strings.HasPrefix(path, "/v1/") && path != modelsPath:
		if steps := openAIOther(b, r, openAICall{strings.TrimPrefix(path, "/v1/"), chats}); steps != nil {
			return steps
		}
		return openAIUnknown(r)
	case path == modelsPath && r.Method == http.MethodGet:
		return openAIList(b)
	case strings.HasPrefix(path, modelsPath+"/") && r.Method == http.MethodGet:
		return openAIModel(b, strings.TrimPrefix(path, modelsPath+"/"))
	case path == chatPath || path == modelsPath:
		return refuse(http.StatusMethodNotAllowed, Fault("Not allowed to "+r.Method+" on "+path, "invalid_request_error", "", "method_not_supported"))
	default:
		return openAIUnknown(r)
	}
}

func openAIUnknown(r *Seen) []Step {
	return refuse(http.StatusNotFound, Fault("Unknown request URL: "+r.Method+" "+r.Path, "invalid_request_error", "", "unknown_url"))
}

// openAICall is what is asked for besides chat: its path below the base URL.
type openAICall struct {
	op    string
	chats *atomic.Uint64
}

// openAIOther answers all endpoints but chat; nil for one that there is not.
func openAIOther(b *Behaviour, r *Seen, c openAICall) []Step {
	switch c.op {
	case "completions":
		return openAITexts(b, r, c.chats)
	case "embeddings":
		return openAIEmbeddings(b, r)
	case "moderations":
		return openAIModerations(b, r)
	}
	return openAIMedia(b, r, c)
}

func openAIKey(b *Behaviour, r *Seen) []Step {
	scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch {
	case b.Key == "":
		return nil
	case !strings.EqualFold(scheme, "Bearer") || key == "":
		return refuse(http.StatusUnauthorized, Fault("An API key is needed: Authorization: Bearer KEY", "invalid_request_error", "", ""))
	case key != b.Key:
		return refuse(http.StatusUnauthorized, Fault("Incorrect API key provided", "invalid_request_error", "", "invalid_api_key"))
	}
	return nil
}

// openAIFailure is a failure that the request is not to blame for.
func openAIFailure(status int) []Step {
	switch {
	case status == http.StatusTooManyRequests:
		return []Step{JSON(status, http.Header{"Retry-After": {"1"}}, Fault("Rate limit reached; try again in 1s", "rate_limit_error", "", "rate_limit_exceeded"))}
	case status == http.StatusServiceUnavailable:
		return refuse(status, Fault("The server is overloaded; try again later", "server_error", "", "overloaded"))
	case status < 500:
		return refuse(status, Fault("This account cannot be served", "invalid_request_error", "", "account_not_served"))
	default:
		return refuse(status, Fault("The server had an error while it processed the request", "server_error", "", ""))
	}
}

func openAIList(b *Behaviour) []Step {
	var data []string
	for _, model := range b.models() {
		data = append(data, openAIModelObject(b, model))
	}
	return []Step{JSON(http.StatusOK, nil, `{"object":"list","data":[`+strings.Join(data, ",")+`]}`)}
}

func openAIModel(b *Behaviour, escaped string) []Step {
	model, err := url.PathUnescape(escaped)
	if err != nil || !b.has(model) {
		return openAINoModel(escaped)
	}
	return []Step{JSON(http.StatusOK, nil, openAIModelObject(b, model))}
}

func openAIModelObject(b *Behaviour, model string) string {
	return fmt.Sprintf(`{"id":%s,"object":"model","created":%d,"owned_by":%s}`, quote(model), listed, quote(b.name()))
}

func openAINoModel(model string) []Step {
	return refuse(http.StatusNotFound, Fault("The model `"+model+"` does not exist or you do not have access to it", "invalid_request_error", "", "model_not_found"))
}

// openAIChat answers the n-th chat request.
func openAIChat(b *Behaviour, r *Seen, n uint64) []Step {
	in, fault := readOpenAI(r.Body)
	if fault != "" {
		return refuse(http.StatusBadRequest, fault)
	}
	if !b.has(in.Model) {
		return openAINoModel(in.Model)
	}
	if status := b.failure(n); status != 0 {
		return append([]Step{Sleep(b.Latency)}, openAIFailure(status)...)
	}
	history, last := in.texts()
	out := openAIOutput{
		reply:   b.reply(Prompt{Model: in.Model, Text: last}, history, in.limit()),
		id:      openAIID(b.name(), n),
		created: time.Now().Unix(),
		model:   quote(in.Model),
	}
	if in.Stream {
		return out.stream(b, in.StreamOptions != nil && in.StreamOptions.IncludeUsage)
	}
	return out.whole(b)
}

// openAIID is unlike the ids of the provider's other answers and those of other providers.
func openAIID(name string, n uint64) string {
	h := fnv.New64a()
	h.Write([]byte(name))
	return fmt.Sprintf("chatcmpl-%016x%06d", h.Sum64(), n)
}

// openAIOutput puts a reply into OpenAI's format.
type openAIOutput struct {
	reply
	id      string
	created int64
	model   string // quoted
}

func (o openAIOutput) finish() string {
	if o.truncated {
		return "length"
	}
	return "stop"
}

func (o openAIOutput) header(contentType string) http.Header {
	return http.Header{"Content-Type": {contentType}, "X-Request-Id": {"req_" + strings.TrimPrefix(o.id, "chatcmpl-")}}
}

// whole is the answer in one JSON object, after the time that its words take.
func (o openAIOutput) whole(b *Behaviour) []Step {
	body := fmt.Sprintf(`{"id":%q,"object":"chat.completion","created":%d,"model":%s,"choices":[{"index":0,"message":`+
		`{"role":"assistant","content":%s,"refusal":null},"logprobs":null,"finish_reason":%q}],"usage":%s}`,
		o.id, o.created, o.model, quote(strings.Join(o.words, "")), o.finish(), usage(o.promptTokens, o.completionTokens))
	pause := b.Latency + time.Duration(max(0, len(o.words)-1))*b.TokenInterval
	return []Step{Sleep(pause), JSON(http.StatusOK, o.header("application/json"), body)}
}

// stream is the answer word by word.
func (o openAIOutput) stream(b *Behaviour, withUsage bool) []Step {
	end := "}"
	if withUsage {
		end = `,"usage":null}`
	}
	head := fmt.Sprintf(`{"id":%q,"object":"chat.completion.chunk","created":%d,"model":%s,"choices":`, o.id, o.created, o.model)
	frame := func(delta, finish string) string {
		return head + `[{"index":0,"delta":` + delta + `,"logprobs":null,"finish_reason":` + quoteOrNull(finish) + `}]` + end
	}
	steps := []Step{Sleep(b.Latency), Header(http.StatusOK, o.header("text/event-stream")), SSE(frame(`{"role":"assistant","content":"","refusal":null}`, ""))}
	for i, word := range o.words {
		if i > 0 {
			steps = append(steps, Sleep(b.TokenInterval))
		}
		steps = append(steps, SSE(frame(`{"content":`+quote(word)+`}`, "")))
	}
	steps = append(steps, SSE(frame(`{}`, o.finish())))
	if withUsage {
		steps = append(steps, SSE(head+`[],"usage":`+usage(o.promptTokens, o.completionTokens)+`}`))
	}
	return append(steps, SSE(Done))
}

// refuse is an answer with an error envelope.
func refuse(status int, fault string) []Step {
	return []Step{JSON(status, nil, fault)}
}

func tooLarge() Step {
	return JSON(http.StatusRequestEntityTooLarge, http.Header{"Connection": {"close"}},
		Fault("The request is over "+strconv.Itoa(maxBodyBytes)+" bytes", "invalid_request_error", "", "request_too_large"))
}
