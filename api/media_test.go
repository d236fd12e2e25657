package api_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// soundForm is a form with a file before the model.
func soundForm(model string) (body, contentType string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	f, _ := w.CreateFormFile("file", "a.mp3")
	_, _ = io.WriteString(f, "sound")
	_ = w.WriteField("model", model)
	_ = w.Close()
	return b.String(), w.FormDataContentType()
}

func withForm(model string) func(*http.Request) {
	return func(r *http.Request) {
		body, contentType := soundForm(model)
		withBody(body)(r)
		r.Header.Set("Content-Type", contentType)
	}
}

// Images and audio are reached on routes of their own, with and without /v1.
func TestMediaRoutes(t *testing.T) {
	b := start(t, setup{one: func(r *mockllm.Seen) []mockllm.Step {
		switch {
		case strings.HasSuffix(r.Path, "/speech"):
			return []mockllm.Step{mockllm.JSON(200, http.Header{"Content-Type": {"audio/mpeg"}}, "sound")}
		case strings.HasPrefix(r.Path, "/v1/images/"):
			return []mockllm.Step{mockllm.JSON(200, nil, `{"created":1,"data":[]}`)}
		}
		return []mockllm.Step{mockllm.JSON(200, nil, `{"text":"hello"}`)}
	}})
	f := func(path, want string, edit func(*http.Request)) {
		t.Helper()
		for _, prefix := range []string{"/v1", ""} {
			a := b.ask("POST", prefix+path, annToken, edit)
			if a.status != 200 || a.body != want || a.header.Get("X-Request-Id") == "" || a.header.Get("X-Berry-Model") != "up-1" {
				t.Errorf("%s%s: %d %v %s", prefix, path, a.status, a.header, a.body)
			}
			seen := b.one.Requests()
			if last := seen[len(seen)-1]; last.Path != "/v1"+path || !bytes.Contains(last.Body, []byte("up-1")) || bytes.Contains(last.Body, []byte("pool")) {
				t.Errorf("%s%s: %s %s", prefix, path, last.Path, last.Body)
			}
		}
		if a := b.ask("POST", "/v1"+path, "", edit); a.status != 401 || a.code() != "missing_api_key" {
			t.Errorf("%s without a token: %d %s", path, a.status, a.body)
		}
		if a := b.ask("GET", "/v1"+path, annToken); a.status != 405 {
			t.Errorf("GET %s: %d", path, a.status)
		}
	}
	f("/images/generations", `{"created":1,"data":[]}`, withBody(`{"model":"pool","prompt":"x"}`))
	f("/images/edits", `{"created":1,"data":[]}`, withForm("pool"))
	f("/images/variations", `{"created":1,"data":[]}`, withForm("pool"))
	f("/audio/transcriptions", `{"text":"hello"}`, withForm("pool"))
	f("/audio/translations", `{"text":"hello"}`, withForm("pool"))
	f("/audio/speech", "sound", withBody(`{"model":"pool","input":"x"}`))
	if a := b.ask("POST", "/v1/audio/transcriptions", narrowTok, withForm("org/m1")); a.status != 403 || a.code() != "model_not_allowed" {
		t.Errorf("a model that is not allowed: %d %s", a.status, a.body)
	}
	if a := b.ask("POST", "/v1/audio/transcriptions", annToken, withForm("nope")); a.status != 404 || a.code() != "model_not_found" {
		t.Errorf("an unknown model: %d %s", a.status, a.body)
	}
}

