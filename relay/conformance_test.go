package relay_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// The cases P02-P08, P12-P18, P27 and P28 of the wire's conformance list, at
// the place where they are decided. The others are tests of the whole server,
// in api.

func one(s mockllm.Script) map[string]mockllm.Script { return map[string]mockllm.Script{"u1": s} }

func two(u1, u2 mockllm.Script) map[string]mockllm.Script {
	return map[string]mockllm.Script{"u1": u1, "u2": u2}
}

var good = always(mockllm.JSON(200, nil, mockllm.Completion("from u2", 7, 2)))

func goodStream(pieces ...string) mockllm.Script {
	return always(mockllm.SSE(mockllm.TextStream(pieces...)...))
}

func TestP02StreamFraming(t *testing.T) {
	next := make(chan struct{})
	b := start(t, setup{scripts: one(always(
		mockllm.SSE(mockllm.Role(), mockllm.Text("he")), mockllm.Wait(next),
		mockllm.SSE(mockllm.Text("llo")), mockllm.Wait(next),
		mockllm.SSE(mockllm.Finish("stop"), mockllm.Done), mockllm.Sleep(5*time.Second),
	))})
	resp := b.open(context.Background(), ask("gpt-a", `,"stream":true`))
	defer resp.Body.Close()
	// Each piece arrives while the upstream waits for us to have seen it.
	var all strings.Builder
	for _, piece := range []string{`"he"`, `"llo"`, "[DONE]\n\n"} {
		readUntil(t, resp, &all, piece)
		if piece != "[DONE]\n\n" {
			next <- struct{}{}
		}
	}
	rest := make([]byte, 1)
	if n, err := resp.Body.Read(rest); n != 0 || err == nil {
		t.Errorf("after [DONE]: %d bytes, error %v", n, err)
	}
	s := readStream(t, answer{resp.StatusCode, resp.Header, all.String()})
	if s.Text != "hello" || cmp.Diff([]string{"0:stop"}, s.Finish) != "" {
		t.Errorf("%+v", s)
	}
	for name, want := range map[string]string{
		"Content-Type": "text/event-stream", "Cache-Control": "no-cache", "X-Accel-Buffering": "no",
		"X-Berry-Provider": "u1", "X-Berry-Model": "gpt-a-up", "X-Berry-Attempts": "1",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func readUntil(t *testing.T, resp *http.Response, all *strings.Builder, want string) {
	t.Helper()
	buf := make([]byte, 4096)
	for !strings.Contains(all.String(), want) {
		n, err := resp.Body.Read(buf)
		all.Write(buf[:n])
		if err != nil && !strings.Contains(all.String(), want) {
			t.Fatalf("%q did not come: %v after %q", want, err, all.String())
		}
	}
}

const detailedUsage = `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9,"prompt_tokens_details":{"cached_tokens":3}}}`

func TestP03IncludeUsage(t *testing.T) {
	b := start(t, setup{scripts: one(always(mockllm.SSE(
		strings.Replace(mockllm.Role(), `"choices"`, `"usage":null,"choices"`, 1),
		strings.Replace(mockllm.Text("hi"), `"choices"`, `"usage":null,"choices"`, 1),
		mockllm.Finish("stop"), detailedUsage, mockllm.Done)))})
	s := b.stream(ask("gpt-a", `,"stream":true,"stream_options":{"include_usage":true}`))
	want := strings.Replace(detailedUsage, `"model":"m"`, `"model":"gpt-a"`, 1)
	if got := s.Frames[len(s.Frames)-2]; got != want {
		t.Errorf("the frame before [DONE] is\n%s, want\n%s", got, want)
	}
	for _, f := range s.Frames[:len(s.Frames)-2] {
		if strings.Contains(f, `"choices":[]`) || strings.Contains(f, `"usage":{`) {
			t.Errorf("a second usage: %s", f)
		}
	}
	if d := cmp.Diff(relay.Usage{Input: 7, Output: 2, CachedInput: 3}, b.record(0).Usage); d != "" {
		t.Errorf("usage learnt (-want +got):\n%s", d)
	}
}

func TestP04UsageNotAsked(t *testing.T) {
	script := func(r *mockllm.Seen) []mockllm.Step {
		frames := []string{mockllm.Role(), strings.Replace(mockllm.Text("hi"), `"choices"`, `"usage":null,"choices"`, 1), mockllm.Finish("stop")}
		if strings.Contains(string(r.Body), `"include_usage":true`) {
			frames = append(frames, mockllm.UsageChunk(7, 2))
		}
		return []mockllm.Step{mockllm.SSE(append(frames, mockllm.Done)...)}
	}
	f := func(name string, asks bool, options, wantBody string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			b := start(t, setup{scripts: one(script), provider: func(_ string, p *config.Provider) { p.StreamUsage = asks }})
			s := b.stream(`{"stream":true,` + options + `"model":"gpt-a",` + hi + `}`)
			for _, frame := range s.Frames {
				if strings.Contains(frame, "usage") || strings.Contains(frame, `"choices":[]`) {
					t.Errorf("unasked: %s", frame)
				}
			}
			if got := string(b.u["u1"].Requests()[0].Body); got != wantBody {
				t.Errorf("upstream got\n%s, want\n%s", got, wantBody)
			}
			rec := b.record(0)
			if asks != (rec.Usage == relay.Usage{Input: 7, Output: 2}) || rec.Usage.Estimated == asks {
				t.Errorf("usage learnt: %+v", rec.Usage)
			}
		})
	}
	const rest = `"model":"gpt-a-up",` + hi + `}`
	f("absent", true, "", `{"stream_options":{"include_usage":true},"stream":true,`+rest)
	f("null", true, `"stream_options":null,`, `{"stream":true,"stream_options":{"include_usage":true},`+rest)
	f("empty", true, `"stream_options":{ },`, `{"stream":true,"stream_options":{"include_usage":true },`+rest)
	f("false", true, `"stream_options":{"include_usage":false},`, `{"stream":true,"stream_options":{"include_usage":true},`+rest)
	f("other option", true, `"stream_options":{"include_obfuscation":false},`, `{"stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false},`+rest)
	f("upstream refuses", false, `"stream_options":{"include_usage":false},`, `{"stream":true,`+rest)
	f("upstream refuses, absent", false, "", `{"stream":true,`+rest)
}

