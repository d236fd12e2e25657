package mockllm

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// responseInput is the part of a request that an answer depends on.
type responseInput struct {
	Model        string          `json:"model"`
	Input        json.RawMessage `json:"input"`
	Instructions string          `json:"instructions"`
	Previous     string          `json:"previous_response_id"`
	MaxOutput    int             `json:"max_output_tokens"`
	Stream       bool            `json:"stream"`
	Background   bool            `json:"background"`
	Store        *bool           `json:"store"`
}

// readResponse parses a request and checks it; fault is an error envelope, "" if there is none.
func readResponse(body []byte) (in responseInput, fault string) {
	missing := func(param string) (responseInput, string) {
		return responseInput{}, Fault("Missing required parameter: '"+param+"'", "invalid_request_error", param, "missing_required_parameter")
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return responseInput{}, Fault("The body of the request is not a valid JSON object", "invalid_request_error", "", "")
	}
	switch {
	case in.Model == "":
		return missing("model")
	case in.items() == nil:
		return missing("input")
	case in.Background && in.Store != nil && !*in.Store:
		return responseInput{}, Fault("Background mode requires 'store' to be true", "invalid_request_error", "background", "")
	}
	return in, ""
}

// responseItem is one item of an input, as it is kept.
type responseItem struct {
	ID      string         `json:"id"`
	Type    string         `json:"type"`
	Status  string         `json:"status,omitempty"`
	Role    string         `json:"role,omitempty"`
	Content []responsePart `json:"content"`
}

type responsePart struct {
	Type        string `json:"type"`
	Text        string `json:"text"`
	Annotations *[]any `json:"annotations,omitempty"`
}

// items are the request's messages; nil if it has none.
func (in *responseInput) items() []responseItem {
	message := func(n int, role, text string) responseItem {
		return responseItem{fmt.Sprintf("msg_in_%d", n), "message", "completed", role, []responsePart{{Type: "input_text", Text: text}}}
	}
	var text string
	if json.Unmarshal(in.Input, &text) == nil && text != "" {
		return []responseItem{message(1, "user", text)}
	}
	var list []openAIMessage
	if json.Unmarshal(in.Input, &list) != nil {
		return nil
	}
	var items []responseItem
	for i, m := range list {
		items = append(items, message(i+1, m.Role, m.text()))
	}
	return items
}

// itemTexts returns the text of all items and that of the last one from the user.
func itemTexts(items []responseItem) (all, lastUser string) {
	var b strings.Builder
	for _, it := range items {
		b.WriteString(it.Content[0].Text + "\n")
		if it.Role == "user" {
			lastUser = it.Content[0].Text
		}
	}
	return b.String(), lastUser
}

// responseObject is a response with all that its type must have.
type responseObject struct {
	ID           string          `json:"id"`
	Object       string          `json:"object"`
	CreatedAt    int64           `json:"created_at"`
	Status       string          `json:"status"`
	Background   bool            `json:"background"`
	Error        json.RawMessage `json:"error"`
	Incomplete   json.RawMessage `json:"incomplete_details"`
	Instructions *string         `json:"instructions"`
	MaxOutput    *int            `json:"max_output_tokens"`
	Model        string          `json:"model"`
	Output       []responseItem  `json:"output"`
	Parallel     bool            `json:"parallel_tool_calls"`
	Previous     *string         `json:"previous_response_id"`
	Store        bool            `json:"store"`
	Temperature  float64         `json:"temperature"`
	Text         json.RawMessage `json:"text"`
	ToolChoice   string          `json:"tool_choice"`
	Tools        []string        `json:"tools"`
	TopP         float64         `json:"top_p"`
	Truncation   string          `json:"truncation"`
	Usage        json.RawMessage `json:"usage"`
	Metadata     struct{}        `json:"metadata"`
}

