package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/shared"
	"google.golang.org/genai"

	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

const geminiKey = "up-gemini-canary-6"

// geminiModels are the public models of this world; the provider's name of each is gemini-3- and the same.
var geminiModels = []string{"text", "tools", "json", "thinks", "refuses", "truncated", "blocked"}

const geminiJSON = `{"city":"Zürich"}`

// geminiScript is what the provider answers by model. What the real API would refuse is a 400.
func geminiScript() mockllm.Script {
	part := mockllm.GeminiText
	frames := map[string][]string{
		"tools":     {mockllm.GeminiChunk("", mockllm.GeminiCall("weather", toolArgs1, "c2ln")), mockllm.GeminiChunk("", mockllm.GeminiCall("clock", toolArgs2, "")), mockllm.GeminiFinish("STOP", 7, 4)},
		"json":      {mockllm.GeminiChunk("", part(`{"city":`)), mockllm.GeminiChunk("STOP", part(`"Zürich"}`))},
		"thinks":    {mockllm.GeminiChunk("", `{"text":"I think ","thought":true}`), mockllm.GeminiChunk("", `{"text":"so.","thought":true}`), mockllm.GeminiChunk("STOP", part(answer))},
		"truncated": {mockllm.GeminiChunk("", part("he"))},
		"blocked":   {`{"promptFeedback":{"blockReason":"SAFETY"},"responseId":"r1"}`},
	}
	return mockllm.StrictGemini(func(r *mockllm.Seen) []mockllm.Step {
		name, method, _ := strings.Cut(strings.TrimPrefix(r.Path, "/v1beta/models/gemini-3-"), ":")
		if name == "refuses" {
			return []mockllm.Step{mockllm.JSON(400, nil, mockllm.GeminiFault(400, "INVALID_ARGUMENT", "Penalty is not enabled for this model"))}
		}
		all, ok := frames[name]
		switch {
		case !ok:
			return nil
		case method == "streamGenerateContent":
			return []mockllm.Step{mockllm.SSE(all...)}
		}
		return []mockllm.Step{mockllm.JSON(200, nil, "["+strings.Join(all, ",")+"]")}
	})
}

// geminiWorld is Berry in front of a provider with Gemini's format.
func geminiWorld(t *testing.T) (*server, *mockllm.Server) {
	t.Helper()
	up := mockllm.Start(t, nil)
	var models []string
	var config strings.Builder
	fmt.Fprintf(&config, "[settings]\nbind_address = \"127.0.0.1:0\"\nlog_format = \"json\"\nmax_retries = 0\n"+
		"[providers.gemini]\nbackend_type = \"gemini\"\nbase_url = %q\napi_key = %q\nsafety_settings = { HARM_CATEGORY_HARASSMENT = \"BLOCK_NONE\" }\n"+
		"[users.client]\ntoken = %q\n", up.URL, geminiKey, token)
	for _, m := range geminiModels {
		models = append(models, "gemini-3-"+m)
		fmt.Fprintf(&config, "[models.%s]\n[[models.%s.backends]]\nprovider = \"gemini\"\nmodel = \"gemini-3-%s\"\n", m, m, m)
	}
	up.SetScript(geminiScript())
	if err := up.SetBehaviour(mockllm.Behaviour{Format: mockllm.Gemini, Key: geminiKey, Models: models, Answer: func(mockllm.Prompt) string { return answer }}); err != nil {
		t.Fatal(err)
	}
	return startServer(t, config.String(), append(secrets(), geminiKey)), up
}

