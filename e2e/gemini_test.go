package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"google.golang.org/genai"

	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

const geminiKey = "up-gemini-canary-6"

// TestGeminiBlocked has a prompt refused, which is an answer without a candidate.
func TestGeminiBlocked(t *testing.T) {
	blocked := asJSON(&genai.GenerateContentResponse{
		ResponseID: "r1", PromptFeedback: &genai.GenerateContentResponsePromptFeedback{BlockReason: genai.BlockedReasonSafety},
	})
	up := mockllm.Start(t, func(r *mockllm.Seen) []mockllm.Step {
		if _, stream := geminiFormat().asked(r); stream {
			return []mockllm.Step{mockllm.SSE(blocked)}
		}
		return []mockllm.Step{mockllm.JSON(200, nil, blocked)}
	})
	s := startServer(t, fmt.Sprintf("[settings]\nbind_address = \"127.0.0.1:0\"\nlog_format = \"json\"\nhealth_check_interval_seconds = 0\n"+
		"[providers.gemini]\nbackend_type = \"gemini\"\nbase_url = %q\napi_key = %q\n[users.client]\ntoken = %q\n"+
		"[models.m]\n[[models.m.backends]]\nprovider = \"gemini\"\nmodel = \"gemini-3-text\"\n", up.URL, geminiKey, token), []string{token, geminiKey})
	c := connect(s, token)
	plain, err := c.Chat.Completions.New(within(t), params("m"))
	if err != nil {
		t.Fatal(describe(err))
	}
	streamed := collect(t, c.Chat.Completions.NewStreaming(within(t), params("m")))
	if streamed.err != nil {
		t.Fatal(describe(streamed.err))
	}
	for _, choice := range []struct{ finish, refusal string }{
		{plain.Choices[0].FinishReason, plain.Choices[0].Message.Refusal},
		{streamed.acc.Choices[0].FinishReason, streamed.acc.Choices[0].Message.Refusal},
	} {
		if choice.finish != "content_filter" || choice.refusal == "" {
			t.Errorf("%+v", choice)
		}
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