func TestP05ToolCalls(t *testing.T) {
	delta := func(d string) string { return mockllm.Chunk(d, "") }
	frames := []string{
		delta(`{"role":"assistant","content":null}`),
		delta(`{"tool_calls":[{"index":0,"id":"call_a","type":"function","function":{"name":"f","arguments":""}}]}`),
		delta(`{"tool_calls":[{"index":1,"id":"call_b","type":"function","function":{"name":"g","arguments":""}}]}`),
		delta(`{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\""}}]}`),
		delta(`{"tool_calls":[{"index":1,"function":{"arguments":"{\"y\":"}}]}`),
		delta(`{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}`),
		delta(`{"tool_calls":[{"index":1,"function":{"arguments":"2}"}}]}`),
		mockllm.Finish("tool_calls"), mockllm.Done,
	}
	b := start(t, setup{scripts: one(always(mockllm.SSE(frames...)))})
	const history = `[{"role":"user","content":"hi"},` +
		`{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{}"}}]},` +
		`{"role":"tool","tool_call_id":"call_1","content":"42"}]`
	const in = `{"model":"gpt-a","stream":true,"stream_options":{"include_usage":true},"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"messages":` + history + `}`
	s := b.stream(in)
	want := make([]string, len(frames))
	for i, f := range frames {
		want[i] = strings.Replace(f, `"model":"m"`, `"model":"gpt-a"`, 1)
	}
	if d := cmp.Diff(want, s.Frames); d != "" {
		t.Errorf("frames (-want +got):\n%s", d)
	}
	if d := cmp.Diff(strings.Replace(in, `"gpt-a"`, `"gpt-a-up"`, 1), string(b.u["u1"].Requests()[0].Body)); d != "" {
		t.Errorf("upstream body (-want +got):\n%s", d)
	}
}

