package httplb

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func mustParse(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestJoin(t *testing.T) {
	f := func(base, request, want string) {
		t.Helper()
		b, r := mustParse(t, base), mustParse(t, request)
		if got := join(b, r).String(); got != want {
			t.Errorf("%s and %s: %s, want %s", base, request, got, want)
		}
		if b.String() != base || r.String() != request {
			t.Errorf("an argument became %s, %s", b, r)
		}
	}
	f("https://a", "http://lb/models", "https://a/models")
	f("https://a/", "http://lb/models", "https://a/models")
	f("https://a/v1", "http://lb/models", "https://a/v1/models")
	f("https://a/v1/", "http://lb/models", "https://a/v1/models")
	f("https://a/v1", "http://lb/", "https://a/v1/")
	f("https://a/v1", "http://lb", "https://a/v1")
	f("https://a/v1/", "http://lb", "https://a/v1/")
	f("https://a", "http://lb", "https://a")
	f("https://a:8443/v1", "https://user:secret@lb:1/x", "https://a:8443/v1/x")
	f("https://a/v1", "http://lb/x?q=1&r=2", "https://a/v1/x?q=1&r=2")
	f("https://a/v1?version=3", "http://lb/x?q=1", "https://a/v1/x?version=3&q=1")
	f("https://a/v1?version=3", "http://lb/x", "https://a/v1/x?version=3")
	f("https://a/v1", "http://lb/x?", "https://a/v1/x?")
	f("https://a/v1", "http://lb/x#part", "https://a/v1/x")
	f("https://a/v1", "http://lb/a%2Fb/c%20d", "https://a/v1/a%2Fb/c%20d")
	f("https://a/t%2Fu", "http://lb/x", "https://a/t%2Fu/x")
	f("https://a/t%2Fu", "http://lb/a%2Fb", "https://a/t%2Fu/a%2Fb")
	f("https://a/v1", "http://lb//x", "https://a/v1//x")
	f("https://a/v1", "http://lb/models/llama3:8b", "https://a/v1/models/llama3:8b")
}

// Whatever the request, it stays at the base's host, and its path and query
// are found whole behind the base's.
func FuzzJoin(f *testing.F) {
	f.Add("https://a/v1", "http://lb/models?x=1")
	f.Add("http://a/t%2Fu/?k=v", "//x/%2e%2e/%zz")
	f.Add("https://a", "?")
	f.Fuzz(func(t *testing.T, base, request string) {
		b, err := newTarget(Target{URL: base})
		if err != nil {
			return
		}
		r, err := url.Parse(request)
		if err != nil || r.Opaque != "" {
			return
		}
		u := join(b.base, r)
		back, err := url.Parse(u.String())
		if err != nil {
			t.Fatalf("%s cannot be read: %v", u, err)
		}
		if back.Host != b.base.Host || back.Scheme != b.base.Scheme {
			t.Errorf("%q and %q went to %s", base, request, back)
		}
		if !strings.HasSuffix(u.EscapedPath(), r.EscapedPath()) || !strings.HasSuffix(u.RawQuery, r.RawQuery) {
			t.Errorf("%q and %q became %s", base, request, u)
		}
	})
}

func TestRetryAfterHeader(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	f := func(seconds, ms string, want time.Duration) {
		t.Helper()
		h := http.Header{}
		if seconds != "" {
			h.Set("Retry-After", seconds)
		}
		if ms != "" {
			h.Set("Retry-After-Ms", ms)
		}
		if got := retryAfter(h, now); got != want {
			t.Errorf("%q, %q: %v, want %v", seconds, ms, got, want)
		}
	}
	f("", "", 0)
	f("3", "", 3*time.Second)
	f(" 1.5 ", "", 1500*time.Millisecond)
	f("3", "250", 250*time.Millisecond)
	f("3", "soon", 3*time.Second)
	f("Fri, 02 Jan 2026 03:05:05 GMT", "", time.Minute)
	f("Fri, 02 Jan 2026 03:04:00 GMT", "", 0)
	f("tomorrow", "", 0)
	f("-5", "", 0)
	f("NaN", "", 0)
	f("Inf", "", longestRest)
	f("1e30", "", longestRest)
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("120", "")
	f.Add("Fri, 02 Jan 2026 03:05:05 GMT", "1e9")
	f.Fuzz(func(t *testing.T, seconds, ms string) {
		h := http.Header{"Retry-After": {seconds}, "Retry-After-Ms": {ms}}
		if d := retryAfter(h, time.Unix(1e9, 0)); d < 0 {
			t.Errorf("%q, %q: %v", seconds, ms, d)
		}
	})
}
