package mockllm

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

const claudePath = "/v1/messages"

// claudeNoSampling is the API version from which on sampling parameters are refused.
const claudeNoSampling = "2026-10-21"

// claudeAnswer is what a provider with Claude's format does about one request.
func claudeAnswer(b *Behaviour, r *Seen, chats *atomic.Uint64) []Step {
	if b.Outage != 0 {
		return claudeFailure(b.Outage)
	}
	if b.Key != "" && r.Header.Get("X-Api-Key") != b.Key && r.Header.Get("Authorization") != "Bearer "+b.Key {
		return refuse(http.StatusUnauthorized, ClaudeFault("authentication_error", "invalid x-api-key"))
	}
	if r.Header.Get("Anthropic-Version") == "" {
		return claudeRefuse("anthropic-version: header is required")
	}
	switch path := strings.TrimSuffix(r.Path, "/"); {
	case path == claudePath && r.Method == http.MethodPost:
		return claudeChat(b, r, chats.Add(1))
	case path == claudePath+"/count_tokens" && r.Method == http.MethodPost:
		return claudeCount(r)
	case path == modelsPath && r.Method == http.MethodGet:
		return claudeList(b)
	default:
		return refuse(http.StatusNotFound, ClaudeFault("not_found_error", "Not found"))
	}
}

// claudeRefuse says what is wrong with a request.
func claudeRefuse(message string) []Step {
	return refuse(http.StatusBadRequest, ClaudeFault("invalid_request_error", message))
}

// claudeFailure is a failure that the request is not to blame for.
func claudeFailure(status int) []Step {
	switch {
	case status == http.StatusTooManyRequests:
		return []Step{JSON(status, http.Header{"Retry-After": {"1"}}, ClaudeFault("rate_limit_error", "This request would exceed the rate limit"))}
	case status == http.StatusServiceUnavailable, status == 529:
		return refuse(529, ClaudeFault("overloaded_error", "Overloaded"))
	case status < 500:
		return refuse(status, ClaudeFault("permission_error", "This account cannot be served"))
	default:
		return refuse(status, ClaudeFault("api_error", "Internal server error"))
	}
}

func claudeList(b *Behaviour) []Step {
	var data []string
	for _, model := range b.models() {
		data = append(data, fmt.Sprintf(`{"type":"model","id":%s,"display_name":%s,"created_at":"2025-01-01T00:00:00Z"}`, quote(model), quote(model)))
	}
	return []Step{JSON(http.StatusOK, nil, `{"data":[`+strings.Join(data, ",")+`],"has_more":false,"first_id":null,"last_id":null}`)}
}

// claudeCount answers how many tokens a request would be. Such a request sets no limit to its answer.
func claudeCount(r *Seen) []Step {
	in, fault := readClaude(withMaxTokens(r.Body), r.Header)
	if fault != "" {
		return claudeRefuse(fault)
	}
	history, _ := in.texts()
	return []Step{JSON(http.StatusOK, nil, fmt.Sprintf(`{"input_tokens":%d}`, tokens(len(strings.Fields(history)))))}
}

// withMaxTokens is a request as it would be if its answer were wanted.
func withMaxTokens(body []byte) []byte {
	rest, ok := bytes.CutPrefix(bytes.TrimSpace(body), []byte("{"))
	if !ok || bytes.Contains(body, []byte(`"max_tokens"`)) {
		return body
	}
	return append([]byte(`{"max_tokens":1,`), rest...)
}

// claudeChat answers the n-th chat request.
func claudeChat(b *Behaviour, r *Seen, n uint64) []Step {
	in, fault := readClaude(r.Body, r.Header)
	if fault != "" {
		return claudeRefuse(fault)
	}
	if r.Header.Get("Anthropic-Version") >= claudeNoSampling && (in.Temperature != nil || in.TopP != nil || in.TopK != nil) {
		return claudeRefuse("temperature, top_p and top_k are not supported by this API version")
	}
	if !b.has(in.Model) {
		return refuse(http.StatusNotFound, ClaudeFault("not_found_error", "model: "+in.Model))
	}
	if status := b.failure(n); status != 0 {
		return append([]Step{Sleep(b.Latency)}, claudeFailure(status)...)
	}
	history, last := in.texts()
	out := claudeOutput{
		reply: b.reply(Prompt{Model: in.Model, Text: last}, history, in.MaxTokens), in: in,
		id: "msg_" + strings.TrimPrefix(openAIID(b.name(), n), "chatcmpl-"),
	}
	if in.Stream {
		return out.stream(b)
	}
	return out.whole(b)
}