func TestP05ForeignIDsAreShortenedTheSameWayInCallAndResult(t *testing.T) {
	b := start(t, setup{scripts: one(always(mockllm.JSON(200, nil, mockllm.Completion("x", 1, 1))))})
	long := strings.Repeat("i", 41)
	b.post(`{"model":"gpt-a","messages":[{"role":"assistant","tool_calls":[{"id":"` + long + `","type":"function"},{"id":"short"}]},` +
		`{"role":"tool","tool_call_id":"` + long + `","content":"` + long + `"}]}`)
	var got struct {
		Messages []struct {
			ToolCalls  []struct{ ID string } `json:"tool_calls"`
			ToolCallID string                `json:"tool_call_id"`
			Content    string
		}
	}
	if err := json.Unmarshal(b.u["u1"].Requests()[0].Body, &got); err != nil {
		t.Fatal(err)
	}
	id := got.Messages[0].ToolCalls[0].ID
	if len(id) > 40 || id != got.Messages[1].ToolCallID || got.Messages[0].ToolCalls[1].ID != "short" || got.Messages[1].Content != long {
		t.Errorf("%+v", got)
	}
}

func TestP06SeveralChoices(t *testing.T) {
	frame := func(index, rest string) string {
		return `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-a","choices":[{"index":` + index + `,` + rest + `}]}`
	}
	frames := []string{
		frame("0", `"delta":{"role":"assistant","content":""},"finish_reason":null`),
		frame("1", `"delta":{"role":"assistant","content":""},"finish_reason":null`),
		frame("0", `"delta":{"content":"a"},"finish_reason":null`),
		frame("1", `"delta":{"content":"b"},"finish_reason":null`),
		frame("0", `"delta":{},"finish_reason":"stop"`),
		frame("1", `"delta":{"content":"c"},"finish_reason":null`),
		frame("1", `"delta":{},"finish_reason":"length"`),
		mockllm.Done,
	}
	b := start(t, setup{scripts: one(always(mockllm.SSE(frames...)))})
	s := b.stream(ask("gpt-a", `,"n":2,"stream":true`))
	if d := cmp.Diff(frames, s.Frames); d != "" {
		t.Errorf("frames (-want +got):\n%s", d)
	}
	// One choice that never ends is a truncation, though the other one ended.
	b.u["u1"].SetScript(always(mockllm.SSE(frames[:6]...)))
	if s := b.stream(ask("gpt-a", `,"n":2,"stream":true`)); s.Error == nil {
		t.Errorf("a cut choice passed for a whole one: %q", s.Frames)
	}
}

func TestP07RefusalAndLogprobs(t *testing.T) {
	logprobs := `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-a","choices":[{"index":0,"delta":{"content":"a"},"logprobs":{"content":[{"token":"a","logprob":-0.10,"bytes":[97],"top_logprobs":[]}],"refusal":null},"finish_reason":null}]}`
	frames := []string{mockllm.Chunk(`{"refusal":"I "}`, ""), mockllm.Chunk(`{"refusal":"won't"}`, ""), logprobs, mockllm.Finish("stop"), mockllm.Done}
	b := start(t, setup{scripts: one(always(mockllm.SSE(frames...)))})
	s := b.stream(ask("gpt-a", `,"stream":true,"logprobs":true`))
	for i := range frames {
		frames[i] = strings.Replace(frames[i], `"model":"m"`, `"model":"gpt-a"`, 1)
	}
	if d := cmp.Diff(frames, s.Frames); d != "" {
		t.Errorf("frames (-want +got):\n%s", d)
	}
}

func TestP08ReasoningField(t *testing.T) {
	script := always(mockllm.SSE(mockllm.Chunk(`{"role":"assistant","reasoning_content":"th"}`, ""), mockllm.Chunk(`{"reasoning_content":"ink"}`, ""),
		mockllm.Text("hi"), mockllm.Finish("stop"), mockllm.Done))
	f := func(reasoning bool, want string) {
		t.Helper()
		b := start(t, setup{scripts: one(script), provider: func(_ string, p *config.Provider) { p.Reasoning = reasoning }})
		a := b.post(ask("gpt-a", `,"stream":true`))
		var got []string
		for _, frame := range readStream(t, a).Frames {
			if i := strings.Index(frame, `"delta":`); i >= 0 {
				got = append(got, frame[i+len(`"delta":`):strings.Index(frame, "}")+1])
			}
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("reasoning %v: deltas %s, want %s", reasoning, s, want)
		}
		plain := `{"id":"c1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi","reasoning_content":"think"},"finish_reason":"stop"}]}`
		b.u["u1"].SetScript(always(mockllm.JSON(200, nil, plain)))
		if a := b.post(ask("gpt-a", "")); strings.Contains(a.Body, "reasoning") != reasoning || !strings.Contains(a.Body, `"content":"hi"`) {
			t.Errorf("reasoning %v: %s", reasoning, a.Body)
		}
	}
	f(true, `{"role":"assistant","reasoning_content":"th"} {"reasoning_content":"ink"} {"content":"hi"} {}`)
	f(false, `{"role":"assistant"} {} {"content":"hi"} {}`)
}

