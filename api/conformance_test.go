package api_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// The cases P01, P09-P11, P19, P26 and P29 of the wire's conformance list. The
// others are decided in relay and tested there.

func TestP01PlainAnswer(t *testing.T) {
	const up = `{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"up-1","zz":1,` +
		`"choices":[{"index":0,"message":{"role":"assistant","content":"hello","refusal":null},"logprobs":null,"finish_reason":"stop"}],` +
		`"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}`
	b := start(t, setup{one: mockllm.Always(mockllm.JSON(200, nil, up))})
	const in = `{"model":"pool","messages":[{"role":"user","content":"hi"}],"x_unknown":{"n":12345678901234567890, "f":1.0e+2}}`
	a := b.chat(annToken, in)
	wantJSON(t, a, 200, strings.Replace(up, `"up-1"`, `"pool"`, 1))
	r := b.one.Requests()[0]
	if r.Method != "POST" || r.Path != "/v1/chat/completions" || r.Query != "" || r.Header.Get("Authorization") != "Bearer "+keyOne {
		t.Errorf("upstream got %s %s?%s with %v", r.Method, r.Path, r.Query, r.Header)
	}
	if d := cmp.Diff(strings.Replace(in, `"pool"`, `"up-1"`, 1), string(r.Body)); d != "" {
		t.Errorf("upstream body (-want +got):\n%s", d)
	}
}

func TestP09ClientAuth(t *testing.T) {
	b := start(t, setup{one: said("hi")})
	f := func(header, value string, status int, code string) {
		t.Helper()
		edits := []func(*http.Request){withBody(hello("pool"))}
		if header != "" {
			edits = append(edits, withHeader(header, value))
		}
		a := b.ask(http.MethodPost, "/v1/chat/completions", "", edits...)
		if a.status != status || a.code() != code {
			t.Errorf("%s: %d %s, want %d %s", header, a.status, a.body, status, code)
		}
		if status == 401 && a.header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s: WWW-Authenticate %q", header, a.header.Get("WWW-Authenticate"))
		}
	}
	f("", "", 401, "missing_api_key")
	f("Authorization", "Bearer "+badToken, 401, "invalid_api_key")
	f("Authorization", "Basic "+annToken, 401, "missing_api_key")
	f("x-api-key", badToken, 401, "invalid_api_key")
	f("Authorization", "Bearer "+offToken, 403, "user_disabled")
	if n := b.one.Count(); n != 0 {
		t.Errorf("%d upstream requests", n)
	}
	f("Authorization", "Bearer "+annToken, 200, "")
	f("Authorization", "bearer "+annToken, 200, "")
	f("X-Api-Key", annToken, 200, "")
	f("Api-Key", annToken, 200, "")
	// Azure's routes are not offered.
	a := b.ask(http.MethodPost, "/openai/deployments/pool/chat/completions?api-version=x", annToken, withBody(hello("pool")))
	if a.status != 404 || a.code() != "not_found" {
		t.Errorf("azure route: %d %s", a.status, a.body)
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
	f("GET", chat, ``, 405)
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

func TestP19ModelWithASlash(t *testing.T) {
	b := start(t, setup{})
	for _, path := range []string{"/v1/models/org%2Fm1", "/v1/models/org/m1", "/models/org/m1"} {
		a := b.ask("GET", path, annToken)
		var m struct {
			ID, Object string
			Created    int64
			OwnedBy    string `json:"owned_by"`
		}
		if err := json.Unmarshal([]byte(a.body), &m); err != nil || a.status != 200 || m.ID != "org/m1" || m.Object != "model" || m.Created == 0 || m.OwnedBy == "" {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}

func TestP26Headers(t *testing.T) {
	upHeader := http.Header{"Set-Cookie": {"a=b"}, "Openai-Organization": {"acct"}, "X-Ratelimit-Remaining-Requests": {"5"},
		"Server": {"cf"}, "X-Request-Id": {"up-id-1"}, "Openai-Processing-Ms": {"12"}}
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
			"Authorization": {"Bearer " + keyOne}, "Openai-Beta": {"x=1"}, "Traceparent": {"00-1-2-01"},
		}
		if d := cmp.Diff(want, b.one.Requests()[i].Header); d != "" {
			t.Errorf("request %d: header (-want +got):\n%s", i, d)
		}
	}
}

func TestP29IDs(t *testing.T) {
	b := start(t, setup{one: said("hi")})
	seen := map[string]bool{}
	id := func(a answer) string {
		t.Helper()
		id := a.header.Get("X-Request-Id")
		if seen[id] {
			t.Errorf("the id %q is not unique", id)
		}
		seen[id] = true
		return id
	}
	adopt := func(in string, want bool) {
		t.Helper()
		if got := id(b.ask("GET", "/v1/zzz", annToken, withHeader("X-Request-Id", in))); (got == in) != want {
			t.Errorf("%.40q became %q", in, got)
		}
	}
	first := id(b.chat(annToken, hello("pool")))
	id(b.chat(annToken, strings.Replace(hello("pool"), "{", `{"stream":true,`, 1)))
	id(b.ask("GET", "/nope", ""))
	adopt("Abc_1-9", true)
	adopt(strings.Repeat("x", 128), true)
	adopt(strings.Repeat("x", 129), false)
	adopt("a b", false)
	adopt("a/b", false)
	adopt("é", false)
	adopt(url.QueryEscape("a\r\nb"), false)
	lines := b.lines("Backend selected")
	if len(lines) != 2 || lines[0].Fields["request_id"] != first {
		t.Errorf("the log does not name %q: %+v", first, lines)
	}
}
