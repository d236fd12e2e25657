package relay_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// wire is a format as the fault cases see it: a stream up to a point.
type wire struct {
	name    string
	start   func(*testing.T, setup) *berry
	begin   mockllm.Step // up to before the first content
	text    func(string) mockllm.Step
	end     mockllm.Step
	fault   mockllm.Step // an error inside the stream, with the message boom
	lastDot mockllm.Step // all of the end but the very last event
}

func wires() []wire {
	plain := mockllm.SSE(mockllm.Finish("stop"), mockllm.UsageChunk(7, 2), mockllm.Done)
	starts := func(kind string) func(*testing.T, setup) *berry {
		return func(t *testing.T, s setup) *berry {
			t.Helper()
			more := s.provider
			s.toml, s.provider = claudeModels, func(id string, p *config.Provider) {
				p.BackendType, p.BaseURL = kind, strings.TrimSuffix(p.BaseURL, "/v1")
				if kind == config.TypeOpenAI {
					p.BaseURL += "/v1"
				}
				if more != nil {
					more(id, p)
				}
			}
			return start(t, s)
		}
	}
	return []wire{
		{
			name: "openai", start: starts(config.TypeOpenAI),
			begin:   mockllm.SSE(mockllm.Role()),
			text:    func(s string) mockllm.Step { return mockllm.SSE(mockllm.Text(s)) },
			lastDot: mockllm.SSE(mockllm.Finish("stop")),
			end:     plain,
			fault:   mockllm.SSE(mockllm.Fault("boom", "server_error", "", "x")),
		},
		{
			name: "claude", start: starts(config.TypeClaude),
			begin:   mockllm.ClaudeEvents(mockllm.ClaudeStart(7), mockllm.ClaudePing(), mockllm.ClaudeBlock(0, `{"type":"text","text":""}`)),
			text:    func(s string) mockllm.Step { return mockllm.ClaudeEvents(mockllm.ClaudeText(s)) },
			lastDot: mockllm.ClaudeEvents(mockllm.ClaudeBlockStop(0), mockllm.ClaudeFinish("end_turn", 2)),
			end:     mockllm.ClaudeEvents(mockllm.ClaudeBlockStop(0), mockllm.ClaudeFinish("end_turn", 2), mockllm.ClaudeStop()),
			fault:   mockllm.ClaudeEvents(mockllm.ClaudeFault("api_error", "boom")),
		},
		{
			name: "azure", start: starts(config.TypeAzure),
			begin:   mockllm.SSE(mockllm.AzurePromptFilter(), mockllm.Role()),
			text:    func(s string) mockllm.Step { return mockllm.SSE(mockllm.Text(s), mockllm.AzureFilterOffsets()) },
			lastDot: mockllm.SSE(mockllm.Finish("stop")),
			end:     plain,
			fault:   mockllm.SSE(mockllm.Fault("boom", "server_error", "", "x")),
		},
		{
			name: "gemini", start: starts(config.TypeGemini),
			begin:   mockllm.SSE(`{"usageMetadata":{"promptTokenCount":7}}`),
			text:    func(s string) mockllm.Step { return mockllm.SSE(mockllm.GeminiChunk("", mockllm.GeminiText(s))) },
			lastDot: mockllm.SSE(mockllm.GeminiChunk("STOP")),
			end:     mockllm.SSE(mockllm.GeminiFinish("STOP", 7, 2)),
			fault:   mockllm.SSE(strings.ReplaceAll(mockllm.GeminiFault(503, "UNAVAILABLE", "boom"), "\n", "")),
		},
	}
}