func TestP12Upstream400Kept(t *testing.T) {
	const body = `{"error":{"message":"bad temp","type":"invalid_request_error","param":"temperature","code":"x","extra":{"n":1.0}}}`
	b := start(t, setup{scripts: two(always(mockllm.JSON(400, nil, body)), good)})
	a := b.post(ask("pool", ""))
	if a.Status != 400 || a.Body != body || b.u["u1"].Count() != 1 || b.u["u2"].Count() != 0 {
		t.Errorf("%d %s; upstream requests %d and %d", a.Status, a.Body, b.u["u1"].Count(), b.u["u2"].Count())
	}
	if got := b.record(0).Attempts[0].Kind; got != loadbalance.Caller {
		t.Errorf("kind %v", got)
	}
	// In another form it is put into the envelope.
	b.u["u1"].SetScript(always(mockllm.JSON(422, nil, `{"detail":[{"loc":["body"],"msg":"no"}]}`)))
	if f := b.fault(b.post(ask("pool", ""))); f.Message != `[{"loc":["body"],"msg":"no"}]` || f.Type != "invalid_request_error" {
		t.Errorf("%+v", f)
	}
}

func limited(header, value string) mockllm.Script {
	return always(mockllm.JSON(429, http.Header{header: {value}}, mockllm.Fault("slow down", "requests", "", "rate_limit_exceeded")))
}

func TestP13RateLimit(t *testing.T) {
	f := func(header, first, second string, least, most int) {
		t.Helper()
		b := start(t, setup{scripts: two(limited(header, first), limited(header, second))})
		for i := range 2 {
			a := b.post(ask("pool", ""))
			got, err := strconv.Atoi(a.Header.Get("Retry-After"))
			if a.Status != 429 || err != nil || got < least || got > most {
				t.Errorf("request %d: status %d, Retry-After %q", i, a.Status, a.Header.Get("Retry-After"))
			}
			if e := b.fault(a); deref(e.Code) != string(apierror.UpstreamRateLimit) {
				t.Errorf("request %d: %+v", i, e)
			}
			// The second request finds both cooling down.
			if b.u["u1"].Count() != 1 || b.u["u2"].Count() != 1 {
				t.Errorf("after request %d: %d and %d upstream requests", i, b.u["u1"].Count(), b.u["u2"].Count())
			}
		}
	}
	f("Retry-After", "7", "3", 1, 7)
	f("Retry-After-Ms", "1500", "1500", 1, 2)
}

func TestP14FailoverOn5xx(t *testing.T) {
	f := func(status int, header http.Header, body string) {
		t.Helper()
		for _, stream := range []string{"", `,"stream":true`} {
			u2 := good
			if stream != "" {
				u2 = goodStream("from u2")
			}
			b := start(t, setup{
				scripts:  two(always(mockllm.JSON(status, header, body)), u2),
				provider: func(_ string, p *config.Provider) { p.MaxRetries = 0 },
			})
			a := b.post(ask("pool", stream))
			if a.Status != 200 || !strings.Contains(a.Body, "from u2") || strings.Contains(a.Body, "secret") {
				t.Errorf("%d: %d %s", status, a.Status, a.Body)
			}
			if b.u["u1"].Count() != 1 || b.u["u2"].Count() != 1 {
				t.Errorf("%d: %d and %d upstream requests", status, b.u["u1"].Count(), b.u["u2"].Count())
			}
			if a.Header.Get("X-Berry-Provider") != "u2" || a.Header.Get("X-Berry-Attempts") != "2" {
				t.Errorf("%d: header %v", status, a.Header)
			}
		}
	}
	for _, s := range []int{500, 503, 504, 524, 529, 408} {
		f(s, nil, mockllm.Fault("secret", "server_error", "", ""))
	}
	f(502, http.Header{"Content-Type": {"text/html"}}, "<html>secret</html>")
}

