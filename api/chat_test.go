package api_test

import (
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/api"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// said answers with a text and known usage.
func said(text string) mockllm.Script {
	return func(r *mockllm.Seen) []mockllm.Step {
		if strings.Contains(string(r.Body), `"stream":true`) {
			return []mockllm.Step{mockllm.SSE(
				`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}`,
				`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"`+text+`"},"finish_reason":null}]}`,
				`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`,
				`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":1000,"completion_tokens":500,"total_tokens":1500}}`,
				`[DONE]`), mockllm.EOF()}
		}
		return []mockllm.Step{mockllm.JSON(200, nil, `{"id":"c1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"`+
			text+`"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1000,"completion_tokens":500,"total_tokens":1500}}`)}
	}
}

func TestChat(t *testing.T) {
	b := start(t, setup{one: said("Hi")})
	a := b.chat(annToken, hello("pool"))
	if a.status != 200 || !strings.Contains(a.body, `"content":"Hi"`) || !strings.Contains(a.body, `"model":"pool"`) {
		t.Errorf("plain: %d %s", a.status, a.body)
	}
	for name, want := range map[string]string{"X-Berry-Provider": "one", "X-Berry-Model": "up-1", "X-Berry-Attempts": "1"} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	a = b.ask("POST", "/chat/completions", annToken, withHeader("X-Request-Id", "my-id"),
		withBody(`{"model":"swimming","stream":true,"messages":[{"role":"user","content":"Hello"}]}`))
	if a.status != 200 || a.header.Get("Content-Type") != "text/event-stream" || !strings.HasSuffix(a.body, "data: [DONE]\n\n") {
		t.Errorf("stream: %d %v %q", a.status, a.header, a.body)
	}

	const fields = `"user":"ann","model":"pool","strategy":"failover","provider":"one","upstream_model":"up-1","status":200,"attempts":1,` +
		`"latency_ms":0,"ttft_ms":0,"input_tokens":1000,"output_tokens":500,"cost":0.002,"endpoint":"chat/completions","stream":`
	lines := b.lines("Backend selected")
	if len(lines) != 2 {
		t.Fatalf("%d lines", len(lines))
	}
	for i, want := range []string{`"request_id":"ID",` + fields + `false}}`, `"request_id":"my-id",` + fields + `true}}`} {
		want = `{"timestamp":"TIME", "level":"INFO", "target":"berry_api::loadbalance", "message":"Backend selected","fields":{` + want
		if d := cmp.Diff(want, plain(lines[i].raw)); d != "" {
			t.Errorf("line %d (-want +got):\n%s", i, d)
		}
	}
	if extra := b.lines("Request completed"); len(extra) != 0 {
		t.Errorf("more than one line per request: %+v", extra)
	}
}

func TestRefusedChats(t *testing.T) {
	b := start(t, setup{one: failing, two: failing})
	f := func(token, body string, status int, code string) {
		t.Helper()
		if a := b.chat(token, body); a.status != status || a.code() != code {
			t.Errorf("%.60s: %d %s, want %d %s", body, a.status, a.body, status, code)
		}
	}
	f(annToken, `{`, 400, "invalid_json")
	f(annToken, hello("nope"), 404, "model_not_found")
	f(annToken, hello("line\n{\"level\":\"ERROR\"}"), 404, "model_not_found")
	f(narrowTok, hello("org/m1"), 403, "model_not_allowed")
	f(annToken, hello("pool"), 503, "upstream_error")
	f(narrowTok, hello("pool"), 503, "upstream_error")
	f(narrowTok, hello("pool"), 503, "upstream_error")
	f(narrowTok, hello("pool"), 429, "rate_limit_exceeded")

	lines := b.lines("Request completed")
	if len(lines) != 5 {
		t.Fatalf("%d lines: %+v", len(lines), lines)
	}
	want := []string{
		`"user":"ann","method":"POST","path":"/v1/chat/completions","status":400,"latency_ms":0,"error":"invalid_json"}}`,
		`"user":"ann","method":"POST","path":"/v1/chat/completions","status":404,"latency_ms":0,"error":"model_not_found"}}`,
		`"user":"ann","method":"POST","path":"/v1/chat/completions","status":404,"latency_ms":0,"error":"model_not_found"}}`,
		`"user":"narrow","method":"POST","path":"/v1/chat/completions","model":"org/m1","status":403,"latency_ms":0,"error":"model_not_allowed"}}`,
		`"user":"narrow","method":"POST","path":"/v1/chat/completions","model":"pool","status":429,"latency_ms":0,"error":"rate_limit_exceeded"}}`,
	}
	for i, w := range want {
		w = `{"timestamp":"TIME", "level":"INFO", "target":"berry_api::api", "message":"Request completed","fields":{"request_id":"ID",` + w
		if d := cmp.Diff(w, plain(lines[i].raw)); d != "" {
			t.Errorf("line %d (-want +got):\n%s", i, d)
		}
	}
	failed := b.lines("Backend selected")
	if len(failed) != 3 || failed[0].Level != "ERROR" || failed[0].Fields["error"] != "upstream_error" || failed[0].Fields["status"] != 503.0 {
		t.Errorf("failed: %+v", failed)
	}
	// The forged line would be one of its own.
	for line := range strings.Lines(b.log.String()) {
		if !strings.HasPrefix(line, `{"timestamp":`) {
			t.Errorf("forged line %q", line)
		}
	}
}

// recorder is an embedder's observer.
type recorder struct {
	events []string
}

func (o *recorder) Selected(_ *relay.Record, a *relay.Attempt) {
	o.events = append(o.events, "selected "+a.Backend)
}

func (o *recorder) Attempted(_ *relay.Record, a *relay.Attempt) {
	o.events = append(o.events, "attempted "+a.Kind.String())
}

func (o *recorder) Finished(r *relay.Record) {
	o.events = append(o.events, "finished "+r.User.ID)
}

func (o *recorder) BackendChanged(e loadbalance.Event) {
	o.events = append(o.events, e.ID+" "+e.To)
}

// last is an embedder's strategy.
type last struct{ picks *int }

func (s last) Pick(c []*loadbalance.Node, _ *loadbalance.Request) int {
	*s.picks++
	return len(c) - 1
}

func TestEmbedding(t *testing.T) {
	o, picks := &recorder{}, 0
	b := start(t, setup{options: func(opt *api.Options) {
		opt.Observer = o
		opt.Strategy = func(name string) (loadbalance.Strategy, bool) { return last{&picks}, name == "failover" }
	}})
	a := b.chat(annToken, hello("pool"))
	if a.header.Get("X-Berry-Provider") != "two" || picks != 1 {
		t.Errorf("picked %q, %d picks", a.header.Get("X-Berry-Provider"), picks)
	}
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
	want := []string{"selected two:up-2", "attempted success", "finished ann"}
	if d := cmp.Diff(want, o.events); d != "" {
		t.Errorf("observer (-want +got):\n%s", d)
	}
}

// panicking is an authenticator with a bug.
type panicking struct{ api.Authenticator }

func TestPanic(t *testing.T) {
	b := start(t, setup{options: func(o *api.Options) { o.Authenticator = panicking{} }})
	for range 2 {
		a := b.ask("GET", "/v1/models", annToken)
		if a.status != 500 || a.code() != "internal_error" || !strings.Contains(a.error().Message, a.header.Get("X-Request-Id")) {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	lines := b.lines("Request handler panicked")
	if len(lines) != 2 || lines[0].Level != "ERROR" || !strings.Contains(lines[0].Fields["stack"].(string), "admit") {
		t.Errorf("%+v", lines)
	}
}

func TestLoggedBodies(t *testing.T) {
	b := start(t, setup{settings: "log_request_body = true\nlog_response_body = true\n", one: said("Hi")})
	body := `{"model":"pool","messages":[{"role":"user","content":"my key is ` + keyTwo + `"}]}`
	a := b.chat(annToken, body)
	long := b.chat(annToken, `{"model":"pool","messages":[{"role":"user","content":"`+strings.Repeat("ä", 8000)+`"}]}`)
	stream := b.chat(annToken, `{"model":"pool","stream":true,"messages":[{"role":"user","content":"Hello"}]}`)
	if a.status != 200 || long.status != 200 || stream.status != 200 {
		t.Fatalf("%d %d %d", a.status, long.status, stream.status)
	}
	lines := b.lines("Bodies")
	if len(lines) != 3 {
		t.Fatalf("%d lines", len(lines))
	}
	want := map[string]any{
		"request_id": a.header.Get("X-Request-Id"), "response_body": a.body,
		"request_body": `{"model":"pool","messages":[{"role":"user","content":"my key is ***"}]}`,
	}
	if d := cmp.Diff(want, lines[0].Fields); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if s := lines[1].Fields["request_body"].(string); len(s) > 8<<10 || !strings.HasSuffix(s, "ä... (cut)") {
		t.Errorf("a long body: %d bytes, end %q", len(s), s[len(s)-20:])
	}
	if got := lines[2].Fields["response_body"]; got != stream.body {
		t.Errorf("stream logged as %q", got)
	}
}

// An answer goes to the client as it is, whatever a model says; the log of it
// does not repeat a secret.
func TestLoggedAnswersAreMasked(t *testing.T) {
	b := start(t, setup{settings: "log_response_body = true\n", one: said("the key is " + keyTwo)})
	body, err := io.ReadAll(b.open(hello("pool")).Body)
	if err != nil || !strings.Contains(string(body), keyTwo) {
		t.Fatalf("%v, %s", err, body)
	}
	lines := b.lines("Bodies")
	if len(lines) != 1 || !strings.Contains(lines[0].Fields["response_body"].(string), "the key is ***") {
		t.Errorf("%+v", lines)
	}
}

// Streamed text arrives as it comes, through router, writer and recorder.
func TestStreamIsFlushed(t *testing.T) {
	f := func(settings string) {
		t.Helper()
		more := make(chan struct{})
		b := start(t, setup{settings: settings, one: func(*mockllm.Seen) []mockllm.Step {
			return []mockllm.Step{
				mockllm.SSE(chunk("first")), mockllm.Wait(more), mockllm.SSE(chunk("second"), finish, "[DONE]"), mockllm.EOF(),
			}
		}})
		res := b.open(`{"model":"pool","stream":true,"messages":[]}`)
		buf := make([]byte, 4096)
		n, err := res.Body.Read(buf)
		if err != nil || !strings.Contains(string(buf[:n]), "first") {
			t.Fatalf("%v %q", err, buf[:n])
		}
		close(more)
		rest, err := io.ReadAll(res.Body)
		if err != nil || !strings.Contains(string(rest), "second") {
			t.Errorf("%v %q", err, rest)
		}
	}
	f("")
	f("log_response_body = true\n")
}

func chunk(text string) string {
	return `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"` + text + `"},"finish_reason":null}]}`
}

const finish = `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`

// crash is an observer with a bug that shows when an answer is out already.
type crash struct{ recorder }

func (*crash) Finished(*relay.Record) { panic("finished") }

func TestPanicAfterTheAnswerBegan(t *testing.T) {
	more := make(chan struct{})
	script := func(*mockllm.Seen) []mockllm.Step {
		return []mockllm.Step{mockllm.SSE(chunk("Hi")), mockllm.Wait(more), mockllm.SSE(finish, "[DONE]"), mockllm.EOF()}
	}
	b := start(t, setup{one: script, options: func(o *api.Options) { o.Observer = &crash{} }})
	res := b.open(`{"model":"pool","stream":true,"messages":[]}`)
	close(more)
	if got, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("the connection ended in order after %q", got)
	}
	if got := b.scrape().samples["http_requests_in_flight"]; got != 1 {
		t.Errorf("%v in flight", got)
	}
	if lines := b.lines("Request handler panicked"); len(lines) != 1 || lines[0].Fields["panic"] != "finished" {
		t.Errorf("%+v", lines)
	}
}