// TestFaultsPerDialect runs the ways in which a stream breaks in every format.
func TestFaultsPerDialect(t *testing.T) {
	for _, w := range wires() {
		good := always(w.begin, w.text("he"), w.text("llo"), w.end)
		run := func(name string, u1 mockllm.Script, f func(t *testing.T, b *berry)) {
			t.Run(w.name+"/"+name, func(t *testing.T) {
				f(t, w.start(t, setup{scripts: two(u1, good), hold: time.Minute, provider: func(_ string, p *config.Provider) { p.TimeoutSeconds = 0.3 }}))
			})
		}
		moved := func(t *testing.T, b *berry) {
			if s := b.stream(ask("pool", askStream)); s.Text != "hello" || s.Error != nil || cmp.Diff([]string{"0:stop"}, s.Finish) != "" {
				t.Errorf("%+v", s)
			}
			if n := b.u["u1"].Count(); n < 1 || n > 2 || b.u["u2"].Count() != 1 {
				t.Errorf("%d attempts on A and %d on B", n, b.u["u2"].Count())
			}
		}
		broken := func(message string) func(t *testing.T, b *berry) {
			return func(t *testing.T, b *berry) {
				s := b.stream(ask("pool", askStream))
				if s.Text != "he" || s.Error == nil || s.Error.Type != "server_error" || len(s.Finish) > 0 || !strings.Contains(s.Error.Message, message) {
					t.Errorf("%+v %+v", s, s.Error)
				}
				b.attempts(1, 0)
				if rec := b.record(0); rec.Error == nil || rec.Usage.Output == 0 || !rec.Usage.Estimated {
					t.Errorf("%+v", rec)
				}
			}
		}
		run("good", good, func(t *testing.T, b *berry) {
			if s := b.stream(ask("pool", askStream)); s.Text != "hello" || s.Error != nil {
				t.Errorf("%+v", s)
			}
			b.attempts(1, 0)
		})
		run("cut before content", always(w.begin, mockllm.EOF()), moved)
		run("reset before content", always(w.begin, mockllm.Reset()), moved)
		run("error before content", always(w.begin, w.fault), moved)
		run("no content in time", always(w.begin, mockllm.Hang()), moved)
		run("ended without content", always(w.begin, mockllm.SSE(mockllm.Done)), moved)
		run("cut after content", always(w.begin, w.text("he"), mockllm.EOF()), broken("not complete"))
		run("reset after content", always(w.begin, w.text("he"), mockllm.Reset()), broken("not complete"))
		run("error after content", always(w.begin, w.text("he"), w.fault), broken("boom"))
		run("silence after content", always(w.begin, w.text("he"), mockllm.Hang()), broken("silent"))
		run("without the last event", always(w.begin, w.text("he"), w.lastDot, mockllm.EOF()), func(t *testing.T, b *berry) {
			if s := b.stream(ask("pool", askStream)); s.Text != "he" || s.Error != nil || cmp.Diff([]string{"0:stop"}, s.Finish) != "" {
				t.Errorf("%+v", s)
			}
		})
		t.Run(w.name+"/resumed", func(t *testing.T) {
			b := w.start(t, setup{scripts: two(always(w.begin, w.text("he"), mockllm.Reset()), good), settings: func(s *config.Settings) { s.StreamResume = config.ResumeReplay }})
			if s := b.stream(ask("pool", askStream)); s.Text != "hello" || s.Error != nil || cmp.Diff([]string{"0:stop"}, s.Finish) != "" {
				t.Errorf("%+v", s)
			}
			b.attempts(1, 1)
		})
		t.Run(w.name+"/resumed after silence", func(t *testing.T) {
			b := w.start(t, setup{scripts: two(always(w.begin, w.text("hel"), mockllm.Hang()), good), settings: func(s *config.Settings) {
				s.StreamResume, s.StreamIdleTimeoutSeconds = config.ResumeReplay, 0.3
			}})
			if s := b.stream(ask("pool", askStream+`,"stream_options":{"include_usage":true}`)); s.Text != "hello" || s.Error != nil || cmp.Diff([]string{"0:stop"}, s.Finish) != "" {
				t.Errorf("%+v", s)
			}
			b.attempts(1, 1)
			if rec := b.record(0); rec.Attempts[1].Why != relay.ReasonResume || rec.Attempts[1].Usage.Estimated || rec.Attempts[1].Usage.Output != 2 {
				t.Errorf("%+v", rec)
			}
		})
		t.Run(w.name+"/resumed into another answer", func(t *testing.T) {
			b := w.start(t, setup{scripts: two(always(w.begin, w.text("hal"), mockllm.Reset()), good), settings: func(s *config.Settings) { s.StreamResume = config.ResumeReplay }})
			if s := b.stream(ask("pool", askStream)); s.Text != "hal" || s.Error == nil || len(s.Finish) > 0 {
				t.Errorf("%+v", s)
			}
			b.attempts(1, 1)
		})
		t.Run(w.name+"/read on after the client left", func(t *testing.T) {
			next := make(chan struct{})
			b := w.start(t, setup{scripts: one(always(w.begin, w.text("he"), mockllm.Wait(next), w.text("llo"), w.end)), settings: func(s *config.Settings) {
				s.OnClientDisconnect, s.StreamIdleTimeoutSeconds = config.DisconnectFinish, 5
			}})
			resp := b.open(t.Context(), ask("pool", askStream))
			var all strings.Builder
			readUntil(t, resp, &all, `"he"`)
			resp.Body.Close()
			<-b.gone
			close(next)
			rec := b.record(0)
			if !rec.Disconnected || rec.Attempts[0].Kind != loadbalance.Success || rec.Usage != (relay.Usage{Input: 7, Output: 2}) {
				t.Errorf("%+v", rec)
			}
		})
		t.Run(w.name+"/client leaves", func(t *testing.T) {
			b := w.start(t, setup{scripts: two(always(w.begin, w.text("he"), mockllm.Hang()), good)})
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			resp := b.open(ctx, ask("pool", askStream))
			var all strings.Builder
			readUntil(t, resp, &all, `"he"`)
			cancel()
			resp.Body.Close()
			wait, stop := context.WithTimeout(context.Background(), 5*time.Second)
			defer stop()
			if _, err := b.u["u1"].Requests()[0].WaitLeft(wait); err != nil {
				t.Error(err)
			}
			if rec := b.record(0); rec.Attempts[0].Kind != loadbalance.Cancelled || len(rec.Attempts) != 1 || rec.Usage.IsZero() {
				t.Errorf("%+v", rec)
			}
		})
	}
}
