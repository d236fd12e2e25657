package upstream

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/loadbalance"
)

// Kind is the verdict on a backend that answered with status, which is not one of
// 2xx.
func Kind(status int) loadbalance.Kind {
	switch {
	case status == http.StatusTooManyRequests:
		return loadbalance.RateLimit
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusPaymentRequired:
		return loadbalance.Auth
	case status == http.StatusNotFound:
		return loadbalance.Model
	case status == http.StatusRequestTimeout:
		return loadbalance.Server
	case status >= 400 && status < 500:
		return loadbalance.Caller
	default: // 5xx, and 1xx or 3xx, which make no answer: redirects are not followed
		return loadbalance.Server
	}
}

// retryAfter reads how long an upstream asks to be left alone:
// retry-after-ms, or Retry-After as seconds, whole or not, or as a date. 0 is
// for none or an unreadable one.
func retryAfter(h http.Header, now time.Time) time.Duration {
	if ms, err := strconv.ParseFloat(strings.TrimSpace(h.Get("Retry-After-Ms")), 64); err == nil {
		return seconds(ms / 1e3)
	}
	v := strings.TrimSpace(h.Get("Retry-After"))
	if v == "" {
		return 0
	}
	if s, err := strconv.ParseFloat(v, 64); err == nil {
		return seconds(s)
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}

// Wait is how long an upstream asks to be left alone, at most a day: by its
// header, or by what the dialect read in its fault. 0 is for not at all.
func Wait(fault *apierror.Error, h http.Header) time.Duration {
	if wait := retryAfter(h, time.Now()); wait > 0 {
		return wait
	}
	return min(fault.RetryAfter, longestWait)
}

// longestWait bounds what an upstream may ask for: a wrong header must not
// take a backend out for good.
const longestWait = 24 * time.Hour

func seconds(s float64) time.Duration {
	if math.IsNaN(s) || s <= 0 {
		return 0
	}
	if s >= longestWait.Seconds() {
		return longestWait
	}
	return time.Duration(s * float64(time.Second))
}
