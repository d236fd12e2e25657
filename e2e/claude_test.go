package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/openai/openai-go/v3"

	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

const claudeKey = "up-claude-canary-6"

// claudeWorld is Berry in front of a provider that speaks Claude's format, and
// refuses what the real one refuses.
func claudeWorld(t *testing.T) (*server, *mockllm.Server) {
	t.Helper()
	up := mockllm.Start(t, nil)
	if err := up.SetBehaviour(mockllm.Behaviour{Format: mockllm.Claude, Key: claudeKey, Answer: func(mockllm.Prompt) string { return answer }}); err != nil {
		t.Fatal(err)
	}
	piece := func(s string) string {
		q, _ := json.Marshal(s)
		return mockllm.ClaudeDelta(1, `{"type":"input_json_delta","partial_json":`+string(q)+`}`)
	}
	begin := []string{mockllm.ClaudeStart(promptTokens), mockllm.ClaudeBlock(0, `{"type":"text","text":""}`), mockllm.ClaudeText("he")}
	scripts := map[string]mockllm.Script{
		"tools": mockllm.Always(mockllm.ClaudeEvents(mockllm.ClaudeStart(promptTokens),
			mockllm.ClaudeBlock(1, `{"type":"tool_use","id":"`+toolID1+`","name":"weather","input":{}}`), piece(toolArgs1[:8]), piece(toolArgs1[8:]), mockllm.ClaudeBlockStop(1),
			mockllm.ClaudeBlock(2, `{"type":"tool_use","id":"`+toolID2+`","name":"clock","input":{}}`), mockllm.ClaudeBlockStop(2),
			mockllm.ClaudeFinish("tool_use", completionTokens), mockllm.ClaudeStop())),
		"truncated": mockllm.Always(mockllm.ClaudeEvents(begin...), mockllm.Cut()),
		"broken":    mockllm.Always(mockllm.ClaudeEvents(append(begin, mockllm.ClaudeFault("overloaded_error", "boom"))...)),
		"rejected":  mockllm.Always(mockllm.JSON(400, nil, mockllm.ClaudeFault("invalid_request_error", "bad temp"))),
	}
	up.SetScript(func(r *mockllm.Seen) []mockllm.Step {
		if script := scripts[asked(r)]; script != nil {
			return script(r)
		}
		return nil
	})
	var b strings.Builder
	fmt.Fprintf(&b, "[settings]\nbind_address = \"127.0.0.1:0\"\nlog_format = \"json\"\nhealth_check_interval_seconds = 0\n"+
		"[providers.anthropic]\nbackend_type = \"claude\"\nbase_url = %q\napi_key = %q\n[users.client]\ntoken = %q\n", up.URL, claudeKey, token)
	for _, name := range []string{"claude-sonnet-4-5", "claude-opus-4-7", "tools", "truncated", "broken", "rejected"} {
		fmt.Fprintf(&b, "[models.%q]\n[[models.%q.backends]]\nprovider = \"anthropic\"\nmodel = %q\n", name, name, name)
	}
	return startServer(t, b.String(), []string{token, claudeKey}), up
}

// claudeRequests are chats with everything that is translated.
func claudeRequests(model string) map[string]string {
	const tools = `"tools":[{"type":"function","function":{"name":"f","description":"d","strict":true,"parameters":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}}}]`
	head := `{"model":"` + model + `",`
	return map[string]string{
		"text":  head + `"messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"}],"temperature":1.5,"top_p":0.5,"stop":["END"],"user":"u","max_tokens":9}`,
		"cache": head + `"messages":[{"role":"system","content":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}]},{"role":"user","content":"hi"}]}`,
		"images": head + `"messages":[{"role":"user","content":[{"type":"text","text":"look"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}},` +
			`{"type":"image_url","image_url":{"url":"https://example.com/a.png"}},{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBE"}},` +
			`{"type":"file","file":{"file_data":"data:text/plain;base64,aGk="}}]}]}`,
		"tools": head + tools + `,"tool_choice":"required","parallel_tool_calls":false,"messages":[{"role":"user","content":"hi"},` +
			`{"role":"assistant","content":"x","tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":"{\"a\":\"b\"}"}}]},{"role":"tool","tool_call_id":"t1","content":"22"}]}`,
		"schema":    head + `"messages":[{"role":"user","content":"hi"}],"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","properties":{}}}}}`,
		"reasoning": head + `"messages":[{"role":"user","content":"hi"}],"reasoning_effort":"high"}`,
		"thought": head + tools + `,"reasoning_effort":"low","messages":[{"role":"user","content":"hi"},{"role":"assistant","thinking_blocks":[{"type":"thinking","thinking":"x","signature":"s"}],` +
			`"tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":"{\"a\":\"b\"}"}}]},{"role":"tool","tool_call_id":"t1","content":"22"}]}`,
	}
}

