package relay_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// P24: what is asked and answered passes as it is, but for the model's name.
func TestP24Responses(t *testing.T) {
	const body = `{"id":"resp_1","object":"response","status":"completed","model":"gpt-a-up-2026","zz":1,"big":12345678901234567890,` +
		`"output":[{"type":"new_item","x":[1]}],"usage":{"input_tokens":7,"input_tokens_details":{"cached_tokens":3},"output_tokens":5,"output_tokens_details":{"reasoning_tokens":2},"total_tokens":12}}`
	b := startResponses(t, setup{scripts: map[string]mockllm.Script{"u1": always(mockllm.JSON(200, nil, body))}})
	a := b.make(`{"model":"gpt-a","input":"hi","max_output_tokens":50,"previous_response_id":"resp_0","tools":[{"type":"invented","n":12345678901234567890}],"x":{"messages":[],"stream_options":1}}`)
	if want := strings.Replace(body, "gpt-a-up-2026", "gpt-a", 1); a.Status != 200 || a.Body != want || a.Header.Get("X-Berry-Provider") != "u1" {
		t.Errorf("%d %v\n%s\nwant\n%s", a.Status, a.Header, a.Body, want)
	}
	seen := b.u["u1"].Requests()[0]
	want := `{"model":"gpt-a-up","input":"hi","max_output_tokens":50,"previous_response_id":"resp_0","tools":[{"type":"invented","n":12345678901234567890}],"x":{"messages":[],"stream_options":1}}`
	if seen.Path != "/v1/responses" || string(seen.Body) != want || seen.Header.Get("Authorization") != "Bearer provider-key-of-u1" {
		t.Errorf("%s %v\n%s\nwant\n%s", seen.Path, seen.Header, seen.Body, want)
	}
	rec := b.record(0)
	if u := (relay.Usage{Input: 7, Output: 5, CachedInput: 3, Reasoning: 2}); rec.Usage != u || rec.Endpoint != dialect.Responses {
		t.Errorf("usage %+v, want %+v", rec.Usage, u)
	}
}

// P24: a stream's events pass under their names, those that nobody knows too.
func TestP24ResponseStream(t *testing.T) {
	upstream := []string{
		mockllm.ResponseEvent(0, "response.created", `"response":{`+responseHead+`}`),
		mockllm.ResponseEvent(1, "response.in_progress", `"response":{`+responseHead+`}`),
		mockllm.ResponseEvent(2, "response.foo.bar", `"n":12345678901234567890`),
		mockllm.ResponseEvent(3, "response.output_text.delta", `"delta":"hello"`),
		mockllm.ResponseEvent(9, "keepalive", ""),
		mockllm.ResponseEvent(10, "response.completed", `"response":{"id":"resp_1","status":"completed","model":"up","usage":{"input_tokens":7,"output_tokens":2}}`),
	}
	// The upstream says that it is over and leaves the connection open.
	b := startResponses(t, setup{scripts: map[string]mockllm.Script{"u1": always(sse(), mockllm.Body(upstream...), mockllm.Hang())}})
	a := b.make(`{"model":"gpt-a","input":"hi","stream":true}`)
	if want := strings.ReplaceAll(strings.Join(upstream, ""), `"up"`, `"gpt-a"`); a.Body != want {
		t.Errorf("%s\nwant\n%s", a.Body, want)
	}
	b.events(a)
	if got, want := string(b.u["u1"].Requests()[0].Body), `{"model":"gpt-a-up","input":"hi","stream":true}`; got != want {
		t.Errorf("upstream got %s, want %s", got, want)
	}
	rec := b.record(0)
	if u := (relay.Usage{Input: 7, Output: 2}); rec.Usage != u || !rec.Stream || rec.Error != nil || !rec.Committed {
		t.Errorf("%+v", rec)
	}
}

// An answer may be nothing but its end.
func TestResponseStreamWithoutContent(t *testing.T) {
	b := startResponses(t, setup{scripts: map[string]mockllm.Script{"u1": always(sse(), mockllm.Body(
		mockllm.ResponseEvent(0, "response.created", `"response":{`+responseHead+`}`),
		mockllm.ResponseEvent(1, "response.incomplete", `"response":{`+responseHead+`}`)))}})
	got := names(b.events(b.make(`{"model":"gpt-a","input":"hi","stream":true}`)))
	if d := cmp.Diff([]string{"response.created", "response.incomplete"}, got); d != "" || b.record(0).Error != nil {
		t.Errorf("%v: %s", b.record(0).Error, d)
	}
}

