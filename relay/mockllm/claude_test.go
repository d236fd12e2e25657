package mockllm_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// posted is what a server answers.
func posted(t *testing.T, url, body string, header http.Header) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(all)
}

func TestClaudeRefuses(t *testing.T) {
	s := mockllm.Start(t, nil)
	if err := s.SetBehaviour(mockllm.Behaviour{Format: mockllm.Claude, Key: "k", Models: []string{"m", "claude-opus-4-7"}}); err != nil {
		t.Fatal(err)
	}
	good := http.Header{"X-Api-Key": {"k"}, "Anthropic-Version": {"2023-06-01"}}
	f := func(body, want string) {
		t.Helper()
		status, got := posted(t, s.URL+"/v1/messages", body, good)
		if ok := want == ""; ok && status != 200 || !ok && (status != 400 || !strings.Contains(got, want) || !strings.Contains(got, `"type":"invalid_request_error"`)) {
			t.Errorf("%s: %d %s, want %q", body, status, got, want)
		}
	}
	const head = `{"model":"m","max_tokens":5000,`
	const hi = head + `"messages":[{"role":"user","content":"hi"}]`
	const called = head + `"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{}}]},`
	const tool = `,"tools":[{"name":"f","input_schema":{"type":"object"}}]`
	f(hi+`}`, "")
	f(hi+tool+`,"tool_choice":{"type":"tool","name":"f"},"temperature":1,"stop_sequences":["a"]}`, "")
	f(called+`{"role":"user","content":[{"type":"tool_result","tool_use_id":"t"},{"type":"text","text":"a"}]}]}`, "")
	f(`{`, "unexpected EOF")
	f(hi+`,"seed":1}`, "seed")
	f(hi+`,"n":1}`, `\"n\"`)
	f(`{"model":"m","messages":[{"role":"user","content":"hi"}]}`, "max_tokens")
	f(head+`"messages":[]}`, "at least one message")
	f(head+`"messages":[{"role":"assistant","content":"a"}]}`, "user role")
	f(head+`"messages":[{"role":"system","content":"a"}]}`, "user role")
	f(head+`"messages":[{"role":"user","content":" "}]}`, "non-empty")
	f(head+`"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}]}`, "image_url")
	f(head+`"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/bmp","data":"AA=="}}]}]}`, "source")
	f(head+`"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b "}]}`, "whitespace")
	f(called+`{"role":"user","content":"a"}]}`, "tool_result")
	f(called+`{"role":"user","content":[{"type":"text","text":"a"},{"type":"tool_result","tool_use_id":"t"}]}]}`, "unexpected")
	f(head+`"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t"}]}]}`, "unexpected")
	f(strings.Replace(called, `"id":"t"`, `"id":"a:b"`, 1)+`{"role":"user","content":"a"}]}`, "invalid id")
	f(hi+`,"temperature":1.1}`, "temperature")
	f(hi+`,"temperature":1,"top_p":1}`, "both")
	f(strings.Replace(hi, `"m"`, `"claude-opus-4-7"`, 1)+`,"temperature":1}`, "not supported")
	f(hi+`,"stop_sequences":[" "]}`, "stop_sequences")
	f(hi+`,"tools":[{"name":"f","input_schema":{}}]}`, "object")
	f(hi+`,"tools":[{"name":"f","input_schema":{"type":"object","anyOf":[]}}]}`, "top level")
	f(hi+`,"tool_choice":{"type":"auto"}}`, "tools")
	f(hi+tool+`,"tool_choice":{"type":"tool","name":"g"}}`, "not found")
	f(hi+tool+`,"tool_choice":{"type":"none","disable_parallel_tool_use":true}}`, "none")
	f(hi+`,"thinking":{"type":"enabled","budget_tokens":1000}}`, "1024")
	f(hi+`,"thinking":{"type":"enabled","budget_tokens":5000}}`, "max_tokens")
	f(hi+tool+`,"thinking":{"type":"adaptive"},"tool_choice":{"type":"any"}}`, "forces")
	f(hi+`,"thinking":{"type":"adaptive"},"temperature":0.5}`, "temperature")
	f(called+`{"role":"user","content":[{"type":"tool_result","tool_use_id":"t"}]}],"thinking":{"type":"adaptive"}}`, "Expected `thinking`")
	f(hi+`,"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}}`, "additionalProperties")

	g := func(h http.Header, body string, want int, kind string) {
		t.Helper()
		if status, got := posted(t, s.URL+"/v1/messages", body, h); status != want || !strings.Contains(got, kind) {
			t.Errorf("%d %s, want %d %s", status, got, want, kind)
		}
	}
	g(http.Header{"Anthropic-Version": {"2023-06-01"}}, hi+`}`, 401, "authentication_error")
	g(http.Header{"X-Api-Key": {"k"}}, hi+`}`, 400, "anthropic-version")
	g(good, strings.Replace(hi, `"m"`, `"other"`, 1)+`}`, 404, "not_found_error")
	good.Set("Anthropic-Version", "2026-10-21")
	f(hi+`}`, "")
	f(hi+`,"temperature":1}`, "API version")
	f(hi+`,"top_k":1}`, "API version")
}

