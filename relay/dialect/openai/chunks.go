package openai

import (
	"encoding/json"
	"fmt"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

// whole is a chat answer as far as a stream made of it needs it.
type whole struct {
	ID                json.RawMessage `json:"id,omitempty"`
	Created           json.RawMessage `json:"created,omitempty"`
	Model             json.RawMessage `json:"model,omitempty"`
	SystemFingerprint json.RawMessage `json:"system_fingerprint,omitempty"`
	ServiceTier       json.RawMessage `json:"service_tier,omitempty"`
	Usage             json.RawMessage `json:"usage,omitempty"`
	Choices           []struct {
		Index        int                        `json:"index"`
		Message      map[string]json.RawMessage `json:"message"`
		Logprobs     json.RawMessage            `json:"logprobs,omitempty"`
		FinishReason json.RawMessage            `json:"finish_reason"`
	} `json:"choices"`
}

type chunk struct {
	ID                json.RawMessage `json:"id,omitempty"`
	Object            string          `json:"object"`
	Created           json.RawMessage `json:"created,omitempty"`
	Model             json.RawMessage `json:"model,omitempty"`
	SystemFingerprint json.RawMessage `json:"system_fingerprint,omitempty"`
	ServiceTier       json.RawMessage `json:"service_tier,omitempty"`
	Choices           []chunkChoice   `json:"choices"`
	Usage             json.RawMessage `json:"usage,omitempty"`
}

type chunkChoice struct {
	Index        int             `json:"index"`
	Delta        any             `json:"delta"`
	Logprobs     json.RawMessage `json:"logprobs,omitempty"`
	FinishReason json.RawMessage `json:"finish_reason"`
}

var null = json.RawMessage("null")

// AppendChunks appends to dst the stream that says what the whole answer body
// says, without the terminator: for upstreams that answer a request for a
// stream with one JSON body. Body is in OpenAI's form, as Decode returns it.
func AppendChunks(dst, body []byte, m *dialect.Meta) ([]byte, error) {
	switch {
	case m.Endpoint == dialect.Responses:
		return responseEvents(dst, body)
	case m.Endpoint == dialect.Transcriptions:
		return appendTranscript(dst, body)
	case m.Endpoint.Media():
		return dst, errNoAnswer
	}
	var w whole
	if err := json.Unmarshal(body, &w); err != nil {
		return dst, fmt.Errorf("cannot read the answer: %w", err)
	}
	if m.Endpoint == dialect.Completions {
		return appendTexts(dst, body, m)
	}
	emit := func(usage json.RawMessage, choices ...chunkChoice) error {
		if choices == nil {
			choices = []chunkChoice{}
		}
		b, err := json.Marshal(chunk{
			ID: w.ID, Object: "chat.completion.chunk", Created: w.Created, Model: w.Model,
			SystemFingerprint: w.SystemFingerprint, ServiceTier: w.ServiceTier, Choices: choices, Usage: usage,
		})
		if err == nil {
			dst = append(append(append(dst, "data: "...), b...), "\n\n"...)
		}
		return err
	}
	for _, c := range w.Choices {
		delta, err := wholeDelta(c.Message)
		if err != nil {
			return dst, err
		}
		if c.FinishReason == nil {
			c.FinishReason = null
		}
		role := struct {
			Role    string `json:"role"`
			Content string `json:"content"`
		}{"assistant", ""}
		for _, cc := range []chunkChoice{
			{Index: c.Index, Delta: role, FinishReason: null},
			{Index: c.Index, Delta: delta, Logprobs: c.Logprobs, FinishReason: null},
			{Index: c.Index, Delta: struct{}{}, FinishReason: c.FinishReason},
		} {
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

// wholeDelta is a message as one delta: its role is gone before, its tool
// calls are numbered.
func wholeDelta(message map[string]json.RawMessage) (map[string]json.RawMessage, error) {
	delete(message, "role")
	raw, ok := message["tool_calls"]
	if !ok {
		return message, nil
	}
	var calls []map[string]json.RawMessage
	if err := json.Unmarshal(raw, &calls); err != nil {
		return nil, fmt.Errorf("cannot read the tool calls: %w", err)
	}
	if len(calls) == 0 {
		delete(message, "tool_calls")
		return message, nil
	}
	for i, c := range calls {
		c["index"] = json.RawMessage(fmt.Sprint(i))
	}
	b, err := json.Marshal(calls)
	message["tool_calls"] = b
	return message, err
}
