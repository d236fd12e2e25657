package relay_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// say is a request in Anthropic's form.
func say(model, more string) string {
	return `{"model":"` + model + `","max_tokens":50,"messages":[{"role":"user","content":"hi"}]` + more + `}`
}

// events are the data of a streamed message's events, in order; each has a name
// that is its type.
func events(t *testing.T, a answer) (all []string) {
	t.Helper()
	if a.Status != 200 || a.Header.Get("Content-Type") != "text/event-stream" || !strings.HasSuffix(a.Body, "\n\n") {
		t.Fatalf("not a stream: %d %v %s", a.Status, a.Header, a.Body)
	}
	for frame := range strings.SplitSeq(strings.TrimSuffix(a.Body, "\n\n"), "\n\n") {
		if strings.HasPrefix(frame, ":") {
			continue
		}
		name, data, ok := strings.Cut(strings.TrimPrefix(frame, "event: "), "\ndata: ")
		var ev struct{ Type string }
		if !ok || json.Unmarshal([]byte(data), &ev) != nil || ev.Type != name {
			t.Fatalf("not an event: %q", frame)
		}
		all = append(all, data)
	}
	return all
}

// claudeFault is an error of a route whose clients are Anthropic's.
type claudeFault struct {
	Type  string
	Error struct{ Type, Message, Code string }
	ID    string `json:"request_id"`
}

func readClaudeFault(t *testing.T, text string) claudeFault {
	t.Helper()
	var f claudeFault
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil || f.Type != "error" || f.Error.Type == "" || f.Error.Message == "" {
		t.Fatalf("not an error in Anthropic's form: %v: %s", err, text)
	}
	return f
}

