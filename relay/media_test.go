package relay_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// Speech goes out as it comes, before the upstream is done.
func TestSpeechFlows(t *testing.T) {
	next := make(chan struct{})
	defer close(next)
	sound := noise(1 << 20)
	b := start(t, setup{scripts: map[string]mockllm.Script{"u1": always(
		mockllm.Header(200, http.Header{"Content-Type": {"audio/mpeg"}, "X-Ratelimit-Remaining-Requests": {"5"}, "Set-Cookie": {"a=b"}}),
		mockllm.Body(sound[:100]), mockllm.Wait(next), mockllm.Body(sound[100:5000]), mockllm.Wait(next), mockllm.Body(sound[5000:]))}})
	resp := b.send(t.Context(), dialect.Speech, `{"model":"gpt-a","input":"hello","voice":"alloy"}`, "application/json")
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "audio/mpeg" || resp.Header.Get("X-Content-Type-Options") != "nosniff" || resp.Header.Get("X-Berry-Attempts") != "1" ||
		resp.Header.Get("X-Ratelimit-Remaining-Requests") != "5" || resp.Header.Get("Set-Cookie") != "" {
		t.Fatalf("%d %v", resp.StatusCode, resp.Header)
	}
	got := make([]byte, len(sound))
	from := 0
	for _, to := range []int{100, 5000, len(sound)} {
		if _, err := io.ReadFull(resp.Body, got[from:to]); err != nil {
			t.Fatalf("bytes %d to %d: %v", from, to, err)
		}
		if from = to; to < len(sound) {
			next <- struct{}{}
		}
	}
	if n, err := resp.Body.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) || string(got) != sound {
		t.Errorf("%d, %v", n, err)
	}
	if seen := b.u["u1"].Requests()[0]; seen.Path != "/v1/audio/speech" || string(seen.Body) != `{"model":"gpt-a-up","input":"hello","voice":"alloy"}` {
		t.Errorf("%s %s", seen.Path, seen.Body)
	}
	estimate := dialect.Usage{Input: 13, Estimated: true} // of the request's 49 bytes
	if r := b.record(0); r.Attempts[0].Kind != loadbalance.Success || r.Stream || r.FirstContent == 0 || r.Error != nil || r.Usage != estimate {
		t.Errorf("%+v", r)
	}
}

// F21: a file that broke off must not look whole: the client's connection breaks too.
func TestCutSpeechBreaksTheConnection(t *testing.T) {
	header := http.Header{"Content-Type": {"audio/mpeg"}}
	f := func(kind loadbalance.Kind, message string, steps ...mockllm.Step) {
		t.Helper()
		b := start(t, setup{scripts: map[string]mockllm.Script{"u1": always(steps...)}})
		resp := b.send(t.Context(), dialect.Speech, `{"model":"pool","input":"hello"}`, "application/json")
		defer resp.Body.Close()
		got, err := io.ReadAll(resp.Body)
		if resp.StatusCode != http.StatusOK || err == nil || string(got) != "some" {
			t.Errorf("%d %q, %v", resp.StatusCode, got, err)
		}
		r := b.record(0)
		if r.Attempts[0].Kind != kind || r.Error == nil || r.Error.Code != "stream_interrupted" || !strings.Contains(r.Error.Message, message) || r.Disconnected || b.u["u2"].Count() != 0 {
			t.Errorf("%+v", r)
		}
	}
	counted := header.Clone()
	counted.Set("Content-Length", "1000")
	f(loadbalance.Network, "broke the answer off", mockllm.Header(200, header), mockllm.Body("some"), mockllm.Cut())
	f(loadbalance.Network, "broke the answer off", mockllm.Header(200, counted), mockllm.Body("some"), mockllm.Cut())
	f(loadbalance.Timeout, "fell silent", mockllm.Header(200, header), mockllm.Body("some"), mockllm.Hang())
}

