package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
	"google.golang.org/genai"

	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// imitation is a fake provider that the vendor's own SDK calls, without Berry in between: what it answers must be
// what the SDK takes for an answer.
func imitation(t *testing.T, f format) *mockllm.Server {
	t.Helper()
	up := mockllm.Start(t, nil)
	if err := up.SetBehaviour(mockllm.Behaviour{Format: f.speaks, Key: keyOf(&f), Models: []string{f.model("text")}, Answer: func(mockllm.Prompt) string { return answer }}); err != nil {
		t.Fatal(err)
	}
	return up
}

func TestMockIsClaude(t *testing.T) {
	f := claudeFormat()
	up := imitation(t, f)
	c := anthropic.NewClient(option.WithBaseURL(up.URL), option.WithAPIKey(keyOf(&f)), option.WithMaxRetries(0))
	ask := anthropic.MessageNewParams{
		Model: f.model("text"), MaxTokens: 2048,
		Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(question))},
	}
	check := func(t *testing.T, m *anthropic.Message, kinds string) {
		t.Helper()
		var text, got []string
		for _, b := range m.Content {
			got = append(got, b.Type)
			text = append(text, b.Text)
		}
		equal(t, "blocks", strings.Join(got, " "), kinds)
		equal(t, "text", strings.Join(text, ""), answer)
		equal(t, "stop reason", m.StopReason, anthropic.StopReasonEndTurn)
		if m.ID == "" || m.Usage.InputTokens == 0 || m.Usage.OutputTokens == 0 {
			t.Errorf("%+v", m)
		}
	}
	for kinds, thinking := range map[string]anthropic.ThinkingConfigParamUnion{
		"text": {}, "thinking text": anthropic.ThinkingConfigParamOfEnabled(1024),
	} {
		t.Run(kinds, func(t *testing.T) {
			ask := ask
			ask.Thinking = thinking
			m, err := c.Messages.New(within(t), ask)
			if err != nil {
				t.Fatal(err)
			}
			check(t, m, kinds)
			stream := c.Messages.NewStreaming(within(t), ask)
			defer stream.Close()
			var whole anthropic.Message
			for stream.Next() {
				if err := whole.Accumulate(stream.Current()); err != nil {
					t.Fatal(err)
				}
			}
			if stream.Err() != nil {
				t.Fatal(stream.Err())
			}
			check(t, &whole, kinds)
		})
	}
	t.Run("models", func(t *testing.T) {
		page, err := c.Models.List(within(t), anthropic.ModelListParams{})
		if err != nil || len(page.Data) != 1 || page.Data[0].ID != f.model("text") {
			t.Errorf("%+v, %v", page, err)
		}
	})
	t.Run("refused", func(t *testing.T) {
		ask := ask
		ask.Messages = []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(""))}
		if _, err := c.Messages.New(within(t), ask); err == nil || !strings.Contains(err.Error(), "invalid_request_error") {
			t.Errorf("%v", err)
		}
	})
}

func TestMockIsGemini(t *testing.T) {
	f := geminiFormat()
	up := imitation(t, f)
	c, err := genai.NewClient(within(t), &genai.ClientConfig{APIKey: keyOf(&f), Backend: genai.BackendGeminiAPI, HTTPOptions: genai.HTTPOptions{BaseURL: up.URL}})
	if err != nil {
		t.Fatal(err)
	}
	ask := genai.Text(question)
	t.Run("text", func(t *testing.T) {
		got, err := c.Models.GenerateContent(within(t), f.model("text"), ask, nil)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "text", got.Text(), answer)
		equal(t, "finish", got.Candidates[0].FinishReason, genai.FinishReasonStop)
		equal(t, "tokens", int64(got.UsageMetadata.TotalTokenCount), promptTokens+completionTokens)
	})
	t.Run("stream", func(t *testing.T) {
		var text strings.Builder
		var last *genai.GenerateContentResponse
		for chunk, err := range c.Models.GenerateContentStream(within(t), f.model("text"), ask, nil) {
			if err != nil {
				t.Fatal(err)
			}
			text.WriteString(chunk.Text())
			last = chunk
		}
		equal(t, "text", text.String(), answer)
		equal(t, "finish", last.Candidates[0].FinishReason, genai.FinishReasonStop)
	})
	// Google's own SDK asks as Berry does: in a batch, at this address.
	t.Run("vectors", func(t *testing.T) {
		got, err := c.Models.EmbedContent(within(t), f.model("text"), append(genai.Text("a"), genai.Text("b")...),
			&genai.EmbedContentConfig{OutputDimensionality: genai.Ptr[int32](4)})
		if err != nil || len(got.Embeddings) != 2 {
			t.Fatalf("%+v, %v", got, err)
		}
		for i, text := range []string{"a", "b"} {
			if want := mockllm.Vector(text, 4); !slices.Equal(got.Embeddings[i].Values, want) {
				t.Errorf("%v, want %v", got.Embeddings[i].Values, want)
			}
		}
	})
	t.Run("count", func(t *testing.T) {
		got, err := c.Models.CountTokens(within(t), f.model("text"), genai.Text("one two three"), nil)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "tokens", got.TotalTokens, 4)
	})
	t.Run("models", func(t *testing.T) {
		m, err := c.Models.List(within(t), nil)
		if err != nil || len(m.Items) != 1 || m.Items[0].Name != "models/"+f.model("text") {
			t.Errorf("%+v, %v", m, err)
		}
	})
	t.Run("refused", func(t *testing.T) {
		_, err := c.Models.GenerateContent(within(t), f.model("text"), []*genai.Content{{Role: "user", Parts: []*genai.Part{}}}, nil)
		if err == nil || !strings.Contains(err.Error(), "INVALID_ARGUMENT") {
			t.Errorf("%v", err)
		}
	})
}
