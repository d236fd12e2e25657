package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"

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
	var b strings.Builder
	fmt.Fprintf(&b, "[settings]\nbind_address = \"127.0.0.1:0\"\nlog_format = \"json\"\nhealth_check_interval_seconds = 0\n"+
		"[providers.anthropic]\nbackend_type = \"claude\"\nbase_url = %q\napi_key = %q\n[users.client]\ntoken = %q\n", up.URL, claudeKey, token)
	for _, name := range []string{"claude-sonnet-4-5", "claude-opus-4-7"} {
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
				judgeClaude(t, name, sent)
			})
		}
	}
}

// TestGoClaudeCitations has the pages that an answer rests on come as OpenAI's annotations, whole and streamed.
func TestGoClaudeCitations(t *testing.T) {
	berry, up := claudeWorld(t)
	cited := anthropic.CitationsWebSearchResultLocation{URL: "https://example.com/a", Title: "A page", CitedText: "...", EncryptedIndex: "e"}
	up.SetScript(mockllm.Attempts(
		mockllm.Always(mockllm.JSON(200, nil, mockllm.ClaudeMessage(`[{"type":"text","text":"Grüße: "},{"type":"text","text":"red","citations":[`+asJSON(cited)+`]}]`, "end_turn"))),
		mockllm.Always(mockllm.ClaudeEvents(mockllm.ClaudeStart(7), mockllm.ClaudeBlock(0, asJSON(anthropic.TextBlock{})),
			mockllm.ClaudeText("Grüße: "), mockllm.ClaudeBlockStop(0), mockllm.ClaudeBlock(1, asJSON(anthropic.TextBlock{})),
			mockllm.ClaudeDelta(1, `{"type":"citations_delta","citation":`+asJSON(cited)+`}`), mockllm.ClaudeDelta(1, asJSON(anthropic.TextDelta{Text: "red"})),
			mockllm.ClaudeBlockStop(1), mockllm.ClaudeFinish("end_turn", 2), mockllm.ClaudeStop())),
	))
	c := connect(berry, token)
	const model, want = "claude-sonnet-4-5", `[{"type":"url_citation","url_citation":{"start_index":7,"end_index":10,"title":"A page","url":"https://example.com/a"}}]`
	got, err := c.Chat.Completions.New(within(t), params(model))
	if err != nil {
		t.Fatal(describe(err))
	}
	m := got.Choices[0].Message
	equal(t, "annotations", m.JSON.Annotations.Raw(), want)
	equal(t, "page", m.Annotations[0].URLCitation.URL, "https://example.com/a")
	s := c.Chat.Completions.NewStreaming(within(t), params(model))
	defer s.Close()
	streamed := ""
	for s.Next() {
		for _, ch := range s.Current().Choices {
			streamed += ch.Delta.JSON.ExtraFields["annotations"].Raw()
		}
	}
	if s.Err() != nil {
		t.Fatal(describe(s.Err()))
	}
	equal(t, "annotations", streamed, want)
}

// judgeClaude checks that a request says in Anthropic's own types what it says on the wire, and nothing else.
func judgeClaude(t *testing.T, name string, sent []byte) {
	t.Helper()
	var params anthropic.MessageNewParams
	if err := json.Unmarshal(sent, &params); err != nil {
		t.Errorf("%s: %v in %s", name, err, sent)
		return
	}
	again, err := json.Marshal(params)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := canonical(t, again), canonical(t, sent); got != want {
		t.Errorf("%s: the SDK makes of it %s, want %s", name, got, want)
	}
}

// TestClaudeJudge has the SDK judge every golden request as well.
func TestClaudeJudge(t *testing.T) {
	raw, err := os.ReadFile("../relay/dialect/claude/testdata/requests.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name string
		Out  json.RawMessage
	}
	if err := json.Unmarshal(raw, &cases); err != nil || len(cases) < 30 {
		t.Fatalf("%d golden requests: %v", len(cases), err)
	}
	for _, c := range cases {
		if c.Out != nil {
			judgeClaude(t, c.Name, c.Out)
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
