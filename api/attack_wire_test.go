package api_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Attacks by what goes over the wire. Each is sent as it stands, byte for byte.

// raw sends bytes over a connection of their own and returns what came of them,
// as "200", or "401 invalid_api_key" for an error of Berry's, one for each
// answer until the server closed the connection.
func (b *berry) raw(text string) []string {
	b.t.Helper()
	d := b.dial()
	defer d.Close()
	_ = d.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(d, text); err != nil && !errors.Is(err, syscall.ECONNRESET) {
		b.t.Fatal(err)
	}
	var got []string
	asked := &http.Request{Method: http.MethodGet}
	if strings.HasPrefix(text, "HEAD ") {
		asked.Method = http.MethodHead
	}
	for {
		res, err := http.ReadResponse(d.r, asked)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			b.t.Fatalf("%.200q: the connection stays open after %v", text, got)
		}
		if err != nil {
			return got
		}
		body, err := io.ReadAll(res.Body)
		if err != nil && !errors.Is(err, syscall.ECONNRESET) { // how it ends when the server did not read all
			b.t.Fatalf("%.200q: %v", text, err)
		}
		if strings.Contains(fmt.Sprint(res.Header, string(body)), canary) {
			b.t.Errorf("%.200q: the answer holds a secret", text)
		}
		a := answer{res.StatusCode, res.Header, string(body)}
		got = append(got, strings.TrimSpace(fmt.Sprint(a.status, " ", a.code())))
	}
}

const closing = "Connection: close\r\n"

// request is a request line with the fields that each request has.
func request(line, token string, fields ...string) string {
	text := line + " HTTP/1.1\r\nHost: berry\r\n"
	if token != "" {
		text += "Authorization: Bearer " + token + "\r\n"
	}
	return text + strings.Join(fields, "") + "\r\n"
}

// wantRaw compares what came of a text.
func (b *berry) wantRaw(text string, want ...string) {
	b.t.Helper()
	if got := b.raw(text); strings.Join(got, ", ") != strings.Join(want, ", ") {
		b.t.Errorf("%.300q: %q, want %q", text, got, want)
	}
}

func (b *berry) upstream() int { return len(b.one.Requests()) + len(b.two.Requests()) }

// No spelling of a path or method reaches a route past its check.
func TestAttackPaths(t *testing.T) {
	b := start(t, setup{})
	f := func(line, want string) {
		t.Helper()
		b.wantRaw(request(line, annToken, closing), want)
	}
	f("GET /admin/config", "403 admin_required")
	f("GET http://elsewhere.example/admin/config", "403 admin_required") // absolute-form
	f("GET /%61dmin/config", "403 admin_required")                       // %61 is a
	f("GET /admin%2Fconfig", "403 admin_required")
	f("GET /admin/config?public_status=true&token="+adminToken, "403 admin_required")
	f("HEAD /admin/config", "403")
	for _, path := range []string{
		"//admin/config", "/admin//config", "/./admin/config", "/v1/../admin/config", "/livez/../admin/config", "/livez/%2e%2e/admin/config",
		"/livez/..%2fadmin/config", "/livez/..;/admin/config", "/admin/config/", "/admin/config/.", "/admin/config%20", "/admin/config%00",
		"/admin/config%00.html", "/admin/config;x=y", "/admin/config.json", "/ADMIN/config", "/Admin/Config", "/admin\\config", "/admin/config%2f",
		"/admin", "/admin/",
	} {
		f("GET "+path, "404 not_found")
	}
	f("GET /v1/models/..%2f..%2fadmin%2fconfig", "404 model_not_found")
	f("GET /v1/models/../admin/config", "404 model_not_found")
	f("GET /smart-ai/models/../../admin/config", "404 not_found")
	for _, path := range []string{"../dashboard.go", "..%2f..%2fgo.mod", "%2e%2e/%2e%2e/go.mod", "/etc/passwd", "%2fetc%2fpasswd", "../admin/config", ".", "..", ""} {
		f("GET /status/"+path, "404 not_found")
	}
	f("POST /admin/backends/one/up-1/drain", "403 admin_required")
	f("POST /admin/backends/..%2f..%2flivez", "403 admin_required")

	// Methods: only the request line counts.
	for _, field := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"} {
		b.wantRaw(request("GET /admin/reload-config", adminToken, field+": POST\r\n", closing), "405 method_not_allowed")
	}
	for _, name := range []string{"X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix", "X-Forwarded-Path"} {
		b.wantRaw(request("GET /livez", annToken, name+": /admin/config\r\n", closing), "200")
	}
	f("TRACE /admin/config", "405 method_not_allowed")
	f("post /v1/chat/completions", "405 method_not_allowed")
	f("OPTIONS *", "404 not_found")
	f("CONNECT admin:443", "404 not_found")
	f("PRI /admin/config", "405 method_not_allowed")
	// What is no request is refused before it has a route.
	for _, line := range []string{"GET admin/config", "GET  /admin/config", "GET /admin/config extra", "GET /admin/%zz", "G\x00T /", "GET /a\x7fb"} {
		f(line, "400")
	}
	if n := b.upstream(); n != 0 {
		t.Errorf("%d requests went upstream", n)
	}
}

