package relay_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// The fault catalogue S01-S16: backend A (u1) is primary, B (u2) is good
// unless said. Both stream the same answer. Times are scaled down; each fault
// keeps its ratio to the limit that catches it.

var fixed = func() (pieces []string) {
	for i := range 60 {
		pieces = append(pieces, fmt.Sprintf("tok%d ", i))
	}
	return pieces
}()

var fixedText = strings.Join(fixed, "")

// frames is the fixed answer's stream up to the n-th token.
func frames(n int) []string {
	out := []string{mockllm.Role()}
	for _, p := range fixed[:n] {
		out = append(out, mockllm.Text(p))
	}
	return out
}

func whole() []mockllm.Step {
	return []mockllm.Step{mockllm.SSE(append(frames(60), mockllm.Finish("stop"))...), mockllm.SSE(usageOf60, mockllm.Done)}
}

var usageOf60 = mockllm.UsageChunk(11, 60)

func good60(*mockllm.Seen) []mockllm.Step { return whole() }

func status(code int, header http.Header) mockllm.Script {
	return always(mockllm.JSON(code, header, mockllm.Fault("no", "server_error", "", "")))
}

func faultSetup(a, b mockllm.Script, settings func(s *config.Settings)) setup {
	return setup{scripts: two(a, b), settings: settings, hold: time.Minute}
}

const askStream = `,"stream":true`

// complete asks for the answer and wants all of it.
func (b *berry) complete() answer {
	b.t.Helper()
	a := b.post(ask("pool", askStream))
	if a.Status != 200 {
		b.t.Fatalf("status %d: %s", a.Status, a.Body)
	}
	s := readStream(b.t, a)
	if s.Text != fixedText || s.Error != nil || len(s.Finish) != 1 || s.Finish[0] != "0:stop" {
		b.t.Errorf("not complete: %d bytes of text, finish %v, error %+v", len(s.Text), s.Finish, s.Error)
	}
	return a
}

func (b *berry) attempts(a, bb int) {
	b.t.Helper()
	if x, y := b.u["u1"].Count(), b.u["u2"].Count(); x != a || y != bb {
		b.t.Errorf("%d attempts on A and %d on B, want %d and %d", x, y, a, bb)
	}
}

func TestS01RateLimitedOnce(t *testing.T) {
	once := mockllm.Attempts(status(429, http.Header{"Retry-After-Ms": {"200"}}), good60)
	b := start(t, faultSetup(once, good60, func(s *config.Settings) { s.RetryAfterWaitSeconds = 0.2 }))
	b.complete()
	b.attempts(2, 0)
	if seen := b.u["u1"].Requests(); seen[1].Arrived.Sub(seen[0].Arrived) < 180*time.Millisecond {
		t.Errorf("second attempt after %v", seen[1].Arrived.Sub(seen[0].Arrived))
	}
	if got := b.record(0).Attempts[1]; got.Why != relay.ReasonWaited || got.Pause != 200*time.Millisecond {
		t.Errorf("%+v", got)
	}
	// Without waiting B answers at once, and A rests.
	b = start(t, faultSetup(mockllm.Attempts(status(429, http.Header{"Retry-After": {"2"}}), good60), good60, nil))
	b.complete()
	b.complete()
	b.attempts(1, 2)
}

func TestS01OnlyOneBackendWaits(t *testing.T) {
	b := start(t, faultSetup(mockllm.Attempts(status(429, http.Header{"Retry-After-Ms": {"50"}}), status(503, http.Header{"Retry-After-Ms": {"50"}}), good60), nil, nil))
	if s := b.stream(ask("gpt-a", askStream)); s.Text != fixedText {
		t.Errorf("%+v", s)
	}
	b.attempts(3, 0)
}

