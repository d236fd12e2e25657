package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/packages/ssestream"
	"github.com/openai/openai-go/v3/shared"

	"github.com/PPKunOfficial/berry-api/e2e/process"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

const (
	pngURI  = "data:image/png;base64,iVBORw0KGgo="
	thought = "I think so."
)

func keyOf(f *format) string { return "up-" + f.name + "-canary-8" }

// providersWorld is one Berry in front of one strict provider of each format.
// The public models are named by the format and the case: claude/tools.
func providersWorld(t *testing.T) (*server, map[string]*mockllm.Server) {
	t.Helper()
	ups := map[string]*mockllm.Server{}
	keys := secrets()
	var b strings.Builder
	fmt.Fprintf(&b, "[settings]\nbind_address = \"127.0.0.1:0\"\nlog_format = \"json\"\nmax_retries = 0\nhealth_check_interval_seconds = 0\n[users.client]\ntoken = %q\n", token)
	for _, f := range formats() {
		up := mockllm.Start(t, nil)
		ups[f.name] = up
		keys = append(keys, keyOf(&f))
		if err := up.SetBehaviour(mockllm.Behaviour{Format: f.speaks, Key: keyOf(&f), Answer: func(mockllm.Prompt) string { return answer }}); err != nil {
			t.Fatal(err)
		}
		up.SetScript(f.script())
		fmt.Fprintf(&b, "[providers.%s]\n%sbase_url = %q\napi_key = %q\n", f.name, f.config, up.URL, keyOf(&f))
		for _, name := range []string{"text", "tools", "runner", "reasoning", "rejected", "truncated", "reset"} {
			fmt.Fprintf(&b, "[models.\"%s/%s\"]\n[[models.\"%s/%s\".backends]]\nprovider = %q\nmodel = %q\n", f.name, name, f.name, name, f.name, f.model(name))
		}
	}
	return startServer(t, b.String(), keys), ups
}

// script is what the provider answers where it is not left to its behaviour.
// Both refuse what the real one refuses.
func (f *format) script() mockllm.Script {
	twoCalls := say{calls: [][3]string{{toolID1, "weather", toolArgs1}, {toolID2, "clock", "{}"}}}
	return mockllm.Strict(f.speaks, func(r *mockllm.Seen) []mockllm.Step {
		name, stream := f.asked(r)
		send := func(s say) []mockllm.Step {
			if stream {
				return []mockllm.Step{f.stream(s)}
			}
			return []mockllm.Step{mockllm.JSON(200, nil, f.whole(s))}
		}
		hasResult := bytes.Contains(r.Body, []byte(f.result))
		switch {
		case name == "tools" && !hasResult:
			return send(twoCalls)
		case name == "runner" && !hasResult:
			return send(say{calls: [][3]string{{toolID1, "now", `{"zone":"UTC"}`}}})
		case name == "reasoning":
			return send(say{thought: thought, text: answer})
		case name == "rejected":
			return []mockllm.Step{mockllm.JSON(400, nil, f.reject)}
		case name == "truncated":
			return []mockllm.Step{f.begun, mockllm.EOF()}
		case name == "reset":
			return []mockllm.Step{f.begun, mockllm.Reset()}
		}
		return nil
	})
}

// providerCase is one format as seen through the Go SDK.
type providerCase struct {
	f  format
	c  openai.Client
	up *mockllm.Server
}

func (p *providerCase) params(name string) openai.ChatCompletionNewParams {
	return params(p.f.name + "/" + name)
}

// sent fails the test unless the newest request to the provider holds all that is wanted.
func (p *providerCase) sent(t *testing.T, want ...string) {
	t.Helper()
	all := p.up.Requests()
	body := all[len(all)-1].Body
	for _, w := range want {
		if !bytes.Contains(body, []byte(w)) {
			t.Errorf("the provider got no %s: %s", w, body)
		}
	}
}

// TestGoProviders runs the OpenAI SDK for Go against Berry in front of every format.
func TestGoProviders(t *testing.T) {
	berry, ups := providersWorld(t)
	for _, f := range formats() {
		p := &providerCase{f, connect(berry, token), ups[f.name]}
		for name, run := range map[string]func(*testing.T){
			"text": p.text, "tools": p.tools, "image": p.image, "json_schema": p.schema,
			"reasoning": p.reasoning, "error": p.rejected, "truncated": p.truncated,
		} {
			t.Run(f.name+"/"+name, run)
		}
		for _, r := range p.up.Requests() {
			p.judge(t, &r)
		}
	}
}