func TestP14SameProviderRetry(t *testing.T) {
	b := start(t, setup{scripts: two(mockllm.Attempts(always(mockllm.JSON(500, nil, "{}")), good), good)})
	if a := b.post(ask("pool", "")); a.Status != 200 || b.u["u1"].Count() != 2 || b.u["u2"].Count() != 0 {
		t.Errorf("%d %s; %d and %d upstream requests", a.Status, a.Body, b.u["u1"].Count(), b.u["u2"].Count())
	}
	rec := b.record(0)
	if got := rec.Attempts[1]; got.Why != relay.ReasonSameBackend || got.Pause < 50*time.Millisecond || got.Pause > 100*time.Millisecond {
		t.Errorf("second attempt: %+v", got)
	}
}

func TestP15ConnectionFailures(t *testing.T) {
	f := func(name string, script mockllm.Script, kind loadbalance.Kind, status int, code apierror.Code) {
		t.Run(name, func(t *testing.T) {
			for _, stream := range []string{"", `,"stream":true`} {
				u2 := good
				if stream != "" {
					u2 = goodStream("from u2")
				}
				b := start(t, setup{
					scripts: two(script, u2), hold: time.Minute,
					settings: func(s *config.Settings) { s.NonStreamTimeoutSeconds = 0.3 },
					provider: func(_ string, p *config.Provider) { p.TimeoutSeconds = 0.3 },
				})
				if script == nil {
					b.u["u1"].Close()
				}
				if a := b.post(ask("pool", stream)); a.Status != 200 || !strings.Contains(a.Body, "from u2") {
					t.Errorf("%d %s", a.Status, a.Body)
				}
				rec := b.record(0)
				if len(rec.Attempts) != 2 || rec.Attempts[0].Kind != kind || rec.Duration > 300*time.Millisecond+time.Second {
					t.Errorf("%+v", rec)
				}
				// With every backend down the client learns why, and no address.
				b.u["u2"].SetScript(script)
				if script == nil {
					b.u["u2"].Close()
				}
				a := b.post(ask("pool", stream))
				e := b.fault(a)
				if a.Status != status || e.Type != "server_error" || deref(e.Code) != string(code) || strings.Contains(a.Body, "127.0.0.1") {
					t.Errorf("all down: %d %s", a.Status, a.Body)
				}
			}
		})
	}
	f("refused", nil, loadbalance.Network, 502, apierror.Unreachable)
	f("reset", always(mockllm.Reset()), loadbalance.Network, 502, apierror.Unreachable)
	f("hang", always(mockllm.Hang()), loadbalance.Timeout, 504, apierror.UpstreamTimeout)
	f("header, then silence", always(mockllm.Header(200, http.Header{"Content-Type": {"text/event-stream"}}), mockllm.Hang()), loadbalance.Timeout, 504, apierror.UpstreamTimeout)
	f("broken body", always(mockllm.Header(200, http.Header{"Content-Type": {"application/json"}, "Content-Length": {"100"}}), mockllm.Body("{"), mockllm.Cut()), loadbalance.Network, 502, apierror.Unreachable)
}

