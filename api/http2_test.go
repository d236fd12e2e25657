package api_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// Chats over HTTP/2, as clients speak it with TLS: whole and streamed, and a
// body that is refused unread.
func TestChatOverHTTP2(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeCertificate(t, cert, key, 1)
	b := start(t, setup{one: said("Hi"), settings: "tls.cert_file = \"" + cert + "\"\ntls.key_file = \"" + key + "\"\nlog_response_body = true\n"})
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true,
	}}
	defer client.CloseIdleConnections()
	f := func(token, body string, status int, want string) {
		t.Helper()
		r, _ := http.NewRequest(http.MethodPost, "https://"+b.srv.Addr().String()+"/v1/chat/completions", strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+token)
		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		got, err := io.ReadAll(res.Body)
		if err != nil || res.ProtoMajor != 2 || res.StatusCode != status || !strings.Contains(string(got), want) {
			t.Errorf("%s %d %v: %s", res.Proto, res.StatusCode, err, got)
		}
	}
	f(annToken, hello("pool"), 200, "Hi")
	f(annToken, strings.Replace(hello("pool"), "{", `{"stream":true,`, 1), 200, "data: [DONE]")
	f(badToken, hello("pool")+strings.Repeat(" ", 1<<20), 401, "invalid_api_key")
	f(annToken, hello("nope"), 404, "model_not_found")
	f(annToken, hello("pool"), 200, "Hi")
	if lines := b.lines("Bodies"); len(lines) != 4 {
		t.Errorf("%d lines", len(lines))
	}
}
