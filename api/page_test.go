package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const likeABrowser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

// data is what a page says that it may ask for.
func (a answer) data() string {
	_, rest, _ := strings.Cut(a.body, `<meta name="berry-data" content="`)
	data, _, _ := strings.Cut(rest, `"`)
	return data
}

func TestDashboardPage(t *testing.T) {
	b := start(t, setup{})
	a := b.ask("GET", "/", "", withHeader("Accept", likeABrowser))
	if a.status != 200 || !strings.HasPrefix(a.body, "<!doctype html>") || a.data() != "public" || a.header.Get("Vary") != "Accept" {
		t.Errorf("/ for a browser: %d %v %.40q", a.status, a.header, a.body)
	}
	if other := b.ask("GET", "/status", ""); other.body != a.body {
		t.Error("/status is another page than /")
	}
	f := func(path, contentType string) answer {
		t.Helper()
		a := b.ask("GET", path, "")
		got := map[string]string{}
		for _, name := range []string{
			"Content-Type", "Content-Security-Policy", "X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy",
			"Cross-Origin-Opener-Policy", "Cross-Origin-Resource-Policy", "Permissions-Policy", "Cache-Control",
		} {
			got[name] = a.header.Get(name)
		}
		want := map[string]string{
			"Content-Type": contentType,
			"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
				"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
			"Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()", "Cache-Control": "no-cache",
		}
		if d := cmp.Diff(want, got); d != "" || a.status != 200 || len(a.body) < 100 {
			t.Errorf("%s: %d, %d bytes, headers (-want +got):\n%s", path, a.status, len(a.body), d)
		}
		return a
	}
	page := f("/status", "text/html; charset=utf-8")
	f("/status/app.js", "text/javascript; charset=utf-8")
	f("/status/app.css", "text/css; charset=utf-8")
	f("/status/icon.svg", "image/svg+xml")
	for _, path := range []string{"/status/nothing.js", "/status/", "/status/../status/app.js/x", "/status/index.html"} {
		if a := b.ask("GET", path, ""); a.status != 404 || a.code() != "not_found" {
			t.Errorf("%s: %d %.60s", path, a.status, a.body)
		}
	}

	// A browser that has it does not get it again.
	known := func(tag string) int {
		t.Helper()
		return b.ask("GET", "/status", "", withHeader("If-None-Match", tag)).status
	}
	tag := page.header.Get("ETag")
	if got := []int{known(tag), known(`"other", W/` + tag), known(`"other"`)}; !cmp.Equal(got, []int{304, 304, 200}) {
		t.Errorf("with its tag, among others, with another: %v", got)
	}
	if a := b.ask("HEAD", "/status", ""); a.status != 200 || a.body != "" || a.header.Get("ETag") != tag {
		t.Errorf("HEAD: %d %v", a.status, a.header)
	}
}

// The page knows from the start what it can get at the address that it is from.
func TestDashboardKnowsItsAddress(t *testing.T) {
	f := func(settings, want, wantAdmin string) {
		t.Helper()
		b := start(t, setup{settings: settings})
		if got := b.ask("GET", "/status", "").data(); got != want {
			t.Errorf("%q: %q, want %q", settings, got, want)
		}
		b.url = "http://" + b.srv.AdminAddr().String()
		if got := b.ask("GET", "/", "", withHeader("Accept", likeABrowser)).data(); got != wantAdmin {
			t.Errorf("%q on the admin address: %q, want %q", settings, got, wantAdmin)
		}
		for _, path := range []string{"/status/app.js", "/health"} {
			if a := b.ask("GET", path, ""); a.status != http.StatusOK {
				t.Errorf("%q on the admin address: %s is %d", settings, path, a.status)
			}
		}
	}
	f("", "public", "public")
	f("public_status = false", "private", "private")
	f(`admin_bind_address = "127.0.0.1:0"`, "elsewhere", "public")
	f("public_status = false\nadmin_bind_address = \"127.0.0.1:0\"", "elsewhere", "private")
}

// An open dashboard asks every few seconds and does not fill the log; whoever
// has no right to do so is logged all the same.
func TestDashboardLeavesTheLogAlone(t *testing.T) {
	b := start(t, setup{})
	views := []string{
		"/health", "/metrics", "/status", "/status/app.js", "/admin/model-weights", "/admin/backend-health", "/admin/system-stats",
		"/admin/rate-limit-usage", "/admin/history", "/admin/decisions",
	}
	for _, path := range views {
		if a := b.ask("GET", path, adminToken); a.status != 200 {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	b.ask("GET", "/admin/decisions", annToken)
	b.ask("GET", "/admin/config", adminToken)
	var got []string
	for _, n := range b.lines("Request completed") {
		got = append(got, replace("%v %v %v", n.Fields["user"], n.Fields["path"], n.Fields["status"]))
	}
	if d := cmp.Diff([]string{"ann /admin/decisions 403", "boss /admin/config 200"}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
