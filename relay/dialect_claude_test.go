package relay_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
	"github.com/PPKunOfficial/berry-api/relay/probe"
)

const claudeModels = `
[models.claude-x]
backends = [{ provider = "u1", model = "claude-sonnet-4-5" }]
[models.claude-new]
backends = [{ provider = "u1", model = "claude-opus-4-7" }]
[models.pool]
strategy = "failover"
backends = [
	{ provider = "u1", model = "claude-sonnet-4-5", priority = 1 },
	{ provider = "u2", model = "claude-sonnet-4-5", priority = 2 },
]
[models.gpt-a]
backends = [{ provider = "u1", model = "claude-sonnet-4-5" }]
[users.test]
token = "` + userToken + `"
`

func speakClaude(_ string, p *config.Provider) { p.BackendType = config.TypeClaude }

// claude starts a gateway whose two providers speak Claude's format; without a
// script they answer like the real one, and refuse what it refuses.
func claude(t *testing.T, scripts map[string]mockllm.Script) *berry {
	t.Helper()
	b := start(t, setup{toml: claudeModels, scripts: scripts, provider: speakClaude})
	for id, u := range b.u {
		if err := u.SetBehaviour(mockllm.Behaviour{Format: mockllm.Claude, Key: "provider-key-of-" + id}); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// sent is the body of the n-th request that u1 got.
func (b *berry) sent(n int) (m map[string]any) {
	b.t.Helper()
	if err := json.Unmarshal(b.u["u1"].Requests()[n].Body, &m); err != nil {
		b.t.Fatal(err)
	}
	return m
}

func TestP30ClaudeRequest(t *testing.T) {
	b := claude(t, nil)
	const common = `"messages":[{"role":"system","content":"one"},{"role":"developer","content":"two"},
		{"role":"user","content":[{"type":"text","text":"look"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}},{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}]}],
		"tools":[{"type":"function","function":{"name":"b","strict":true,"parameters":{"type":"object","properties":{}}}},{"type":"function","function":{"name":"a"}}]`
	a := b.post(`{"model":"claude-x",` + common + `,"tool_choice":"none","parallel_tool_calls":false,"max_completion_tokens":50,"max_tokens":99,
		"temperature":1.7,"top_p":0.9,"stop":["END"," "],"user":"u1","seed":1,
		"response_format":{"type":"json_schema","json_schema":{"name":"n","strict":true,"schema":{"type":"object","properties":{"a":{"type":"object","properties":{}}}}}}}`)
	if a.Status != 200 || a.Header.Get("X-Berry-Dropped-Params") != "seed,top_p" {
		t.Fatalf("%d %v %s", a.Status, a.Header, a.Body)
	}
	seen := b.u["u1"].Requests()[0]
	if seen.Path != "/v1/messages" || seen.Header.Get("X-Api-Key") != "provider-key-of-u1" || seen.Header.Get("Anthropic-Version") != "2023-06-01" || seen.Header.Get("Authorization") != "" {
		t.Errorf("%s %v", seen.Path, seen.Header)
	}
	object := map[string]any{"type": "object", "properties": map[string]any{}}
	closed := map[string]any{"type": "object", "properties": map[string]any{}, "additionalProperties": false}
	want := map[string]any{
		"model": "claude-sonnet-4-5", "max_tokens": 50.0, "system": "one\ntwo",
		"messages": []any{map[string]any{"role": "user", "content": []any{
			map[string]any{"type": "text", "text": "look"},
			map[string]any{"type": "image", "source": map[string]any{"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
			map[string]any{"type": "image", "source": map[string]any{"type": "url", "url": "https://example.com/a.png"}},
		}}},
		"tools": []any{
			map[string]any{"name": "b", "strict": true, "input_schema": closed},
			map[string]any{"name": "a", "input_schema": object},
		},
		"tool_choice": map[string]any{"type": "none"}, "temperature": 1.0, "stop_sequences": []any{"END"},
		"metadata": map[string]any{"user_id": "u1"},
		"output_config": map[string]any{"format": map[string]any{"type": "json_schema", "schema": map[string]any{
			"type": "object", "properties": map[string]any{"a": closed}, "additionalProperties": false,
		}}},
	}
	if d := cmp.Diff(want, b.sent(0)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	f := func(model, more string, want map[string]any) {
		t.Helper()
		n := b.u["u1"].Count()
		if a := b.post(`{"model":"` + model + `",` + common + more + `}`); a.Status != 200 {
			t.Fatalf("%s: %d %s", more, a.Status, a.Body)
		}
		got := b.sent(n)
		for _, shared := range []string{"messages", "tools", "system", "model", "max_tokens"} {
			delete(got, shared)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: -want +got:\n%s", more, d)
		}
	}
	f("claude-x", `,"tool_choice":"required"`, map[string]any{"tool_choice": map[string]any{"type": "any"}})
	f("claude-x", `,"tool_choice":{"type":"function","function":{"name":"a"}}`, map[string]any{"tool_choice": map[string]any{"type": "tool", "name": "a"}})
	f("claude-x", `,"tool_choice":"required","reasoning_effort":"high","temperature":0.2`, map[string]any{
		"tool_choice": map[string]any{"type": "auto"}, "thinking": map[string]any{"type": "enabled", "budget_tokens": 24000.0},
	})
	f("claude-new", `,"tool_choice":"required","reasoning_effort":"max","temperature":0.2,"top_p":1`, map[string]any{
		"tool_choice": map[string]any{"type": "auto"}, "thinking": map[string]any{"type": "adaptive"}, "output_config": map[string]any{"effort": "max"},
	})
	n := b.u["u1"].Count()
	refused := b.post(ask("claude-x", `,"n":2`))
	if e := b.fault(refused); refused.Status != 400 || deref(e.Param) != "n" || b.u["u1"].Count() != n {
		t.Errorf("%d %+v", refused.Status, e)
	}
}

// A provider may be spoken to in a later version of the API, which refuses what
// earlier ones took.
func TestClaudeAPIVersion(t *testing.T) {
	b := start(t, setup{toml: claudeModels, provider: func(_ string, p *config.Provider) {
		p.BackendType, p.APIVersion = config.TypeClaude, "2026-10-21"
	}})
	if err := b.u["u1"].SetBehaviour(mockllm.Behaviour{Format: mockllm.Claude}); err != nil {
		t.Fatal(err)
	}
	a := b.post(ask("claude-x", `,"temperature":0.5`))
	if a.Status != 200 || a.Header.Get("X-Berry-Dropped-Params") != "temperature" || b.u["u1"].Requests()[0].Header.Get("Anthropic-Version") != "2026-10-21" {
		t.Errorf("%d %v %s", a.Status, a.Header, a.Body)
	}
}

func TestP31ClaudeToolHistory(t *testing.T) {
	b := claude(t, nil)
	const history = `"messages":[{"role":"user","content":"go"},
		{"role":"assistant","content":"","tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},{"id":"t2","type":"function","function":{"name":"g","arguments":""}}]},
		{"role":"tool","tool_call_id":"t2","content":"two"},{"role":"tool","tool_call_id":"t1","content":"one"},
		{"role":"user","content":"go on"},{"role":"user","content":""}]`
	if a := b.post(`{"model":"claude-x",` + history + `}`); a.Status != 200 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	text := func(s string) map[string]any { return map[string]any{"type": "text", "text": s} }
	result := func(id, s string) map[string]any {
		return map[string]any{"type": "tool_result", "tool_use_id": id, "content": []any{text(s)}}
	}
	want := []any{
		map[string]any{"role": "user", "content": []any{text("go")}},
		map[string]any{"role": "assistant", "content": []any{
			map[string]any{"type": "tool_use", "id": "t1", "name": "f", "input": map[string]any{"a": 1.0}},
			map[string]any{"type": "tool_use", "id": "t2", "name": "g", "input": map[string]any{}},
		}},
		map[string]any{"role": "user", "content": []any{result("t1", "one"), result("t2", "two"), text("go on")}},
	}
	if d := cmp.Diff(want, b.sent(0)["messages"]); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	// The reasoning that led to these calls is another provider's: the strict
	// mock takes the request all the same.
	if a := b.post(`{"model":"claude-x","reasoning_effort":"high",` + history + `}`); a.Status != 200 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// TestClaudeReasoningComesBack holds a conversation in which a call's reasoning
// must be given back with its result, which the client knows nothing of.
// What was thought for one user stays with that user, and of two answers whose
// calls have one id the newest counts: not every server of the format makes ids
// that are unique.
func TestClaudeReasoningStaysWithItsUser(t *testing.T) {
	thought := func(text string) mockllm.Script {
		return always(mockllm.JSON(200, nil, mockllm.ClaudeMessage(
			`[{"type":"thinking","thinking":"`+text+`","signature":"c2ln"},{"type":"tool_use","id":"f_0","name":"f","input":{}}]`, "tool_use")))
	}
	const other = "sk-other-1-long-enough"
	b := start(t, setup{
		toml:     claudeModels + "[users.other]\ntoken = \"" + other + "\"\n",
		provider: speakClaude,
		scripts:  one(mockllm.Attempts(thought("first"), thought("second"), mockllm.Leave)),
	})
	if err := b.u["u1"].SetBehaviour(mockllm.Behaviour{Format: mockllm.Claude}); err != nil {
		t.Fatal(err)
	}
	const ask = `{"model":"claude-x","reasoning_effort":"low","messages":[{"role":"user","content":"go"}`
	const goOn = ask + `,{"role":"assistant","content":null,"tool_calls":[{"id":"f_0","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"f_0","content":"22"}]}`
	f := func(n int, token, body, want string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+"/v1/chat/completions", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		b.record(n)
		sent := string(b.u["u1"].Requests()[n].Body)
		if resp.StatusCode != http.StatusOK || strings.Contains(sent, `"thinking":"`) != (want != "") || !strings.Contains(sent, want) {
			t.Errorf("request %d: status %d, sent %s", n, resp.StatusCode, sent)
		}
	}
	f(0, userToken, ask+`]}`, "")
	f(1, userToken, ask+`]}`, "")
	f(2, other, goOn, "")
	f(3, userToken, goOn, `"thinking":"second"`)
}

func TestClaudeReasoningComesBack(t *testing.T) {
	thinkAndCall := `[{"type":"thinking","thinking":"hm","signature":"c2ln"},{"type":"tool_use","id":"toolu_1","name":"f","input":{}}]`
	f := func(stream bool, first mockllm.Step) {
		t.Helper()
		b := claude(t, one(mockllm.Attempts(always(first), mockllm.Leave)))
		ask := fmt.Sprintf(`{"model":"claude-x","reasoning_effort":"low","stream":%t,"messages":[{"role":"user","content":"go"}`, stream)
		if a := b.post(ask + `]}`); a.Status != 200 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		b.record(0)
		if err := b.gw.Reload(b.gw.Current().Config); err != nil { // conversations outlive it
			t.Fatal(err)
		}
		a := b.post(ask + `,{"role":"assistant","content":null,"tool_calls":[{"id":"toolu_1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"toolu_1","content":"22"}]}`)
		if a.Status != 200 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		got := b.sent(1)
		want := map[string]any{"type": "thinking", "thinking": "hm", "signature": "c2ln"}
		if d := cmp.Diff(want, got["messages"].([]any)[1].(map[string]any)["content"].([]any)[0]); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
		if d := cmp.Diff(map[string]any{"type": "enabled", "budget_tokens": 1024.0}, got["thinking"]); d != "" {
			t.Error(d)
		}
	}
	f(false, mockllm.JSON(200, nil, mockllm.ClaudeMessage(thinkAndCall, "tool_use")))
	f(true, mockllm.ClaudeEvents(mockllm.ClaudeStart(7), mockllm.ClaudeBlock(0, `{"type":"thinking","thinking":"","signature":""}`),
		mockllm.ClaudeDelta(0, `{"type":"thinking_delta","thinking":"h"}`), mockllm.ClaudeDelta(0, `{"type":"thinking_delta","thinking":"m"}`),
		mockllm.ClaudeDelta(0, `{"type":"signature_delta","signature":"c2ln"}`), mockllm.ClaudeBlockStop(0),
		mockllm.ClaudeBlock(1, `{"type":"tool_use","id":"toolu_1","name":"f","input":{}}`), mockllm.ClaudeBlockStop(1),
		mockllm.ClaudeFinish("tool_use", 2), mockllm.ClaudeStop()))
}

func TestP32ClaudeAnswer(t *testing.T) {
	f := func(reason, want string) {
		t.Helper()
		body := strings.Replace(mockllm.ClaudeMessage(`[{"type":"text","text":"a"},{"type":"text","text":"b"}]`, reason),
			`{"input_tokens":7,"output_tokens":2}`, `{"input_tokens":10,"cache_read_input_tokens":5000,"cache_creation_input_tokens":20,"output_tokens":40}`, 1)
		b := claude(t, one(always(mockllm.JSON(200, nil, body))))
		a := b.post(ask("claude-x", ""))
		var got struct {
			ID, Object, Model string
			Choices           []struct {
				Message struct {
					Content string
					Role    string
				}
				FinishReason string `json:"finish_reason"`
			}
			Usage struct {
				Prompt     int `json:"prompt_tokens"`
				Completion int `json:"completion_tokens"`
				Total      int `json:"total_tokens"`
				Details    struct {
					Cached int `json:"cached_tokens"`
					Write  int `json:"cache_write_tokens"`
				} `json:"prompt_tokens_details"`
			}
		}
		if err := json.Unmarshal([]byte(a.Body), &got); err != nil || a.Status != 200 {
			t.Fatalf("%d %s: %v", a.Status, a.Body, err)
		}
		c := got.Choices[0]
		if c.FinishReason != want || c.Message.Content != "ab" || c.Message.Role != "assistant" || got.ID != "msg_1" || got.Object != "chat.completion" || got.Model != "claude-x" {
			t.Errorf("%s: %s", reason, a.Body)
		}
		u := got.Usage
		if u.Prompt != 5030 || u.Completion != 40 || u.Total != 5070 || u.Details.Cached != 5000 || u.Details.Write != 20 {
			t.Errorf("%s: usage %+v", reason, u)
		}
		if d := cmp.Diff(relay.Usage{Input: 5030, Output: 40, CachedInput: 5000, CacheWrite: 20}, b.record(0).Usage); d != "" {
			t.Error(d)
		}
	}
	f("end_turn", "stop")
	f("stop_sequence", "stop")
	f("max_tokens", "length")
	f("model_context_window_exceeded", "length")
	f("tool_use", "tool_calls")
	f("refusal", "content_filter")
	f("pause_turn", "stop")
	f("new_reason", "stop")
}

func TestP33ClaudeStreamText(t *testing.T) {
	b := claude(t, one(always(mockllm.ClaudeEvents(
		strings.Replace(mockllm.ClaudeStart(10), `"output_tokens":1`, `"output_tokens":1,"cache_read_input_tokens":5`, 1), mockllm.ClaudePing(),
		mockllm.ClaudeBlock(0, `{"type":"text","text":"He"}`), mockllm.ClaudeText("llo"), mockllm.ClaudeBlockStop(0),
		mockllm.ClaudeFinish("end_turn", 3), mockllm.ClaudeStop()))))
	s := b.stream(ask("claude-x", `,"stream":true,"stream_options":{"include_usage":true}`))
	if s.Text != "Hello" || cmp.Diff([]string{"0:stop"}, s.Finish) != "" || s.Error != nil {
		t.Errorf("%+v", s)
	}
	if n := strings.Count(strings.Join(s.Frames, ""), `"role"`); n != 1 {
		t.Errorf("%d roles", n)
	}
	if got := s.Frames[len(s.Frames)-2]; !strings.Contains(got, `"choices":[],"usage":{"prompt_tokens":15,"completion_tokens":3,"total_tokens":18`) {
		t.Errorf("usage %s", got)
	}
	if s := b.stream(ask("claude-x", `,"stream":true`)); strings.Contains(strings.Join(s.Frames, ""), "usage") {
		t.Errorf("unasked usage: %q", s.Frames)
	}
	if d := cmp.Diff(relay.Usage{Input: 15, Output: 3, CachedInput: 5}, b.record(1).Usage); d != "" {
		t.Error(d)
	}
}

func TestP34ClaudeStreamThinkingAndTools(t *testing.T) {
	piece := func(s string) string {
		q, _ := json.Marshal(s)
		return mockllm.ClaudeDelta(2, `{"type":"input_json_delta","partial_json":`+string(q)+`}`)
	}
	b := claude(t, one(always(mockllm.ClaudeEvents(mockllm.ClaudeStart(10),
		mockllm.ClaudeBlock(0, `{"type":"thinking","thinking":"","signature":""}`), mockllm.ClaudeDelta(0, `{"type":"thinking_delta","thinking":"th"}`),
		mockllm.ClaudeDelta(0, `{"type":"thinking_delta","thinking":"ink"}`), mockllm.ClaudeDelta(0, `{"type":"signature_delta","signature":"s"}`), mockllm.ClaudeBlockStop(0),
		mockllm.ClaudeBlock(1, `{"type":"text","text":""}`), mockllm.ClaudeDelta(1, `{"type":"text_delta","text":"a"}`), mockllm.ClaudeBlockStop(1),
		mockllm.ClaudeBlock(2, `{"type":"tool_use","id":"toolu_A","name":"A","input":{}}`), piece(`{"x"`), piece(`:"y`), piece(`"}`), mockllm.ClaudeBlockStop(2),
		mockllm.ClaudeBlock(3, `{"type":"tool_use","id":"toolu_B","name":"B","input":{}}`), mockllm.ClaudeBlockStop(3),
		mockllm.ClaudeFinish("tool_use", 3), mockllm.ClaudeStop()))))
	s := b.stream(ask("claude-x", `,"stream":true`))
	type call struct{ ID, Type, Name, Arguments string }
	calls, reasoning := map[int]call{}, ""
	for _, f := range s.Frames[:len(s.Frames)-1] {
		var c struct {
			Choices []struct {
				Index int
				Delta struct {
					Reasoning string `json:"reasoning_content"`
					ToolCalls []struct {
						Index    int
						ID, Type string
						Function struct{ Name, Arguments string }
					} `json:"tool_calls"`
				}
			}
		}
		if err := json.Unmarshal([]byte(f), &c); err != nil || len(c.Choices) != 1 || c.Choices[0].Index != 0 {
			t.Fatalf("%s: %v", f, err)
		}
		reasoning += c.Choices[0].Delta.Reasoning
		for _, tc := range c.Choices[0].Delta.ToolCalls {
			have := calls[tc.Index]
			calls[tc.Index] = call{have.ID + tc.ID, have.Type + tc.Type, have.Name + tc.Function.Name, have.Arguments + tc.Function.Arguments}
		}
	}
	want := map[int]call{0: {"toolu_A", "function", "A", `{"x":"y"}`}, 1: {"toolu_B", "function", "B", "{}"}}
	if d := cmp.Diff(want, calls); d != "" || reasoning != "think" || s.Text != "a" || cmp.Diff([]string{"0:tool_calls"}, s.Finish) != "" {
		t.Errorf("%s reasoning %q, %+v", d, reasoning, s)
	}
}

func TestP35ClaudeErrors(t *testing.T) {
	f := func(up int, kind string, want int, code string) {
		t.Helper()
		h := http.Header{}
		if up == 429 {
			h.Set("Retry-After", "7")
		}
		b := claude(t, one(always(mockllm.JSON(up, h, mockllm.ClaudeFault(kind, "the words")))))
		a := b.post(ask("claude-x", ""))
		e := b.fault(a)
		if a.Status != want || deref(e.Code) != code {
			t.Errorf("%d %s: got %d %+v %s", up, kind, a.Status, e, deref(e.Code))
		}
		// What asking again cannot mend is not asked again by the SDKs.
		hopeless := code == "insufficient_quota" || code == "upstream_auth_failed"
		if (a.Header.Get("X-Should-Retry") == "false") != hopeless {
			t.Errorf("%d: X-Should-Retry %q", up, a.Header.Get("X-Should-Retry"))
		}
		if (a.Header.Get("Retry-After") != "") != (want >= 429 && !hopeless) {
			t.Errorf("%d: Retry-After %q", up, a.Header.Get("Retry-After"))
		}
		if want < 429 && e.Message != "the words" {
			t.Errorf("%d: message %q", up, e.Message)
		}
	}
	f(401, "authentication_error", 502, "upstream_auth_failed")
	f(403, "permission_error", 502, "upstream_auth_failed")
	f(402, "billing_error", 429, "insufficient_quota")
	f(429, "rate_limit_error", 429, "upstream_rate_limited")
	f(529, "overloaded_error", 503, "upstream_error")
	f(500, "api_error", 502, "upstream_error")
	f(504, "timeout_error", 504, "upstream_error")
	f(400, "invalid_request_error", 400, "null")
	f(413, "request_too_large", 413, "request_too_large")
	f(404, "not_found_error", 404, "model_not_found")

	spent := strings.Replace(mockllm.ClaudeFault("rate_limit_error", "spent"), `"message"`, `"details":{"error_code":"enforced_spend_limit_reached"},"message"`, 1)
	b := claude(t, two(always(mockllm.JSON(429, nil, spent)), nil))
	if a := b.post(ask("pool", "")); a.Status != 200 || a.Header.Get("X-Berry-Provider") != "u2" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	b = claude(t, one(always(mockllm.JSON(429, nil, spent))))
	if a := b.post(ask("claude-x", "")); a.Status != 429 || deref(b.fault(a).Code) != "insufficient_quota" || a.Header.Get("X-Should-Retry") != "false" {
		t.Errorf("%d %v %s", a.Status, a.Header, a.Body)
	}

	b = claude(t, two(always(mockllm.JSON(401, nil, mockllm.ClaudeFault("authentication_error", "no"))), nil))
	if a := b.post(ask("pool", "")); a.Status != 200 || a.Header.Get("X-Berry-Provider") != "u2" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	b = claude(t, two(always(mockllm.ClaudeEvents(mockllm.ClaudeFault("overloaded_error", "Overloaded"))), nil))
	if a := b.post(ask("pool", askStream)); a.Status != 200 || a.Header.Get("X-Berry-Provider") != "u2" {
		t.Errorf("an error before content: %d %s", a.Status, a.Body)
	}
	b = claude(t, two(always(mockllm.ClaudeEvents(mockllm.ClaudeStart(7), mockllm.ClaudeBlock(0, `{"type":"text","text":"he"}`), mockllm.ClaudeFault("overloaded_error", "Overloaded"))), nil))
	s := b.stream(ask("pool", askStream))
	if s.Text != "he" || s.Error == nil || s.Error.Message != "Overloaded" || s.Error.Type != "server_error" || len(s.Finish) > 0 {
		t.Errorf("an error after content: %+v", s)
	}
	b.attempts(1, 0)
}

// TestClaudeChecks has the provider checked in its own format.
func TestClaudeChecks(t *testing.T) {
	b := claude(t, nil)
	models := []string{"claude-opus-4-7", "claude-sonnet-4-5"}
	if err := b.u["u1"].SetBehaviour(mockllm.Behaviour{Format: mockllm.Claude, Models: models}); err != nil {
		t.Fatal(err)
	}
	if r := b.gw.Current().CheckProvider(context.Background(), "u1"); !r.OK || r.Check != probe.CheckedModels || cmp.Diff(models, r.Models) != "" {
		t.Errorf("%+v", r)
	}
	for _, stream := range []bool{false, true} {
		r := b.gw.Current().TestBackend(context.Background(), probe.Test{Provider: "u1", Model: "claude-sonnet-4-5", Stream: stream})
		if !r.OK || r.Usage.IsZero() || r.Kind != loadbalance.Success {
			t.Errorf("stream %v: %+v", stream, r)
		}
	}
}
