package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/responses"
)

// messagesClient runs Anthropic's official SDK for Go.
type messagesClient struct {
	*messagesWorld
	client anthropic.Client
}

func (w *messagesWorld) connect(key string) anthropic.Client {
	return anthropic.NewClient(option.WithBaseURL(strings.TrimSuffix(w.berry.baseURL(), "/v1")), option.WithAPIKey(key), option.WithMaxRetries(0))
}

func TestGoMessages(t *testing.T) {
	w := newMessagesWorld(t)
	c := messagesClient{w, w.connect(token)}
	runs := map[string]func(*testing.T){
		"formats": c.formats, "streams": c.streams, "tools": c.tools, "tool_loop": c.toolLoop, "forced_tool": c.forcedTool,
		"thinking": c.thinking, "conversation_moves": c.conversationMoves, "image": c.image, "count_tokens": c.countTokens, "models": c.models,
		"wrong_key": c.wrongKey, "unknown_model": c.unknownModel, "bad_request": c.badRequest, "rate_limit": c.rateLimit,
		"truncated": c.truncated, "broken": c.broken, "torn_call": c.tornCall, "failover": c.failover, "leave": c.leave,
	}
	for _, name := range messageCases() {
		t.Run(name, runs[name])
	}
	if len(runs) != len(messageCases()) {
		t.Errorf("%d cases, want %d", len(runs), len(messageCases()))
	}
	w.verify(t)
}

func saying(model string, blocks ...anthropic.ContentBlockParamUnion) anthropic.MessageNewParams {
	if blocks == nil {
		blocks = []anthropic.ContentBlockParamUnion{anthropic.NewTextBlock(question)}
	}
	return anthropic.MessageNewParams{Model: model, MaxTokens: 4000, Messages: []anthropic.MessageParam{anthropic.NewUserMessage(blocks...)}}
}

func textOf(m *anthropic.Message) string {
	var text string
	for _, b := range m.Content {
		text += b.Text
	}
	return text
}

// stream reads a stream to its end.
func (c messagesClient) stream(t *testing.T, p anthropic.MessageNewParams) (*anthropic.Message, error) {
	t.Helper()
	s := c.client.Messages.NewStreaming(within(t), p)
	defer s.Close()
	var m anthropic.Message
	for s.Next() {
		if err := m.Accumulate(s.Current()); err != nil {
			t.Fatal(err)
		}
	}
	return &m, s.Err()
}

func (c messagesClient) wholeStream(t *testing.T, p anthropic.MessageNewParams) *anthropic.Message {
	t.Helper()
	m, err := c.stream(t, p)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (c messagesClient) formats(t *testing.T) {
	for _, model := range []string{"open", "own", "google", "claude-haiku-4-5"} {
		var resp *http.Response
		p := saying(model)
		p.System = []anthropic.TextBlockParam{{Text: "Be brief.", CacheControl: anthropic.NewCacheControlEphemeralParam()}}
		m, err := c.client.Messages.New(within(t), p, option.WithResponseInto(&resp))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, model+": text", textOf(m), answer)
		equal(t, model+": model", m.Model, model)
		equal(t, model+": stop reason", m.StopReason, anthropic.StopReasonEndTurn)
		if m.Usage.InputTokens == 0 || m.Usage.OutputTokens == 0 || !strings.HasPrefix(m.ID, "msg_") || resp.Header.Get("Request-Id") == "" {
			t.Errorf("%s: %s %v", model, m.RawJSON(), resp.Header)
		}
	}
}

func (c messagesClient) streams(t *testing.T) {
	for _, model := range []string{"open", "own", "google"} {
		m := c.wholeStream(t, saying(model))
		equal(t, model+": text", textOf(m), answer)
		equal(t, model+": model", m.Model, model)
		equal(t, model+": stop reason", m.StopReason, anthropic.StopReasonEndTurn)
		if m.Usage.InputTokens == 0 || m.Usage.OutputTokens == 0 {
			t.Errorf("%s: usage %+v", model, m.Usage)
		}
	}
}

func messageTools(names ...string) (all []anthropic.ToolUnionParam) {
	for _, name := range names {
		all = append(all, anthropic.ToolUnionParam{OfTool: &anthropic.ToolParam{
			Name: name, Description: anthropic.String("d"), InputSchema: anthropic.ToolInputSchemaParam{Properties: map[string]any{"city": map[string]any{"type": "string"}}},
		}})
	}
	return all
}