func TestP16ErrorBeforeTheFirstContent(t *testing.T) {
	f := func(name string, step mockllm.Step, status int) {
		t.Helper()
		b := start(t, setup{scripts: one(always(step)), settings: func(s *config.Settings) { s.MaxRetries = 0 }})
		a := b.post(ask("gpt-a", `,"stream":true`))
		e := b.fault(a)
		if a.Status != status || e.Message == "" {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	const full = `{"error":{"message":"full","code":"rate_limit_exceeded"}}`
	f("status", mockllm.JSON(429, http.Header{"Retry-After": {"30"}}, full), 429)
	f("first frame", mockllm.SSE(full), 429)
	f("after the role", mockllm.SSE(mockllm.Role(), full), 429)
	f("JSON with 200", mockllm.JSON(200, nil, full), 429)
	f("caller's fault inside a 200", mockllm.SSE(`{"error":{"message":"too long","type":"invalid_request_error","code":"context_length_exceeded"}}`), 400)
	f("nothing at all", mockllm.SSE(mockllm.Done), 502)
	f("HTML", mockllm.JSON(200, http.Header{"Content-Type": {"text/html"}}, "<html>"), 502)
}

func TestP17Truncation(t *testing.T) {
	f := func(name string, steps ...mockllm.Step) {
		t.Helper()
		for _, model := range []string{"gpt-a", "pool"} {
			b := start(t, setup{scripts: two(always(append([]mockllm.Step{mockllm.SSE(mockllm.Role(), mockllm.Text("he"))}, steps...)...), good)})
			s := b.stream(ask(model, `,"stream":true`))
			if s.Text != "he" || s.Error == nil || len(s.Finish) != 0 || b.u["u2"].Count() != 0 {
				t.Errorf("%s: %+v", name, s)
				continue
			}
			if s.Error.Type != "server_error" || deref(s.Error.Code) != string(apierror.StreamInterrupted) {
				t.Errorf("%s: %+v", name, s.Error)
			}
			rec := b.record(0)
			if rec.Attempts[0].Kind == loadbalance.Success || rec.Error == nil || !rec.Usage.Estimated || rec.Usage.Output != 1 {
				t.Errorf("%s: recorded as %+v", name, rec)
			}
		}
	}
	f("end of the body", mockllm.EOF())
	f("cut", mockllm.Cut())
	f("reset", mockllm.Reset())
	f("silence", mockllm.Hang())

	whole := func(name string, steps ...mockllm.Step) {
		t.Helper()
		b := start(t, setup{scripts: one(always(append([]mockllm.Step{mockllm.SSE(mockllm.Role(), mockllm.Text("he"), mockllm.Finish("stop"))}, steps...)...))})
		s := b.stream(ask("gpt-a", `,"stream":true`))
		if s.Text != "he" || s.Error != nil || cmp.Diff([]string{"0:stop"}, s.Finish) != "" || b.record(0).Attempts[0].Kind != loadbalance.Success {
			t.Errorf("%s: %+v", name, s)
		}
	}
	whole("no [DONE]", mockllm.EOF())
	whole("no [DONE], reset", mockllm.Reset())
	whole("no blank line after [DONE]", mockllm.Body("data: [DONE]"), mockllm.EOF())
	whole("usage after the finish, no [DONE]", mockllm.SSE(mockllm.UsageChunk(1, 1)), mockllm.EOF())
	whole("[DONE] twice and more", mockllm.SSE(mockllm.Done, mockllm.Done, mockllm.Text("late")), mockllm.Hang())
	whole("a frame that is not JSON", mockllm.SSE("not json", mockllm.Done))
}

func TestP18ErrorAfterContent(t *testing.T) {
	f := func(frame mockllm.Step) {
		t.Helper()
		b := start(t, setup{scripts: two(always(mockllm.SSE(mockllm.Role(), mockllm.Text("he")), frame), goodStream("no"))})
		s := b.stream(ask("pool", `,"stream":true`))
		want := []string{`{"error":{"message":"boom","type":"server_error","param":null,"code":"x"}}`, mockllm.Done}
		if d := cmp.Diff(want, s.Frames[len(s.Frames)-2:]); d != "" || s.Text != "he" || len(s.Finish) != 0 {
			t.Errorf("text %q, finish %v, frames (-want +got):\n%s", s.Text, s.Finish, d)
		}
		rec := b.record(0)
		if b.u["u2"].Count() != 0 || rec.Attempts[0].Kind != loadbalance.Server || rec.Error == nil {
			t.Errorf("u2 called %d times; recorded as %+v", b.u["u2"].Count(), rec)
		}
	}
	const boom = `{"error":{"message":"boom","type":"server_error","code":"x"}}`
	f(mockllm.SSE(boom))
	f(mockllm.Body("event: error\ndata: " + boom + "\n\n"))
}

func TestP27Disconnect(t *testing.T) {
	f := func(name, more string, scripts map[string]mockllm.Script, leave func(resp *http.Response, cancel func())) {
		t.Run(name, func(t *testing.T) {
			b := start(t, setup{scripts: scripts})
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			if leave == nil {
				gone := make(chan struct{})
				go func() {
					defer close(gone)
					req, _ := http.NewRequestWithContext(ctx, http.MethodPost, b.url+"/v1/chat/completions", strings.NewReader(ask("pool", more)))
					req.Header.Set("Authorization", "Bearer "+userToken)
					if resp, err := http.DefaultClient.Do(req); err == nil {
						resp.Body.Close()
					}
				}()
				if _, err := b.u["u1"].Wait(context.Background(), 1); err != nil {
					t.Fatal(err)
				}
				cancel()
				<-gone
			} else {
				resp := b.open(ctx, ask("pool", more))
				leave(resp, cancel)
				resp.Body.Close()
			}
			left := time.Now()
			seen := b.u["u1"].Requests()[0]
			at, err := seen.WaitLeft(context.Background())
			if err != nil || at.Sub(left) > time.Second {
				t.Errorf("upstream saw its connection closed after %v, %v", at.Sub(left), err)
			}
			rec := b.record(0)
			if !rec.Disconnected || rec.Attempts[0].Kind != loadbalance.Cancelled || len(rec.Attempts) != 1 || b.u["u2"].Count() != 0 {
				t.Errorf("recorded as %+v; u2 called %d times", rec, b.u["u2"].Count())
			}
			if more != "" && leave != nil && (!rec.Usage.Estimated || rec.Usage.Output != 1) {
				t.Errorf("usage %+v", rec.Usage)
			}
			if st, _ := b.gw.Fleet().Backend("u1:gpt-a-up"); !st.Healthy || st.Failures != 0 {
				t.Errorf("the backend is blamed: %+v", st)
			}
		})
	}
	f("stream", `,"stream":true`, one(always(mockllm.SSE(mockllm.Role(), mockllm.Text("he")), mockllm.Hang())),
		func(resp *http.Response, cancel func()) {
			var all strings.Builder
			readUntil(t, resp, &all, `"he"`)
			cancel()
		})
	f("waiting for a stream", `,"stream":true`, one(always(mockllm.Hang())), nil)
	f("waiting for an answer", "", one(always(mockllm.Hang())), nil)
}

func TestP28KeepAlive(t *testing.T) {
	half := mockllm.Text("hello")
	b := start(t, setup{scripts: one(always(
		mockllm.Header(200, http.Header{"Content-Type": {"text/event-stream"}}), mockllm.Sleep(time.Second),
		mockllm.Body("data: "+mockllm.Role()+"\n\ndata: "+half[:60]), mockllm.Sleep(600*time.Millisecond),
		mockllm.Body(half[60:]+"\n\n"), mockllm.SSE(mockllm.Finish("stop"), mockllm.Done)))})
	resp := b.open(context.Background(), ask("gpt-a", `,"stream":true`))
	defer resp.Body.Close()
	var all strings.Builder
	readUntil(t, resp, &all, mockllm.Done)
	s := readStream(t, answer{resp.StatusCode, resp.Header, all.String() + "\n\n"})
	before, _, _ := strings.Cut(all.String(), "data:")
	if n := strings.Count(before, ": keep-alive\n\n"); n < 2 {
		t.Errorf("%d comments before the first event", n)
	}
	if s.Text != "hello" || s.Error != nil || s.Comments < 4 {
		t.Errorf("%+v", s)
	}
}

// A failure after the hold let the header out comes as a frame, and another
// backend can still answer as long as no content was sent.
func TestP28HeldHeaderThenFailover(t *testing.T) {
	slow := always(mockllm.Sleep(2*hold), mockllm.JSON(500, nil, "{}"))
	b := start(t, setup{scripts: two(slow, goodStream("from u2")), provider: func(_ string, p *config.Provider) { p.MaxRetries = 0 }})
	if s := b.stream(ask("pool", `,"stream":true`)); s.Text != "from u2" || s.Error != nil || s.Comments == 0 {
		t.Errorf("%+v", s)
	}
	if s := b.stream(ask("gpt-a", `,"stream":true`)); s.Error == nil || deref(s.Error.Code) != string(apierror.UpstreamError) {
		t.Errorf("%+v", s)
	}
	if rec := b.record(1); rec.Status != 200 || rec.Error == nil || rec.Committed {
		t.Errorf("recorded as %+v", rec)
	}
}
