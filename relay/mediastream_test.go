package relay_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// named is a stream's header and its events, each with its name, in one write each.
func named(events ...[2]string) []mockllm.Step {
	steps := []mockllm.Step{mockllm.Header(200, http.Header{"Content-Type": {"text/event-stream"}})}
	for _, e := range events {
		steps = append(steps, mockllm.Body("event: "+e[0]+"\ndata: "+e[1]+"\n\n"))
	}
	return steps
}

func joined(events ...[2]string) string {
	var b strings.Builder
	for _, e := range events {
		b.WriteString("event: " + e[0] + "\ndata: " + e[1] + "\n\n")
	}
	return b.String()
}

const (
	drawing   = `{"model":"pool","prompt":"x","stream":true,"partial_images":1}`
	interrupt = `data: {"error":{"message":"the provider broke the stream off; the answer is not complete","type":"server_error","param":null,"code":"stream_interrupted"}}` + "\n\n"
)

// Events of images and sound pass with their names, also those that nobody knows yet.
func TestMediaEvents(t *testing.T) {
	f := func(e dialect.Endpoint, body string, usage dialect.Usage, events ...[2]string) {
		t.Helper()
		b := start(t, setup{scripts: map[string]mockllm.Script{"u1": always(named(events...)...)}})
		var resp *http.Response
		if e.Form() {
			form, contentType := makeForm([2]string{"stream", "true"}, [2]string{"file=a.mp3", "x"}, [2]string{"model", "pool"})
			resp = b.send(t.Context(), e, form, contentType)
		} else {
			resp = b.send(t.Context(), e, body, "application/json")
		}
		a := b.whole(resp)
		a.Body = strings.ReplaceAll(a.Body, ": keep-alive\n\n", "") // the first event is long in coming on a busy machine
		if want := joined(events...); a.Status != 200 || a.Body != want || a.Header.Get("Content-Type") != "text/event-stream" {
			t.Errorf("%s: %d %v\n%q\nwant\n%q", e, a.Status, a.Header, a.Body, want)
		}
		if seen := b.u["u1"].Requests()[0]; seen.Header.Get("Accept") != "text/event-stream" || e.Form() != strings.HasPrefix(seen.Header.Get("Content-Type"), "multipart/form-data") {
			t.Errorf("%s: %v", e, seen.Header)
		}
		if r := b.record(0); r.Attempts[0].Kind != loadbalance.Success || !r.Stream || r.Usage != usage {
			t.Errorf("%s: %+v", e, r)
		}
	}
	big := strings.Repeat("A", 3<<20)
	f(dialect.ImageGenerations, drawing, dialect.Usage{Input: 5, Output: 6, CachedInput: 2},
		[2]string{"image_generation.partial_image", `{"type":"image_generation.partial_image","b64_json":"` + big + `","partial_image_index":0}`},
		[2]string{"image_generation.foo", `{"type":"image_generation.foo","n":12345678901234567890}`},
		[2]string{"image_generation.completed", `{"type":"image_generation.completed","b64_json":"AA","usage":{"input_tokens":5,"output_tokens":6,"total_tokens":11,"input_tokens_details":{"cached_tokens":2}}}`})
	f(dialect.ImageEdits, drawing, dialect.Usage{Input: 5, Output: 6},
		[2]string{"image_edit.completed", `{"type":"image_edit.completed","b64_json":"AA","usage":{"input_tokens":5,"output_tokens":6}}`})
	f(dialect.Transcriptions, "", dialect.Usage{Input: 3, Output: 4},
		[2]string{"transcript.text.delta", `{"type":"transcript.text.delta","delta":"he"}`},
		[2]string{"transcript.text.segment", `{"type":"transcript.text.segment","text":"hello"}`},
		[2]string{"transcript.text.done", `{"type":"transcript.text.done","text":"hello","usage":{"type":"tokens","input_tokens":3,"output_tokens":4}}`})
	f(dialect.Speech, `{"model":"pool","input":"x","stream_format":"sse"}`, dialect.Usage{Input: 1, Output: 2},
		[2]string{"speech.audio.delta", `{"type":"speech.audio.delta","audio":"AAAA"}`},
		[2]string{"speech.audio.done", `{"type":"speech.audio.done","usage":{"input_tokens":1,"output_tokens":2}}`})
}

