package e2e

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/openai/openai-go/v3"
)

// golden reads a file of golden cases of the translation of messages.
func golden(t *testing.T, file string, least int) map[string]json.RawMessage {
	t.Helper()
	raw, err := os.ReadFile("../relay/dialect/messages/testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name string
		Out  json.RawMessage
	}
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	all := map[string]json.RawMessage{}
	for _, c := range cases {
		if c.Out != nil {
			all[c.Name] = c.Out
		}
	}
	if len(all) < least {
		t.Fatalf("%d golden cases in %s", len(all), file)
	}
	return all
}

// TestMessagesJudge has OpenAI's SDK judge the chat requests that are made of
// messages: in its own types they say what they say on the wire, and nothing else.
func TestMessagesJudge(t *testing.T) {
	for name, sent := range golden(t, "requests.json", 20) {
		var params openai.ChatCompletionNewParams
		if err := json.Unmarshal(sent, &params); err != nil {
			t.Errorf("%s: %v in %s", name, err, sent)
			continue
		}
		again, err := json.Marshal(params)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := canonicalChat(t, again), canonicalChat(t, sent); got != want {
			t.Errorf("%s: the SDK makes of it\n%s, want\n%s", name, got, want)
		}
	}
}

// canonicalChat is JSON with sorted members. A call without text has the
// content null, which the SDK leaves out. A choice of one tool it writes and
// cannot read: it is compared with what it writes.
func canonicalChat(t *testing.T, body []byte) string {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatal(err)
	}
	delete(v, "stream") // not a parameter of the SDK's type
	if c, ok := v["tool_choice"].(map[string]any); ok {
		if f, ok := c["function"].(map[string]any); ok {
			name, _ := f["name"].(string)
			equal(t, "tool choice", asJSON(c), canonicalJSON(t, asJSON(openai.ToolChoiceOptionFunctionToolChoice(openai.ChatCompletionNamedToolChoiceFunctionParam{Name: name}))))
		}
		delete(v, "tool_choice")
	}
	for _, m := range v["messages"].([]any) {
		m := m.(map[string]any)
		delete(m, "reasoning_content") // what some providers want back, and OpenAI's types do not know
		if m["content"] == nil {
			delete(m, "content")
		}
	}
	return asJSON(v)
}

// TestMessagesAnswersAreTheirSDKs has Anthropic's SDK read the messages that are made of chat answers.
func TestMessagesAnswersAreTheirSDKs(t *testing.T) {
	for name, answer := range golden(t, "answers.json", 8) {
		var m anthropic.Message
		if err := json.Unmarshal(answer, &m); err != nil {
			t.Errorf("%s: %v in %s", name, err, answer)
			continue
		}
		if len(m.JSON.ExtraFields) > 0 || len(m.Usage.JSON.ExtraFields) > 0 || m.ID == "" || m.StopReason == "" || !m.JSON.Usage.Valid() {
			t.Errorf("%s: %+v", name, m)
		}
		for _, b := range m.Content {
			if b.AsAny() == nil {
				t.Errorf("%s: the SDK does not know %s", name, b.RawJSON())
			}
		}
	}
}

func canonicalJSON(t *testing.T, text string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return asJSON(v)
}