// A failure that opens the breaker is told at once: nobody waits for a backend
// that nothing may be sent to after the wait. It used to be waited for, and then
// the request failed all the same.
func TestNobodyWaitsForAnOpenBreaker(t *testing.T) {
	b := start(t, faultSetup(status(503, http.Header{"Retry-After": {"4"}}), nil, func(s *config.Settings) {
		s.CircuitBreakerFailureThreshold = 1
		s.RetryAfterWaitSeconds = 60
	}))
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if a := b.whole(b.open(ctx, ask("gpt-a", ""))); a.Status != 503 || a.Header.Get("Retry-After") == "" {
		t.Errorf("%d, Retry-After %q: %s", a.Status, a.Header.Get("Retry-After"), a.Body)
	}
	b.attempts(1, 0)
}

func TestS02RateLimitedForEver(t *testing.T) {
	b := start(t, faultSetup(status(429, nil), good60, nil))
	for range 3 {
		b.complete()
	}
	if n := b.u["u1"].Count(); n > 4 {
		t.Errorf("%d attempts on A", n)
	}
	if st, _ := b.gw.Fleet().Backend("u1:gpt-a-up"); !st.Healthy || st.Breaker != loadbalance.BreakerClosed {
		t.Errorf("a rate-limited backend is taken for a broken one: %+v", st)
	}
}

func TestS03FailsOnce(t *testing.T) {
	b := start(t, faultSetup(mockllm.Attempts(status(500, nil), good60), good60, nil))
	b.complete()
	b.attempts(2, 0)
}

func TestS04FailsForEver(t *testing.T) {
	b := start(t, faultSetup(status(503, nil), good60, nil))
	b.complete()
	b.attempts(2, 1)
}

func TestS05ResetOnce(t *testing.T) {
	b := start(t, faultSetup(mockllm.Attempts(always(mockllm.Reset()), good60), good60, nil))
	b.complete()
	b.attempts(1, 1)
	// With nowhere to go the same backend is tried again.
	b = start(t, faultSetup(mockllm.Attempts(always(mockllm.Reset()), good60), nil, nil))
	if s := b.stream(ask("gpt-a", askStream)); s.Text != fixedText {
		t.Errorf("%+v", s)
	}
	b.attempts(2, 0)
}

func shortFirst(s *setup) setup {
	s.provider = func(_ string, p *config.Provider) { p.TimeoutSeconds = 0.3 }
	return *s
}

func TestS06NeverAnswers(t *testing.T) {
	s := faultSetup(always(mockllm.Hang()), good60, nil)
	b := start(t, shortFirst(&s))
	b.complete()
	b.attempts(1, 1)
	if got := b.record(0).Attempts[0]; got.Kind != loadbalance.Timeout || got.Duration > time.Second {
		t.Errorf("%+v", got)
	}
}

func TestS07FirstTokenLate(t *testing.T) {
	s := faultSetup(always(mockllm.SSE(mockllm.Role()), mockllm.Sleep(600*time.Millisecond), mockllm.SSE(mockllm.Text("late"))), good60, nil)
	b := start(t, shortFirst(&s))
	b.complete()
	b.attempts(1, 1)
}

// cutStream is S08's and S09's fault, with and without resume.
func cutStream(t *testing.T, cut []mockllm.Step, tokens int) {
	t.Helper()
	a := always(append([]mockllm.Step{mockllm.SSE(frames(tokens)...)}, cut...)...)
	b := start(t, faultSetup(a, good60, func(s *config.Settings) { s.StreamResume = config.ResumeReplay; s.StreamIdleTimeoutSeconds = 0.3 }))
	b.complete()
	b.attempts(1, 1)
	rec := b.record(0)
	if rec.Attempts[1].Why != relay.ReasonResume || !rec.Attempts[0].Usage.Estimated || rec.Attempts[1].Usage.Output != 60 ||
		rec.Usage.Output != rec.Attempts[0].Usage.Output+60 {
		t.Errorf("both runs are not booked: %+v", rec)
	}
	b = start(t, faultSetup(a, good60, func(s *config.Settings) { s.StreamIdleTimeoutSeconds = 0.3 }))
	s := b.stream(ask("pool", askStream))
	if s.Text != strings.Join(fixed[:tokens], "") || s.Error == nil || len(s.Finish) != 0 {
		t.Errorf("off: %+v", s)
	}
	b.attempts(1, 0)
	b.u["u1"].SetScript(good60)
	b.complete() // the gateway serves the next request at once
}

