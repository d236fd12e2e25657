package relay

import (
	"testing"
	"time"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/loadbalance"
)

func TestClientError(t *testing.T) {
	f := func(kind loadbalance.Kind, upstream *apierror.Error, status int, code string, noRetry bool) {
		t.Helper()
		e := clientError(kind, upstream, 3*time.Second)
		if e.Status != status || e.Code != code || e.NoRetry != noRetry {
			t.Errorf("%v of %+v: %+v, want %d %s %v", kind, upstream, e, status, code, noRetry)
		}
		if (kind == loadbalance.RateLimit && !noRetry) != (e.RetryAfter == 3*time.Second) {
			t.Errorf("%v: retry after %v", kind, e.RetryAfter)
		}
	}
	up := func(status int, code string) *apierror.Error { return &apierror.Error{Status: status, Code: code} }
	f(loadbalance.Network, nil, 502, "upstream_unreachable", false)
	f(loadbalance.Timeout, nil, 504, "upstream_timeout", false)
	f(loadbalance.Auth, up(401, "invalid_api_key"), 502, "upstream_auth_failed", false)
	f(loadbalance.Auth, up(402, ""), 429, "insufficient_quota", true)
	f(loadbalance.RateLimit, up(429, "rate_limit_exceeded"), 429, "upstream_rate_limited", false)
	f(loadbalance.RateLimit, up(429, "insufficient_quota"), 429, "insufficient_quota", true)
	f(loadbalance.Server, nil, 502, "upstream_error", false)
	f(loadbalance.Server, up(500, "x"), 502, "upstream_error", false)
	f(loadbalance.Server, up(503, "x"), 503, "upstream_error", false)
	f(loadbalance.Server, up(529, "x"), 503, "upstream_error", false)
	f(loadbalance.Server, up(504, "x"), 504, "upstream_error", false)
	f(loadbalance.Server, up(302, "x"), 502, "upstream_error", false)
	f(loadbalance.Caller, up(422, "x"), 422, "x", false)
	f(loadbalance.Model, up(404, "model_not_found"), 404, "model_not_found", false)
}
