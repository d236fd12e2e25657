package httplb

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/PPKunOfficial/berry-api/loadbalance"
)

// Classify is what answers mean unless Options.Classify says otherwise:
//
//	1xx 2xx 3xx         Success
//	408 5xx             Server
//	429                 RateLimit, for as long as Retry-After asks
//	401 402 403         Auth if the target has a Header, else Caller
//	any other 4xx       Caller: nothing about the target, and not retried
//
// Without a Header the target was sent the caller's own credential, and it is
// not to blame for refusing that. 404 is the target's answer to this request; a
// program whose targets do not have the same things may want
// [loadbalance.Model] for it, which tries elsewhere.
func Classify(t *Target, resp *http.Response) loadbalance.Kind {
	switch code := resp.StatusCode; {
	case code < 400:
		return loadbalance.Success
	case code == http.StatusTooManyRequests:
		return loadbalance.RateLimit
	case code == http.StatusRequestTimeout, code >= 500:
		return loadbalance.Server
	case code == http.StatusUnauthorized, code == http.StatusPaymentRequired, code == http.StatusForbidden:
		if len(t.Header) > 0 {
			return loadbalance.Auth
		}
	}
	return loadbalance.Caller
}

// Idempotent reports whether a request can be made twice without doing more
// than once, as far as its header shows: by its method (RFC 9110, 9.2.2) or
// because it has an Idempotency-Key. For Options.Retry.
func Idempotent(r *http.Request) bool {
	switch r.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return r.Header.Get("Idempotency-Key") != "" || r.Header.Get("X-Idempotency-Key") != ""
}

// retryAfter reads how long a target asks to be left alone: Retry-After-Ms,
// or Retry-After as seconds, whole or not, or as a date. 0: it does not say, or
// nothing that can be read.
func retryAfter(h http.Header, now time.Time) time.Duration {
	if ms, ok := number(h.Get("Retry-After-Ms")); ok {
		return duration(ms / 1000)
	}
	value := h.Get("Retry-After")
	if s, ok := number(value); ok {
		return duration(s)
	}
	if at, err := http.ParseTime(strings.TrimSpace(value)); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

func number(s string) (float64, bool) {
	v, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	return v, err == nil && !math.IsNaN(v)
}

// longestRest bounds what can be asked for, as the balancer does in any case.
const longestRest = 24 * time.Hour

func duration(seconds float64) time.Duration {
	return time.Duration(min(max(seconds, 0), longestRest.Seconds()) * float64(time.Second))
}
