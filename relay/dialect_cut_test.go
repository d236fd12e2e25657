package relay_test

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// goldenStream is the upstream's side of a golden file.
func goldenStream(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	in, _, _ := strings.Cut(string(raw), "====\n")
	return in
}

// asEvents is a stream of OpenAI's format as it goes over the wire.
func asEvents(frames ...string) string {
	return "data: " + strings.Join(frames, "\n\ndata: ") + "\n\n"
}

var createdAt = regexp.MustCompile(`"created":[0-9]+`)

// steady is a stream's frames without what differs from run to run.
func (s *stream) steady() string {
	return createdAt.ReplaceAllString(strings.Join(s.Frames, "\n"), `"created":1`)
}

// TestStreamsCutEverywhere cuts a stream of each format at every byte. What the
// client gets is the whole answer or one that says that it is not: never a short
// one that looks whole.
func TestStreamsCutEverywhere(t *testing.T) {
	call := mockllm.Chunk(`{"tool_calls":[`+strings.Replace(openAICall, "{", `{"index":0,`, 1)+`]}`, "")
	chat := []string{mockllm.Role(), mockllm.Text("he"), mockllm.Text("llo"), call, mockllm.Finish("tool_calls"), mockllm.Done}
	filtered := append([]string{mockllm.AzurePromptFilter(), chat[0], chat[1], mockllm.AzureFilterOffsets()}, chat[2:]...)
	f := func(kind, whole string) {
		t.Run(kind, func(t *testing.T) {
			n := 0
			script := func(*mockllm.Seen) []mockllm.Step {
				return []mockllm.Step{mockllm.Header(200, http.Header{"Content-Type": {"text/event-stream"}}), mockllm.Body(whole[:n]), mockllm.EOF()}
			}
			b := start(t, setup{toml: claudeModels, scripts: one(script), settings: func(s *config.Settings) {
				s.MaxRetries, s.MaxInternalRetries, s.CircuitBreakerFailureThreshold = 0, 0, 1_000_000
			}, provider: func(_ string, p *config.Provider) { p.BackendType = kind }})
			n = len(whole)
			full := b.stream(ask("claude-x", askStream))
			if full.Error != nil || len(full.Finish) != 1 {
				t.Fatalf("%+v", full)
			}
			broken := 0
			for n = range len(whole) {
				a := b.post(ask("claude-x", askStream))
				if a.Status != http.StatusOK { // nothing had been said yet
					b.fault(a)
					continue
				}
				s := readStream(t, a)
				switch {
				case s.Error != nil && len(s.Finish) == 0 && strings.HasPrefix(full.Text, s.Text):
					broken++
				case s.Error != nil || s.steady() != full.steady():
					t.Fatalf("cut at %d of %d: error %+v\n%s", n, len(whole), s.Error, cmp.Diff(full.steady(), s.steady()))
				}
			}
			if broken < len(whole)/4 {
				t.Errorf("%d of %d cuts came after content", broken, len(whole))
			}
		})
	}
	f(config.TypeOpenAI, asEvents(chat...))
	f(config.TypeAzure, asEvents(filtered...))
	f(config.TypeClaude, goldenStream(t, "dialect/claude/testdata/interleaved_tools.sse"))
	f(config.TypeGemini, goldenStream(t, "dialect/gemini/testdata/stream_thought_text_calls.txt"))
}
