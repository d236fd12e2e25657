package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/responses"
	"github.com/openai/openai-go/v3/shared"

	"github.com/PPKunOfficial/berry-api/e2e/process"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// withoutResponses are the formats whose providers have no responses: two that know
// none, and a server of OpenAI's that has chats only.
func withoutResponses(ups map[string]*mockllm.Server) (all []format) {
	for _, f := range formats() {
		switch f.name {
		case "openai":
			chats := f.script()
			ups[f.name].SetScript(func(r *mockllm.Seen) []mockllm.Step {
				if strings.HasSuffix(r.Path, "/responses") {
					return []mockllm.Step{mockllm.JSON(404, nil, mockllm.Fault("Invalid URL (POST /v1/responses)", "invalid_request_error", "", ""))}
				}
				return chats(r)
			})
		case "claude", "gemini":
		default:
			continue
		}
		all = append(all, f)
	}
	return all
}

func (p *providerCase) response(name string) responses.ResponseNewParams {
	return responses.ResponseNewParams{Model: p.f.name + "/" + name, Input: responses.ResponseNewParamsInputUnion{OfString: openai.String(question)}}
}

// follow reads a stream to its end.
func follow(t *testing.T, p *providerCase, asked responses.ResponseNewParams) (last responses.ResponseStreamEventUnion, text string) {
	t.Helper()
	s := p.c.Responses.NewStreaming(within(t), asked)
	for n := int64(0); s.Next(); n++ {
		last = s.Current()
		equal(t, "sequence number", last.SequenceNumber, n)
		if last.Type == "response.output_text.delta" {
			text += last.Delta
		}
	}
	if s.Err() != nil {
		t.Error(s.Err())
	}
	return last, text
}

// TestGoTranslatedResponses asks for responses of providers that have none.
func TestGoTranslatedResponses(t *testing.T) {
	berry, ups := providersWorld(t)
	for _, f := range withoutResponses(ups) {
		p := &providerCase{f, connect(berry, token), ups[f.name]}
		for name, run := range map[string]func(*testing.T){
			"text": p.responseText, "tools": p.responseTools, "reasoning": p.responseReasoning, "broken": p.responseBroken,
		} {
			t.Run(f.name+"/"+name, run)
		}
		for _, r := range p.up.Requests() {
			if !strings.HasSuffix(r.Path, "/responses") {
				p.judge(t, &r)
			}
		}
	}
}

func (p *providerCase) responseText(t *testing.T) {
	got, err := p.c.Responses.New(within(t), p.response("text"))
	if err != nil {
		t.Fatal(err)
	}
	last, text := follow(t, p, p.response("text"))
	equal(t, "streamed text", text, answer)
	for _, r := range []*responses.Response{got, &last.Response} {
		equal(t, "text", r.OutputText(), answer)
		equal(t, "model", string(r.Model), p.f.name+"/text")
		equal(t, "status", string(r.Status), "completed")
		equal(t, "tokens", r.Usage.TotalTokens, promptTokens+completionTokens)
		if _, err := p.c.Responses.Get(within(t), r.ID, responses.ResponseGetParams{}); status(err) != 404 {
			t.Errorf("kept: %v", err)
		}
	}
}

func (p *providerCase) responseTools(t *testing.T) {
	asked := p.response("tools")
	for _, name := range []string{"weather", "clock"} {
		asked.Tools = append(asked.Tools, responses.ToolParamOfFunction(name, map[string]any{"type": "object", "properties": map[string]any{}}, false))
	}
	last, _ := follow(t, p, asked)
	items := responses.ResponseInputParam{responses.ResponseInputItemParamOfMessage(question, "user")}
	calls := 0
	for _, item := range last.Response.Output {
		if item.Type != "function_call" {
			continue
		}
		calls++
		output := responses.ResponseInputItemParamOfFunctionCallOutput("42")
		output.OfFunctionCallOutput.CallID = openai.String(item.CallID)
		items = append(items, responses.ResponseInputItemParamOfFunctionCall(item.Arguments.OfString, item.CallID, item.Name), output)
	}
	equal(t, "calls", calls, 2)
	asked.Input = responses.ResponseNewParamsInputUnion{OfInputItemList: items}
	got, err := p.c.Responses.New(within(t), asked)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "text", got.OutputText(), answer)
	p.sent(t, p.f.result, "42", "weather")
}

func (p *providerCase) responseReasoning(t *testing.T) {
	asked := p.response("reasoning")
	asked.Reasoning = shared.ReasoningParam{Effort: "high", Summary: "auto"}
	last, text := follow(t, p, asked)
	equal(t, "text", text, answer)
	if out := last.Response.Output; len(out) != 2 || out[0].Type != "reasoning" || out[0].Summary[0].Text != thought {
		t.Errorf("%+v", out)
	}
	p.sent(t, p.f.effort)
}

func (p *providerCase) responseBroken(t *testing.T) {
	if _, err := p.c.Responses.New(within(t), p.response("rejected")); status(err) != 400 {
		t.Error(err)
	}
	last, text := follow(t, p, p.response("truncated"))
	if last.Type != "response.failed" || text != "he" || string(last.Response.Error.Code) != "stream_interrupted" {
		t.Errorf("%q, %+v", text, last)
	}
}

func TestNodeTranslatedResponses(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed")
	}
	if _, err := os.Stat("node/node_modules/openai"); err != nil {
		t.Skip("npm's openai is not installed: run npm ci in e2e/node")
	}
	berry, ups := providersWorld(t)
	for _, f := range withoutResponses(ups) {
		t.Run(f.name, func(t *testing.T) {
			cmd := exec.CommandContext(within(t), node, "node/translated.mjs")
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
		})
	}
}