// newResponse is the response to in before it has an answer.
func newResponse(id string, in responseInput) responseObject {
	null := json.RawMessage("null")
	o := responseObject{
		ID: id, Object: "response", Status: "in_progress", Background: in.Background, Error: null, Incomplete: null,
		Model: in.Model, Output: []responseItem{}, Parallel: true, Store: in.Store == nil || *in.Store, Temperature: 1,
		Text: json.RawMessage(`{"format":{"type":"text"}}`), ToolChoice: "auto", Tools: []string{}, TopP: 1, Truncation: "disabled", Usage: null,
	}
	if in.Instructions != "" {
		o.Instructions = &in.Instructions
	}
	if in.Previous != "" {
		o.Previous = &in.Previous
	}
	if in.MaxOutput > 0 {
		o.MaxOutput = &in.MaxOutput
	}
	return o
}

// completed is o with its answer.
func (o responseObject) completed(r reply) responseObject {
	o.Status = "completed"
	if r.truncated {
		o.Status, o.Incomplete = "incomplete", json.RawMessage(`{"reason":"max_output_tokens"}`)
	}
	o.Output = []responseItem{o.item(o.Status, strings.Join(r.words, ""))}
	o.Usage = json.RawMessage(responseUsage(r.promptTokens, r.completionTokens))
	return o
}

// item is the one item of an answer.
func (o responseObject) item(status, text string) responseItem {
	return responseItem{strings.Replace(o.ID, "resp_", "msg_", 1), "message", status, "assistant", []responsePart{{"output_text", text, &[]any{}}}}
}

func (o responseObject) json() string { return marshal(o) }

func marshal(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("mockllm: a response did not marshal: " + err.Error())
	}
	return string(b)
}

func responseUsage(input, output int) string {
	return fmt.Sprintf(`{"input_tokens":%d,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},"output_tokens":%d,`+
		`"output_tokens_details":{"reasoning_tokens":0},"total_tokens":%d}`, input, output, input+output)
}

// ResponseEvent is one event of a response's stream, with its name and its number. members are what its data has
// beside these, such as `"delta":"he"`; "" for nothing.
func ResponseEvent(number int, kind, members string) string {
	if members != "" {
		members = "," + members
	}
	return fmt.Sprintf("event: %s\ndata: {\"type\":%q,\"sequence_number\":%d%s}\n\n", kind, kind, number, members)
}

// responseEvents are all events of a stream that says words.
func responseEvents(began, done responseObject, words []string) (all []string) {
	add := func(kind, members string) { all = append(all, ResponseEvent(len(all), kind, members)) }
	item := began.item("in_progress", "")
	item.Content = []responsePart{}
	at := fmt.Sprintf(`"item_id":%q,"output_index":0,"content_index":0,`, item.ID)
	began.Output, began.Usage = []responseItem{}, json.RawMessage("null")
	if began.Status != "queued" {
		began.Status = "in_progress"
	}
	add("response.created", `"response":`+began.json())
	began.Status = "in_progress"
	add("response.in_progress", `"response":`+began.json())
	add("response.output_item.added", `"output_index":0,"item":`+marshal(item))
	add("response.content_part.added", at+`"part":`+marshal(responsePart{"output_text", "", &[]any{}}))
	for _, word := range words {
		add("response.output_text.delta", at+`"delta":`+quote(word)+`,"logprobs":[]`)
	}
	text := strings.Join(words, "")
	add("response.output_text.done", at+`"text":`+quote(text)+`,"logprobs":[]`)
	add("response.content_part.done", at+`"part":`+marshal(responsePart{"output_text", text, &[]any{}}))
	add("response.output_item.done", `"output_index":0,"item":`+marshal(done.item(done.Status, text)))
	add("response."+done.Status, `"response":`+done.json())
	return all
}

// responseStream sends events, with a pause before each word.
func responseStream(events []string, pause time.Duration) []Step {
	steps := []Step{Header(http.StatusOK, http.Header{"Content-Type": {"text/event-stream"}})}
	for _, ev := range events {
		if strings.HasPrefix(ev, "event: response.output_text.delta") {
			steps = append(steps, Sleep(pause))
		}
		steps = append(steps, Body(ev))
	}
	return steps
}