// What has no names, ends with [DONE], or is spread over lines, comes so too.
func TestMediaEventForms(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		b := start(t, setup{scripts: map[string]mockllm.Script{"u1": always(
			mockllm.Header(200, http.Header{"Content-Type": {"text/event-stream"}}), mockllm.Body(in))}})
		if a := b.whole(b.send(t.Context(), dialect.ImageGenerations, drawing, "application/json")); a.Status != 200 || a.Body != want {
			t.Errorf("%q: %d %q, want %q", in, a.Status, a.Body, want)
		}
	}
	const done = `{"type":"image_generation.completed","b64_json":"AA"}`
	f("data: "+done+"\n\n", "data: "+done+"\n\n")
	f("data: "+done+"\n\ndata: [DONE]\n\n", "data: "+done+"\n\ndata: [DONE]\n\n")
	f(": hi\n\nevent: ping\ndata: {}\n\ndata: not json\n\ndata: "+done+"\n\n", "event: ping\ndata: {}\n\ndata: "+done+"\n\n")
	f("data: {\"type\":\ndata: \"image_generation.completed\"}\n\n", "data: {\"type\": \"image_generation.completed\"}\n\n")
	f(`data: {"type":"image_generation.completed","model":"gpt-a-up","error":null}`+"\n\n", `data: {"type":"image_generation.completed","model":"pool"}`+"\n\n")
	// A cut behind the first image is told in the stream.
	const partial = `{"type":"image_generation.partial_image","b64_json":"AA"}`
	f("data: "+partial+"\n\n", "data: "+partial+"\n\n"+interrupt)
	f("data: "+partial+"\n\n"+`data: {"error":{"message":"boom","type":"server_error","code":"x"}}`+"\n\n",
		"data: "+partial+"\n\n"+`data: {"error":{"message":"boom","type":"server_error","param":null,"code":"x"}}`+"\n\n")
	f("data: "+partial+"\n\nevent: error\n"+`data: {"type":"error","message":"boom","code":"x"}`+"\n\n",
		"data: "+partial+"\n\n"+`data: {"error":{"message":"boom","type":"server_error","param":null,"code":"x"}}`+"\n\n")
}

// Up to the first event with content another provider can still answer.
func TestMediaStreamFailover(t *testing.T) {
	const done = `{"type":"image_generation.completed","b64_json":"AA"}`
	f := func(kind loadbalance.Kind, steps ...mockllm.Step) {
		t.Helper()
		b := start(t, setup{scripts: map[string]mockllm.Script{"u1": always(steps...), "u2": always(mockllm.SSE(done))}})
		a := b.whole(b.send(t.Context(), dialect.ImageGenerations, drawing, "application/json"))
		if a.Status != 200 || a.Body != "data: "+done+"\n\n" || b.record(0).Attempts[0].Kind != kind {
			t.Errorf("%d %q %+v", a.Status, a.Body, b.record(0).Attempts)
		}
	}
	f(loadbalance.Server, named([2]string{"image_generation.created", `{"type":"image_generation.created"}`})...)
	f(loadbalance.Server, mockllm.SSE(mockllm.Done))
	f(loadbalance.RateLimit, mockllm.SSE(`{"error":{"message":"full","code":"rate_limit_exceeded"}}`))
	f(loadbalance.Server, mockllm.JSON(200, nil, `{"created":1,"data":[{"url":"x"}]}`)) // it ignored stream
	f(loadbalance.Server, mockllm.JSON(200, http.Header{"Content-Type": {"audio/mpeg"}}, "sound"))
	f(loadbalance.Network, mockllm.Reset())
}

// A provider that ignores stream, as OpenAI does with its older models, still
// has its transcript told in events.
func TestTranscriptMadeEvents(t *testing.T) {
	f := func(kind, in, want string) {
		t.Helper()
		b := start(t, setup{scripts: map[string]mockllm.Script{"u1": always(mockllm.JSON(200, http.Header{"Content-Type": {kind}}, in))}})
		a := b.postForm(dialect.Transcriptions, [2]string{"model", "gpt-a"}, [2]string{"stream", "True"}, [2]string{"file=a.mp3", "x"})
		if a.Status != 200 || a.Body != want || a.Header.Get("Content-Type") != "text/event-stream" {
			t.Errorf("%q: %d %v %q", in, a.Status, a.Header, a.Body)
		}
	}
	f("application/json", `{"text":"he\"y","usage":{"type":"duration","seconds":3}}`,
		`data: {"type":"transcript.text.delta","delta":"he\"y"}`+"\n\n"+`data: {"type":"transcript.text.done","text":"he\"y","usage":{"type":"duration","seconds":3}}`+"\n\n")
	f("text/plain", "hey\n", `data: {"type":"transcript.text.delta","delta":"hey\n"}`+"\n\n"+`data: {"type":"transcript.text.done","text":"hey\n"}`+"\n\n")
}

