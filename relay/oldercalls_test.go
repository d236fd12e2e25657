package relay_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// A client that describes its functions in the older form gets its calls in
// the older form, whatever the provider speaks.
func TestOlderFormOfCalls(t *testing.T) {
	const older = `,"functions":[{"name":"f","parameters":{"type":"object","properties":{"a":{"type":"integer"}}}}],"function_call":"auto"`
	f := func(b *berry, model string) {
		t.Helper()
		a := b.post(ask(model, older))
		var got struct {
			Choices []struct {
				Message struct {
					FunctionCall map[string]string `json:"function_call"`
					ToolCalls    json.RawMessage   `json:"tool_calls"`
				}
				FinishReason string `json:"finish_reason"`
			}
		}
		if err := json.Unmarshal([]byte(a.Body), &got); err != nil || len(got.Choices) != 1 {
			t.Fatalf("%d %s: %v", a.Status, a.Body, err)
		}
		c := got.Choices[0]
		if d := cmp.Diff(map[string]string{"name": "f", "arguments": `{"a":1}`}, c.Message.FunctionCall); d != "" || c.FinishReason != "function_call" || c.Message.ToolCalls != nil {
			t.Errorf("%s: %s %s", model, d, a.Body)
		}
		s := b.stream(ask(model, older+askStream))
		name, args := "", ""
		for _, frame := range s.Frames[:len(s.Frames)-1] {
			var c struct {
				Choices []struct {
					Delta struct {
						FunctionCall struct{ Name, Arguments string } `json:"function_call"`
					}
				}
			}
			if err := json.Unmarshal([]byte(frame), &c); err != nil || strings.Contains(frame, "tool_calls") {
				t.Errorf("%s: %v", frame, err)
			}
			for _, ch := range c.Choices {
				name, args = name+ch.Delta.FunctionCall.Name, args+ch.Delta.FunctionCall.Arguments
			}
		}
		if name != "f" || args != `{"a":1}` || cmp.Diff([]string{"0:function_call"}, s.Finish) != "" {
			t.Errorf("%s: %s(%s), %v", model, name, args, s.Finish)
		}
		// And its result comes back in the older form too.
		history := `{"model":"` + model + `","messages":[{"role":"user","content":"go"},{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{\"a\":1}"}},{"role":"function","name":"f","content":"22"}]` + older + `}`
		if a := b.post(history); a.Status != 200 {
			t.Errorf("%s: %d %s", model, a.Status, a.Body)
		}
	}
	whole := mockllm.ClaudeMessage(`[{"type":"tool_use","id":"toolu_1","name":"f","input":{"a":1}}]`, "tool_use")
	streamed := mockllm.ClaudeEvents(mockllm.ClaudeStart(7), mockllm.ClaudeBlock(0, `{"type":"tool_use","id":"toolu_1","name":"f","input":{}}`),
		mockllm.ClaudeDelta(0, `{"type":"input_json_delta","partial_json":"{\"a\":1}"}`), mockllm.ClaudeBlockStop(0), mockllm.ClaudeFinish("tool_use", 2), mockllm.ClaudeStop())
	b := claude(t, one(mockllm.Attempts(always(mockllm.JSON(200, nil, whole)), always(streamed), mockllm.Leave)))
	f(b, "claude-x")
	if got := b.sent(0)["tool_choice"]; cmp.Diff(map[string]any{"type": "auto", "disable_parallel_tool_use": true}, got) != "" {
		t.Errorf("tool_choice %v: there is room for one call", got)
	}
	call := []string{mockllm.GeminiChunk("", mockllm.GeminiCall("f", `{"a":1}`, "c2ln"), mockllm.GeminiCall("g", `{}`, "")), mockllm.GeminiFinish("STOP", 7, 2)}
	b = startGemini(t, mockllm.StrictGemini(mockllm.Attempts(
		always(mockllm.JSON(200, nil, "["+strings.Join(call, ",")+"]")), always(mockllm.SSE(call...)),
		always(mockllm.JSON(200, nil, mockllm.GeminiChunk("STOP", mockllm.GeminiText("a")))),
	)), nil)
	f(b, "gemini-x")
}
