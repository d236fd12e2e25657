package relay_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// One model over four providers, each with a format of its own. The
// administrator's requests choose the provider of each turn.
const mixed = `
[models.mix]
backends = [
	{ provider = "openai", model = "gpt-up" },
	{ provider = "claude", model = "claude-up" },
	{ provider = "gemini", model = "gemini-3-pro" },
	{ provider = "azure", model = "azure-up" },
]

[users.test]
token = "sk-test-1-long-enough"
tags = ["admin"]
`

// callOf is how each provider calls the function f, whole and streamed.
var callOf = map[string]struct {
	whole  string
	stream mockllm.Step
}{
	"openai": {
		`{"id":"c1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[` + openAICall + `]},"finish_reason":"tool_calls"}]}`,
		mockllm.SSE(mockllm.Role(), mockllm.Chunk(`{"tool_calls":[`+strings.Replace(openAICall, "{", `{"index":0,`, 1)+`]}`, ""), mockllm.Finish("tool_calls"), mockllm.Done),
	},
	"claude": {
		mockllm.ClaudeMessage(`[{"type":"thinking","thinking":"hm","signature":"c2lnbmVkLWJ5LWNsYXVkZQ=="},{"type":"tool_use","id":"toolu_01A09q90qw90lq917835lq9","name":"f","input":{"by":"claude"}}]`, "tool_use"),
		mockllm.ClaudeEvents(mockllm.ClaudeStart(7), mockllm.ClaudeBlock(0, `{"type":"thinking","thinking":"","signature":""}`),
			mockllm.ClaudeDelta(0, `{"type":"thinking_delta","thinking":"hm"}`), mockllm.ClaudeDelta(0, `{"type":"signature_delta","signature":"c2lnbmVkLWJ5LWNsYXVkZQ=="}`), mockllm.ClaudeBlockStop(0),
			mockllm.ClaudeBlock(1, `{"type":"tool_use","id":"toolu_01A09q90qw90lq917835lq9","name":"f","input":{}}`), mockllm.ClaudeDelta(1, `{"type":"input_json_delta","partial_json":"{\"by\":\"claude\"}"}`),
			mockllm.ClaudeBlockStop(1), mockllm.ClaudeFinish("tool_use", 2), mockllm.ClaudeStop()),
	},
	"gemini": {
		mockllm.GeminiChunk("STOP", geminiParts...),
		mockllm.SSE(mockllm.GeminiChunk("", geminiParts...), mockllm.GeminiFinish("STOP", 1, 1)),
	},
}

// OpenAI-format servers are not all at OpenAI: some make long ids.
var openAICall = `{"id":"call_` + strings.Repeat("x", 60) + `","type":"function","function":{"name":"f","arguments":"{\"by\":\"openai\"}"}}`

var geminiParts = []string{`{"text":"I think","thought":true}`, mockllm.GeminiCall("f", `{"by":"gemini"}`, "c2lnbmVkLWJ5LWdlbWluaQ=="), mockllm.GeminiCall("f", `{"by":"gemini again"}`, "")}

func startMixed(t *testing.T, stream bool) *berry {
	t.Helper()
	scripts := map[string]mockllm.Script{}
	for _, id := range []string{"openai", "claude", "gemini", "azure"} {
		call, ok := callOf[id]
		if !ok {
			call = callOf["openai"]
		}
		steps := mockllm.JSON(200, nil, call.whole)
		if stream {
			steps = call.stream
		}
		switch id {
		case "claude":
			scripts[id] = mockllm.StrictClaude(always(steps))
		case "gemini":
			scripts[id] = mockllm.StrictGemini(always(steps))
		default:
			scripts[id] = mockllm.StrictOpenAI(always(steps))
		}
	}
	return start(t, setup{ids: []string{"openai", "claude", "gemini", "azure"}, toml: mixed, scripts: scripts, provider: func(id string, p *config.Provider) {
		if p.BackendType = id; id != config.TypeOpenAI {
			p.BaseURL = strings.TrimSuffix(p.BaseURL, "/v1")
		}
	}})
}