// Two calls whose pieces come mixed.
func (c messagesClient) tools(t *testing.T) {
	p := saying("tools")
	p.Tools = messageTools("weather", "clock", longTool)
	m := c.wholeStream(t, p)
	equal(t, "stop reason", m.StopReason, anthropic.StopReasonToolUse)
	equal(t, "blocks", len(m.Content), 2)
	for i, want := range [][3]string{{toolID1, "weather", toolArgs1}, {toolID2, "clock", toolArgs2}} {
		b := m.Content[i]
		equal(t, "call", [3]string{b.ID, b.Name, string(b.Input)}, want)
	}
}

// The answer to calls goes back as it came, with the results.
func (c messagesClient) toolLoop(t *testing.T) {
	p := saying("tools")
	p.Tools = messageTools("weather", "clock")
	m := c.wholeStream(t, p)
	p.Messages = append(p.Messages, m.ToParam(), anthropic.NewUserMessage(
		anthropic.NewToolResultBlock(m.Content[0].ID, "sunny", false), anthropic.NewToolResultBlock(m.Content[1].ID, "no clock", true),
		anthropic.NewTextBlock("Well?")))
	got, err := c.client.Messages.New(within(t), p)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "text", textOf(got), answer)
	var body struct {
		Messages []struct {
			Role, Content string
			ToolCallID    string `json:"tool_call_id"`
		}
	}
	seen := c.open.Requests()
	if err := json.Unmarshal(seen[len(seen)-1].Body, &body); err != nil {
		t.Fatal(err)
	}
	n := len(body.Messages)
	equal(t, "results", [3]string{body.Messages[n-3].Content, body.Messages[n-2].Content, body.Messages[n-1].Content}, [3]string{"sunny", "Error: no clock", "Well?"})
}

func (c messagesClient) forcedTool(t *testing.T) {
	p := saying("own")
	p.Tools = messageTools(longTool)
	p.ToolChoice = anthropic.ToolChoiceUnionParam{OfTool: &anthropic.ToolChoiceToolParam{Name: longTool}}
	m := c.wholeStream(t, p)
	equal(t, "stop reason", m.StopReason, anthropic.StopReasonToolUse)
	equal(t, "name", m.Content[0].Name, longTool)
	p.Model = "open"
	if _, err := c.client.Messages.New(within(t), p); err != nil {
		t.Fatal(err)
	}
	seen := c.open.Requests()
	if body := string(seen[len(seen)-1].Body); strings.Contains(body, longTool) || strings.Count(body, longTool[:40]) != 2 {
		t.Errorf("the provider got %s", body)
	}
}

func (c messagesClient) thinking(t *testing.T) {
	for _, model := range []string{"thinks", "own"} {
		p := saying(model)
		p.Thinking = anthropic.ThinkingConfigParamOfEnabled(2000)
		m := c.wholeStream(t, p)
		equal(t, model+": first block", m.Content[0].Type, "thinking")
		if m.Content[0].Thinking == "" || m.Content[1].Type != "text" {
			t.Errorf("%s: %+v", model, m.Content)
		}
	}
	equal(t, "unasked", len(c.wholeStream(t, saying("thinks")).Content), 1)
}

// A conversation that one provider began goes on at another of another format.
func (c messagesClient) conversationMoves(t *testing.T) {
	p := saying("thinks")
	p.Thinking = anthropic.ThinkingConfigParamOfEnabled(2000)
	m := c.wholeStream(t, p)
	for _, model := range []string{"own", "google", "open"} {
		next := p
		next.Model = model
		next.Messages = append(append([]anthropic.MessageParam{}, p.Messages...), m.ToParam(), anthropic.NewUserMessage(anthropic.NewTextBlock("And?")))
		if got := textOf(c.wholeStream(t, next)); !strings.HasSuffix(got, answer) {
			t.Errorf("%s: %q", model, got)
		}
	}
	// In the middle of a call, where Claude wants the reasoning that led to it.
	p.Model, p.Tools = "tools", messageTools("weather", "clock")
	m = c.wholeStream(t, p)
	p.Model = "own"
	p.Messages = append(p.Messages, m.ToParam(), anthropic.NewUserMessage(
		anthropic.NewToolResultBlock(m.Content[0].ID, "sunny", false), anthropic.NewToolResultBlock(m.Content[1].ID, "late", false)))
	equal(t, "after calls", textOf(c.wholeStream(t, p)), answer)
}