// judge looks at what reached the provider: its own credential and nobody
// else's, and a body that the vendor's SDK understands.
func (p *providerCase) judge(t *testing.T, r *mockllm.Seen) {
	t.Helper()
	all := r.Header.Get("Authorization") + r.Header.Get("Api-Key") + r.Header.Get("X-Api-Key") + r.Header.Get("X-Goog-Api-Key")
	if strings.TrimPrefix(all, "Bearer ") != keyOf(&p.f) || strings.Contains(r.Query, "key=") {
		t.Errorf("%s came with another credential", r.Path)
	}
	switch p.f.speaks {
	case mockllm.Claude:
		judgeClaude(t, r.Path, r.Body)
	case mockllm.Gemini:
		judge(t, r.Path, r.Body)
	}
}

func (p *providerCase) text(t *testing.T) {
	got, err := p.c.Chat.Completions.New(within(t), p.params("text"))
	if err != nil {
		t.Fatal(describe(err))
	}
	equal(t, "text", got.Choices[0].Message.Content, answer)
	equal(t, "finish", got.Choices[0].FinishReason, "stop")
	equal(t, "model", got.Model, p.f.name+"/text")
	equal(t, "tokens", got.Usage.TotalTokens, promptTokens+completionTokens)
	in := p.params("text")
	in.StreamOptions.IncludeUsage = openai.Bool(true)
	streamed := whole(t, p.c.Chat.Completions.NewStreaming(within(t), in), answer, p.f.name+"/text")
	equal(t, "usages", len(streamed.usages), 1)
	equal(t, "tokens", streamed.usages[0].TotalTokens, promptTokens+completionTokens)
	unasked := whole(t, p.c.Chat.Completions.NewStreaming(within(t), p.params("text")), answer, p.f.name+"/text")
	equal(t, "usages that nobody asked for", len(unasked.usages), 0)
}

// toolParams describe the tools of the cases, with a schema that not every format takes as it is.
func toolParams(names ...string) (all []openai.ChatCompletionToolUnionParam) {
	for _, name := range names {
		all = append(all, openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{Name: name, Strict: openai.Bool(true), Parameters: shared.FunctionParameters{
			"type": "object", "additionalProperties": false, "properties": map[string]any{"city": map[string]any{"type": []string{"string", "null"}}},
		}}))
	}
	return all
}

// checkCalls compares calls; Gemini's get their ids from Berry.
func (p *providerCase) checkCalls(t *testing.T, m openai.ChatCompletionMessage) {
	t.Helper()
	equal(t, "calls", len(m.ToolCalls), 2)
	for i, want := range [][3]string{{toolID1, "weather", toolArgs1}, {toolID2, "clock", "{}"}} {
		call := m.ToolCalls[i]
		if p.f.speaks == mockllm.Gemini {
			want[0] = call.ID
		}
		equal(t, "call", [3]string{call.ID, call.Function.Name, call.Function.Arguments}, want)
		if len(call.ID) < 5 || len(call.ID) > 40 || call.ID == m.ToolCalls[1-i].ID {
			t.Errorf("id %q", call.ID)
		}
	}
}

// tools has two tools called, whole and streamed, and gives the results back.
func (p *providerCase) tools(t *testing.T) {
	in := p.params("tools")
	in.Tools = toolParams("weather", "clock")
	got, err := p.c.Chat.Completions.New(within(t), in)
	if err != nil {
		t.Fatal(describe(err))
	}
	equal(t, "finish", got.Choices[0].FinishReason, "tool_calls")
	p.checkCalls(t, got.Choices[0].Message)

	streamed := collect(t, p.c.Chat.Completions.NewStreaming(within(t), in))
	if streamed.err != nil {
		t.Fatal(describe(streamed.err))
	}
	equal(t, "finish", strings.Join(streamed.finish, ","), "tool_calls")
	m := streamed.acc.Choices[0].Message
	p.checkCalls(t, m)

	in.Messages = append(in.Messages, m.ToParam(), openai.ToolMessage("sunny", m.ToolCalls[0].ID), openai.ToolMessage("noon", m.ToolCalls[1].ID))
	whole(t, p.c.Chat.Completions.NewStreaming(within(t), in), answer, p.f.name+"/tools")
	p.sent(t, p.f.result, "sunny", "noon")
	if p.f.speaks == mockllm.Gemini { // the SDK drops the signature; Berry remembers it
		p.sent(t, `"thoughtSignature":"c2ln"`)
	}
}

func (p *providerCase) image(t *testing.T) {
	in := p.params("text")
	in.Messages = []openai.ChatCompletionMessageParamUnion{openai.UserMessage([]openai.ChatCompletionContentPartUnionParam{
		openai.ImageContentPart(openai.ChatCompletionContentPartImageImageURLParam{URL: pngURI}), openai.TextContentPart(question),
	})}
	got, err := p.c.Chat.Completions.New(within(t), in)
	if err != nil {
		t.Fatal(describe(err))
	}
	equal(t, "text", got.Choices[0].Message.Content, answer)
	p.sent(t, p.f.image)
}