// The states of a response repeat the request: long instructions are told again
// before there is any content.
func TestResponseStreamRepeatsALongRequest(t *testing.T) {
	long := strings.Repeat("lorem ipsum ", 60<<10)
	head := `"response":{"id":"resp_1","object":"response","status":"in_progress","model":"up","instructions":"` + long + `"}`
	upstream := []string{
		mockllm.ResponseEvent(0, "response.created", head),
		mockllm.ResponseEvent(1, "response.in_progress", head),
		mockllm.ResponseEvent(2, "response.output_text.delta", `"delta":"hello"`),
		mockllm.ResponseEvent(3, "response.completed", `"response":{"id":"resp_1","status":"completed","model":"up"}`),
	}
	b := startResponses(t, setup{scripts: map[string]mockllm.Script{"u1": always(sse(), mockllm.Body(upstream...))}})
	a := b.make(`{"model":"gpt-a","instructions":"` + long + `","input":"hi","stream":true}`)
	if want := strings.ReplaceAll(strings.Join(upstream, ""), `"up"`, `"gpt-a"`); a.Body != want {
		t.Errorf("%d bytes, status %d, want %d bytes", len(a.Body), a.Status, len(want))
	}
	if rec := b.record(0); rec.Error != nil || len(rec.Attempts) != 1 {
		t.Errorf("%v, %d attempts", rec.Error, len(rec.Attempts))
	}
}

// P24: a stream that breaks after content ends as clients of this format expect.
func TestP24ResponseStreamBreaks(t *testing.T) {
	f := func(name, last, code string, steps ...mockllm.Step) {
		t.Helper()
		b := startResponses(t, setup{scripts: map[string]mockllm.Script{"u1": always(append([]mockllm.Step{sse(), begins(), says(3, "he")}, steps...)...)}})
		events := b.events(b.make(`{"model":"pool","input":"hi","stream":true}`))
		end := events[len(events)-1]
		if want := []string{"response.created", "response.in_progress", "response.output_item.added", "response.output_text.delta", last}; !slices.Equal(names(events), want) {
			t.Errorf("%s: %v, want %v", name, names(events), want)
		}
		if end.Sequence != 4 || !strings.Contains(end.Data, `"`+code+`"`) || strings.Contains(end.Data, `"up"`) {
			t.Errorf("%s: %s", name, end.Data)
		}
		var failed struct {
			Response struct{ ID, Status, Model string }
		}
		if last == "response.failed" && (json.Unmarshal([]byte(end.Data), &failed) != nil || failed.Response.ID != "resp_1" || failed.Response.Status != "failed") {
			t.Errorf("%s: %s", name, end.Data)
		}
		rec := b.record(0)
		if rec.Error == nil || len(rec.Attempts) != 1 || rec.Attempts[0].Kind.String() == "success" || !rec.Usage.Estimated {
			t.Errorf("%s: %+v", name, rec)
		}
		if n := len(b.u["u2"].Requests()); n != 0 {
			t.Errorf("%s: the other provider was asked %d times", name, n)
		}
	}
	f("eof", "response.failed", "stream_interrupted")
	f("cut", "response.failed", "stream_interrupted", mockllm.Cut())
	f("reset", "response.failed", "stream_interrupted", mockllm.Reset())
	f("idle", "response.failed", "stream_interrupted", mockllm.Hang())
	f("done too early", "response.failed", "stream_interrupted", mockllm.Body("data: [DONE]\n\n"))
	f("a chat's error", "response.failed", "x", mockllm.SSE(mockllm.Fault("boom", "server_error", "", "x")))
	f("error", "error", "x", mockllm.Body(mockllm.ResponseEvent(4, "error", `"code":"x","message":"boom","param":null`)))
	f("failed", "response.failed", "server_error", mockllm.Body(mockllm.ResponseEvent(4, "response.failed",
		`"response":{"id":"resp_1","status":"failed","model":"up","error":{"code":"server_error","message":"boom"}}`)))
}

