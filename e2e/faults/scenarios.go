package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// Parts of scripts.

// paced is the fixed answer's first tokens, each with its pause.
func paced(tokens int) []mockllm.Step {
	steps := []mockllm.Step{mockllm.SSE(mockllm.Role())}
	for i := range tokens {
		steps = append(steps, mockllm.Sleep(tokenPause), mockllm.SSE(mockllm.Text(fmt.Sprintf("tok%d ", i))))
	}
	return steps
}

func whole() []mockllm.Step {
	return append(paced(answerTokens), mockllm.SSE(mockllm.Finish("stop"), mockllm.UsageChunk(11, answerTokens), mockllm.Done))
}

func then(steps []mockllm.Step, more ...mockllm.Step) mockllm.Script {
	return mockllm.OnChat(mockllm.Always(append(steps, more...)...))
}

var good = then(whole())

func refuses(status int, header http.Header) mockllm.Script {
	return then(nil, mockllm.JSON(status, header, mockllm.Fault("no", "server_error", "", "")))
}

// once does first for the first chat and then what rest does.
func once(first, rest mockllm.Script) mockllm.Script {
	return mockllm.OnChat(mockllm.Attempts(first, rest))
}

func require(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, args...)
}

// attempts wants at most that many chats on A.
func (w *world) attempts(most int) error {
	n := len(chats(w.a))
	return require(n <= most, "%d attempts on A, at most %d are allowed", n, most)
}

const (
	replay     = `stream_resume = "replay"`
	policy     = `{"error":{"message":"rejected by the safety system","type":"invalid_request_error","param":null,"code":"content_policy_violation"}}`
	tooLong    = `{"error":{"message":"maximum context length is 8192 tokens","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}`
	retrySoon  = `retry_after_wait_seconds = 2`
	firstIn10  = `request_timeout_seconds = 10`
	breakerIn5 = "circuit_breaker_timeout_seconds = 15\ncircuit_breaker_failure_threshold = 5"
)

func scenarios() []scenario {
	all := []scenario{
		{
			id: "S01", fault: "429 with Retry-After 2 once, then good",
			b: good,
			variants: []variant{
				{retrySoon, func(w *world) error {
					w.a.SetScript(once(refuses(429, http.Header{"Retry-After": {"2"}}), good))
					_, err := w.from("a")
					seen := chats(w.a)
					if err != nil || len(seen) != 2 {
						return errors.Join(err, fmt.Errorf("%d attempts on A", len(seen)))
					}
					gap := seen[1].Arrived.Sub(seen[0].Arrived)
					return require(gap >= 1800*time.Millisecond, "second attempt after %v", gap)
				}},
				{"", func(w *world) error {
					w.a.SetScript(once(refuses(429, http.Header{"Retry-After": {"2"}}), good))
					_, first := w.from("b")
					_, second := w.from("b") // A still rests
					return errors.Join(first, second, w.attempts(1))
				}},
			},
		},
		{
			id: "S02", fault: "429 for ever, no Retry-After", a: refuses(429, nil), b: good,
			judge: func(w *world) error {
				_, err := w.from("b")
				seen := chats(w.a)
				return errors.Join(err, require(within(seen, 3*time.Second) <= 4 && len(seen) <= 6, "%d attempts on A", len(seen)))
			},
		},
		{
			id: "S03", fault: "500 once, then good", a: once(refuses(500, nil), good), b: good,
			judge: func(w *world) error { _, err := w.from("a"); return errors.Join(err, w.attempts(2)) },
		},
		{
			id: "S04", fault: "503 for ever", a: refuses(503, nil), b: good,
			judge: func(w *world) error { _, err := w.from("b"); return errors.Join(err, w.attempts(3)) },
		},
		{
			id: "S05", fault: "connection reset before any byte, once", a: once(then(nil, mockllm.Reset()), good), b: good,
			judge: func(w *world) error { _, err := w.complete(); return err },
		},
		{
			id: "S06", fault: "accepts, never answers", a: then(nil, mockllm.Hang()), b: good,
			judge: func(w *world) error {
				a, err := w.complete()
				return errors.Join(err, w.attempts(1), require(a != nil && a.took < 33*time.Second, "B's answer took too long"))
			},
		},
		{
			id: "S07", fault: "headers at once, first token after 20 s", settings: firstIn10,
			a: then([]mockllm.Step{mockllm.SSE(mockllm.Role()), mockllm.Sleep(20 * time.Second)}, whole()[1:]...), b: good,
			judge: func(w *world) error {
				a, err := w.from("b")
				return errors.Join(err, require(a != nil && a.took < 15*time.Second, "it took too long"))
			},
		},
		{
			id: "S08", fault: "cut after 40 of 60 tokens, no terminator", a: then(paced(40), mockllm.Cut()), b: good,
			variants: []variant{
				{replay, func(w *world) error { _, err := w.complete(); return err }},
				{"", func(w *world) error { return w.broken(40) }},
			},
		},
		{
			id: "S09", fault: "silent for 30 s after 20 tokens, then closes",
			a: then(paced(20), mockllm.Sleep(33*time.Second), mockllm.Cut()), b: good,
			variants: []variant{
				{replay, func(w *world) error {
					a, err := w.complete()
					return errors.Join(err, require(a != nil && a.took < 33*time.Second, "it took too long"))
				}},
				{"", func(w *world) error {
					begin := time.Now()
					err := w.broken(20)
					took := time.Since(begin)
					_, next := w.complete()
					return errors.Join(err, require(took < 32*time.Second, "it took %v", took), next)
				}},
			},
		},
		{
			id: "S10", fault: "the tenth event is not JSON, rest good",
			a: then(append(append(paced(9), mockllm.SSE(`{"choices":[{"delta"`)), whole()[19:]...)), b: good,
			judge: func(w *world) error { _, err := w.from("a"); return err },
		},
		{
			id: "S11", fault: "good stream without [DONE]",
			a: then(paced(answerTokens), mockllm.SSE(mockllm.Finish("stop"), mockllm.UsageChunk(11, answerTokens)), mockllm.EOF()), b: good,
			judge: func(w *world) error {
				a, err := w.from("a")
				return errors.Join(err, require(a != nil && a.took < 3*time.Second && a.usage == answerTokens, "late, or without usage"))
			},
		},
	}
	return append(all, laterScenarios()...)
}