// A transcript is text in many types, and never a page.
func TestTranscriptTypes(t *testing.T) {
	f := func(kind, in, wantKind string) {
		t.Helper()
		h := http.Header{"Content-Type": {kind}}
		b := start(t, setup{scripts: map[string]mockllm.Script{"u1": always(mockllm.JSON(200, h, in))}})
		a := b.postForm(dialect.Translations, [2]string{"model", "gpt-a"}, [2]string{"stream", "as you like"}, [2]string{"file=a.mp3", "x"})
		if a.Status != 200 || a.Body != in || a.Header.Get("Content-Type") != wantKind {
			t.Errorf("%q: %d %q %q", kind, a.Status, a.Header.Get("Content-Type"), a.Body)
		}
	}
	f("text/plain", srt, "text/plain")
	f("text/vtt; charset=utf-8", srt, "text/vtt; charset=utf-8")
	f("application/x-subrip", srt, "application/x-subrip")
	f("application/x-shockwave-flash", srt, "text/plain; charset=utf-8")
	f("text/plain; "+strings.Repeat("y", 10000), srt, "text/plain; charset=utf-8")
	f("text/plain", "", "text/plain")
	f("text/plain", "{hello}", "text/plain")
	f("text/plain", `{"text":"hello"}`, "application/json")
	f("application/json", `{"text":"hello"}`, "application/json")
	f("application/json; charset=utf-8", `"hello"`, "application/json")
}

// Other JSON than an object or a text is no transcript.
func TestNoTranscript(t *testing.T) {
	for _, in := range []string{"", " ", "1", "null", `["hello"]`, `"hello`, `{"words":[]}`, `{"text":1}`, `{"text":"a"} x`, "{\"text\":\"\xff\"}"} {
		b := start(t, setup{scripts: map[string]mockllm.Script{"u1": always(mockllm.JSON(200, nil, in))}})
		a := b.postForm(dialect.Transcriptions, [2]string{"model", "gpt-a"}, [2]string{"stream", "False"}, [2]string{"file=a.mp3", "x"})
		if a.Status != 502 || b.record(0).Attempts[0].Kind != loadbalance.Server {
			t.Errorf("%q: %d %q", in, a.Status, a.Body)
		}
	}
}

// What a transcript consumed that was cut is estimated by the text that came.
func TestCutTranscriptIsBooked(t *testing.T) {
	b := start(t, setup{scripts: map[string]mockllm.Script{"u1": always(
		mockllm.SSE(`{"type":"transcript.text.delta","delta":"`+strings.Repeat("x", 40)+`"}`, `{"type":"transcript.text.delta","delta":"`+strings.Repeat("y", 40)+`"}`), mockllm.Cut())}})
	a := b.postForm(dialect.Transcriptions, [2]string{"model", "gpt-a"}, [2]string{"stream", "true"}, [2]string{"file=a.mp3", "x"})
	if want := (dialect.Usage{Output: 20, Estimated: true}); a.Status != 200 || b.record(0).Usage != want {
		t.Errorf("%d %+v, want %+v", a.Status, b.record(0).Usage, want)
	}
}

// A stream that is silent for long is kept alive, and one whose first image takes
// longer than a first word may take is waited for.
func TestMediaStreamWaits(t *testing.T) {
	const done, comment = `{"type":"image_generation.completed","b64_json":"AA"}`, ": keep-alive\n\n"
	next := make(chan struct{})
	b := start(t, setup{
		hold: 1, scripts: one(always(mockllm.Wait(next), mockllm.SSE(done))),
		provider: func(_ string, p *config.Provider) { p.TimeoutSeconds = 0.02 },
		settings: func(s *config.Settings) { s.StreamKeepaliveSeconds, s.NonStreamTimeoutSeconds = 0.1, 60 },
	})
	resp := b.send(context.Background(), dialect.ImageGenerations, drawing, "application/json")
	defer resp.Body.Close()
	got := make([]byte, 3*len(comment)) // the last of them after ten times the limit of a first word
	if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != strings.Repeat(comment, 3) {
		t.Fatalf("%q, %v", got, err)
	}
	close(next)
	if rest, err := io.ReadAll(resp.Body); err != nil || !strings.HasSuffix(string(rest), "data: "+done+"\n\n") {
		t.Errorf("%q, %v", rest, err)
	}
}

// A form whose files took long to arrive still has its header held for an error.
func TestSlowFormHoldsItsHeader(t *testing.T) {
	b := start(t, setup{hold: time.Minute, scripts: one(always(mockllm.Sleep(50*time.Millisecond), mockllm.JSON(400, nil, mockllm.Fault("no", "invalid_request_error", "", ""))))})
	body, contentType := makeForm([2]string{"file=a.mp3", "x"}, [2]string{"stream", "true"}, [2]string{"model", "gpt-a"})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/audio/transcriptions", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	rt := b.gw.Current()
	user, _ := rt.Keys.Lookup(userToken)
	b.gw.Serve(w, r, rt, &relay.Record{User: user, Start: time.Now().Add(-time.Hour), Endpoint: dialect.Transcriptions})
	if w.Code != 400 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
