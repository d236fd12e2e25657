package mockllm_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// What the behaviour gives for vectors, completions and verdicts, and what it refuses.
func TestOtherEndpoints(t *testing.T) {
	s := mockllm.Start(t, nil)
	f := func(b mockllm.Behaviour, path, body string, status int, want ...string) {
		t.Helper()
		b.Models = []string{"m"}
		b.Answer = func(mockllm.Prompt) string { return "one two three" }
		if err := s.SetBehaviour(b); err != nil {
			t.Fatal(err)
		}
		got, out := posted(t, s.URL+path, body, nil)
		if got != status {
			t.Errorf("%s %s: %d, want %d: %s", path, body, got, status, out)
		}
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("%s %s: no %s in %s", path, body, w, out)
			}
		}
	}
	openai, azure, gemini := mockllm.Behaviour{}, mockllm.Behaviour{Format: mockllm.Azure}, mockllm.Behaviour{Format: mockllm.Gemini}
	embed := func(body string, status int, want ...string) {
		t.Helper()
		f(openai, "/v1/embeddings", `{"model":"m",`+body+`}`, status, want...)
	}
	embed(`"input":"a"`, 200, `"object":"list"`, `"index":0`, `"usage":{"prompt_tokens":2,"total_tokens":2}`)
	embed(`"input":["a","b c"]`, 200, `"index":1`, `"prompt_tokens":4`)
	embed(`"input":[1,2]`, 200, `"index":0`)
	embed(`"input":[[1],[2]]`, 200, `"index":1`)
	embed(`"input":"a","encoding_format":"base64","dimensions":1`, 200, `"embedding":"AAAAPw=="`)
	embed(`"input":"a","encoding_format":"float","dimensions":1`, 200, `"embedding":[0.5]`)
	embed(`"input":"a","encoding_format":"hex"`, 400, "encoding_format")
	embed(`"input":"a","dimensions":0`, 400, "dimensions")
	embed(`"input":""`, 400, "input")
	embed(`"input":[]`, 400, "input")
	embed(`"x":1`, 400, "input")
	f(openai, "/v1/embeddings", `{"model":"other","input":"a"}`, 404, "model_not_found")
	f(openai, "/v1/embeddings", `{"input":"a"}`, 400, "model")
	f(mockllm.Behaviour{Outage: 503}, "/v1/embeddings", `{"model":"m","input":"a"}`, 503)

	const texts = "/v1/completions"
	f(openai, texts, `{"model":"m","prompt":"a"}`, 200, `"object":"text_completion"`, `"text":"one two three"`, `"finish_reason":"stop"`, `"total_tokens":6`)
	f(openai, texts, `{"model":"m","prompt":"a","max_tokens":1}`, 200, `"text":"one"`, `"finish_reason":"length"`)
	f(openai, texts, `{"model":"m","prompt":"a","stream":true,"stream_options":{"include_usage":true}}`, 200, `"text":" three"`, `"choices":[],"usage":`, "[DONE]")
	f(openai, texts, `{"model":"m","prompt":["a"]}`, 400, "prompt")
	f(openai, texts, `{"model":"m","prompt":"a","stream_options":{}}`, 400, "stream_options")
	f(openai, texts, `{"model":"m","prompt":"a","max_tokens":0}`, 400, "max_tokens")
	f(openai, texts, `{"prompt":"a"}`, 400, "model")
	f(openai, texts, `{"model":"other","prompt":"a"}`, 404, "model_not_found")
	f(openai, texts, `[`, 400)

	f(openai, "/v1/moderations", `{"model":"m","input":"no harm"}`, 200, `"flagged":true`)
	f(openai, "/v1/moderations", `{"model":"m","input":"peace"}`, 200, `"flagged":false`)
	f(openai, "/v1/moderations", `{"model":"m"}`, 400, "input")
	f(openai, "/v1/moderations", `{"input":"a"}`, 404, "omni-moderation-latest")

	f(azure, "/openai/v1/embeddings", `{"model":"m","input":"a"}`, 200, `"index":0`)
	f(azure, "/openai/deployments/m/embeddings?api-version=2024-10-21", `{"model":"x","input":"a"}`, 404)
	f(azure, "/openai/deployments/m/embeddings?api-version=2024-10-21", `{"model":"m","input":"a"}`, 200, `"index":0`)
	f(azure, "/openai/deployments/m/completions?api-version=2024-10-21", `{"model":"m","prompt":"a"}`, 200, `"text":"one two three"`)
	f(azure, "/openai/v1/moderations", `{"model":"m","input":"a"}`, 404, "Resource not found")

	batch := func(requests string, status int, want ...string) {
		t.Helper()
		f(gemini, "/v1beta/models/m:batchEmbedContents", `{"requests":[`+requests+`]}`, status, want...)
	}
	const one = `{"model":"models/m","content":{"parts":[{"text":"a"}]}}`
	batch(one, 200, `{"embeddings":[{"values":[`)
	batch(one+","+one, 200, `]},{"values":[`)
	batch(strings.Replace(one, `}}`, `},"outputDimensionality":1}`, 1), 200, `{"embeddings":[{"values":[0.5]}]}`)
	batch(``, 400, "INVALID_ARGUMENT")
	batch(strings.TrimSuffix(strings.Repeat(one+",", 101), ","), 400, "one batch")
	batch(strings.Replace(one, `"a"`, `""`, 1), 400, "not specified")
	batch(strings.Replace(one, `models/m`, `m`, 1), 400, "in the batch")
	batch(strings.Replace(one, `"text"`, `"txt"`, 1), 400, "txt")
	f(gemini, "/v1beta/models/x:batchEmbedContents", `{"requests":[`+one+`]}`, 404, "NOT_FOUND")
}

// Completions fail as chats do.
func TestCompletionsFailToo(t *testing.T) {
	s := mockllm.Start(t, nil)
	if err := s.SetBehaviour(mockllm.Behaviour{FailureRate: 1}); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if status, body := posted(t, s.URL+"/v1/completions", `{"model":"m","prompt":"a"}`, nil); status < 429 || !strings.Contains(body, `"error"`) {
			t.Errorf("%d %s", status, body)
		}
	}
}

// A text's vector is the same in each form and at each provider.
func TestVector(t *testing.T) {
	if d := cmp.Diff([]float32{0.5, -0.0078125}, mockllm.Vector("a", 2)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if d := cmp.Diff(mockllm.Vector("a", 3), append(mockllm.Vector("a", 2), mockllm.Vector("a", 3)[2])); d != "" {
		t.Error(d)
	}
	for _, n := range mockllm.Vector("some text", 500) {
		if n < -1 || n > 1 {
			t.Errorf("%v", n)
		}
	}
}

func TestTextFrames(t *testing.T) {
	for _, frame := range []string{mockllm.TextChunk("a\"", ""), mockllm.TextChunk("", "stop"), mockllm.TextCompletion("a", 1, 2)} {
		if !json.Valid([]byte(frame)) {
			t.Error(frame)
		}
	}
}