func TestAzureAddresses(t *testing.T) {
	s := mockllm.Start(t, nil)
	if err := s.SetBehaviour(mockllm.Behaviour{Format: mockllm.Azure, Key: "k", Models: []string{"d"}}); err != nil {
		t.Fatal(err)
	}
	key := http.Header{"Api-Key": {"k"}}
	f := func(path, model string, h http.Header, want int) {
		t.Helper()
		if status, got := posted(t, s.URL+path, `{"model":"`+model+`","messages":[{"role":"user","content":"a"}]}`, h); status != want {
			t.Errorf("%s: %d %s, want %d", path, status, got, want)
		}
	}
	f("/openai/v1/chat/completions", "d", key, 200)
	f("/openai/v1/chat/completions", "other", key, 404)
	f("/openai/v1/chat/completions", "d", http.Header{"Authorization": {"Bearer k"}}, 401)
	f("/openai/deployments/d/chat/completions?api-version=2024-10-21", "d", key, 200)
	f("/openai/deployments/d/chat/completions", "d", key, 404)
	f("/openai/deployments/other/chat/completions?api-version=2024-10-21", "d", key, 404)
	f("/v1/chat/completions", "d", key, 404)
}

func TestClaudeCounts(t *testing.T) {
	s := mockllm.Start(t, nil)
	if err := s.SetBehaviour(mockllm.Behaviour{Format: mockllm.Claude}); err != nil {
		t.Fatal(err)
	}
	f := func(body string, status int, want string) {
		t.Helper()
		got, answer := posted(t, s.URL+"/v1/messages/count_tokens", body, http.Header{"Anthropic-Version": {"2023-06-01"}})
		if got != status || !strings.Contains(answer, want) {
			t.Errorf("%s: %d %s", body, got, answer)
		}
	}
	f(`{"model":"m","messages":[{"role":"user","content":"one two three"}]}`, 200, `{"input_tokens":4}`)
	f(`{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"one two three"}]}`, 200, `{"input_tokens":4}`)
	f(`{"model":"m","messages":[]}`, 400, "at least one message")
	f(`[`, 400, "invalid_request_error")
}

// Anthropic's own clients say more than a translated chat ever does.
func TestClaudeOfItsOwnClients(t *testing.T) {
	s := mockllm.Start(t, nil)
	if err := s.SetBehaviour(mockllm.Behaviour{Format: mockllm.Claude}); err != nil {
		t.Fatal(err)
	}
	f := func(beta, body string, status int) {
		t.Helper()
		h := http.Header{"Anthropic-Version": {"2023-06-01"}}
		if beta != "" {
			h.Set("Anthropic-Beta", beta)
		}
		if got, answer := posted(t, s.URL+"/v1/messages", body, h); got != status {
			t.Errorf("%s: %d %s", body, got, answer)
		}
	}
	const head = `{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"hi"}`
	f("", head+`],"context_management":{"edits":[]},"speed":"standard","cache_control":{"type":"ephemeral"}}`, 200)
	const told = head + `,{"role":"system","content":"be brief"}]}`
	f("", told, 400)
	f("mid-conversation-system-2026-01-01", told, 200)
	f("x", `{"model":"m","max_tokens":5,"messages":[{"role":"system","content":"be brief"}]}`, 400)
}