// TestClaudeRequestsAreTheirSDKs reads what Berry sends into the request type
// of Anthropic's own SDK: nothing of it may get lost.
func TestClaudeRequestsAreTheirSDKs(t *testing.T) {
	berry, up := claudeWorld(t)
	for _, model := range []string{"claude-sonnet-4-5", "claude-opus-4-7"} {
		for name, body := range claudeRequests(model) {
			t.Run(model+"/"+name, func(t *testing.T) {
				before := up.Count()
				var raw json.RawMessage
				c := connect(berry, token)
				if err := c.Post(within(t), "chat/completions", json.RawMessage(body), &raw); err != nil {
					t.Fatal(describe(err))
				}
				sent := up.Requests()[before].Body
				var params anthropic.MessageNewParams
				if err := json.Unmarshal(sent, &params); err != nil {
					t.Fatalf("%v in %s", err, sent)
				}
				again, err := json.Marshal(params)
				if err != nil {
					t.Fatal(err)
				}
				equal(t, "what the SDK makes of it", canonical(t, again), canonical(t, sent))
			})
		}
	}
}

// canonical is JSON with sorted members. The system prompt and tool results
// that are plain strings are the one block that the SDK makes of them.
func canonical(t *testing.T, body []byte) string {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatal(err)
	}
	delete(v, "stream") // not a parameter of the SDK's type
	if s, ok := v["system"].(string); ok {
		v["system"] = []any{map[string]any{"type": "text", "text": s}}
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimSpace(out))
}

// TestGoClaude runs the OpenAI SDK for Go against Berry in front of Claude.
func TestGoClaude(t *testing.T) {
	berry, _ := claudeWorld(t)
	c := connect(berry, token)
	const model = "claude-sonnet-4-5"
	t.Run("text", func(t *testing.T) {
		got, err := c.Chat.Completions.New(within(t), params(model))
		if err != nil {
			t.Fatal(describe(err))
		}
		equal(t, "text", got.Choices[0].Message.Content, answer)
		equal(t, "tokens", got.Usage.TotalTokens, int64(promptTokens+completionTokens))
	})
	t.Run("stream", func(t *testing.T) {
		p := params(model)
		p.StreamOptions = openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)}
		got := whole(t, c.Chat.Completions.NewStreaming(within(t), p), answer, model)
		equal(t, "usages", len(got.usages), 1)
		equal(t, "tokens", got.usages[0].TotalTokens, int64(promptTokens+completionTokens))
	})
	t.Run("tools", func(t *testing.T) {
		got := collect(t, c.Chat.Completions.NewStreaming(within(t), params("tools")))
		if got.err != nil {
			t.Fatal(describe(got.err))
		}
		calls := got.acc.Choices[0].Message.ToolCalls
		equal(t, "calls", len(calls), 2)
		equal(t, "first call", calls[0].ID+calls[0].Function.Name+calls[0].Function.Arguments, toolID1+"weather"+toolArgs1)
		equal(t, "second call", calls[1].ID+calls[1].Function.Name+calls[1].Function.Arguments, toolID2+"clock{}")
		equal(t, "finish", strings.Join(got.finish, ","), "tool_calls")
	})
	t.Run("reasoning", func(t *testing.T) {
		p := params(model)
		p.ReasoningEffort = "high"
		got, err := c.Chat.Completions.New(within(t), p)
		if err != nil {
			t.Fatal(describe(err))
		}
		equal(t, "reasoning", got.Choices[0].Message.JSON.ExtraFields["reasoning_content"].Raw(), `"A fake thought."`)
	})
	for _, name := range []string{"truncated", "broken"} {
		t.Run(name, func(t *testing.T) {
			got := collect(t, c.Chat.Completions.NewStreaming(within(t), params(name)))
			if got.text != "he" || got.err == nil || len(got.finish) > 0 {
				t.Errorf("text %q, finish %q, error %v", got.text, got.finish, got.err)
			}
		})
	}
	t.Run("rejected", func(t *testing.T) {
		_, err := c.Chat.Completions.New(within(t), params("rejected"))
		e, ok := errors.AsType[*openai.Error](err)
		if !ok || e.StatusCode != 400 || e.Message != "bad temp" {
			t.Errorf("%v", err)
		}
	})
}

// TestNodeClaude runs the SDK for JavaScript with its helpers.
func TestNodeClaude(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed")
	}
	if _, err := os.Stat("node/node_modules/openai"); errors.Is(err, fs.ErrNotExist) {
		t.Skip("npm's openai is not installed: run npm ci in e2e/node")
	}
	berry, _ := claudeWorld(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, "node/claude.mjs")
	cmd.Env = bareEnv("BERRY_URL="+berry.baseURL(), "BERRY_TOKEN="+token, "BERRY_ANSWER="+answer,
		"BERRY_TOOLS="+strings.Join([]string{toolID1, toolArgs1, toolID2}, "|"))
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "all cases passed") {
		t.Errorf("%v\n%s", err, out)
	}
}
