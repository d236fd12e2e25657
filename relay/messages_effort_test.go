package relay_test

import (
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// Claude Code says with every request how much to reason, and many models do not
// reason at all: a backend that refuses to be told is asked again without, and
// is told no more.
func TestEffortThatIsRefused(t *testing.T) {
	f := func(refusal mockllm.Step, asked int) {
		t.Helper()
		b := startFormats(t, map[string]mockllm.Script{"u1": func(r *mockllm.Seen) []mockllm.Step {
			if strings.Contains(string(r.Body), "reasoning_effort") {
				return []mockllm.Step{refusal}
			}
			return []mockllm.Step{mockllm.JSON(200, nil, mockllm.Completion("fine", 1, 1))}
		}})
		ask := func() answer {
			return b.postTo(dialect.Messages, say("gpt-a", `,"output_config":{"effort":"high"}`))
		}
		a := ask()
		if asked == 1 {
			if fault := readClaudeFault(t, a.Body); a.Status != 400 || fault.Error.Type != "invalid_request_error" || b.u["u1"].Count() != 1 {
				t.Errorf("%d %s after %d requests", a.Status, a.Body, b.u["u1"].Count())
			}
			return
		}
		rec := b.record(0)
		if a.Status != 200 || b.u["u1"].Count() != 2 || len(rec.Attempts) != 1 || rec.Last().Kind != loadbalance.Success || rec.Last().Status != 200 {
			t.Errorf("%d %s after %d requests; %+v", a.Status, a.Body, b.u["u1"].Count(), rec)
		}
		if dropped := a.Header.Get("X-Berry-Dropped-Params"); !strings.Contains(dropped, "output_config.effort") {
			t.Errorf("dropped %q", dropped)
		}
		if a := ask(); a.Status != 200 || b.u["u1"].Count() != 3 {
			t.Errorf("the second time: %d after %d requests", a.Status, b.u["u1"].Count())
		}
	}
	f(mockllm.JSON(400, nil, mockllm.Fault("Unsupported parameter", "invalid_request_error", "reasoning_effort", "unsupported_parameter")), 2)
	f(mockllm.JSON(400, nil, mockllm.Fault("Unrecognized request argument supplied: reasoning_effort", "invalid_request_error", "", "")), 2)
	f(mockllm.JSON(422, nil, `{"detail":[{"loc":["body","reasoning_effort"],"msg":"extra fields not permitted: reasoning_effort"}]}`), 2)
	// Anything else is the client's.
	f(mockllm.JSON(400, nil, mockllm.Fault("bad temperature", "invalid_request_error", "temperature", "x")), 1)
}

// A deployment at Azure may have any name: it does not say what its model takes.
func TestEffortAtAzure(t *testing.T) {
	f := func(kind string, want bool) {
		t.Helper()
		b := start(t, setup{
			toml:     strings.Replace(usual, `"gpt-a-up"`, `"gpt-4o"`, 1),
			provider: func(_ string, p *config.Provider) { p.BackendType = kind },
			scripts:  one(always(mockllm.JSON(200, nil, mockllm.Completion("fine", 1, 1)))),
		})
		a := b.postTo(dialect.Messages, say("gpt-a", `,"output_config":{"effort":"max"}`))
		if got := string(b.u["u1"].Requests()[0].Body); a.Status != 200 || strings.Contains(got, `"reasoning_effort":"high"`) != want || strings.Contains(got, "effort") != want {
			t.Errorf("%s: %d %s", kind, a.Status, got)
		}
	}
	f(config.TypeAzure, true)
	f(config.TypeOpenAI, false)
}
