package upstream

import (
	"net/http"
	"testing"
	"time"

	"github.com/PPKunOfficial/berry-api/loadbalance"
)

func TestKind(t *testing.T) {
	for status, want := range map[int]loadbalance.Kind{
		100: loadbalance.Server, 301: loadbalance.Server, 307: loadbalance.Server,
		400: loadbalance.Caller, 401: loadbalance.Auth, 402: loadbalance.Auth, 403: loadbalance.Auth, 404: loadbalance.Model,
		405: loadbalance.Caller, 408: loadbalance.Server, 409: loadbalance.Caller, 413: loadbalance.Caller, 415: loadbalance.Caller,
		422: loadbalance.Caller, 429: loadbalance.RateLimit, 451: loadbalance.Caller,
		500: loadbalance.Server, 502: loadbalance.Server, 503: loadbalance.Server, 504: loadbalance.Server, 524: loadbalance.Server, 529: loadbalance.Server,
	} {
		if got := Kind(status); got != want {
			t.Errorf("%d: %v, want %v", status, got, want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	f := func(name, value string, want time.Duration) {
		t.Helper()
		h := http.Header{}
		h.Set(name, value)
		if got := retryAfter(h, now); got != want {
			t.Errorf("%s: %q: %v, want %v", name, value, got, want)
		}
	}
	f("Retry-After", "7", 7*time.Second)
	f("Retry-After", " 1.5 ", 1500*time.Millisecond)
	f("Retry-After", "0", 0)
	f("Retry-After", "-3", 0)
	f("Retry-After", "NaN", 0)
	f("Retry-After", "Inf", longestWait)
	f("Retry-After", "1e300", longestWait)
	f("Retry-After", "soon", 0)
	f("Retry-After", "Fri, 02 Jan 2026 03:04:35 GMT", 30*time.Second)
	f("Retry-After", "Fri, 02 Jan 2026 03:00:00 GMT", 0)
	f("Retry-After-Ms", "1500", 1500*time.Millisecond)
	f("Retry-After-Ms", "12.5", 12500*time.Microsecond)
	f("Retry-After-Ms", "x", 0)
	both := http.Header{"Retry-After": {"9"}, "Retry-After-Ms": {"20"}}
	if got := retryAfter(both, now); got != 20*time.Millisecond {
		t.Errorf("both: %v", got)
	}
}