// Up to the first byte another provider can still answer.
func TestMediaFailover(t *testing.T) {
	const speech, pictures = `{"model":"pool","input":"x"}`, `{"model":"pool","prompt":"x"}`
	f := func(e dialect.Endpoint, body string, kind loadbalance.Kind, good string, steps ...mockllm.Step) {
		t.Helper()
		ok := mockllm.JSON(200, http.Header{"Content-Type": {"audio/ogg"}}, good)
		if good[0] == '{' {
			ok = mockllm.JSON(200, nil, good)
		}
		b := start(t, setup{scripts: map[string]mockllm.Script{"u1": always(steps...), "u2": always(ok)}})
		var a answer
		if e.Form() {
			a = b.postForm(e, [2]string{"file=a.mp3", "sound"}, [2]string{"model", "pool"})
		} else {
			a = b.whole(b.send(t.Context(), e, body, "application/json"))
		}
		if a.Status != 200 || a.Body != good || a.Header.Get("X-Berry-Provider") != "u2" {
			t.Errorf("%s: %d %v %q", e, a.Status, a.Header, a.Body)
		}
		if r := b.record(0); r.Attempts[0].Kind != kind {
			t.Errorf("%s: %+v", e, r.Attempts)
		}
	}
	audio := http.Header{"Content-Type": {"audio/mpeg"}}
	html := http.Header{"Content-Type": {"text/html"}}
	const text, image = `{"text":"hello"}`, `{"created":1,"data":[{"url":"x"}]}`
	f(dialect.Speech, speech, loadbalance.Network, "sound", mockllm.Header(200, audio), mockllm.Cut())
	f(dialect.Speech, speech, loadbalance.Network, "sound", mockllm.Reset())
	f(dialect.Speech, speech, loadbalance.Server, "sound", mockllm.Header(200, audio))
	f(dialect.Speech, speech, loadbalance.Timeout, "sound", mockllm.Header(200, audio), mockllm.Hang())
	f(dialect.Speech, speech, loadbalance.Server, "sound", mockllm.JSON(200, nil, `{"url":"elsewhere"}`))
	f(dialect.Speech, speech, loadbalance.Server, "sound", mockllm.JSON(200, html, "<p>hello"))
	f(dialect.Speech, speech, loadbalance.Server, "sound", mockllm.JSON(200, http.Header{"Content-Type": {"audio/mpeg"}, "Content-Encoding": {"br"}}, "\x0b\x02"))
	f(dialect.Transcriptions, "", loadbalance.Server, text, mockllm.JSON(200, http.Header{"Content-Type": {"text/plain"}, "Content-Encoding": {"zstd"}}, "\x28\xb5"))
	f(dialect.Speech, speech, loadbalance.RateLimit, "sound", mockllm.JSON(200, nil, `{"error":{"message":"slow","code":"rate_limit_exceeded"}}`))
	f(dialect.Speech, speech, loadbalance.Server, "sound", mockllm.JSON(500, nil, "{}"))
	f(dialect.Speech, speech, loadbalance.Caller, "sound", mockllm.JSON(404, nil, "{}"))
	f(dialect.Speech, speech, loadbalance.Caller, "sound", mockllm.JSON(405, nil, ""))
	f(dialect.Transcriptions, "", loadbalance.Network, text, mockllm.Header(200, nil), mockllm.Body(`{"te`), mockllm.Cut())
	f(dialect.Transcriptions, "", loadbalance.Network, text, mockllm.Header(200, http.Header{"Content-Type": {"text/plain"}}), mockllm.Body("he"), mockllm.Cut())
	f(dialect.Transcriptions, "", loadbalance.Server, text, mockllm.JSON(200, html, "<p>hello"))
	f(dialect.Transcriptions, "", loadbalance.Server, text, mockllm.JSON(200, nil, `{"detail":"?"}`))
	f(dialect.Transcriptions, "", loadbalance.Server, text, mockllm.JSON(200, http.Header{"Content-Type": {"text/plain"}}, `{"error":{"message":"boom"}}`))
	f(dialect.Transcriptions, "", loadbalance.Server, text, mockllm.SSE(`{"type":"transcript.text.done","text":"unasked"}`))
	f(dialect.Transcriptions, "", loadbalance.Caller, text, mockllm.JSON(501, nil, "{}"))
	f(dialect.Translations, "", loadbalance.RateLimit, text, mockllm.JSON(429, nil, "{}"))
	f(dialect.ImageGenerations, pictures, loadbalance.Server, image, mockllm.JSON(200, nil, `{"created":1}`))
	f(dialect.ImageGenerations, pictures, loadbalance.Server, image, mockllm.JSON(200, html, `<p>`))
	f(dialect.ImageVariations, "", loadbalance.Server, image, mockllm.JSON(200, nil, `{"created":1,"data":`))
}