func TestGeminiGo(t *testing.T) {
	s, up := geminiWorld(t)
	c := connect(s, token)
	tools := []openai.ChatCompletionToolUnionParam{}
	for _, name := range []string{"weather", "clock"} {
		tools = append(tools, openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{Name: name, Strict: openai.Bool(true), Parameters: shared.FunctionParameters{
			"type": "object", "additionalProperties": false, "properties": map[string]any{"city": map[string]any{"type": []string{"string", "null"}}},
		}}))
	}
	t.Run("text", func(t *testing.T) {
		got, err := c.Chat.Completions.New(within(t), params("text"))
		if err != nil {
			t.Fatal(describe(err))
		}
		equal(t, "text", got.Choices[0].Message.Content, answer)
		equal(t, "finish", got.Choices[0].FinishReason, "stop")
		equal(t, "tokens", got.Usage.TotalTokens, promptTokens+completionTokens)
		p := params("text")
		p.StreamOptions.IncludeUsage = openai.Bool(true)
		streamed := whole(t, c.Chat.Completions.NewStreaming(within(t), p), answer, "text")
		equal(t, "usages", len(streamed.usages), 1)
		equal(t, "tokens", streamed.usages[0].TotalTokens, promptTokens+completionTokens)
	})
	t.Run("tools", func(t *testing.T) {
		p := params("tools")
		p.Tools = tools
		got := collect(t, c.Chat.Completions.NewStreaming(within(t), p))
		if got.err != nil {
			t.Fatal(describe(got.err))
		}
		m := got.acc.Choices[0].Message
		equal(t, "finish", got.acc.Choices[0].FinishReason, "tool_calls")
		equal(t, "calls", len(m.ToolCalls), 2)
		equal(t, "first", m.ToolCalls[0].Function.Name+m.ToolCalls[0].Function.Arguments, "weather"+toolArgs1)
		equal(t, "second", m.ToolCalls[1].Function.Name+m.ToolCalls[1].Function.Arguments, "clock"+toolArgs2)
		// The SDK drops the signature; Berry remembers it.
		p.Messages = append(p.Messages, m.ToParam(), openai.ToolMessage("sunny", m.ToolCalls[0].ID), openai.ToolMessage("noon", m.ToolCalls[1].ID))
		if _, err := c.Chat.Completions.New(within(t), p); err != nil {
			t.Fatal(describe(err))
		}
		seen := up.Requests()
		if body := seen[len(seen)-1].Body; !bytes.Contains(body, []byte(`"thoughtSignature":"c2ln"`)) {
			t.Errorf("the signature did not come back: %s", body)
		}
	})
	t.Run("json", func(t *testing.T) {
		p := params("json")
		p.ResponseFormat.OfJSONSchema = &shared.ResponseFormatJSONSchemaParam{JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{
			Name: "place", Strict: openai.Bool(true), Schema: map[string]any{"$schema": "x", "type": "object", "properties": map[string]any{"city": map[string]any{"type": "string", "pattern": "^Z"}}, "required": []string{"city"}},
		}}
		got, err := c.Chat.Completions.New(within(t), p)
		if err != nil {
			t.Fatal(describe(err))
		}
		equal(t, "text", got.Choices[0].Message.Content, geminiJSON)
	})
	t.Run("thinks", func(t *testing.T) {
		p := params("thinks")
		p.ReasoningEffort = shared.ReasoningEffortHigh
		s := c.Chat.Completions.NewStreaming(within(t), p)
		defer s.Close()
		thoughts, text := "", ""
		for s.Next() {
			for _, ch := range s.Current().Choices {
				var piece string
				if raw := ch.Delta.JSON.ExtraFields["reasoning_content"].Raw(); raw != "" {
					if err := json.Unmarshal([]byte(raw), &piece); err != nil {
						t.Fatal(err)
					}
				}
				thoughts, text = thoughts+piece, text+ch.Delta.Content
			}
		}
		if s.Err() != nil {
			t.Fatal(describe(s.Err()))
		}
		equal(t, "thoughts", thoughts, "I think so.")
		equal(t, "text", text, answer)
	})
	t.Run("refuses", func(t *testing.T) {
		_, err := c.Chat.Completions.New(within(t), params("refuses"))
		fails(t, err, 400, "invalid_argument")
		p := params("text")
		p.N = openai.Int(2)
		_, err = c.Chat.Completions.New(within(t), p)
		equal(t, "param", fails(t, err, 400, "invalid_value").Param, "n")
	})
	t.Run("blocked", func(t *testing.T) {
		got := collect(t, c.Chat.Completions.NewStreaming(within(t), params("blocked")))
		if got.err != nil || got.acc.Choices[0].FinishReason != "content_filter" || got.acc.Choices[0].Message.Refusal == "" {
			t.Errorf("%+v, %v", got.acc, got.err)
		}
	})
	t.Run("truncated", func(t *testing.T) {
		got := collect(t, c.Chat.Completions.NewStreaming(within(t), params("truncated")))
		if got.err == nil || got.text != "he" || len(got.finish) > 0 {
			t.Errorf("text %q, finish %v, error %v", got.text, got.finish, got.err)
		}
	})
	for _, seen := range up.Requests() {
		if seen.Method == "POST" {
			judge(t, seen.Path, seen.Body)
		}
	}
}