// The operator's routes are not on the API's address when they have their own,
// however they are asked for there.
func TestAttackAdminAddress(t *testing.T) {
	b := start(t, setup{settings: "admin_bind_address = \"127.0.0.1:0\"\n"})
	host := b.srv.AdminAddr().String()
	b.wantRaw(request("GET http://"+host+"/admin/config", adminToken, closing), "404 not_found")
	b.wantRaw("GET /admin/config HTTP/1.1\r\nHost: "+host+"\r\nAuthorization: Bearer "+adminToken+"\r\n"+closing+"\r\n", "404 not_found")
	b.wantRaw(request("GET /livez", adminToken)+request("GET /admin/config", adminToken, closing), "200", "404 not_found")
}

// Two readings of where a request ends must not become two requests.
func TestAttackSmuggling(t *testing.T) {
	b := start(t, setup{})
	inner := request("GET /admin/config", adminToken, closing)
	post := func(fields ...string) string { return request("POST /v1/chat/completions", annToken, fields...) }
	refused := func(text string, want ...string) {
		t.Helper()
		if len(want) == 0 {
			want = []string{"400"}
		}
		b.wantRaw(text, want...)
	}
	refused(post("Content-Length: 0\r\n", "Content-Length: 5\r\n") + inner)
	refused(post("Content-Length: 0, 5\r\n") + inner)
	refused(post("Content-Length: +0\r\n") + inner)
	refused(post("Content-Length: -1\r\n") + inner)
	refused(post("Content-Length: 0x0\r\n") + inner)
	refused(post("Content-Length : 0\r\n") + inner)
	refused(post("Transfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\n")+"0\r\n\r\n"+inner, "501")
	refused(post("Transfer-Encoding: chunked, identity\r\n")+"0\r\n\r\n"+inner, "501")
	refused(post("Transfer-Encoding: xchunked\r\n")+"0\r\n\r\n"+inner, "501")
	refused(post("Transfer-Encoding: \vchunked\r\n")+"0\r\n\r\n"+inner, "400")
	refused(post("Host: other\r\n") + inner)
	refused("GET /livez HTTP/1.1\r\n\r\n" + inner)
	refused("GET /livez HTTP/1.1\r\nHost: a b\r\n\r\n" + inner)
	refused(request("GET /livez", "", "X: a\x00b\r\n") + inner)
	refused(request("GET /livez", "", "X y: a\r\n") + inner)
	// Chunks that are none: the body is unreadable, and the connection ends with it.
	for _, chunks := range []string{"zz\r\n\r\n", "-1\r\n\r\n", "0x1\r\na\r\n0\r\n\r\n", "ffffffffffffffffff\r\n\r\n", "1\r\nab\r\n0\r\n\r\n", "1;a=\nb\r\nx\r\n0\r\n\r\n"} {
		refused(post("Transfer-Encoding: chunked\r\n")+chunks+inner, "400 invalid_json")
	}
	if n := b.upstream(); n != 0 {
		t.Errorf("%d requests went upstream", n)
	}

	// With both a length and chunks it is the chunks that count.
	body := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(hello("pool")), hello("pool"))
	b.wantRaw(post("Content-Length: 4\r\n", "Transfer-Encoding: chunked\r\n")+body+request("GET /livez", "", closing), "200", "200")
	b.wantRaw(post("Content-Length: 4\r\n", "Transfer-Encoding: chunked\r\n", closing)+body+inner, "200")
	if n := b.upstream(); n != 2 {
		t.Errorf("%d requests went upstream, want 2", n)
	}
}

// Headers without end, by size and by number.
func TestAttackHugeHeaders(t *testing.T) {
	b := start(t, setup{})
	field := func(n int) string { return "X-Huge: " + strings.Repeat("a", n) + "\r\n" }
	b.wantRaw(request("GET /livez", "", field(60<<10), closing), "200")
	b.wantRaw(request("GET /livez", "", field(72<<10), closing), "431")
	b.wantRaw(request("GET /livez", "", strings.Repeat("A: b\r\n", 20000), closing), "431")
	b.wantRaw(request("GET /"+strings.Repeat("a", 72<<10), "", closing), "431")
	b.wantRaw(request("GET /v1/models", strings.Repeat("x", 60<<10), closing), "401 invalid_api_key")
	b.wantRaw("GET /livez HTTP/1.1\r\nHost: berry\r\nCookie: "+strings.Repeat("a=b; ", 20000), "431") // and no end of it
	for _, line := range b.lines("Request completed") {
		if len(line.raw) > 2000 {
			t.Errorf("a line of %d bytes", len(line.raw))
		}
	}
}
