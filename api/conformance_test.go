package api_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// The cases P01, P10, P11 and P26 of the wire's conformance list; P09 is in
// access_test.go, P29 in routes_test.go. The others are decided in relay and
// tested there.

func TestP01PlainAnswer(t *testing.T) {
	const up = `{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"up-1","zz":1,` +
		`"choices":[{"index":0,"message":{"role":"assistant","content":"hello","refusal":null},"logprobs":null,"finish_reason":"stop"}],` +
		`"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}`
	b := start(t, setup{one: mockllm.Always(mockllm.JSON(200, nil, up))})
	const in = `{"model":"pool","messages":[{"role":"user","content":"hi"}],"x_unknown":{"n":12345678901234567890, "f":1.0e+2}}`
	a := b.chat(annToken, in)
	wantJSON(t, a, 200, strings.Replace(up, `"up-1"`, `"pool"`, 1))
	r := b.one.Requests()[0]
	if r.Method != http.MethodPost || r.Path != "/v1/chat/completions" || r.Query != "" || r.Header.Get("Authorization") != "Bearer "+keyOne {
		t.Errorf("upstream got %s %s?%s with %v", r.Method, r.Path, r.Query, r.Header)
	}
	if d := cmp.Diff(strings.Replace(in, `"pool"`, `"up-1"`, 1), string(r.Body)); d != "" {
		t.Errorf("upstream body (-want +got):\n%s", d)
	}
}