func (p *providerCase) schema(t *testing.T) {
	in := p.params("text")
	in.ResponseFormat.OfJSONSchema = &shared.ResponseFormatJSONSchemaParam{JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{
		Name: "place", Strict: openai.Bool(true),
		Schema: map[string]any{"type": "object", "properties": map[string]any{"city": map[string]any{"type": "string"}}, "required": []string{"city"}, "additionalProperties": false},
	}}
	if _, err := p.c.Chat.Completions.New(within(t), in); err != nil {
		t.Fatal(describe(err))
	}
	p.sent(t, p.f.schema, `"city"`)
	whole(t, p.c.Chat.Completions.NewStreaming(within(t), in), answer, p.f.name+"/text")
}

func (p *providerCase) reasoning(t *testing.T) {
	in := p.params("reasoning")
	in.ReasoningEffort = shared.ReasoningEffortHigh
	got, err := p.c.Chat.Completions.New(within(t), in)
	if err != nil {
		t.Fatal(describe(err))
	}
	equal(t, "reasoning", got.Choices[0].Message.JSON.ExtraFields["reasoning_content"].Raw(), `"`+thought+`"`)
	equal(t, "text", got.Choices[0].Message.Content, answer)
	p.sent(t, p.f.effort)

	s := p.c.Chat.Completions.NewStreaming(within(t), in)
	defer s.Close()
	var thoughts, text strings.Builder
	for s.Next() {
		for _, ch := range s.Current().Choices {
			if raw := ch.Delta.JSON.ExtraFields["reasoning_content"].Raw(); raw != "" {
				var piece string
				if err := json.Unmarshal([]byte(raw), &piece); err != nil {
					t.Fatal(err)
				}
				thoughts.WriteString(piece)
			}
			text.WriteString(ch.Delta.Content)
		}
	}
	if s.Err() != nil {
		t.Fatal(describe(s.Err()))
	}
	equal(t, "reasoning", thoughts.String(), thought)
	equal(t, "text", text.String(), answer)
}

// rejected is what the provider refuses, and what Berry must refuse in its stead.
func (p *providerCase) rejected(t *testing.T) {
	_, err := p.c.Chat.Completions.New(within(t), p.params("rejected"))
	equal(t, "message", fails(t, err, 400, "").Message, "bad temp")
	err = collect(t, p.c.Chat.Completions.NewStreaming(within(t), p.params("rejected"))).err
	equal(t, "message", fails(t, err, 400, "").Message, "bad temp")
	if p.f.speaks != mockllm.Claude && p.f.speaks != mockllm.Gemini {
		return
	}
	in := p.params("text")
	in.N = openai.Int(2)
	_, err = p.c.Chat.Completions.New(within(t), in)
	equal(t, "param", fails(t, err, 400, "invalid_value").Param, "n")
}

func (p *providerCase) truncated(t *testing.T) {
	for _, name := range []string{"truncated", "reset"} {
		got := collect(t, p.c.Chat.Completions.NewStreaming(within(t), p.params(name)))
		if e := (*ssestream.StreamError)(nil); !errors.As(got.err, &e) || got.text != "he" || len(got.finish) > 0 {
			t.Errorf("%s: text %q, finish %q, error %v", name, got.text, got.finish, got.err)
		}
	}
}

// TestNodeProviders runs the SDK for JavaScript, its stream helper and its tool runner, against every format.
func TestNodeProviders(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed")
	}
	if _, err := os.Stat("node/node_modules/openai"); err != nil {
		t.Skip("npm's openai is not installed: run npm ci in e2e/node")
	}
	berry, ups := providersWorld(t)
	for _, f := range formats() {
		t.Run(f.name, func(t *testing.T) {
			cmd := exec.CommandContext(within(t), node, "node/providers.mjs")
			cmd.Env = process.BareEnv("BERRY_URL="+berry.baseURL(), "BERRY_TOKEN="+token, "BERRY_FORMAT="+f.name, "BERRY_EXPECT="+asJSON(map[string]any{
				"answer": answer, "thought": thought, "png": pngURI, "ownIDs": f.speaks != mockllm.Gemini,
				"calls": [][]string{{toolID1, "weather", toolArgs1}, {toolID2, "clock", "{}"}},
			}))
			out, err := cmd.CombinedOutput()
			if err != nil || !bytes.Contains(out, []byte("all cases passed")) {
				t.Errorf("%v\n%s", err, out)
			}
			seen := ups[f.name].Requests()
			for what, want := range map[string]string{"image": f.image, "schema": f.schema, "effort": f.effort, "tool result": f.result} {
				if !slices.ContainsFunc(seen, func(r mockllm.Seen) bool { return bytes.Contains(r.Body, []byte(want)) }) {
					t.Errorf("no request had the %s: %s", what, want)
				}
			}
			p := &providerCase{f: f}
			for _, r := range seen {
				p.judge(t, &r)
			}
		})
	}
}
