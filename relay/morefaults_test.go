package relay_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// The fault catalogue F01-F17 and F19. F18 (SIGTERM) is a test of the server,
// F20 (checks) of loadbalance and of the probes.

func jsonHeader(length int) http.Header {
	return http.Header{"Content-Type": {"application/json"}, "Content-Length": {fmt.Sprint(length)}}
}

func TestF01ResetInsideAPlainBody(t *testing.T) {
	for _, end := range []mockllm.Step{mockllm.Reset(), mockllm.Cut()} {
		b := start(t, setup{scripts: two(always(mockllm.Header(200, jsonHeader(500)), mockllm.Body(`{"id":"x","choices":[`), end), good)})
		if a := b.post(ask("pool", "")); a.Status != 200 || !strings.Contains(a.Body, "from u2") {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		b.attempts(1, 1)
	}
}

func TestF02ErrorBodies(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write([]byte(mockllm.Fault("packed words", "invalid_request_error", "", "")))
	_ = z.Close()
	huge := strings.Repeat("x", 2<<20)
	f := func(name string, step mockllm.Step, status int, message string) {
		t.Helper()
		b := start(t, setup{scripts: one(always(step)), settings: func(s *config.Settings) { s.MaxRetries = 0 }})
		a := b.post(ask("gpt-a", ""))
		e := b.fault(a)
		if a.Status != status || !strings.Contains(e.Message, message) || len(e.Message) > 4<<10 || strings.Contains(a.Body, "<html") {
			t.Errorf("%s: %d %.300s", name, a.Status, a.Body)
		}
	}
	html := http.Header{"Content-Type": {"text/html"}}
	f("502 HTML", mockllm.JSON(502, html, "<html>"+huge), 502, "failed to answer")
	f("400 HTML", mockllm.JSON(400, html, "<html>"), 400, "no readable error")
	f("400 gzip", mockllm.JSON(400, http.Header{"Content-Encoding": {"gzip"}}, packed.String()), 400, "packed words")
	f("400 that says gzip and is none", mockllm.JSON(400, http.Header{"Content-Encoding": {"gzip"}}, "plain"), 400, "no readable error")
	f("503 empty", mockllm.JSON(503, nil, ""), 503, "failed to answer")
	f("400 of 2 MiB", mockllm.JSON(400, nil, mockllm.Fault(huge, "invalid_request_error", "", "")), 400, "no readable error")
	f("400 of 50 KB", mockllm.JSON(400, nil, mockllm.Fault(huge[:50_000], "invalid_request_error", "", "")), 400, "xxx")
	f("200 HTML", mockllm.JSON(200, html, "<html>"), 502, "failed to answer")
	f("200 gzip cut", mockllm.JSON(200, http.Header{"Content-Encoding": {"gzip"}}, packed.String()[:30]), 502, "")
}

func TestF03JSONInsteadOfAStream(t *testing.T) {
	const answer = `{"id":"c1","object":"chat.completion","created":1,"model":"m","system_fingerprint":"fp","choices":[` +
		`{"index":0,"message":{"role":"assistant","content":"one","refusal":null},"logprobs":null,"finish_reason":"stop"},` +
		`{"index":1,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}],` +
		`"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}`
	b := start(t, setup{scripts: one(always(mockllm.JSON(200, nil, answer)))})
	s := b.stream(ask("gpt-a", `,"stream":true,"n":2,"stream_options":{"include_usage":true}`))
	chunk := func(choices, usage string) string {
		return `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-a","system_fingerprint":"fp","choices":[` + choices + `]` + usage + `}`
	}
	want := []string{
		chunk(`{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}`, ""),
		chunk(`{"index":0,"delta":{"content":"one","refusal":null},"logprobs":null,"finish_reason":null}`, ""),
		chunk(`{"index":0,"delta":{},"finish_reason":"stop"}`, ""),
		chunk(`{"index":1,"delta":{"role":"assistant","content":""},"finish_reason":null}`, ""),
		chunk(`{"index":1,"delta":{"content":null,"tool_calls":[{"function":{"name":"f","arguments":"{}"},"id":"a","index":0,"type":"function"}]},"finish_reason":null}`, ""),
		chunk(`{"index":1,"delta":{},"finish_reason":"tool_calls"}`, ""),
		chunk("", `,"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}`),
		mockllm.Done,
	}
	if got, want := strings.Join(s.Frames, "\n"), strings.Join(want, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if s := b.stream(ask("gpt-a", `,"stream":true`)); strings.Contains(strings.Join(s.Frames, ""), "usage") {
		t.Errorf("usage unasked: %q", s.Frames)
	}
}

func TestF04ErrorAsTheFirstFrame(t *testing.T) {
	b := start(t, setup{
		scripts:  two(always(mockllm.SSE(`{"error":{"message":"boom","code":500}}`)), good60),
		provider: func(_ string, p *config.Provider) { p.MaxRetries = 0 },
	})
	b.complete()
	b.attempts(1, 1)
}

func TestF05ErrorAfterTheRole(t *testing.T) {
	b := start(t, setup{
		scripts:  two(always(mockllm.SSE(strings.Replace(mockllm.Role(), `"c1"`, `"other"`, 1), `{"error":{"message":"boom"}}`)), good60),
		provider: func(_ string, p *config.Provider) { p.MaxRetries = 0 },
	})
	if a := b.complete(); strings.Count(a.Body, `"role"`) != 1 || strings.Contains(a.Body, "other") {
		t.Errorf("%s", a.Body)
	}
}

func TestF06ErrorAfterContent(t *testing.T) {
	fails := always(mockllm.SSE(append(frames(5), `{"error":{"message":"boom"}}`)...))
	b := start(t, setup{scripts: two(fails, good60)})
	if s := b.stream(ask("pool", askStream)); s.Error == nil || s.Error.Message != "boom" || b.u["u2"].Count() != 0 {
		t.Errorf("%+v", s)
	}
	b = start(t, setup{scripts: two(fails, good60), settings: func(s *config.Settings) { s.StreamResume = config.ResumeReplay }})
	b.complete()
}

func TestF07AfterTheEnd(t *testing.T) {
	f := func(steps ...mockllm.Step) {
		t.Helper()
		b := start(t, setup{scripts: one(always(append([]mockllm.Step{mockllm.SSE(mockllm.TextStream(fixed...)...)}, steps...)...))})
		began := time.Now()
		if s := b.stream(ask("gpt-a", askStream)); s.Text != fixedText || s.Error != nil {
			t.Errorf("%+v", s)
		}
		if took := time.Since(began); took > idle {
			t.Errorf("the stream's end took %v", took) // far from the limits: nothing was waited for
		}
	}
	f(mockllm.EOF())
	f(mockllm.SSE(mockllm.Done), mockllm.EOF())
	f(mockllm.Body("rubbish\n\ndata: more\n\n"), mockllm.Hang())
	f(mockllm.Hang())
}

func TestF08HeaderThenSilence(t *testing.T) {
	s := faultSetup(always(mockllm.Header(200, http.Header{"Content-Type": {"text/event-stream"}}), mockllm.Hang()), good60, nil)
	b := start(t, shortFirst(&s))
	b.complete()
	b.attempts(1, 1)
}

func TestF09OneByteAtATime(t *testing.T) {
	event := "data: " + mockllm.Text("slow") + "\n\n"
	steps := []mockllm.Step{mockllm.SSE(mockllm.Role(), mockllm.Text("first "))}
	for _, b := range []byte(event[:12]) {
		steps = append(steps, mockllm.Body(string(b)), mockllm.Sleep(keepalive/4))
	}
	steps = append(steps, mockllm.Body(event[12:]), mockllm.SSE(mockllm.Finish("stop"), mockllm.Done))
	b := start(t, setup{scripts: one(always(steps...))})
	if s := b.stream(ask("gpt-a", askStream)); s.Text != "first slow" || s.Error != nil || s.Comments == 0 {
		t.Errorf("%+v", s)
	}
}

func TestF10HundredClientsLeave(t *testing.T) {
	for name, script := range map[string]mockllm.Script{
		"waiting":       always(mockllm.Hang()),
		"in mid-stream": always(mockllm.SSE(frames(3)...), mockllm.Hang()),
	} {
		b := start(t, setup{
			scripts: one(script), settings: func(s *config.Settings) { s.StreamIdleTimeoutSeconds = 60 },
			provider: func(_ string, p *config.Provider) { p.TimeoutSeconds = 60 },
		})
		ctx, cancel := context.WithCancel(context.Background())
		var clients sync.WaitGroup
		for range 100 {
			clients.Go(func() {
				req, _ := http.NewRequestWithContext(ctx, http.MethodPost, b.url, strings.NewReader(ask("pool", askStream)))
				req.Header.Set("Authorization", "Bearer "+userToken)
				if resp, err := http.DefaultClient.Do(req); err == nil {
					_, _ = io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
			})
		}
		seen, err := b.u["u1"].Wait(context.Background(), 100)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		left := time.Now()
		clients.Wait()
		for i := range seen {
			if at, err := seen[i].WaitLeft(context.Background()); err != nil || at.Sub(left) > time.Second {
				t.Errorf("%s: connection %d closed after %v, %v", name, i, at.Sub(left), err)
			}
		}
		for i := range 100 {
			if rec := b.record(i); !rec.Disconnected || rec.Attempts[0].Kind != loadbalance.Cancelled {
				t.Errorf("%s: %+v", name, rec)
			}
		}
		if st, _ := b.gw.Fleet().Backend("u1:gpt-a-up"); !st.Healthy || st.Failures != 0 || b.u["u2"].Count() != 0 {
			t.Errorf("%s: %+v, %d calls of u2", name, st, b.u["u2"].Count())
		}
	}
}

func TestF11EveryBackendDown(t *testing.T) {
	b := start(t, setup{scripts: two(status(503, nil), status(500, nil)), settings: func(s *config.Settings) {
		s.CircuitBreakerFailureThreshold = 1
	}})
	a := b.post(ask("pool", ""))
	if b.fault(a); a.Status != 502 || a.Header.Get("Retry-After") != "1" {
		t.Errorf("%d %v %s", a.Status, a.Header, a.Body)
	}
	// Now one request a second looks whether they are back, and the others are refused at once.
	refused := 0
	for range 10 {
		a = b.post(ask("pool", ""))
		e := b.fault(a)
		if a.Header.Get("Retry-After") != "1" || strings.Contains(a.Body, "127.0.0.1") {
			t.Errorf("%d %v %s", a.Status, a.Header, a.Body)
		}
		if a.Status == 503 && deref(e.Code) == string(apierror.NoBackendAvailable) {
			refused++
		}
	}
	if refused == 0 {
		t.Error("every request was sent to backends that are down")
	}
}

func TestF12OneKeyBad(t *testing.T) {
	b := start(t, setup{scripts: two(status(401, nil), good60)})
	b.complete()
	b.complete()
	b.attempts(1, 2)
}

func TestF13AllKeysBad(t *testing.T) {
	b := start(t, setup{scripts: two(status(401, nil), status(403, nil))})
	a := b.post(ask("pool", ""))
	if e := b.fault(a); a.Status != 502 || a.Header.Get("X-Should-Retry") != "false" || deref(e.Code) != string(apierror.UpstreamAuth) {
		t.Errorf("%d %v %s", a.Status, a.Header, a.Body)
	}
}

func TestF14RedirectIsNotFollowed(t *testing.T) {
	b := start(t, setup{scripts: two(nil, good60), provider: func(_ string, p *config.Provider) { p.MaxRetries = 0 }})
	for i, code := range []int{301, 302, 307, 308} {
		b.u["u1"].SetScript(always(mockllm.JSON(code, http.Header{"Location": {b.u["u2"].URL + "/v1/chat/completions"}}, "")))
		b.complete()
		if n := b.u["u2"].Count(); n != i+1 {
			t.Fatalf("%d: %d requests on u2", code, n)
		}
		if got := b.u["u2"].Requests()[i].Header.Get("Authorization"); got != "Bearer provider-key-of-u2" {
			t.Errorf("%d: u2 got the credential of another provider", code)
		}
	}
}

func TestF15BrokenServers(t *testing.T) {
	f := func(name, base string, script mockllm.Script) {
		t.Helper()
		b := start(t, setup{scripts: two(script, good60), provider: func(id string, p *config.Provider) {
			if id == "u1" && base != "" {
				p.BaseURL = base
			}
			p.MaxRetries = 0
		}})
		b.complete()
		rec := b.record(0)
		if len(rec.Attempts) != 2 || rec.Attempts[0].Kind == loadbalance.Success {
			t.Errorf("%s: %+v", name, rec.Attempts)
		}
	}
	tls, err := mockllm.Open(mockllm.Options{TLS: true})
	if err != nil {
		t.Fatal(err)
	}
	defer tls.Close()
	f("certificate nobody signed", tls.URL, nil)
	f("name that does not resolve", "http://no-such-host.invalid", nil)
	f("refused", "http://127.0.0.1:1", nil)
	f("header of 1 MiB", "", always(mockllm.Bytes("HTTP/1.1 200 OK\r\nX-Long: ", strings.Repeat("x", 1<<20), "\r\n\r\n")))
	f("no HTTP", "", always(mockllm.Bytes("SSH-2.0-hello\r\n")))
	f("negative length", "", always(mockllm.Bytes("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n")))
	f("broken chunk", "", always(mockllm.Bytes("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")))

	// HTTP/1.0 is an answer like any other.
	b := start(t, setup{scripts: one(always(mockllm.Bytes("HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n", mockllm.Completion("old", 1, 1))))})
	if a := b.post(ask("gpt-a", "")); a.Status != 200 || !strings.Contains(a.Body, "old") {
		t.Errorf("HTTP/1.0: %d %s", a.Status, a.Body)
	}
}

// slowBody is a client that takes what it is told to.
type slowBody struct {
	resp *http.Response
	n    int
}

func TestF16SlowReadersHoldTheUpstreamBack(t *testing.T) {
	const readers, each = 20, 50 << 20
	event := mockllm.Text(strings.Repeat("x", 8000))
	// The steps are made once: what a script holds is not the gateway's memory.
	steps := []mockllm.Step{mockllm.SSE(mockllm.Role())}
	for range each / len(event) {
		steps = append(steps, mockllm.SSE(event))
	}
	b := start(t, setup{scripts: one(always(steps...)), settings: func(s *config.Settings) { s.StreamIdleTimeoutSeconds = 60 }})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var clients []slowBody
	for range readers {
		clients = append(clients, slowBody{resp: b.open(ctx, ask("gpt-a", askStream))})
	}
	// Each client takes 100 kB and then nothing more, for long enough that a
	// gateway without back-pressure would hold all the rest.
	buf := make([]byte, 10_000)
	for i := range clients {
		for clients[i].n < 100_000 {
			n, err := clients[i].resp.Body.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			clients[i].n += n
		}
	}
	<-time.After(300 * time.Millisecond)
	runtime.GC()
	runtime.ReadMemStats(&after)
	growth := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / readers
	t.Logf("memory per slow stream, both ends and the fake provider included: %d KiB", growth>>10)
	if growth > 1<<20 {
		t.Errorf("memory grew by %d bytes per stream", growth)
	}
	cancel()
	for i := range clients {
		clients[i].resp.Body.Close()
	}
	for i := range readers {
		b.record(i)
	}
}

func TestF17ReloadsUnderStreams(t *testing.T) {
	next := make(chan struct{})
	script := func(r *mockllm.Seen) []mockllm.Step {
		return []mockllm.Step{
			mockllm.SSE(frames(30)...), mockllm.Wait(next),
			mockllm.SSE(append(frames(60)[31:], mockllm.Finish("stop"), mockllm.Done)...),
		}
	}
	b := start(t, setup{scripts: two(script, script), settings: func(s *config.Settings) { s.StreamIdleTimeoutSeconds = 60 }})
	var clients sync.WaitGroup
	for range 50 {
		clients.Go(func() { b.complete() })
	}
	if _, err := b.u["u1"].Wait(context.Background(), 50); err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		cfg := *b.gw.Current().Config
		cfg.Settings.MaxRetries = i % 5
		m := cfg.Models["pool"]
		m.Backends = append([]config.Listing(nil), m.Backends...)
		m.Backends[0].Enabled = i%2 == 0
		cfg.Models = map[string]config.Model{"pool": m, "gpt-a": cfg.Models["gpt-a"]}
		if err := b.gw.Reload(&cfg); err != nil {
			t.Fatal(err)
		}
	}
	close(next)
	clients.Wait()
	if got := b.gw.Current().Generation; got != 101 {
		t.Errorf("generation %d", got)
	}
	if st, _ := b.gw.Fleet().Backend("u1:gpt-a-up"); st.Successes != 50 || st.InFlight != 0 {
		t.Errorf("state did not follow the backend through the reloads: %+v", st)
	}
}

// A backend that fails half of the time causes no more extra attempts than the
// retry budget allows.
func TestF19FlappingStaysInsideTheRetryBudget(t *testing.T) {
	var n atomic.Int64
	flap := func(r *mockllm.Seen) []mockllm.Step {
		if n.Add(1)/25%2 == 0 {
			return []mockllm.Step{mockllm.JSON(500, nil, "{}")}
		}
		return []mockllm.Step{mockllm.JSON(200, nil, mockllm.Completion("ok", 1, 1))}
	}
	b := start(t, setup{
		scripts: one(flap), settings: func(s *config.Settings) { s.MaxRetries, s.CircuitBreakerFailureThreshold = 3, 1000 },
		provider: func(_ string, p *config.Provider) { p.MaxRetries = 3 },
	})
	const workers, each = 20, 20
	var failed, all atomic.Int64
	begin := time.Now()
	var clients sync.WaitGroup
	for range workers {
		clients.Go(func() {
			for range each {
				if a := b.post(ask("gpt-a", "")); a.Status != 200 {
					b.fault(a)
					failed.Add(1)
				}
				all.Add(1)
			}
		})
	}
	clients.Wait()
	got := b.u["u1"].Count()
	if most := int(all.Load())*12/10 + 10 + int(time.Since(begin).Seconds()) + 1; got > most {
		t.Errorf("%d upstream attempts for %d requests, more than %d", got, all.Load(), most)
	}
	if got <= int(all.Load()) || failed.Load() == all.Load() {
		t.Errorf("nothing was tried again: %d attempts, %d of %d failed", got, failed.Load(), all.Load())
	}
	t.Logf("%d attempts, %d of %d requests failed", got, failed.Load(), all.Load())
}

func TestHugeEventsPass(t *testing.T) {
	big := strings.Repeat("y", 3<<20)
	b := start(t, setup{scripts: one(goodStream("a", big, "b"))})
	if s := b.stream(ask("gpt-a", askStream)); s.Text != "a"+big+"b" || s.Error != nil {
		t.Errorf("%d bytes, %+v", len(s.Text), s.Error)
	}
}