func TestS08Cut(t *testing.T) { cutStream(t, []mockllm.Step{mockllm.Cut()}, 40) }

func TestS09Silence(t *testing.T) { cutStream(t, []mockllm.Step{mockllm.Hang()}, 20) }

func TestS10MalformedFrame(t *testing.T) {
	all := append(frames(60), mockllm.Finish("stop"), mockllm.Done)
	all = append(all[:10:10], append([]string{`{"choices":[{"delta":{"content":"tok`}, all[10:]...)...)
	b := start(t, faultSetup(always(mockllm.SSE(all...)), good60, nil))
	b.complete()
	b.attempts(1, 0)
	if n := b.record(0).Malformed; n != 1 {
		t.Errorf("%d malformed frames counted", n)
	}
}

func TestS11NoTerminator(t *testing.T) {
	b := start(t, faultSetup(always(mockllm.SSE(append(frames(60), mockllm.Finish("stop"), usageOf60)...), mockllm.EOF()), good60, nil))
	b.complete()
	b.attempts(1, 0)
	if u := b.record(0).Usage; u != (relay.Usage{Input: 11, Output: 60}) {
		t.Errorf("usage %+v", u)
	}
}

const tooLong = `{"error":{"message":"This model's maximum context length is 8192 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}`

func TestS12ContextLength(t *testing.T) {
	b := start(t, faultSetup(always(mockllm.JSON(400, nil, tooLong)), good60, nil))
	if a := b.post(ask("pool", askStream)); a.Status != 400 || a.Body != tooLong {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	b.attempts(1, 0)

	long := strings.Replace(usual, "[models.gpt-a]", "[models.gpt-a]\ncontext_fallback = \"long\"", 1) + `
[models.long]
name = "gpt-long"
backends = [{ provider = "u2", model = "gpt-long-up" }]
`
	b = start(t, setup{toml: long, scripts: two(always(mockllm.JSON(400, nil, tooLong)), good60)})
	a := b.post(ask("gpt-a", askStream))
	if s := readStream(t, a); s.Text != fixedText || a.Header.Get("X-Berry-Model") != "gpt-long-up" || !strings.Contains(a.Body, `"model":"gpt-a"`) {
		t.Errorf("%v %s", a.Header, a.Body)
	}
	b.attempts(1, 1)
	// A fallback that refuses as well has the last word.
	b.u["u2"].SetScript(always(mockllm.JSON(400, nil, tooLong)))
	if a := b.post(ask("gpt-a", askStream)); a.Status != 400 || a.Body != tooLong {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	b.attempts(2, 2)
}

func TestS13ContentPolicy(t *testing.T) {
	const policy = `{"error":{"message":"rejected by the safety system","type":"invalid_request_error","param":null,"code":"content_policy_violation"}}`
	b := start(t, faultSetup(always(mockllm.JSON(400, nil, policy)), good60, nil))
	if a := b.post(ask("pool", askStream)); a.Status != 400 || a.Body != policy {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	b.attempts(1, 0)
}

func TestS14NoPrefilledTurnIsEverSent(t *testing.T) {
	refuses := func(r *mockllm.Seen) []mockllm.Step {
		if strings.Contains(string(r.Body), `"assistant"`) {
			return []mockllm.Step{mockllm.JSON(400, nil, mockllm.Fault("prefill is not supported", "invalid_request_error", "", ""))}
		}
		return whole()
	}
	b := start(t, faultSetup(always(mockllm.SSE(frames(40)...), mockllm.Cut()), refuses, func(s *config.Settings) { s.StreamResume = config.ResumeReplay }))
	b.complete()
	if x, y := b.u["u1"].Requests()[0].Body, b.u["u2"].Requests()[0].Body; strings.ReplaceAll(string(y), "gpt-b-up", "gpt-a-up") != string(x) {
		t.Errorf("the second run is another request:\n%s\n%s", x, y)
	}
}

func TestResumeEndsWithTheErrorWhereItCannotGoOn(t *testing.T) {
	resume := func(s *config.Settings) { s.StreamResume = config.ResumeReplay }
	f := func(name string, a, bb mockllm.Script, calls int) {
		t.Helper()
		b := start(t, faultSetup(a, bb, resume))
		s := b.stream(ask("pool", askStream))
		if s.Error == nil || len(s.Finish) != 0 || b.u["u2"].Count() != calls {
			t.Errorf("%s: %d calls of B, %+v", name, b.u["u2"].Count(), s)
		}
		if st, _ := b.gw.Fleet().Backend("u2:gpt-b-up"); calls > 0 && name == "other text" && st.Failures != 0 {
			t.Errorf("%s: B is blamed: %+v", name, st)
		}
	}
	cut := always(mockllm.SSE(frames(40)...), mockllm.Cut())
	f("other text", cut, goodStream("something else"), 1)
	f("shorter text", cut, goodStream(fixed[:30]...), 1)
	f("B down", cut, status(500, nil), 2)
	f("B cut as well", cut, cut, 1)
	tool := mockllm.Chunk(`{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]}`, "")
	f("tool call begun", always(mockllm.SSE(append(frames(10), tool)...), mockllm.Cut()), good60, 0)
	f("tool call in the second run", cut, always(mockllm.SSE(append(frames(40), tool, mockllm.Finish("tool_calls"), mockllm.Done)...)), 1)
	half := func(text string) string { return mockllm.Chunk(`{"content":"`+text+`"}`, "") }
	f("halves of a character in the second run", cut,
		always(mockllm.SSE(append(frames(40), half(`\ud83d`), half(`\ude00`), mockllm.Finish("stop"), mockllm.Done)...)), 1)
	f("two choices", always(mockllm.SSE(append(frames(2), `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":1,"delta":{"content":"x"},"finish_reason":null}]}`)...), mockllm.Cut()), good60, 0)
}

// However the second run cuts its text into pieces, the client sees it once.
func TestResumeWithOtherPieces(t *testing.T) {
	f := func(pieces ...string) {
		t.Helper()
		again := append([]string{`{"id":"other","object":"chat.completion.chunk","created":2,"model":"x","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}`},
			mockllm.TextStream(pieces...)[1:]...)
		b := start(t, setup{
			scripts:  two(always(mockllm.SSE(mockllm.Role(), mockllm.Text("héllo "), mockllm.Text("wor")), mockllm.Reset()), always(mockllm.SSE(again...))),
			settings: func(s *config.Settings) { s.StreamResume = config.ResumeReplay },
		})
		if s := b.stream(ask("pool", askStream)); s.Text != "héllo world" || s.Error != nil || len(s.Finish) != 1 {
			t.Errorf("%q: %+v", pieces, s)
		}
	}
	f("héllo world")
	f("h", "é", "llo wo", "rld")
	f("héllo ", "wor", "ld")
	f("héllo wor", "", "ld")
}

func TestS15BreakerAndRecovery(t *testing.T) {
	b := start(t, faultSetup(status(503, nil), good60, func(s *config.Settings) {
		s.CircuitBreakerFailureThreshold, s.CircuitBreakerTimeoutSeconds = 3, 0.15
		s.RecoveryCheckIntervalSeconds = 0.1
	}))
	for i := 0; ; i++ {
		b.complete()
		if st, _ := b.gw.Fleet().Backend("u1:gpt-a-up"); st.Breaker == loadbalance.BreakerOpen || i > 20 {
			break
		}
	}
	opened := b.u["u1"].Count()
	for range 5 {
		b.complete()
	}
	if st, _ := b.gw.Fleet().Backend("u1:gpt-a-up"); st.Breaker == loadbalance.BreakerClosed && b.u["u1"].Count() > opened+2 {
		t.Errorf("breaker %v, %d attempts after it opened", st.Breaker, b.u["u1"].Count()-opened)
	}
	b.u["u1"].SetScript(good60)
	for deadline := time.Now().Add(10 * time.Second); ; {
		if a := b.complete(); a.Header.Get("X-Berry-Provider") == "u1" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("A does not come back")
		}
		<-time.After(10 * time.Millisecond)
	}
}

func TestS16BooksOnB(t *testing.T) {
	b := start(t, faultSetup(status(503, nil), good60, nil))
	if a := b.complete(); a.Header.Get("X-Berry-Model") != "gpt-b-up" {
		t.Errorf("header %v", a.Header)
	}
	rec := b.record(0)
	for i, want := range []relay.Usage{{}, {}, {Input: 11, Output: 60}} {
		if got := rec.Attempts[i].Usage; got != want {
			t.Errorf("attempt %d: usage %+v, want %+v", i, got, want)
		}
	}
}

func TestFinishReadsOnAfterTheClientLeft(t *testing.T) {
	next := make(chan struct{})
	b := start(t, setup{
		scripts: one(always(mockllm.SSE(frames(2)...), mockllm.Wait(next), mockllm.SSE(append(frames(60)[3:], mockllm.Finish("stop"), usageOf60, mockllm.Done)...))),
		settings: func(s *config.Settings) {
			s.OnClientDisconnect = config.DisconnectFinish
			s.StreamIdleTimeoutSeconds = 5
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	resp := b.open(ctx, ask("gpt-a", askStream))
	var all strings.Builder
	readUntil(t, resp, &all, fixed[1])
	cancel()
	resp.Body.Close()
	<-b.gone
	close(next)
	rec := b.record(0)
	if !rec.Disconnected || rec.Attempts[0].Kind != loadbalance.Success || rec.Usage != (relay.Usage{Input: 11, Output: 60}) {
		t.Errorf("%+v", rec)
	}
	if _, accepted := b.u["u1"].Connections(); accepted != 1 {
		t.Errorf("%d connections", accepted)
	}

	// A plain answer is read on as well; a failure is not tried again for nobody.
	for _, script := range []mockllm.Script{always(mockllm.Wait(nil), mockllm.JSON(200, nil, mockllm.Completion("x", 3, 4))), status(500, nil)} {
		gate := make(chan struct{})
		b := start(t, setup{
			scripts:  two(func(r *mockllm.Seen) []mockllm.Step { <-gate; return script(r)[len(script(r))-1:] }, good),
			settings: func(s *config.Settings) { s.OnClientDisconnect = config.DisconnectFinish },
		})
		ctx, cancel := context.WithCancel(context.Background())
		var done sync.WaitGroup
		done.Go(func() {
			req, _ := http.NewRequestWithContext(ctx, http.MethodPost, b.url, strings.NewReader(ask("pool", "")))
			req.Header.Set("Authorization", "Bearer "+userToken)
			if resp, err := http.DefaultClient.Do(req); err == nil {
				resp.Body.Close()
			}
		})
		if _, err := b.u["u1"].Wait(context.Background(), 1); err != nil {
			t.Fatal(err)
		}
		cancel()
		done.Wait()
		<-b.gone
		close(gate)
		rec := b.record(0)
		if !rec.Disconnected || len(rec.Attempts) != 1 || b.u["u2"].Count() != 0 {
			t.Errorf("%+v", rec)
		}
	}
}