// The same with the official SDK for JavaScript.
func TestGeminiNode(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed")
	}
	if _, err := os.Stat("node/node_modules/openai"); err != nil {
		t.Skip("npm's openai is not installed: run npm ci in e2e/node")
	}
	s, _ := geminiWorld(t)
	cmd := exec.CommandContext(within(t), node, "node/gemini.mjs")
	cmd.Env = bareEnv("BERRY_URL="+s.baseURL(), "BERRY_TOKEN="+token, "BERRY_ANSWER="+answer)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// wireRequest is generateContent's body in the official SDK's types.
type wireRequest struct {
	Contents          []*genai.Content        `json:"contents,omitempty"`
	SystemInstruction *genai.Content          `json:"systemInstruction,omitempty"`
	Tools             []*genai.Tool           `json:"tools,omitempty"`
	ToolConfig        *genai.ToolConfig       `json:"toolConfig,omitempty"`
	GenerationConfig  *genai.GenerationConfig `json:"generationConfig,omitempty"`
	SafetySettings    []*genai.SafetySetting  `json:"safetySettings,omitempty"`
}

// judge checks that a request says in the official SDK's types what it says on the wire, and nothing else.
func judge(t *testing.T, name string, body []byte) {
	t.Helper()
	// The SDK reads a signature as standard base64, the API in either alphabet.
	body = bytes.ReplaceAll(body, []byte("skip_thought_signature_validator"), []byte("skip/thought/signature/validator"))
	var in wireRequest
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		t.Errorf("%s: the SDK cannot read %s: %v", name, body, err)
		return
	}
	again, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	if was, is := parsed(t, body), parsed(t, again); !reflect.DeepEqual(was, is) {
		t.Errorf("%s: the SDK reads\n%s as\n%s", name, body, again)
	}
}

// parsed is a JSON text without what is empty, which the SDK does not write.
func parsed(t *testing.T, body []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatal(err)
	}
	return pruned(v)
}

func pruned(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, one := range v {
			switch one = pruned(one); {
			case reflect.DeepEqual(one, map[string]any{}), one == nil:
				delete(v, key)
			default:
				v[key] = one
			}
		}
	case []any:
		for i := range v {
			v[i] = pruned(v[i])
		}
	}
	return v
}

// The SDK judges every golden request as well.
func TestGeminiJudge(t *testing.T) {
	files, err := filepath.Glob("../relay/dialect/gemini/testdata/request_*.up.json")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d golden requests: %v", len(files), err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		dec := json.NewDecoder(bytes.NewReader(data))
		var head, body json.RawMessage
		if err := dec.Decode(&head); err != nil {
			t.Fatal(err)
		}
		if err := dec.Decode(&body); err != nil {
			t.Fatal(err)
		}
		judge(t, filepath.Base(f), body)
	}
}