// What the upstream echoes of its credential does not reach the client.
func TestResponseStreamHidesSecrets(t *testing.T) {
	b := startResponses(t, setup{scripts: map[string]mockllm.Script{"u1": always(sse(), begins(), says(3, "he"),
		mockllm.Body(mockllm.ResponseEvent(4, "error", `"code":"x","message":"bad key provider-key-of-u1"`)))}})
	events := b.events(b.make(`{"model":"gpt-a","input":"hi","stream":true}`))
	if end := events[len(events)-1]; end.Name != "response.failed" || strings.Contains(end.Data, "provider-key") || !strings.Contains(end.Data, "bad key ***") {
		t.Errorf("%+v", end)
	}
}

// Before any content a failure is another provider's chance.
func TestResponsesFailOver(t *testing.T) {
	good := always(mockllm.JSON(200, nil, `{"id":"resp_2","status":"completed","model":"m"}`))
	goodStream := always(sse(), begins(), says(3, "hello"), mockllm.Body(mockllm.ResponseEvent(4, "response.completed", `"response":{`+responseHead+`}`)))
	f := func(name, stream string, other mockllm.Script, steps ...mockllm.Step) {
		t.Helper()
		b := startResponses(t, setup{scripts: map[string]mockllm.Script{"u1": always(steps...), "u2": other}})
		a := b.make(`{"model":"pool","input":"hi"` + stream + `}`)
		rec := b.record(0)
		if a.Status != 200 || rec.Last().Provider != "u2" || strings.Contains(a.Body, "boom") {
			t.Errorf("%s: %d %v %s", name, a.Status, a.Header, a.Body)
		}
		if stream != "" && len(b.events(a)) != 5 {
			t.Errorf("%s: %s", name, a.Body)
		}
	}
	plain := func(name string, steps ...mockllm.Step) { t.Helper(); f(name, "", good, steps...) }
	plain("500", mockllm.JSON(500, nil, mockllm.Fault("boom", "server_error", "", "")))
	plain("404", mockllm.JSON(404, nil, mockllm.Fault("boom", "invalid_request_error", "", "")))
	plain("reset", mockllm.Reset())
	plain("no response", mockllm.JSON(200, nil, `{"object":"list"}`))
	plain("failed", mockllm.JSON(200, nil, `{"id":"resp_1","status":"failed","error":{"code":"server_error","message":"boom"}}`))
	streamed := func(name string, steps ...mockllm.Step) { t.Helper(); f(name, `,"stream":true`, goodStream, steps...) }
	streamed("429", mockllm.JSON(429, nil, mockllm.Fault("boom", "rate_limit_error", "", "")))
	streamed("eof", sse(), begins())
	streamed("empty", sse())
	streamed("hang", sse(), begins(), mockllm.Hang())
	streamed("error", sse(), begins(), mockllm.Body(mockllm.ResponseEvent(3, "error", `"code":"rate_limit_exceeded","message":"boom"`)))
	streamed("failed", sse(), begins(), mockllm.Body(mockllm.ResponseEvent(3, "response.failed", `"response":{"id":"r","error":{"code":"server_error","message":"boom"}}`)))
	streamed("one JSON text that is not over", mockllm.JSON(200, nil, `{"id":"resp_1","status":"in_progress"}`))
}