// Speech that breaks off breaks the client's connection, over HTTP/1.1 and
// HTTP/2, and the log says so.
func TestCutSpeech(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeCertificate(t, cert, key, 1)
	cut := mockllm.Always(mockllm.Header(200, http.Header{"Content-Type": {"audio/mpeg"}}), mockllm.Body("some"), mockllm.Cut())
	b := start(t, setup{one: cut, two: cut, settings: "tls.cert_file = \"" + cert + "\"\ntls.key_file = \"" + key + "\"\nlog_response_body = true\n"})
	f := func(transport *http.Transport, major int) {
		t.Helper()
		transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
		defer transport.CloseIdleConnections()
		r, _ := http.NewRequest(http.MethodPost, "https://"+b.srv.Addr().String()+"/v1/audio/speech", strings.NewReader(`{"model":"pool","input":"x"}`))
		r.Header.Set("Authorization", "Bearer "+annToken)
		res, err := (&http.Client{Transport: transport}).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		got, err := io.ReadAll(res.Body)
		if res.ProtoMajor != major || res.StatusCode != http.StatusOK || string(got) != "some" || err == nil {
			t.Errorf("%s %d %q, %v", res.Proto, res.StatusCode, got, err)
		}
	}
	f(&http.Transport{}, 1)
	f(&http.Transport{ForceAttemptHTTP2: true}, 2)
	oldClient(t, b.srv.Addr().String(), true)
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
	for _, l := range b.lines("Bodies") {
		if l.Fields["response_body"] != "some" {
			t.Errorf("%s", l.raw)
		}
	}
	if n := len(b.lines("Bodies")); n != 3 {
		t.Errorf("%d lines of bodies", n)
	}
	if !strings.Contains(b.log.String(), "stream_interrupted") {
		t.Errorf("the log does not tell: %s", b.log)
	}
}

// Over HTTP/1.0 the answer's end is its connection's, which therefore breaks.
func TestCutSpeechToAnOldClient(t *testing.T) {
	cut := mockllm.Always(mockllm.Header(200, http.Header{"Content-Type": {"audio/mpeg"}}), mockllm.Body("some"), mockllm.Cut())
	b := start(t, setup{one: cut, two: cut})
	oldClient(t, b.srv.Addr().String(), false)
}

// oldClient asks for speech over HTTP/1.0 that breaks off.
func oldClient(t *testing.T, address string, secure bool) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	if secure {
		c = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	}
	defer c.Close()
	const body = `{"model":"pool","input":"x"}`
	fmt.Fprintf(c, "POST /v1/audio/speech HTTP/1.0\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", annToken, len(body), body)
	if got, err := io.ReadAll(c); err == nil {
		t.Errorf("a cut answer looks whole over HTTP/1.0: %q", got)
	}
}

// A client that ends its side of the connection has left, as far as anybody can
// tell. If it reads on all the same, nothing must look like an answer to it.
func TestHalfClosed(t *testing.T) {
	b := start(t, setup{one: func(r *mockllm.Seen) []mockllm.Step {
		switch {
		case bytes.Contains(r.Body, []byte("silent")):
			return []mockllm.Step{mockllm.Hang()}
		case bytes.Contains(r.Body, []byte(`"stream"`)):
			return []mockllm.Step{mockllm.SSE(mockllm.Text("some")), mockllm.Hang()}
		}
		return []mockllm.Step{mockllm.Header(200, http.Header{"Content-Type": {"audio/mpeg"}}), mockllm.Body("some"), mockllm.Hang()}
	}})
	f := func(path, body, until string) {
		t.Helper()
		c, err := net.Dial("tcp", b.srv.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		n := b.one.Count()
		fmt.Fprintf(c, "POST /v1/%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", path, annToken, len(body), body)
		if _, err := b.one.Wait(t.Context(), n+1); err != nil {
			t.Fatal(err)
		}
		var got []byte
		for p := make([]byte, 4<<10); !bytes.Contains(got, []byte(until)); {
			n, err := c.Read(p)
			if got = append(got, p[:n]...); err != nil {
				t.Fatalf("%q, %v", got, err)
			}
		}
		_ = c.(*net.TCPConn).CloseWrite()
		if rest, err := io.ReadAll(c); err != nil || len(rest) > 0 {
			t.Errorf("%s %s: %q, %v", path, body, rest, err)
		}
	}
	f("audio/speech", `{"model":"pool","input":"silent"}`, "")
	f("audio/speech", `{"model":"pool","input":"x"}`, "some")
	f("chat/completions", hello("pool")[:len(hello("pool"))-1]+`,"user":"silent"}`, "")
	f("chat/completions", strings.Replace(hello("pool"), "{", `{"stream":true,"user":"silent",`, 1), "")
	f("chat/completions", strings.Replace(hello("pool"), "{", `{"stream":true,`, 1), "some")
}
