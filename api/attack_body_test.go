package api_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
)

// Attacks by request bodies.

// packed compresses n bytes that compress well.
func packed(t *testing.T, head string, n int) string {
	t.Helper()
	var out bytes.Buffer
	z, _ := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	_, _ = z.Write([]byte(head))
	piece := bytes.Repeat([]byte(" "), 1<<20)
	for range n / len(piece) {
		_, _ = z.Write(piece)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// Nobody's body is read: the token is looked at first. A client that waits for
// the word to send its body does not get it.
func TestAttackBodyBeforeToken(t *testing.T) {
	b := start(t, setup{})
	f := func(token, want string) {
		t.Helper()
		d := b.dial()
		defer d.Close()
		fmt.Fprint(d, request("POST /v1/chat/completions", token, "Content-Length: 60000000\r\n", "Expect: 100-continue\r\n"))
		res, err := http.ReadResponse(d.r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if res.Status != want {
			t.Errorf("%q: %s, want %s", token, res.Status, want)
		}
	}
	f("", "401 Unauthorized")
	f(badToken, "401 Unauthorized")
	f(offToken, "403 Forbidden")
	f(annToken, "100 Continue")
}

// What two parsers could read in two ways reaches no backend, and least of all
// the model of which only one of the names is allowed.
func TestAttackTwoModels(t *testing.T) {
	b := start(t, setup{})
	f := func(body string) {
		t.Helper()
		if a := b.chat(narrowTok, body); a.status != 400 || a.code() != "invalid_json" {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	const rest = `,"messages":[{"role":"user","content":"Hello"}]`
	f(`{"model":"pool","model":"org/m1"` + rest + `}`)
	f(`{"model":"pool","\u006dodel":"org/m1"` + rest + `}`)
	f(`{"model":"pool"` + rest + `,"model":"org/m1"}`)
	f(`{"model":"pool"` + rest + `}{"model":"org/m1"` + rest + `}`)
	f(`{"model":"pool"` + rest + `,"x":{"a":1,"a":2}}`)
	f("{\"model\":\"pool\"" + rest + ",\"x\":\"\xff\"}")
	f("\ufeff" + `{"model":"pool"` + rest + `}`)
	f(`{"model":"pool"` + rest + `,"x":` + strings.Repeat("[", 100000) + strings.Repeat("]", 100000) + `}`)
	f(`[{"model":"pool"` + rest + `}]`)
	// Names that differ in case are not the field: the check and the upstream
	// see the same one.
	if a := b.chat(narrowTok, `{"model":"pool","Model":"org/m1","MODEL":"org/m1"`+rest+`}`); a.status != 200 || a.header.Get("X-Berry-Model") != "up-1" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := b.chat(narrowTok, `{"Model":"org/m1"`+rest+`}`); a.status != 400 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if n := b.upstream(); n != 1 {
		t.Errorf("%d requests went upstream, want 1", n)
	}
}

// Compressed bodies: bounded by what comes out of them, and read as gzip only.
func TestAttackCompressedBodies(t *testing.T) {
	b := start(t, setup{settings: "max_request_body_bytes = 4000000\n"})
	f := func(encoding, body, want string) {
		t.Helper()
		a := b.ask("POST", "/v1/chat/completions", annToken, withBody(body), withHeader("Content-Encoding", encoding))
		if got := strings.TrimSpace(fmt.Sprint(a.status, " ", a.code())); got != want {
			t.Errorf("%s: %s %s, want %s", encoding, got, a.body, want)
		}
	}
	good := packed(t, hello("pool"), 0)
	bomb := packed(t, hello("pool"), 64<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f("gzip", bomb, "413 request_too_large")
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 24<<20 {
		t.Errorf("%d bytes were allocated for a bomb", grown)
	}
	f("gzip", good, "200")
	f("gzip", good[:len(good)-6], "400 invalid_json")
	f("gzip", good+"trailing", "400 invalid_json")
	f("gzip", hello("pool"), "400 invalid_json")
	f("gzip", packed(t, good, 0), "400 invalid_json") // once is enough
	f("gzip, gzip", good, "415 unsupported_media_type")
	f("GZIP", good, "200")
	f("x-gzip", good, "200")
	f("br", good, "415 unsupported_media_type")
	f("deflate", good, "415 unsupported_media_type")
	f("zstd\t", good, "415 unsupported_media_type")
	f(strings.Repeat("x", 3000), good, "415 unsupported_media_type")
	two := b.ask("POST", "/v1/chat/completions", annToken, withBody(good), withHeader("Content-Encoding", "gzip"), withHeader("Content-Encoding", "br"))
	if two.status != 415 {
		t.Errorf("two encodings: %d %s", two.status, two.body)
	}
	if n := b.upstream(); n != 3 {
		t.Errorf("%d requests went upstream, want 3", n)
	}
}

// Bodies over the limit, whatever their framing says of it.
func TestAttackLargeBodies(t *testing.T) {
	b := start(t, setup{settings: "max_request_body_bytes = 100000\n"})
	over := hello("pool") + strings.Repeat(" ", 100000)
	b.wantRaw(request("POST /v1/chat/completions", annToken, fmt.Sprintf("Content-Length: %d\r\n", len(over)), closing)+over, "413 request_too_large")
	b.wantRaw(request("POST /v1/chat/completions", annToken, "Content-Length: 9223372036854775807\r\n", closing), "413 request_too_large")
	b.wantRaw(request("POST /v1/chat/completions", annToken, "Content-Length: 9223372036854775808\r\n", closing), "400")
	chunk := fmt.Sprintf("%x\r\n%s\r\n", 10000, strings.Repeat(" ", 10000))
	b.wantRaw(request("POST /v1/chat/completions", annToken, "Transfer-Encoding: chunked\r\n", closing)+strings.Repeat(chunk, 11)+"0\r\n\r\n", "413 request_too_large")
	fits := hello("pool") + strings.Repeat(" ", 100000-len(hello("pool")))
	b.wantRaw(request("POST /v1/chat/completions", annToken, "Content-Length: 100000\r\n", closing)+fits, "200")
	if n := b.upstream(); n != 1 {
		t.Errorf("%d requests went upstream, want 1", n)
	}
}
