package api_test

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// What does not end within the grace is ended: its upstream call, and its
// answer in a way that the client understands. It used to be cut without a word,
// and logged as if the client had left.
func TestDrainEndsStragglers(t *testing.T) {
	const interrupted = `{"error":{"message":"the gateway is being stopped; the answer is not complete",` +
		`"type":"server_error","param":null,"code":"stream_interrupted"}}`
	begun := func(t *testing.T, settings string) {
		t.Helper()
		b := start(t, setup{settings: settings, one: hanging(make(chan struct{}))})
		res, _ := b.stream()
		b.endNow()
		rest, err := io.ReadAll(res.Body)
		if want := "data: " + interrupted + "\n\ndata: [DONE]\n\n"; err != nil || string(rest) != want {
			t.Errorf("after the first content %q, %v; want %q", rest, err, want)
		}
		b.wantEnded(200, "stream_interrupted")
	}
	silent := func(t *testing.T, settings, body string) {
		t.Helper()
		b := start(t, setup{settings: settings, one: mockllm.Always(mockllm.Wait(make(chan struct{})))})
		asked := make(chan answer, 1)
		go func() { asked <- b.chat(annToken, body) }()
		eventually(t, "a request at the provider", func() bool { return len(b.one.Requests()) == 1 })
		b.endNow()
		a := <-asked
		wantJSON(t, a, 503, `{"error":{"message":"the gateway is being stopped; try again","type":"server_error","param":null,"code":"no_backend_available"}}`)
		if after := a.header.Get("Retry-After"); after != "1" {
			t.Errorf("Retry-After is %q", after)
		}
		b.wantEnded(503, "no_backend_available")
	}
	sounding := func(t *testing.T, settings string) {
		t.Helper()
		b := start(t, setup{settings: settings, one: mockllm.Always(
			mockllm.Header(200, http.Header{"Content-Type": {"audio/mpeg"}}), mockllm.Body("some"), mockllm.Hang(),
		)})
		res := b.post("/v1/audio/speech", `{"model":"pool","input":"x"}`)
		b.endNow()
		if got, err := io.ReadAll(res.Body); err == nil {
			t.Errorf("a sound that was cut looks whole: %q", got)
		}
		b.wantEnded(200, "stream_interrupted")
	}
	begun(t, "")
	begun(t, `stream_resume = "replay"`)
	begun(t, `on_client_disconnect = "finish"`)
	silent(t, "", hello("pool"))
	silent(t, "", `{"model":"pool","stream":true,"messages":[]}`)
	silent(t, `on_client_disconnect = "finish"`, hello("pool"))
	sounding(t, "")
	sounding(t, `on_client_disconnect = "finish"`)
}

// endNow stops the server with next to no grace.
func (b *berry) endNow() {
	b.t.Helper()
	short := b.load(setup{}) // the grace is read when the drain begins
	short.Config.Settings.ShutdownGraceSeconds = 0.05
	if err := b.srv.Reload(short); err != nil {
		b.t.Fatal(err)
	}
	if err := b.stop(); err != nil {
		b.t.Errorf("Run: %v", err)
	}
}

// wantEnded checks the log of the one request that the server ended, and that
// nothing of it goes on.
func (b *berry) wantEnded(status float64, code string) {
	b.t.Helper()
	limit, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, err := b.one.Requests()[0].WaitLeft(limit); err != nil {
		b.t.Errorf("the upstream call goes on: %v", err)
	}
	if n := len(b.two.Requests()); n != 0 {
		b.t.Errorf("%d more attempts", n)
	}
	lines := b.lines("Backend selected")
	if len(lines) != 1 || lines[0].Fields["status"] != status || lines[0].Fields["error"] != code {
		b.t.Errorf("%+v", lines)
	}
}