// turn sends the conversation to one provider and returns the assistant's
// message as a client keeps it: every member, known or not.
func (b *berry) turn(provider string, stream bool, history []json.RawMessage) json.RawMessage {
	b.t.Helper()
	body, err := json.Marshal(map[string]any{
		"model": "mix", "backend": provider, "stream": stream, "messages": history, "max_tokens": 5000, "reasoning_effort": "low",
		"tools": []any{map[string]any{"type": "function", "function": map[string]any{"name": "f", "parameters": json.RawMessage(`{"type":"object","properties":{"by":{"type":"string"}}}`)}}},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	a := b.post(string(body))
	if a.Status != 200 || a.Header.Get("X-Berry-Provider") != provider {
		b.t.Fatalf("%s: %d %s", provider, a.Status, a.Body)
	}
	if stream {
		return gather(b.t, readStream(b.t, a))
	}
	var whole struct {
		Choices []struct{ Message json.RawMessage }
	}
	if err := json.Unmarshal([]byte(a.Body), &whole); err != nil || len(whole.Choices) != 1 {
		b.t.Fatalf("%s: %s", provider, a.Body)
	}
	return whole.Choices[0].Message
}

// gather puts a stream's deltas together as careful clients do: texts are
// joined, other members kept.
func gather(t *testing.T, s stream) json.RawMessage {
	t.Helper()
	message := map[string]any{}
	var calls []map[string]any
	for _, frame := range s.Frames[:len(s.Frames)-1] {
		var c struct {
			Choices []struct{ Delta map[string]any }
		}
		if err := json.Unmarshal([]byte(frame), &c); err != nil {
			t.Fatal(err)
		}
		for _, ch := range c.Choices {
			list, _ := ch.Delta["tool_calls"].([]any)
			delete(ch.Delta, "tool_calls")
			join(message, ch.Delta)
			for _, one := range list {
				call := one.(map[string]any)
				if i := int(call["index"].(float64)); i == len(calls) {
					calls = append(calls, map[string]any{})
				}
				join(calls[len(calls)-1], call)
			}
		}
	}
	message["tool_calls"] = calls
	out, err := json.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func join(to, from map[string]any) {
	for key, v := range from {
		switch v := v.(type) {
		case string:
			old, _ := to[key].(string)
			to[key] = old + v
		case map[string]any:
			old, _ := to[key].(map[string]any)
			if old == nil {
				old = map[string]any{}
				to[key] = old
			}
			join(old, v)
		case []any:
			old, _ := to[key].([]any)
			to[key] = append(old, v...)
		default:
			to[key] = v
		}
	}
}

// converse lets the providers answer one after the other, each with a call
// whose result is added.
func converse(b *berry, stream bool, providers ...string) {
	b.t.Helper()
	history := []json.RawMessage{json.RawMessage(`{"role":"system","content":"s"}`), json.RawMessage(`{"role":"user","content":"go"}`)}
	for _, p := range providers {
		message := b.turn(p, stream, history)
		var said struct {
			ToolCalls []struct{ ID string } `json:"tool_calls"`
		}
		if err := json.Unmarshal(message, &said); err != nil || len(said.ToolCalls) == 0 {
			b.t.Fatalf("%s said %s", p, message)
		}
		history = append(history, message)
		for _, c := range said.ToolCalls {
			history = append(history, json.RawMessage(fmt.Sprintf(`{"role":"tool","tool_call_id":%q,"content":"done"}`, c.ID)))
		}
	}
}

func TestConversationChangesProvider(t *testing.T) {
	for _, stream := range []bool{false, true} {
		for _, order := range [][]string{
			{"openai", "claude", "gemini", "azure"},
			{"gemini", "openai", "gemini"},
			{"claude", "gemini", "claude", "openai", "claude"},
			{"gemini", "azure", "claude", "gemini"},
		} {
			t.Run(fmt.Sprint(order, stream), func(t *testing.T) {
				b := startMixed(t, stream)
				converse(b, stream, order...)
			})
		}
	}
}

// Gemini's signature comes back to it, also from a client that drops what it
// does not know; calls of others have the dummy.
func TestConversationKeepsSignatures(t *testing.T) {
	b := startMixed(t, false)
	converse(b, false, "gemini", "openai", "gemini")
	seen := b.u["gemini"].Requests()
	body := string(seen[len(seen)-1].Body)
	if strings.Count(body, `"thoughtSignature":"c2lnbmVkLWJ5LWdlbWluaQ=="`) != 1 || strings.Count(body, `"thoughtSignature":"skip_thought_signature_validator"`) != 1 {
		t.Errorf("%s", body)
	}
	first := b.turn("gemini", false, []json.RawMessage{json.RawMessage(`{"role":"user","content":"go"}`)})
	var m struct {
		ToolCalls []struct {
			ID       string          `json:"id"`
			Type     string          `json:"type"`
			Function json.RawMessage `json:"function"`
		} `json:"tool_calls"`
	}
	if err := json.Unmarshal(first, &m); err != nil {
		t.Fatal(err)
	}
	kept, err := json.Marshal(map[string]any{"role": "assistant", "content": nil, "tool_calls": m.ToolCalls})
	if err != nil {
		t.Fatal(err)
	}
	// The signatures are the gateway's and not the configuration's.
	if err := b.gw.Reload(b.gw.Current().Config); err != nil {
		t.Fatal(err)
	}
	b.turn("gemini", false, []json.RawMessage{json.RawMessage(`{"role":"user","content":"go"}`), kept})
	seen = b.u["gemini"].Requests()
	if body := string(seen[len(seen)-1].Body); !strings.Contains(body, `"thoughtSignature":"c2lnbmVkLWJ5LWdlbWluaQ=="`) || strings.Contains(body, "skip_thought") {
		t.Errorf("%s", body)
	}
}

// What Berry added to an earlier answer is taken out for an upstream of
// OpenAI's format; all else stays as the client wrote it.
func TestExtensionsAreTakenOut(t *testing.T) {
	b := start(t, setup{scripts: one(good)})
	n := 0
	f := func(messages, want string) {
		t.Helper()
		body := func(messages string) string {
			return `{ "x":1.0, "model":"MODEL" ,"messages":` + messages + `, "y":12345678901234567890 }`
		}
		b.post(strings.Replace(body(messages), "MODEL", "gpt-a", 1))
		seen := b.u["u1"].Requests()
		n++
		if len(seen) != n {
			t.Fatalf("%s: nothing was sent", messages)
		}
		if d := cmp.Diff(strings.Replace(body(want), "MODEL", "gpt-a-up", 1), string(bytes.TrimSpace(seen[n-1].Body))); d != "" {
			t.Errorf("%s (-want +got):\n%s", messages, d)
		}
	}
	same := func(messages string) { t.Helper(); f(messages, messages) }
	same(`[{"role":"user","content":"hi"}]`)
	same(`[{"role":"user","content":"thinking_blocks and extra_content"}]`)
	same(`[{"role":"user","content":[{"type":"text","text":"a","extra_content":1}]}, {"tool_calls":[ {"function":{"extra_content":2, "arguments":""}} ]}]`)
	f(`[{"role":"assistant", "thinking_blocks":[{"type":"thinking"}], "content":"a"}]`, `[{"role":"assistant", "content":"a"}]`)
	f(`[{ "thinking_blocks":[1] , "role":"assistant","extra_content":{"a":1}}]`, `[{ "role":"assistant"}]`)
	f(`[{"tool_calls":[{"id":"a","extra_content":{"google":{}}},{"extra_content":{},"id":"b"}],"thinking_blocks":[]}]`, `[{"tool_calls":[{"id":"a"},{"id":"b"}]}]`)
	long := strings.Repeat("x", 41)
	f(`[{"tool_calls":[{"extra_content":1,"id":"`+long+`"}],"role":"assistant"}]`, `[{"tool_calls":[{"id":"call_4c204bbc6fd5304c8bf175ca794c1192"}],"role":"assistant"}]`)
}