// What is the client's own fault it hears as it is, from the first provider.
func TestResponsesRefused(t *testing.T) {
	f := func(stream string, status int, message string, steps ...mockllm.Step) {
		t.Helper()
		b := startResponses(t, setup{scripts: map[string]mockllm.Script{"u1": always(steps...)}})
		a := b.make(`{"model":"pool","input":"hi"` + stream + `}`)
		if e := b.fault(a); a.Status != status || e.Message != message || len(b.u["u2"].Requests()) != 0 {
			t.Errorf("%d %+v, %d requests to the other", a.Status, e, len(b.u["u2"].Requests()))
		}
	}
	f("", 400, "bad", mockllm.JSON(400, nil, mockllm.Fault("bad", "invalid_request_error", "input", "x")))
	f("", 400, "bad", mockllm.JSON(200, nil, `{"id":"r","status":"failed","error":{"code":"invalid_prompt","message":"bad"}}`))
	f(`,"stream":true`, 400, "bad", sse(), begins(), mockllm.Body(mockllm.ResponseEvent(3, "response.failed", `"response":{"id":"r","error":{"code":"image_too_large","message":"bad"}}`)))
	for body, param := range map[string]string{
		`{"input":"hi"}`: "model",
		`{"model":"pool","previous_response_id":1}`:     "previous_response_id",
		`{"model":"pool","conversation":[]}`:            "conversation",
		`{"model":"pool","conversation":{"id":{}}}`:     "conversation",
		`{"model":"pool","stream":"yes"}`:               "stream",
		`{"model":"pool","backend":"u1","input":"hi"}`:  "backend",
		`{"model":"pool","conversation":{"id":false}} `: "conversation",
	} {
		b := startResponses(t, setup{})
		a := b.make(body)
		if e := b.fault(a); deref(e.Param) != param || len(b.u["u1"].Requests()) != 0 {
			t.Errorf("%s: %d %+v", body, a.Status, e)
		}
	}
}

// Comments keep a stream alive that says nothing yet, and what fails after that
// is an event of this format.
func TestResponseStreamIsKeptAlive(t *testing.T) {
	b := startResponses(t, setup{settings: func(s *config.Settings) { s.MaxRetries = 0 }, scripts: map[string]mockllm.Script{"u1": always(sse(), begins(), mockllm.Hang())}})
	a := b.make(`{"model":"gpt-a","input":"hi","stream":true}`)
	events := b.events(a)
	if n := strings.Count(a.Body, ": keep-alive\n\n"); n < 2 || len(events) != 1 || events[0].Name != "error" || events[0].Sequence != 0 || !strings.Contains(events[0].Data, "upstream_timeout") {
		t.Errorf("%d comments, %v", n, events)
	}
}

// P27: the client leaves, and so does Berry.
func TestResponseStreamIsLeft(t *testing.T) {
	b := startResponses(t, setup{scripts: map[string]mockllm.Script{"u1": always(sse(), begins(), says(3, "he"), mockllm.Hang())}})
	ctx, cancel := context.WithCancel(context.Background())
	resp := b.openOn(ctx, dialect.Responses, `{"model":"pool","input":"hi","stream":true}`)
	buf := make([]byte, 4096)
	if _, err := resp.Body.Read(buf); err != nil {
		t.Fatal(err)
	}
	cancel()
	_ = resp.Body.Close()
	wait, stop := context.WithTimeout(context.Background(), 5*time.Second)
	defer stop()
	if _, err := b.u["u1"].Requests()[0].WaitLeft(wait); err != nil {
		t.Error(err)
	}
	rec := b.record(0)
	if !rec.Disconnected || !rec.Usage.Estimated || len(b.u["u2"].Requests()) != 0 || rec.Attempts[0].Kind.String() != "cancelled" {
		t.Errorf("%+v", rec)
	}
}

// A provider that does not stream is streamed for.
func TestResponseStreamOfOneText(t *testing.T) {
	const body = `{"id":"resp_1","object":"response","status":"completed","model":"up","output":[{"id":"msg_1","type":"message","content":[{"type":"output_text","text":"hello"}]}],"usage":{"input_tokens":7,"output_tokens":2}}`
	b := startResponses(t, setup{scripts: map[string]mockllm.Script{"u1": always(mockllm.JSON(200, nil, body))}})
	events := b.events(b.make(`{"model":"gpt-a","input":"hi","stream":true}`))
	end := events[len(events)-1]
	if end.Name != "response.completed" || !strings.Contains(end.Data, `"model":"gpt-a"`) || !slices.Contains(names(events), "response.output_text.delta") {
		t.Errorf("%v", events)
	}
	if rec := b.record(0); rec.Usage != (relay.Usage{Input: 7, Output: 2}) || rec.Error != nil {
		t.Errorf("%+v", rec)
	}
	b.u["u1"].SetScript(nil)
	if a := b.ask(userToken, "GET", "/resp_1", ""); len(b.u["u1"].Requests()) != 2 {
		t.Errorf("its id was not remembered: %d %s", a.Status, a.Body)
	}
}
