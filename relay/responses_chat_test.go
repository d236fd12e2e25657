package relay_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// respond is a request for a response.
func respond(model, more string) string { return `{"model":"` + model + `","input":"hi"` + more + `}` }

var (
	ownID    = regexp.MustCompile(`(resp|msg|fc|ctc|berry)_[0-9a-f]{24}`)
	moment   = regexp.MustCompile(`"(created_at|completed_at)":[0-9]+`)
	repeated = regexp.MustCompile(`"background":false.*?"user":null,`)
)

// steady is a response without what is different each time, and without what it
// repeats of its request.
func steady(s string) string {
	s = moment.ReplaceAllString(ownID.ReplaceAllString(s, "${1}_X"), `"$1":1`)
	return repeated.ReplaceAllString(s, "")
}

// steadyEvents are those of a stream, in order.
func steadyEvents(t *testing.T, a answer) (all []string) {
	t.Helper()
	for _, data := range events(t, a) {
		all = append(all, steady(data))
	}
	return all
}

const completedHead = `{"id":"resp_X","object":"response","created_at":1,"status":"completed","completed_at":1,"error":null,"incomplete_details":null,"model":`

func usageOf(input, output string) string {
	return `"usage":{"input_tokens":` + input + `,"input_tokens_details":{"cached_tokens":5,"cache_write_tokens":0},"output_tokens":` + output + `,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":`
}

// A response of a provider that has only its own format, or only chats.
func TestResponsesOfOtherFormats(t *testing.T) {
	const in = `{"model":"claude-x","instructions":"s","max_output_tokens":2000,"reasoning":{"effort":"low","summary":"auto"},"store":true,"user":"u",
		"tools":[{"type":"function","name":"f","parameters":{"type":"object","properties":{}}},{"type":"web_search"}],
		"input":[{"role":"user","content":[{"type":"input_text","text":"look"},{"type":"input_image","image_url":"data:image/png;base64,aWltZw=="}]}]}`
	b := startFormats(t, map[string]mockllm.Script{
		"c": always(mockllm.JSON(200, http.Header{"Request-Id": {"req_up"}}, `{"id":"msg_1","type":"message","role":"assistant","model":"claude-up","content":[{"type":"thinking","thinking":"hm","signature":"sig"},`+
			`{"type":"text","text":"Let me"},{"type":"tool_use","id":"toolu_1","name":"f","input":{"a":1}}],"stop_reason":"tool_use","stop_sequence":null,`+
			`"usage":{"input_tokens":10,"cache_read_input_tokens":5,"output_tokens":7}}`)),
		"u2": always(mockllm.JSON(200, nil, mockllm.Completion("from u2", 1, 1))),
	})
	a := b.postTo(dialect.Responses, in)
	want := completedHead + `"claude-x","output":[{"id":"rs_berry_X_0","type":"reasoning","summary":[{"type":"summary_text","text":"hm"}]},` +
		`{"id":"msg_X_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","annotations":[],"logprobs":[],"text":"Let me"}]},` +
		`{"id":"fc_X_2","type":"function_call","status":"completed","call_id":"toolu_1","name":"f","arguments":"{\"a\":1}"}],` +
		`"background":false,"instructions":"s","max_output_tokens":2000,"max_tool_calls":null,"metadata":{},"parallel_tool_calls":true,"previous_response_id":null,"prompt_cache_key":null,"prompt_cache_retention":null,` +
		`"reasoning":{"effort":"low","summary":"auto"},"safety_identifier":null,"service_tier":"default","store":false,"temperature":1,"text":{"format":{"type":"text"}},"tool_choice":"auto",` +
		`"tools":[{"type":"function","name":"f","parameters":{"type":"object","properties":{}}},{"type":"web_search"}],"top_logprobs":0,"top_p":1,"truncation":"disabled","user":"u",` + usageOf("15", "7") + `22}}`
	if d := cmp.Diff(want, steady(a.Body)); d != "" || a.Status != 200 || a.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%d (-want +got):\n%s", a.Status, d)
	}
	if h := a.Header; h.Get("X-Berry-Dropped-Params") != "store,tools.web_search" || h.Get("X-Berry-Provider") != "c" || h.Get("X-Berry-Upstream-Request-Id") != "req_up" {
		t.Errorf("header %v", h)
	}
	const sent = `{"max_tokens":2000,"messages":[{"role":"user","content":[{"type":"text","text":"look"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"aWltZw=="}}]}],` +
		`"metadata":{"user_id":"u"},"model":"claude-up","system":"s","thinking":{"type":"adaptive"},"output_config":{"effort":"low"},"tools":[{"name":"f","input_schema":{"type":"object","properties":{}}}]}`
	seen := b.u["c"].Requests()[0]
	if d := cmp.Diff(sorted(t, sent), sorted(t, string(seen.Body))); d != "" || seen.Path != "/v1/messages" {
		t.Errorf("upstream at %s (-want +got):\n%s", seen.Path, d)
	}
	rec := b.record(0)
	if rec.Usage != (relay.Usage{Input: 15, Output: 7, CachedInput: 5}) || rec.Endpoint != dialect.Responses || rec.Last().Kind != loadbalance.Success {
		t.Errorf("recorded %+v", rec)
	}
	// Google's format says less.
	a = b.postTo(dialect.Responses, respond("emb-g", `,"previous_response_id":null,"max_tool_calls":2`))
	if a.Status != 200 || !strings.HasPrefix(steady(a.Body), completedHead+`"emb-g","output":[{"id":"msg_X_0","type":"message"`) || a.Header.Get("X-Berry-Dropped-Params") != "max_tool_calls" {
		t.Errorf("gemini: %d %v %s", a.Status, a.Header, a.Body)
	}
	// What the provider's dialect cannot carry goes by the client's name of it.
	a = b.postTo(dialect.Responses, respond("claude-x", `,"text":{"verbosity":"low"},"prompt_cache_key":"k"`))
	if got := a.Header.Get("X-Berry-Dropped-Params"); got != "prompt_cache_key,text.verbosity" {
		t.Errorf("dropped %q", got)
	}
}