func laterScenarios() []scenario {
	return []scenario{
		{
			id: "S12", fault: "400 context_length_exceeded", a: then(nil, mockllm.JSON(400, nil, tooLong)), b: good,
			judge: func(w *world) error {
				a, err := w.ask("m")
				if err != nil || a.status != 400 || a.raw != tooLong || len(chats(w.a)) != 1 || len(chats(w.b)) != 0 {
					return errors.Join(err, fmt.Errorf("status %d: %s", a.status, a.raw))
				}
				a, err = w.ask("guarded")
				return errors.Join(err, require(a != nil && a.text == answerText(answerTokens), "context_fallback did not answer"))
			},
		},
		{
			id: "S13", fault: "400 content policy", a: then(nil, mockllm.JSON(400, nil, policy)), b: good,
			judge: func(w *world) error {
				a, err := w.ask("m")
				return errors.Join(err, w.attempts(1),
					require(a != nil && a.status == 400 && strings.Contains(a.raw, "safety system") && len(chats(w.b)) == 0, "the reason did not reach the client"))
			},
		},
		{
			id: "S14", fault: "as S08, and B refuses a prefilled assistant turn", settings: replay,
			a: then(paced(40), mockllm.Cut()),
			b: func(r *mockllm.Seen) []mockllm.Step {
				if strings.Contains(string(r.Body), `"assistant"`) {
					return refuses(400, nil)(r)
				}
				return good(r)
			},
			judge: func(w *world) error { _, err := w.complete(); return err },
		},
		recovering(),
		{
			id: "S16", fault: "503 for ever: who is named and booked", a: refuses(503, nil), b: good,
			judge: func(w *world) error {
				a, err := w.from("b")
				return errors.Join(err, require(a != nil && a.header.Get("X-Berry-Model") == "mb" && a.usage == answerTokens, "it is not B's"))
			},
		},
	}
}

// recovering is S15: a minute of 503 with a request every 4 s, then good.
func recovering() scenario {
	began := time.Now()
	const outage = 60 * time.Second
	return scenario{
		id: "S15", fault: "503 for 60 s, then good; a request every 4 s", settings: breakerIn5, b: good,
		a: mockllm.OnChat(func(r *mockllm.Seen) []mockllm.Step {
			if time.Since(began) < outage {
				return refuses(503, nil)(r)
			}
			return whole()
		}),
		judge: func(w *world) error {
			back := time.Duration(0)
			for time.Since(began) < outage+35*time.Second && back == 0 {
				a, err := w.complete()
				if err != nil {
					return err
				}
				if a.header.Get("X-Berry-Provider") == "a" {
					back = time.Since(began) - outage
				}
				time.Sleep(4 * time.Second)
			}
			during := 0
			for _, r := range chats(w.a) {
				if r.Arrived.Sub(began) < outage {
					during++
				}
			}
			return errors.Join(
				require(back > 0 && back < 30*time.Second, "A is not back in use within 30 s of its recovery"),
				// Until it opens 5 failures, then one trial each 15 s, with the
				// checks' own one-token chats among them.
				require(during <= 5+4+2, "%d attempts on A while it was down", during))
		},
	}
}