// P39: a provider of the client's own format gets and gives what it would
// without Berry, but for the model's name.
func TestP39OwnFormatPasses(t *testing.T) {
	const in = `{"zz":{"b":1,"a":12345678901234567890}, "max_tokens":50 , "backend":null,"model":"claude-x","thinking":{"type":"adaptive","later":[1]},` +
		`"messages":[{"role":"user","content":[{"cache_control":{"type":"ephemeral"},"type":"text","text":"hi"}]},` +
		`{"role":"assistant","content":[{"type":"thinking","thinking":"a","signature":"sig"},{"type":"new_block","x":1}]}]}`
	const want = `{"zz":{"b":1,"a":12345678901234567890}, "max_tokens":50,"model":"claude-up","thinking":{"type":"adaptive","later":[1]},` +
		`"messages":[{"role":"user","content":[{"cache_control":{"type":"ephemeral"},"type":"text","text":"hi"}]},` +
		`{"role":"assistant","content":[{"type":"thinking","thinking":"a","signature":"sig"},{"type":"new_block","x":1}]}]}`
	const out = `{"type":"message","zz":1.0, "model":"claude-up-20260101","id":"msg_1","role":"assistant","content":[{"type":"new_block","model":"x"},{"type":"text","text":"ok","citations":null}],"stop_reason":"end_turn","usage":{"input_tokens":10,"cache_read_input_tokens":5000,"cache_creation_input_tokens":20,"output_tokens":40,"service_tier":"standard"}}`
	b := startFormats(t, map[string]mockllm.Script{"c": always(mockllm.JSON(200, http.Header{
		"Anthropic-Ratelimit-Requests-Remaining": {"5"}, "Set-Cookie": {"a=b"}, "Request-Id": {"req_up"},
	}, out))})
	req, err := http.NewRequest(http.MethodPost, b.url+"/v1/messages", strings.NewReader(in))
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]string{
		"X-Api-Key": userToken, "Anthropic-Version": "2026-10-21", "Anthropic-Beta": "a,b", "Traceparent": "tp",
		"Openai-Beta": "x", "X-Stainless-Lang": "js", "Cookie": "c=d",
	} {
		req.Header.Set(name, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(strings.Replace(out, "claude-up-20260101", "claude-x", 1), string(got)); d != "" || resp.StatusCode != http.StatusOK {
		t.Errorf("%d, answer (-want +got):\n%s", resp.StatusCode, d)
	}
	if h := resp.Header; h.Get("Anthropic-Ratelimit-Requests-Remaining") != "5" || h.Get("Set-Cookie") != "" || h.Get("X-Berry-Model") != "claude-up" || h.Get("X-Berry-Upstream-Request-Id") != "req_up" {
		t.Errorf("header %v", h)
	}
	seen := b.u["c"].Requests()[0]
	if d := cmp.Diff(want, string(seen.Body)); d != "" || seen.Path != "/v1/messages" {
		t.Errorf("upstream at %s (-want +got):\n%s", seen.Path, d)
	}
	sent := map[string]string{}
	for _, name := range []string{"Anthropic-Version", "Anthropic-Beta", "Traceparent", "X-Api-Key", "Authorization", "Openai-Beta", "X-Stainless-Lang", "Cookie", "Accept"} {
		sent[name] = strings.Join(seen.Header[name], "|")
	}
	if d := cmp.Diff(map[string]string{
		"Anthropic-Version": "2026-10-21", "Anthropic-Beta": "a,b", "Traceparent": "tp", "X-Api-Key": "provider-key-of-c", "Accept": "application/json",
		"Authorization": "", "Openai-Beta": "", "X-Stainless-Lang": "", "Cookie": "",
	}, sent); d != "" {
		t.Errorf("upstream header (-want +got):\n%s", d)
	}
	if u := b.record(0).Usage; u != (relay.Usage{Input: 5030, Output: 40, CachedInput: 5000, CacheWrite: 20}) {
		t.Errorf("usage %+v", u)
	}
}

func TestP39OwnFormatStreamPasses(t *testing.T) {
	frames := []string{
		`{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-up","content":[],"stop_reason":null,"usage":{"input_tokens":10,"cache_read_input_tokens":5,"output_tokens":1},"zz":{"model":"x"}}}`,
		`{"type":"ping"}`,
		`{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"sig"}}`,
		`{"type":"content_block_stop","index":0}`,
		`{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}`,
		`{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"a"}}`,
		`{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"b\n"}}`,
		`{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"c"}}`,
		`{"type":"content_block_stop","index":1}`,
		`{"type":"new_event","index":7,"model":"keep"}`,
		`{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":3},"context_management":{"x":1}}`,
		`{"type":"message_stop"}`,
	}
	b := startFormats(t, map[string]mockllm.Script{"c": always(mockllm.ClaudeEvents(frames...))})
	a := b.postTo(dialect.Messages, say("claude-x", `,"stream":true`))
	frames[0] = strings.Replace(frames[0], `"model":"claude-up"`, `"model":"claude-x"`, 1)
	if d := cmp.Diff(frames, events(t, a)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if u := b.record(0).Usage; u != (relay.Usage{Input: 15, Output: 3, CachedInput: 5}) {
		t.Errorf("usage %+v", u)
	}
	if accept := b.u["c"].Requests()[0].Header.Get("Accept"); accept != "text/event-stream" {
		t.Errorf("accept %q", accept)
	}
	// A provider that leaves the last event out, or cannot stream, is no different.
	b.u["c"].SetScript(always(mockllm.ClaudeEvents(frames[:len(frames)-1]...)))
	if d := cmp.Diff(frames, events(t, b.postTo(dialect.Messages, say("claude-x", `,"stream":true`)))); d != "" {
		t.Errorf("without message_stop (-want +got):\n%s", d)
	}
	b.u["c"].SetScript(always(mockllm.JSON(200, nil, mockllm.ClaudeMessage(`[{"type":"text","text":"whole"}]`, "end_turn"))))
	got := events(t, b.postTo(dialect.Messages, say("claude-x", `,"stream":true`)))
	if len(got) != 6 || !strings.Contains(got[0], `"model":"claude-x"`) || !strings.Contains(got[2], `"whole"`) || got[5] != `{"type":"message_stop"}` {
		t.Errorf("of a whole answer: %q", got)
	}
}

// P39: a provider of another format gets a chat request, and its answer comes
// back as a message.
func TestP39OtherFormat(t *testing.T) {
	const in = `{"model":"gpt-a","max_tokens":99,"system":[{"type":"text","text":"x-anthropic-billing-header: y"},{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}],
		"thinking":{"type":"adaptive"},"output_config":{"effort":"max"},"top_k":4,"metadata":{"user_id":"u"},
		"tools":[{"name":"f","input_schema":{"type":"object"},"cache_control":{"type":"ephemeral"}}],
		"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"aWltZw=="}}]},
		{"role":"assistant","content":[{"type":"tool_use","id":"toolu_1","name":"f","input":{"a":1}}]},
		{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","is_error":true,"content":"bad"},{"type":"text","text":"go on"}]}]}`
	const want = `{"model":"gpt-a-up","messages":[{"role":"system","content":"s"},` +
		`{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,aWltZw=="}}]},` +
		`{"role":"assistant","content":null,"tool_calls":[{"id":"toolu_1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},` +
		`{"role":"tool","content":"Error: bad","tool_call_id":"toolu_1"},{"role":"user","content":"go on"}],` +
		`"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"max_completion_tokens":99,"reasoning_effort":"high"}`
	const out = `{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"ok","reasoning_content":"hm"},"finish_reason":"stop"}],` +
		`"usage":{"prompt_tokens":30,"completion_tokens":7,"total_tokens":37,"prompt_tokens_details":{"cached_tokens":20}}}`
	const message = `{"id":"msg_1","type":"message","role":"assistant","model":"gpt-a","content":[{"type":"thinking","thinking":"hm","signature":""},{"type":"text","text":"ok"}],"stop_reason":"end_turn","stop_sequence":null,` +
		`"usage":{"input_tokens":10,"cache_creation_input_tokens":0,"cache_read_input_tokens":20,"output_tokens":7}}`
	b := startFormats(t, map[string]mockllm.Script{"u1": always(mockllm.JSON(200, nil, out))})
	a := b.postTo(dialect.Messages, in)
	if d := cmp.Diff(message, a.Body); d != "" || a.Status != 200 || a.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%d (-want +got):\n%s", a.Status, d)
	}
	if got := a.Header.Get("X-Berry-Dropped-Params"); got != "metadata.user_id,top_k" {
		t.Errorf("dropped %q", got)
	}
	if d := cmp.Diff(want, string(b.u["u1"].Requests()[0].Body)); d != "" {
		t.Errorf("upstream (-want +got):\n%s", d)
	}
	rec := b.record(0)
	if rec.Usage != (relay.Usage{Input: 30, Output: 7, CachedInput: 20}) || rec.Endpoint != dialect.Messages {
		t.Errorf("recorded %+v on %s", rec.Usage, rec.Endpoint)
	}
	// The same through Gemini's format, whose answers say less.
	a = b.postTo(dialect.Messages, strings.Replace(in, "gpt-a", "emb-g", 1))
	if a.Status != 200 || !strings.Contains(a.Body, `"type":"message"`) || !strings.Contains(a.Body, `"model":"emb-g"`) {
		t.Errorf("gemini: %d %s", a.Status, a.Body)
	}
	var got []string
	for _, ev := range events(t, b.postTo(dialect.Messages, say("emb-g", `,"stream":true`))) {
		got = append(got, ev[:20])
	}
	if n := len(got); n < 6 || got[0] != `{"type":"message_sta` || got[n-1] != `{"type":"message_sto` {
		t.Errorf("gemini's stream: %q", got)
	}
}

// P40: a stream of chunks comes back as the events of a message, each as it comes.
func TestP40Stream(t *testing.T) {
	call := func(more, args string) string {
		return mockllm.Chunk(`{"tool_calls":[{"index":0`+more+`"arguments":`+args+`}}]}`, "")
	}
	frames := []string{
		mockllm.Role(), mockllm.Text("Let me"),
		call(`,"id":"call_1","type":"function","function":{"name":"f",`, `""`), call(`,"function":{`, `"{\"a\""`), call(`,"function":{`, `":"`), call(`,"function":{`, `"1}"`),
		mockllm.Finish("stop"), mockllm.UsageChunk(7, 2), mockllm.Done,
	}
	want := []string{
		`{"type":"message_start","message":{"id":"msg_c1","type":"message","role":"assistant","model":"gpt-a","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}}`,
		`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Let me"}}`,
		`{"type":"content_block_stop","index":0}`,
		`{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"call_1","name":"f","input":{}}}`,
		`{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a\""}}`,
		`{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":":"}}`,
		`{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"1}"}}`,
		`{"type":"content_block_stop","index":1}`,
		`{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"input_tokens":7,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":2}}`,
		`{"type":"message_stop"}`,
	}
	b := startFormats(t, map[string]mockllm.Script{"u1": always(mockllm.SSE(frames...))})
	a := b.postTo(dialect.Messages, say("gpt-a", `,"stream":true`))
	if d := cmp.Diff(want, events(t, a)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	rec := b.record(0)
	if rec.Usage != (relay.Usage{Input: 7, Output: 2}) || rec.Last().Kind != loadbalance.Success || !rec.Stream {
		t.Errorf("recorded %+v", rec)
	}
	if got := string(b.u["u1"].Requests()[0].Body); !strings.Contains(got, `"stream":true,"stream_options":{"include_usage":true}`) {
		t.Errorf("upstream got %s", got)
	}
	// A provider that answers in one piece.
	b.u["u1"].SetScript(always(mockllm.JSON(200, nil, mockllm.Completion("whole", 7, 2))))
	got := events(t, b.postTo(dialect.Messages, say("gpt-a", `,"stream":true`)))
	if len(got) != 6 || !strings.Contains(got[2], `"whole"`) || !strings.Contains(got[4], `"output_tokens":2`) {
		t.Errorf("of a whole answer: %q", got)
	}
}
