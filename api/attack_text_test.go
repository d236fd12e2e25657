package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Attacks by texts: addresses that are not one's own, labels, lines, headers.

// Who guesses tokens does not get more guesses by saying that it is somebody else.
func TestAttackForgedAddresses(t *testing.T) {
	guess := func(b *berry, fields ...string) string {
		b.t.Helper()
		edits := make([]func(*http.Request), 0, len(fields)/2)
		for i := 0; i < len(fields); i += 2 {
			edits = append(edits, withHeader(fields[i], fields[i+1]))
		}
		a := b.ask("GET", "/v1/models", badToken, edits...)
		return fmt.Sprint(a.status)
	}
	f := func(settings, want string, fields func(i int) []string) {
		t.Helper()
		b := start(t, setup{settings: settings})
		var got string
		for i := range 11 {
			got = guess(b, fields(i)...)
		}
		if got != want {
			t.Errorf("%q with %q: %s, want %s", settings, fields(0), got, want)
		}
	}
	const forwarded = "X-Forwarded-For"
	each := func(name, format string) func(int) []string {
		return func(i int) []string { return []string{name, fmt.Sprintf(format, i)} }
	}
	// Nobody is believed who is not listed.
	for _, name := range []string{forwarded, "X-Real-IP", "Forwarded", "X-Client-IP", "CF-Connecting-IP", "True-Client-IP", "X-Cluster-Client-IP"} {
		f("", "429", each(name, "9.9.9.%d"))
	}
	f(`trusted_proxies = ["10.0.0.0/8"]`+"\n", "429", each(forwarded, "9.9.9.%d"))
	// Of a listed proxy the entry is believed that it wrote itself, the last one.
	const proxy = `trusted_proxies = ["127.0.0.1"]` + "\n"
	f(proxy, "429", each(forwarded, "9.9.9.%d, 8.8.8.8"))
	f(proxy, "429", each(forwarded, "127.0.0.1, 9.9.9.%d, 8.8.8.8"))
	f(proxy, "429", each(forwarded, "9.9.9.%d, nonsense"))
	f(proxy, "429", func(i int) []string { return []string{forwarded, fmt.Sprintf("9.9.9.%d", i), forwarded, "8.8.8.8"} })
	f(proxy, "429", each(forwarded, "2001:db8:1:1::%d")) // one customer's network
	f(proxy, "429", each(forwarded, "2001:db8:1:1:%d::1"))
	f(proxy, "429", each(forwarded, "%d"+strings.Repeat(",", 30000)+"8.8.8.8"))
	// Clients of their own behind it are not taken for one.
	f(proxy, "401", each(forwarded, "9.9.9.%d"))
	f(proxy, "401", each(forwarded, "2001:db8:1:%d::1"))
}

// evil is a text that would forge a line, a label, a header, an escape.
const evil = "evil\"}\n{\"level\":\"ERROR\"}\r\n\x1b[31mSet-Cookie: evil=1\u2028\\"

// forge sends evil wherever a client can put a text.
func (b *berry) forge(token string) {
	b.t.Helper()
	quoted, err := json.Marshal(evil)
	if err != nil {
		b.t.Fatal(err)
	}
	escaped := strings.NewReplacer("\"", "%22", "\n", "%0a", "\r", "%0d", "\x1b", "%1b", " ", "%20", "\u2028", "%e2%80%a8", "\\", "%5c", "{", "%7b", "}", "%7d").Replace(evil)
	for _, field := range []string{`"model":%s`, `"model":"pool","backend":%s`, `"model":"pool","user":%s`, `"model":"pool","stream":%s`, `%s:1,"model":"pool"`} {
		b.chat(token, fmt.Sprintf("{"+field+`,"messages":[{"role":"user","content":"Hello"}]}`, quoted))
	}
	for _, path := range []string{"/", "/v1/models/", "/smart-ai/models/", "/admin/decisions/", "/admin/model-weights?model=", "/admin/rate-limit-usage?user=", "/admin/decisions?model=", "/admin/decisions?limit="} {
		b.ask("GET", path+escaped, token)
	}
	b.ask("POST", "/admin/backends/"+escaped+"/drain", token)
	for _, name := range []string{"X-Request-Id", "X-Forwarded-For", "User-Agent", "Origin", "Access-Control-Request-Headers", "Content-Encoding", "Accept", "Host"} {
		b.raw(request("POST /v1/chat/completions", token, name+": "+escaped+"\r\n", closing))
		b.raw(request("OPTIONS /v1/chat/completions", token, "Access-Control-Request-Method: "+escaped+"\r\n", name+": "+escaped+"\r\n", closing))
	}
	b.raw(request("EVIL-METHOD /v1/models", token, closing))
}

func TestAttackLogLines(t *testing.T) {
	f := func(format string, check func(line string) bool) {
		t.Helper()
		b := start(t, setup{settings: "log_level = \"trace\"\nlog_request_body = true\nlog_format = \"" + format + "\"\n"})
		for _, token := range []string{"", badToken, annToken, adminToken} {
			b.forge(token)
		}
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.log.String(), "evil") {
			t.Errorf("%s: nothing was logged of it", format)
		}
		for line := range strings.Lines(b.log.String()) {
			if strings.ContainsAny(strings.TrimSuffix(line, "\n"), "\r\n\x1b\x00") || !check(line) {
				t.Errorf("%s: %q", format, line)
			}
		}
	}
	f("json", func(line string) bool {
		var v struct {
			Timestamp, Level, Target, Message string
			Fields                            map[string]any
		}
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		return d.Decode(&v) == nil && v.Timestamp != "" && strings.HasPrefix(v.Target, "berry_api::")
	})
	f("console", func(line string) bool { return len(line) > 20 && line[4] == '-' && line[10] == 'T' })
}

func TestAttackMetricLabels(t *testing.T) {
	b := start(t, setup{})
	b.chat(annToken, hello("pool"))
	for _, token := range []string{"", badToken, annToken, adminToken} {
		b.forge(token)
	}
	b.scrape() // counted itself from the second time on
	p := b.scrape()
	for series := range p.samples {
		if strings.Contains(strings.ToLower(series), "evil") {
			t.Errorf("a client chose a label: %s", series)
		}
	}
	// Nor does doing it again make more of them.
	before := slices.Sorted(maps.Keys(p.samples))
	b.forge(adminToken)
	if d := cmp.Diff(before, slices.Sorted(maps.Keys(b.scrape().samples))); d != "" {
		t.Errorf("series came with it (-before +after):\n%s", d)
	}
}

// What a client sends does not become a header, or a line of one, of an answer.
func TestAttackAnswerHeaders(t *testing.T) {
	b := start(t, setup{settings: `cors_allowed_origins = ["*"]` + "\n"})
	for _, path := range []string{"/v1/models/%0d%0aSet-Cookie:%20evil=1", "/%0d%0aSet-Cookie:%20evil=1", "/admin/model-weights?model=%0d%0aSet-Cookie:%20evil=1"} {
		a := b.ask("GET", path, adminToken, withHeader("X-Request-Id", "evil%0d%0aSet-Cookie:evil"), withHeader("Origin", "https://evil.example"))
		delete(a.header, "Access-Control-Allow-Origin")
		if text := fmt.Sprint(a.header); strings.Contains(text, "evil") || a.header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %s", path, text)
		}
	}
	// A model's name comes back from the configuration, not from the request.
	if a := b.chat(annToken, hello("swimming")); a.header.Get("X-Berry-Model") != "up-1" || a.header.Get("Set-Cookie") != "" {
		t.Errorf("%v", a.header)
	}
}
