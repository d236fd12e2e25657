package deploy_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const clientToken = "nginx-client-canary-22"

// gated is a provider that sends each piece of a stream only when it is told to.
func gated(t *testing.T) (url string, next chan<- string) {
	t.Helper()
	pieces := make(chan string)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for {
			select {
			case text, more := <-pieces:
				if !more {
					fmt.Fprint(w, "data: [DONE]\n\n")
					return
				}
				fmt.Fprintf(w, "data: {\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\","+
					"\"choices\":[{\"index\":0,\"delta\":{\"content\":%q},\"finish_reason\":null}]}\n\n", text)
				_ = http.NewResponseController(w).Flush()
			case <-r.Context().Done():
				return
			}
		}
	}))
	t.Cleanup(s.Close)
	return s.URL, pieces
}

// nginx runs the shipped nginx.conf in front of a Berry: with ports, paths and
// certificate of the test.
func nginx(t *testing.T, berry string) string {
	t.Helper()
	need(t, "nginx", "apt-get install nginx-light")
	dir := t.TempDir()
	cert, key := certificate(t, dir)
	plain, secure := freeAddress(t), freeAddress(t)
	conf := read(t, "nginx/nginx.conf")
	for _, r := range [][2]string{
		{"pid /run/nginx.pid;", "pid " + dir + "/pid;\ndaemon off;\nmaster_process off;"},
		{"    access_log /dev/stdout;", "    access_log " + dir + "/access.log;\n" + temporary(dir)},
		{"server berry-api:3000;", "server " + strings.TrimPrefix(berry, "http://") + ";"},
		{"listen 80;", "listen " + plain + ";"},
		{"listen 443 ssl http2;", "listen " + secure + " ssl http2;"},
		{"/etc/nginx/ssl/cert.pem", cert},
		{"/etc/nginx/ssl/key.pem", key},
	} {
		conf = replaced(t, conf, r[0], r[1])
	}
	path := write(t, filepath.Join(dir, "nginx.conf"), conf)
	if out, err := exec.Command("nginx", "-t", "-p", dir, "-c", path).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	trustNobody(t)
	serve(t, exec.Command("nginx", "-p", dir, "-c", path), "https://"+secure+"/health")
	if res, err := noRedirect.Get("http://" + plain + "/v1/models"); err != nil || res.StatusCode != http.StatusPermanentRedirect ||
		!strings.HasPrefix(res.Header.Get("Location"), "https://") {
		t.Errorf("without TLS: %v %v", res, err)
	}
	return "https://" + secure
}

// temporary are the folders that nginx writes to, in the test's own.
func temporary(dir string) string {
	var lines strings.Builder
	for _, what := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&lines, "    %s_temp_path %s/%s;\n", what, dir, what)
	}
	return lines.String()
}

// behind is a Berry with one provider, that believes what a proxy on this machine says.
func behind(t *testing.T, provider string) string {
	t.Helper()
	return berry(t, fmt.Sprintf(`[settings]
trusted_proxies = ["127.0.0.1"]
health_check_interval_seconds = 0
[providers.p]
base_url = %q
[models.m]
[[models.m.backends]]
provider = "p"
model = "m"
[users.u]
token = %q
`, provider, clientToken))
}

// streamed opens a stream and returns its events as they arrive.
func streamed(t *testing.T, url string) <-chan string {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, url+"/v1/chat/completions", strings.NewReader(`{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+clientToken)
	events := make(chan string, 100)
	go func() {
		defer close(events)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Errorf("%v", err)
			return
		}
		defer res.Body.Close()
		lines := bufio.NewScanner(res.Body)
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				if m := content.FindStringSubmatch(data); m != nil {
					data = m[1]
				}
				events <- data
			}
		}
	}()
	return events
}

var content = regexp.MustCompile(`"content":"([^"]*)"`)

// Through the shipped nginx each event arrives before the provider makes the next one.
func TestNginxStreams(t *testing.T) {
	provider, next := gated(t)
	url := nginx(t, behind(t, provider))
	events := streamed(t, url)
	for i := range 20 {
		want := fmt.Sprintf("piece %d", i)
		next <- want
		select {
		case got := <-events:
			if got != want {
				t.Fatalf("%q instead of %q", got, want)
			}
		case <-time.After(patience):
			t.Fatalf("%q does not arrive before the next one is made: it is buffered", want)
		}
	}
	close(next)
	if got := <-events; got != "[DONE]" {
		t.Errorf("at the end: %q", got)
	}
}

// Headers, errors, large bodies and the client's address pass as they should.
func TestNginxPasses(t *testing.T) {
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"%d MiB"},"finish_reason":"stop"}]}`, n>>20)
	}))
	defer provider.Close()
	url := nginx(t, behind(t, provider.URL))

	res, err := http.Get(url + "/v1/models")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusUnauthorized || res.Header.Get("WWW-Authenticate") != "Bearer" || res.Header.Get("X-Request-Id") == "" {
		t.Errorf("without a token: %d %v", res.StatusCode, res.Header)
	}
	for header, want := range map[string]string{
		"Strict-Transport-Security": "max-age=31536000", "X-Frame-Options": "DENY",
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Server": "nginx",
	} {
		if got := res.Header.Values(header); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q, want %q", header, got, want)
		}
	}
	if status := get(t, url+"/metrics"); status != http.StatusOK { // this machine is inside
		t.Errorf("/metrics: %d", status)
	}

	// 40 MiB, more than nginx takes unless told.
	body := io.MultiReader(strings.NewReader(`{"model":"m","messages":[{"role":"user","content":"`),
		io.LimitReader(letters{}, 40<<20), strings.NewReader(`"}]}`))
	r, _ := http.NewRequest(http.MethodPost, url+"/v1/chat/completions", body)
	r.Header.Set("Authorization", "Bearer "+clientToken)
	res, err = http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusOK || !strings.Contains(string(text), `"content":"40 MiB"`) {
		t.Errorf("a large body: %d %s", res.StatusCode, text)
	}
}

// letters never end.
type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}

// The names in the file are those of the compose file.
func TestNginxNames(t *testing.T) {
	conf := read(t, "nginx/nginx.conf")
	services := compose(t, "../docker-compose.prod.yml").Services
	upstream := regexp.MustCompile(`server ([a-z-]+):(\d+);`).FindStringSubmatch(conf)
	if s, ok := services[upstream[1]]; !ok || len(s.Expose) != 1 || s.Expose[0] != upstream[2] {
		t.Errorf("the upstream is %v", upstream)
	}
	for _, v := range services["nginx"].Volumes {
		if strings.HasSuffix(v.Target, "/ssl") && !strings.Contains(conf, v.Target+"/cert.pem") {
			t.Errorf("the certificates are mounted at %s", v.Target)
		}
	}
}