func (c messagesClient) image(t *testing.T) {
	png := strings.TrimPrefix(pngURI, "data:image/png;base64,")
	for _, model := range []string{"open", "own", "google"} {
		m, err := c.client.Messages.New(within(t), saying(model, anthropic.NewImageBlockBase64("image/png", png), anthropic.NewTextBlock(question)))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, model, textOf(m), answer)
	}
}

func (c messagesClient) countTokens(t *testing.T) {
	count := func(model, text string) int64 {
		t.Helper()
		var resp *http.Response
		got, err := c.client.Messages.CountTokens(within(t), anthropic.MessageCountTokensParams{
			Model: model, Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(text))},
		}, option.WithResponseInto(&resp))
		if err != nil {
			t.Fatal(err)
		}
		estimated := ""
		if model == "open" {
			estimated = "input_tokens"
		}
		equal(t, model+": estimated", resp.Header.Get("X-Berry-Estimated"), estimated)
		return got.InputTokens
	}
	for _, model := range []string{"open", "own", "google"} {
		if few, many := count(model, "hi"), count(model, strings.Repeat("some words ", 500)); few <= 0 || many < few+500 {
			t.Errorf("%s: %d and %d tokens", model, few, many)
		}
	}
}

// A client of OpenAI's is told the counts of providers that have no responses too.
func TestGoInputTokens(t *testing.T) {
	w := newMessagesWorld(t)
	c := connect(w.berry, token)
	for _, model := range []string{"own", "google"} {
		n, err := c.Responses.InputTokens.Count(within(t), responses.InputTokenCountParams{
			Model: openai.String(model), Instructions: openai.String("be brief"),
			Input: responses.InputTokenCountParamsInputUnion{OfString: openai.String("one two three")},
		})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, model, n.InputTokens, 7) // of five words, as the mock has it
	}
}

func (c messagesClient) models(t *testing.T) {
	names := map[string]bool{}
	pages := c.client.Models.ListAutoPaging(within(t), anthropic.ModelListParams{Limit: anthropic.Int(2)})
	for pages.Next() {
		names[pages.Current().ID] = true
	}
	if pages.Err() != nil {
		t.Fatal(pages.Err())
	}
	equal(t, "models", len(names), len(openModels())+3)
	one, err := c.client.Models.Get(within(t), "claude-haiku-4-5", anthropic.ModelGetParams{})
	if err != nil {
		t.Fatal(err)
	}
	if one.ID != "claude-haiku-4-5" || one.CreatedAt.IsZero() || one.DisplayName == "" {
		t.Errorf("%s", one.RawJSON())
	}
}

// TestNodeMessages runs Anthropic's SDK for JavaScript, which speaks a later version of the API and sends its key as a bearer.
func TestNodeMessages(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed")
	}
	if _, err := os.Stat("node/node_modules/@anthropic-ai/sdk"); err != nil {
		t.Skip("npm's @anthropic-ai/sdk is not installed: run npm ci in e2e/node")
	}
	w := newMessagesWorld(t)
	names := append(openModels(), "own", "google", "mixed")
	slices.Sort(names)
	runCases(t, messageCases(), []string{
		"BERRY_URL=" + w.berry.baseURL(), "BERRY_TOKEN=" + token, "BERRY_LIMITED_TOKEN=" + limitedToken, "BERRY_WRONG_TOKEN=" + wrongToken,
		"BERRY_EXPECT=" + asJSON(map[string]any{
			"answer": answer, "question": question, "longTool": longTool, "models": names, "png": strings.TrimPrefix(pngURI, "data:image/png;base64,"),
			"tools": [][]string{{toolID1, "weather", toolArgs1}, {toolID2, "clock", toolArgs2}},
		}),
	}, node, "node/messages.mjs")
	w.verify(t)
	for _, r := range w.own.Requests() {
		if v := r.Header.Get("Anthropic-Version"); v != "2026-10-21" {
			t.Errorf("the client's version became %q", v)
		}
	}
}