// What the client is to blame for goes back to it, and a provider that does not
// offer an endpoint is not blamed for that.
func TestMediaRefusals(t *testing.T) {
	f := func(status int, code string) {
		t.Helper()
		fault := fmt.Sprintf(`{"error":{"message":"no","type":"invalid_request_error","param":null,"code":%q}}`, code)
		b := start(t, setup{scripts: map[string]mockllm.Script{"u1": always(mockllm.JSON(status, nil, fault)), "u2": always(mockllm.JSON(status, nil, fault))}})
		a := b.postForm(dialect.Transcriptions, [2]string{"file=a.mp3", "x"}, [2]string{"model", "pool"})
		if a.Status != status || a.Body != fault {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		for _, s := range b.gw.Fleet().Backends() {
			if s.Failures != 0 || !s.Healthy {
				t.Errorf("%d blames %s: %+v", status, s.ID, s)
			}
		}
	}
	f(400, "invalid_value")
	f(413, "too_large")
	f(404, "model_not_found")
	f(405, "method_not_supported")
}

// A client that leaves takes the upstream's call with it.
func TestMediaClientLeaves(t *testing.T) {
	for _, on := range []string{"cancel", config.DisconnectFinish} {
		b := start(t, setup{
			scripts: map[string]mockllm.Script{"u1": always(
				mockllm.Header(200, http.Header{"Content-Type": {"audio/mpeg"}}), mockllm.Body("some"), mockllm.Hang())},
			settings: func(s *config.Settings) { s.OnClientDisconnect = on },
		})
		ctx, cancel := context.WithCancel(t.Context())
		resp := b.send(ctx, dialect.Speech, `{"model":"gpt-a","input":"x"}`, "application/json")
		if _, err := io.ReadFull(resp.Body, make([]byte, 4)); err != nil {
			t.Fatal(err)
		}
		cancel()
		_ = resp.Body.Close()
		if r := b.record(0); !r.Disconnected || r.Attempts[0].Kind != loadbalance.Cancelled || r.Error != nil {
			t.Errorf("%s: %+v", on, r)
		}
		if _, err := b.u["u1"].Requests()[0].WaitLeft(t.Context()); err != nil {
			t.Errorf("%s: the upstream was not left: %v", on, err)
		}
	}
}

// The announced length goes along, so that a client can show how far it is.
func TestSpeechLength(t *testing.T) {
	b := start(t, setup{scripts: map[string]mockllm.Script{"u1": always(mockllm.JSON(200, http.Header{"Content-Type": {"audio/wav"}}, "sound"))}})
	a := b.whole(b.send(t.Context(), dialect.Speech, `{"model":"gpt-a","input":"x"}`, "application/json"))
	if a.Body != "sound" || a.Header.Get("Content-Length") != strconv.Itoa(len("sound")) {
		t.Errorf("%v %q", a.Header, a.Body)
	}
}

// Sound comes in the provider's type, and never as something that a browser runs.
func TestSpeechTypes(t *testing.T) {
	f := func(kind, want string) {
		t.Helper()
		b := start(t, setup{scripts: map[string]mockllm.Script{"u1": always(mockllm.JSON(200, http.Header{"Content-Type": {kind}}, "sound"))}})
		a := b.whole(b.send(t.Context(), dialect.Speech, `{"model":"gpt-a","input":"x"}`, "application/json"))
		if a.Status != 200 || a.Body != "sound" || a.Header.Get("Content-Type") != want || a.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%q: %d %v %q, want %q", kind, a.Status, a.Header, a.Body, want)
		}
	}
	const octets = "application/octet-stream"
	f("audio/wav; codecs=1", "audio/wav; codecs=1")
	f("Audio/OGG", "Audio/OGG")
	f("video/mp4", "video/mp4")
	f("application/ogg", "application/ogg")
	f(octets, octets)
	f("application/javascript", octets)
	f("image/png", octets)
	f("audio/x; "+strings.Repeat("y", 10000), octets)
}
