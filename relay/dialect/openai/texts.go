package openai

import (
	"encoding/json"
	"fmt"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

// wholeText is an answer of completions as far as a stream made of it needs it.
type wholeText struct {
	ID                json.RawMessage `json:"id,omitempty"`
	Created           json.RawMessage `json:"created,omitempty"`
	Model             json.RawMessage `json:"model,omitempty"`
	SystemFingerprint json.RawMessage `json:"system_fingerprint,omitempty"`
	Usage             json.RawMessage `json:"usage,omitempty"`
	Choices           []textChoice    `json:"choices"`
}

// textChunk is one event of a stream of completions.
type textChunk struct {
	ID                json.RawMessage `json:"id,omitempty"`
	Object            string          `json:"object"`
	Created           json.RawMessage `json:"created,omitempty"`
	Model             json.RawMessage `json:"model,omitempty"`
	SystemFingerprint json.RawMessage `json:"system_fingerprint,omitempty"`
	Choices           []textChoice    `json:"choices"`
	Usage             json.RawMessage `json:"usage,omitempty"`
}

type textChoice struct {
	Text         json.RawMessage `json:"text"`
	Index        int             `json:"index"`
	Logprobs     json.RawMessage `json:"logprobs"`
	FinishReason json.RawMessage `json:"finish_reason"`
}

// appendTexts is AppendChunks for completions.
func appendTexts(dst, body []byte, m *dialect.Meta) ([]byte, error) {
	var w wholeText
	if err := json.Unmarshal(body, &w); err != nil {
		return dst, fmt.Errorf("cannot read the answer: %w", err)
	}
	emit := func(usage json.RawMessage, choices ...textChoice) error {
		if choices == nil {
			choices = []textChoice{}
		}
		b, err := json.Marshal(textChunk{
			ID: w.ID, Object: "text_completion", Created: w.Created, Model: w.Model,
			SystemFingerprint: w.SystemFingerprint, Choices: choices, Usage: usage,
		})
		if err == nil {
			dst = append(append(append(dst, "data: "...), b...), "\n\n"...)
		}
		return err
	}
	for _, c := range w.Choices {
		end := textChoice{Text: json.RawMessage(`""`), Index: c.Index, FinishReason: c.FinishReason}
		c.FinishReason = null
		for _, cc := range []textChoice{c, end} {
			if err := emit(nil, cc); err != nil {
				return dst, err
			}
		}
	}
	if m.WantUsage && w.Usage != nil {
		return dst, emit(w.Usage)
	}
	return dst, nil
}