func TestP10UnknownModel(t *testing.T) {
	b := start(t, setup{})
	for _, a := range []answer{b.chat(annToken, hello("nope")), b.ask("GET", "/v1/models/nope", annToken)} {
		if a.status != 404 || a.code() != "model_not_found" || a.error().Type != "invalid_request_error" || !strings.Contains(a.error().Message, "nope") {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	if n := b.one.Count() + b.two.Count(); n != 0 {
		t.Errorf("%d upstream requests", n)
	}
}

func TestP11Malformed(t *testing.T) {
	b := start(t, setup{one: said("hi"), settings: "max_request_body_bytes = 2000000"})
	f := func(method, path, body string, status int) {
		t.Helper()
		a := b.ask(method, path, annToken, withBody(body))
		e := a.error()
		if a.status != status || e.Message == "" || e.Type != "invalid_request_error" || a.code() == "" {
			t.Errorf("%s %s %.60q: %d %.200s, want %d", method, path, body, a.status, a.body, status)
		}
	}
	const chat = "/v1/chat/completions"
	const rest = `"messages":[{"role":"user","content":"hi"}]}`
	f("POST", chat, ``, 400)
	f("POST", chat, `{`, 400)
	f("POST", chat, `[]`, 400)
	f("POST", chat, `{`+rest, 400)
	f("POST", chat, `{"model":"pool"}`, 400)
	f("POST", chat, `{"model":"pool","stream":"yes",`+rest, 400)
	f("POST", chat, `{"model":"pool","model":"org/m1",`+rest, 400)
	f("POST", chat, `{"model":"pool","mod\u0065l":"org/m1",`+rest, 400)
	f("POST", chat, "\xef\xbb\xbf"+`{"model":"pool",`+rest, 400)
	f("POST", chat, `{"model":"pool",`+rest+` x`, 400)
	f("POST", chat, `{"model":"pool","x":`+strings.Repeat("[", 20000)+strings.Repeat("]", 20000)+`,`+rest, 400)
	f("POST", chat, "{\"model\":\"pool\",\"x\":\"\xff\","+rest, 400)
	f("POST", chat, `{"model":"pool","x":"`+strings.Repeat("x", 2000000)+`",`+rest, 413)
	f("GET", chat, ``, 404) // stored chats, which are not kept here
	f("PUT", chat, ``, 405)
	f("POST", "/v1/zzz", `{}`, 404)
	if n := b.one.Count() + b.two.Count(); n != 0 {
		t.Errorf("%d upstream requests", n)
	}
}

func TestP11CompressedBodies(t *testing.T) {
	b := start(t, setup{one: said("hi"), settings: "max_request_body_bytes = 100000"})
	pack := func(s string) string {
		var buf bytes.Buffer
		z := gzip.NewWriter(&buf)
		_, _ = z.Write([]byte(s))
		_ = z.Close()
		return buf.String()
	}
	f := func(encoding, body string, status int, code string) {
		t.Helper()
		a := b.ask("POST", "/v1/chat/completions", annToken, withBody(body), withHeader("Content-Encoding", encoding))
		if a.status != status || a.code() != code {
			t.Errorf("%s: %d %s, want %d %s", encoding, a.status, a.body, status, code)
		}
	}
	f("gzip", pack(hello("pool")), 200, "")
	f("gzip", hello("pool"), 400, "invalid_json")
	f("gzip", pack(hello("pool"))[:40], 400, "invalid_json")
	f("br", hello("pool"), 415, "unsupported_media_type")
	// A bomb is measured by what it becomes.
	f("gzip", pack(`{"model":"pool","x":"`+strings.Repeat("x", 200000)+`"}`), 413, "request_too_large")
	if n := b.one.Count(); n != 1 {
		t.Errorf("%d upstream requests", n)
	}
}

func TestP26Headers(t *testing.T) {
	upHeader := http.Header{
		"Set-Cookie": {"a=b"}, "Openai-Organization": {"acct"}, "X-Ratelimit-Remaining-Requests": {"5"},
		"Server": {"cf"}, "X-Request-Id": {"up-id-1"}, "Openai-Processing-Ms": {"12"},
	}
	const plainAnswer = `{"choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}`
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write([]byte(plainAnswer))
	_ = z.Close()
	zipHeader := upHeader.Clone()
	zipHeader.Set("Content-Encoding", "gzip")
	b := start(t, setup{one: mockllm.Attempts(
		mockllm.Always(mockllm.JSON(200, upHeader, plainAnswer)), mockllm.Always(mockllm.JSON(200, zipHeader, packed.String())))})

	for i := range 2 {
		a := b.ask("POST", "/v1/chat/completions", annToken, withBody(hello("pool")),
			withHeader("Openai-Organization", "o"), withHeader("Openai-Beta", "x=1"), withHeader("Cookie", "a=b"),
			withHeader("X-Stainless-Lang", "js"), withHeader("X-Api-Key", "z"), withHeader("Accept-Encoding", "gzip"),
			withHeader("Connection", "x-hop"), withHeader("X-Hop", "1"), withHeader("Traceparent", "00-1-2-01"),
			withHeader("X-Forwarded-For", "1.2.3.4"), withHeader("X-Berry-Provider", "two"))
		wantJSON(t, a, 200, plainAnswer)
		got := http.Header{}
		for name, v := range a.header {
			if name != "Date" && name != "X-Request-Id" && name != "Request-Id" {
				got[name] = v
			}
		}
		want := http.Header{
			"Content-Type": {"application/json"}, "Content-Length": {fmt.Sprint(len(plainAnswer))}, "X-Ratelimit-Remaining-Requests": {"5"},
			"Openai-Processing-Ms": {"12"}, "X-Berry-Provider": {"one"}, "X-Berry-Model": {"up-1"}, "X-Berry-Attempts": {"1"},
			"X-Berry-Upstream-Request-Id": {"up-id-1"},
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("answer %d: header (-want +got):\n%s", i, d)
		}
		want = http.Header{
			"Content-Type": {"application/json"}, "Accept": {"application/json"}, "User-Agent": {"berry-api/1.2.3"},
			"Content-Length": {fmt.Sprint(len(hello("up-1")))}, "Authorization": {"Bearer " + keyOne}, "Openai-Beta": {"x=1"}, "Traceparent": {"00-1-2-01"},
		}
		if d := cmp.Diff(want, b.one.Requests()[i].Header); d != "" {
			t.Errorf("request %d: header (-want +got):\n%s", i, d)
		}
	}
}