// sorted is JSON with its members in order.
func sorted(t *testing.T, text string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	out, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// A stream of Anthropic's format comes back as the events of a response.
func TestResponseStreamOfClaude(t *testing.T) {
	b := startFormats(t, map[string]mockllm.Script{"c": always(mockllm.ClaudeEvents(
		`{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-up","content":[],"stop_reason":null,"usage":{"input_tokens":10,"cache_read_input_tokens":5,"output_tokens":1}}}`,
		mockllm.ClaudePing(),
		mockllm.ClaudeBlock(0, `{"type":"thinking","thinking":"","signature":""}`), mockllm.ClaudeDelta(0, `{"type":"thinking_delta","thinking":"hm"}`),
		mockllm.ClaudeDelta(0, `{"type":"signature_delta","signature":"sig"}`), mockllm.ClaudeBlockStop(0),
		mockllm.ClaudeBlock(1, `{"type":"text","text":""}`), mockllm.ClaudeDelta(1, `{"type":"text_delta","text":"Let "}`), mockllm.ClaudeDelta(1, `{"type":"text_delta","text":"me"}`), mockllm.ClaudeBlockStop(1),
		mockllm.ClaudeBlock(2, `{"type":"tool_use","id":"toolu_1","name":"f","input":{}}`), mockllm.ClaudeDelta(2, `{"type":"input_json_delta","partial_json":"{\"a\""}`),
		mockllm.ClaudeDelta(2, `{"type":"input_json_delta","partial_json":":1}"}`), mockllm.ClaudeBlockStop(2),
		mockllm.ClaudeFinish("tool_use", 7), mockllm.ClaudeStop()))})
	a := b.postTo(dialect.Responses, respond("claude-x", `,"stream":true,"reasoning":{"effort":"low"},"tools":[{"type":"function","name":"f"}],"max_output_tokens":2000`))
	const head = `{"id":"resp_X","object":"response","created_at":1,"status":"in_progress","completed_at":null,"error":null,"incomplete_details":null,"model":"claude-x","output":[],"usage":null}}`
	message := func(status, content string) string {
		return `{"id":"msg_X_1","type":"message","status":"` + status + `","role":"assistant","content":[` + content + `]}`
	}
	call := func(status, args string) string {
		return `{"id":"fc_X_2","type":"function_call","status":"` + status + `","call_id":"toolu_1","name":"f","arguments":` + args + `}`
	}
	const (
		thought = `{"type":"summary_text","text":"hm"}`
		text    = `{"type":"output_text","annotations":[],"logprobs":[],"text":"Let me"}`
		at0     = `"item_id":"rs_berry_X_0","output_index":0,"summary_index":0,`
		at1     = `"item_id":"msg_X_1","output_index":1,"content_index":0,`
		at2     = `"item_id":"fc_X_2","output_index":2,`
		r       = `{"type":"response.`
	)
	want := []string{
		r + `created","sequence_number":0,"response":` + head,
		r + `in_progress","sequence_number":1,"response":` + head,
		r + `output_item.added","sequence_number":2,"output_index":0,"item":{"id":"rs_berry_X_0","type":"reasoning","summary":[]}}`,
		r + `reasoning_summary_part.added","sequence_number":3,` + at0 + `"part":{"type":"summary_text","text":""}}`,
		r + `reasoning_summary_text.delta","sequence_number":4,` + at0 + `"delta":"hm"}`,
		r + `reasoning_summary_text.done","sequence_number":5,` + at0 + `"text":"hm"}`,
		r + `reasoning_summary_part.done","sequence_number":6,` + at0 + `"part":` + thought + `}`,
		r + `output_item.done","sequence_number":7,"output_index":0,"item":{"id":"rs_berry_X_0","type":"reasoning","summary":[` + thought + `]}}`,
		r + `output_item.added","sequence_number":8,"output_index":1,"item":` + message("in_progress", "") + `}`,
		r + `content_part.added","sequence_number":9,` + at1 + `"part":{"type":"output_text","annotations":[],"logprobs":[],"text":""}}`,
		r + `output_text.delta","sequence_number":10,` + at1 + `"delta":"Let ","logprobs":[]}`,
		r + `output_text.delta","sequence_number":11,` + at1 + `"delta":"me","logprobs":[]}`,
		r + `output_text.done","sequence_number":12,` + at1 + `"text":"Let me","logprobs":[]}`,
		r + `content_part.done","sequence_number":13,` + at1 + `"part":` + text + `}`,
		r + `output_item.done","sequence_number":14,"output_index":1,"item":` + message("completed", text) + `}`,
		r + `output_item.added","sequence_number":15,"output_index":2,"item":` + call("in_progress", `""`) + `}`,
		r + `function_call_arguments.delta","sequence_number":16,` + at2 + `"delta":"{\"a\""}`,
		r + `function_call_arguments.delta","sequence_number":17,` + at2 + `"delta":":1}"}`,
		r + `function_call_arguments.done","sequence_number":18,` + at2 + `"arguments":"{\"a\":1}","name":"f"}`,
		r + `output_item.done","sequence_number":19,"output_index":2,"item":` + call("completed", `"{\"a\":1}"`) + `}`,
		r + `completed","sequence_number":20,"response":` + completedHead + `"claude-x","output":[{"id":"rs_berry_X_0","type":"reasoning","summary":[` + thought + `]},` +
			message("completed", text) + "," + call("completed", `"{\"a\":1}"`) + `],` + usageOf("15", "7") + `22}}}`,
	}
	if d := cmp.Diff(want, steadyEvents(t, a)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if rec := b.record(0); rec.Usage != (relay.Usage{Input: 15, Output: 7, CachedInput: 5}) || !rec.Stream || rec.Last().Kind != loadbalance.Success {
		t.Errorf("recorded %+v", rec)
	}
	// A provider that answers in one piece.
	b.u["c"].SetScript(always(mockllm.JSON(200, nil, mockllm.ClaudeMessage(`[{"type":"text","text":"whole"}]`, "max_tokens"))))
	got := steadyEvents(t, b.postTo(dialect.Responses, respond("claude-x", `,"stream":true`)))
	if n := len(got); n != 9 || !strings.Contains(got[4], `"delta":"whole"`) || !strings.Contains(got[8], `"incomplete_details":{"reason":"max_output_tokens"}`) {
		t.Errorf("of a whole answer: %q", got)
	}
}

// Google's format makes calls as a whole.
func TestResponseStreamOfGemini(t *testing.T) {
	b := startFormats(t, map[string]mockllm.Script{"g": always(mockllm.SSE(
		mockllm.GeminiChunk("", mockllm.GeminiText("Let me")), mockllm.GeminiChunk("", mockllm.GeminiCall("f", `{"a":1}`, "sig")), mockllm.GeminiFinish("stop", 15, 7)))})
	got := steadyEvents(t, b.postTo(dialect.Responses, respond("emb-g", `,"stream":true,"tools":[{"type":"custom","name":"f"}]`)))
	var kinds []string
	for _, data := range got {
		kind, _, _ := strings.Cut(strings.TrimPrefix(data, `{"type":"response.`), `"`)
		kinds = append(kinds, kind)
	}
	want := []string{
		"created", "in_progress", "output_item.added", "content_part.added", "output_text.delta", "output_text.done", "content_part.done", "output_item.done",
		"output_item.added", "custom_tool_call_input.delta", "custom_tool_call_input.done", "output_item.done", "completed",
	}
	if d := cmp.Diff(want, kinds); d != "" || !strings.Contains(got[12], `"output_tokens":7`) {
		t.Errorf("(-want +got):\n%s\n%q", d, got)
	}
}

// An agent's loop: what Berry answered comes back as the next turn's input, and
// the provider gets back what it signed.
func TestResponsesToolLoop(t *testing.T) {
	loop := func(model, provider string, first mockllm.Step, signed string, stream bool) {
		t.Helper()
		b := startFormats(t, map[string]mockllm.Script{provider: mockllm.Attempts(always(first), mockllm.Leave)})
		const tools = `,"reasoning":{"effort":"low"},"max_output_tokens":2000,"tools":[{"type":"function","name":"f","parameters":{"type":"object","properties":{}}}]`
		more := tools
		if stream {
			more += `,"stream":true`
		}
		a := b.postTo(dialect.Responses, respond(model, more))
		if a.Status != 200 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		body := a.Body
		if stream {
			all := events(t, a)
			body = strings.TrimSuffix(all[len(all)-1][strings.Index(all[len(all)-1], `"response":`)+len(`"response":`):], "}")
		}
		var made struct {
			Output []json.RawMessage
		}
		if err := json.Unmarshal([]byte(body), &made); err != nil || len(made.Output) == 0 {
			t.Fatalf("%v: %s", err, body)
		}
		input := []string{`{"role":"user","content":"go"}`}
		for _, item := range made.Output {
			input = append(input, string(item))
			var call struct {
				ID string `json:"call_id"`
			}
			if err := json.Unmarshal(item, &call); err == nil && call.ID != "" {
				input = append(input, `{"type":"function_call_output","call_id":"`+call.ID+`","output":"22"}`)
			}
		}
		a = b.postTo(dialect.Responses, `{"model":"`+model+`"`+tools+`,"input":[`+strings.Join(input, ",")+`]}`)
		sent := string(b.u[provider].Requests()[1].Body)
		if a.Status != 200 || !strings.Contains(sent, signed) || !strings.Contains(sent, "22") || strings.Count(sent, `"f"`) < 2 {
			t.Errorf("%s: %d %s\nsent %s", model, a.Status, a.Body, sent)
		}
	}
	const claude = `[{"type":"thinking","thinking":"hm","signature":"c2ln"},{"type":"text","text":"Let me"},{"type":"tool_use","id":"toolu_1","name":"f","input":{}}]`
	loop("claude-x", "c", mockllm.JSON(200, nil, mockllm.ClaudeMessage(claude, "tool_use")), `{"type":"thinking","thinking":"hm","signature":"c2ln"}`, false)
	loop("claude-x", "c", mockllm.ClaudeEvents(mockllm.ClaudeStart(1),
		mockllm.ClaudeBlock(0, `{"type":"thinking","thinking":"","signature":""}`), mockllm.ClaudeDelta(0, `{"type":"thinking_delta","thinking":"hm"}`), mockllm.ClaudeDelta(0, `{"type":"signature_delta","signature":"c2ln"}`), mockllm.ClaudeBlockStop(0),
		mockllm.ClaudeBlock(1, `{"type":"tool_use","id":"toolu_1","name":"f","input":{}}`), mockllm.ClaudeBlockStop(1), mockllm.ClaudeFinish("tool_use", 7), mockllm.ClaudeStop()),
		`{"type":"thinking","thinking":"hm","signature":"c2ln"}`, true)
	loop("emb-g", "g", mockllm.SSE(mockllm.GeminiChunk("", mockllm.GeminiCall("f", `{}`, "c2ln")), mockllm.GeminiFinish("stop", 15, 7)), `"thoughtSignature":"c2ln"`, true)
}
