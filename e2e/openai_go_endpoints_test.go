package e2e

import (
	"slices"
	"testing"

	"github.com/openai/openai-go/v3"

	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

func prompt(model string) openai.CompletionNewParams {
	return openai.CompletionNewParams{
		Model:  openai.CompletionNewParamsModel(model),
		Prompt: openai.CompletionNewParamsPromptUnion{OfString: openai.String(question)},
	}
}

func (c goClient) completion(t *testing.T) {
	got, err := c.berry.Completions.New(within(t), prompt("chat"))
	if err != nil {
		t.Fatal(describe(err))
	}
	equal(t, "text", got.Choices[0].Text, answer)
	equal(t, "finish", string(got.Choices[0].FinishReason), "stop")
	equal(t, "object", string(got.Object), "text_completion")
	equal(t, "model", got.Model, "chat")
	equal(t, "tokens", got.Usage.CompletionTokens, int64(completionTokens))
}

func (c goClient) completionStream(t *testing.T) {
	s := c.berry.Completions.NewStreaming(within(t), prompt("chat"))
	defer s.Close()
	text, finish := "", ""
	for s.Next() {
		for _, choice := range s.Current().Choices {
			text += choice.Text
			finish += string(choice.FinishReason)
		}
		equal(t, "model", s.Current().Model, "chat")
	}
	if err := s.Err(); err != nil {
		t.Fatal(describe(err))
	}
	equal(t, "text", text, answer)
	equal(t, "finish", finish, "stop")
}

// The second model's first provider makes no vectors; the next one speaks Gemini's format.
func (c goClient) embeddings(t *testing.T) {
	for _, model := range []string{"chat", "vectors"} {
		got, err := c.berry.Embeddings.New(within(t), openai.EmbeddingNewParams{
			Model: model, Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"a", "b"}},
		})
		if err != nil {
			t.Fatal(describe(err))
		}
		equal(t, "model", got.Model, model)
		equal(t, "vectors", len(got.Data), 2)
		for i, text := range []string{"a", "b"} {
			var want []float64
			for _, f := range mockllm.Vector(text, vectorLength) {
				want = append(want, float64(f))
			}
			if got := got.Data[i]; got.Index != int64(i) || !slices.Equal(got.Embedding, want) {
				t.Fatalf("%s: vector %d is %v, want %v", model, i, got, want)
			}
		}
		if got.Usage.PromptTokens < 1 {
			t.Errorf("%s: usage %+v", model, got.Usage)
		}
	}
}

func (c goClient) moderation(t *testing.T) {
	got, err := c.berry.Moderations.New(within(t), openai.ModerationNewParams{
		Model: "chat", Input: openai.ModerationNewParamsInputUnion{OfString: openai.String("no harm")},
	})
	if err != nil {
		t.Fatal(describe(err))
	}
	equal(t, "flagged", got.Results[0].Flagged, true)
	equal(t, "model", got.Model, "chat")
}

// Files belong to an account: they are not offered, and no provider is asked.
func (c goClient) unsupported(t *testing.T) {
	_, err := c.berry.Files.Get(within(t), "file-1")
	fails(t, err, 404, "unsupported_endpoint")
}