// claudeOutput puts a reply into Claude's format.
type claudeOutput struct {
	reply
	in *claudeInput
	id string
}

// tool is the name of the tool that the answer calls instead of saying something, "" for none.
func (o *claudeOutput) tool() string {
	switch c := o.in.ToolChoice; {
	case c == nil || len(o.in.Tools) == 0:
		return ""
	case c.Type == "tool":
		return c.Name
	case c.Type == "any":
		return o.in.Tools[0].Name
	}
	return ""
}

func (o *claudeOutput) reason() string {
	switch {
	case o.tool() != "":
		return "tool_use"
	case o.truncated:
		return "max_tokens"
	}
	return "end_turn"
}

const (
	claudeThought   = `{"type":"thinking","thinking":"A fake thought.","signature":"c2lnbmVk"}`
	claudeUsageForm = `{"input_tokens":%d,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":%d}`
)

func (o *claudeOutput) header(contentType string) http.Header {
	return http.Header{"Content-Type": {contentType}, "Request-Id": {"req_" + strings.TrimPrefix(o.id, "msg_")}}
}

// blocks are the answer's blocks as JSON.
func (o *claudeOutput) blocks() (blocks []string) {
	if o.in.thinks() {
		blocks = append(blocks, claudeThought)
	}
	if name := o.tool(); name != "" {
		return append(blocks, fmt.Sprintf(`{"type":"tool_use","id":%q,"name":%s,"input":{}}`, "toolu_"+strings.TrimPrefix(o.id, "msg_"), quote(name)))
	}
	return append(blocks, `{"type":"text","text":`+quote(strings.Join(o.words, ""))+`}`)
}

// whole is the answer in one JSON object, after the time that its words take.
func (o *claudeOutput) whole(b *Behaviour) []Step {
	body := fmt.Sprintf(`{"id":%q,"type":"message","role":"assistant","model":%s,"content":[%s],"stop_reason":%q,"stop_sequence":null,"usage":`+claudeUsageForm+`}`,
		o.id, quote(o.in.Model), strings.Join(o.blocks(), ","), o.reason(), o.promptTokens, o.completionTokens)
	pause := b.Latency + time.Duration(max(0, len(o.words)-1))*b.TokenInterval
	return []Step{Sleep(pause), JSON(http.StatusOK, o.header("application/json"), body)}
}

// stream is the answer word by word.
func (o *claudeOutput) stream(b *Behaviour) []Step {
	start := fmt.Sprintf(`{"type":"message_start","message":{"id":%q,"type":"message","role":"assistant","model":%s,"content":[],`+
		`"stop_reason":null,"stop_sequence":null,"usage":`+claudeUsageForm+`}}`, o.id, quote(o.in.Model), o.promptTokens, 1)
	steps := []Step{Sleep(b.Latency), Header(http.StatusOK, o.header("text/event-stream")), ClaudeEvents(start, ClaudePing())}
	for i, block := range o.blocks() {
		switch {
		case block == claudeThought:
			steps = append(steps, ClaudeEvents(ClaudeBlock(i, `{"type":"thinking","thinking":"","signature":""}`),
				ClaudeDelta(i, `{"type":"thinking_delta","thinking":"A fake thought."}`), ClaudeDelta(i, `{"type":"signature_delta","signature":"c2lnbmVk"}`)))
		case o.tool() != "":
			steps = append(steps, ClaudeEvents(ClaudeBlock(i, block), ClaudeDelta(i, `{"type":"input_json_delta","partial_json":""}`)))
		default:
			steps = append(steps, ClaudeEvents(ClaudeBlock(i, `{"type":"text","text":""}`)))
			for j, word := range o.words {
				if j > 0 {
					steps = append(steps, Sleep(b.TokenInterval))
				}
				steps = append(steps, ClaudeEvents(ClaudeDelta(i, `{"type":"text_delta","text":`+quote(word)+`}`)))
			}
		}
		steps = append(steps, ClaudeEvents(ClaudeBlockStop(i)))
	}
	return append(steps, ClaudeEvents(ClaudeFinish(o.reason(), o.completionTokens), ClaudeStop()))
}
