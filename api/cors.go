package api

import (
	"net/http"
	"slices"

	"github.com/PPKunOfficial/berry-api/core/apierror"
)

// What pages of allowed origins may read of an answer beside the safe headers.
const exposedHeaders = "X-Request-Id, Request-Id, Retry-After, Retry-After-Ms, X-Should-Retry, " +
	"X-Berry-Provider, X-Berry-Model, X-Berry-Attempts, X-Berry-Upstream-Request-Id, X-Berry-Dropped-Params, X-Berry-Estimated, " +
	"X-Ratelimit-Limit-Requests, X-Ratelimit-Remaining-Requests, X-Ratelimit-Reset-Requests, " +
	"X-Ratelimit-Limit-Tokens, X-Ratelimit-Remaining-Tokens, X-Ratelimit-Reset-Tokens"

// maxAskedHeaders bounds the header names of a preflight that are repeated.
const maxAskedHeaders = 4 << 10

// allowOrigin lets a page of an allowed origin read the answer. Credentials are
// not allowed: Berry's are in a header that the page sets itself, not in cookies.
func (x *exchange) allowOrigin() {
	h := x.w.Header()
	h.Add("Vary", "Origin")
	origin := x.r.Header.Get("Origin")
	switch {
	case origin == "":
		return
	case x.view.anyOne:
		h.Set("Access-Control-Allow-Origin", "*")
	case slices.Contains(x.view.origins, origin):
		h.Set("Access-Control-Allow-Origin", origin)
	default:
		return
	}
	h.Set("Access-Control-Expose-Headers", exposedHeaders)
}

// wrongMethod answers a path that exists with a method that it does not have;
// the router has set Allow. A browser's question whether it may send the
// request is answered here too.
func (x *exchange) wrongMethod() {
	h, asked := x.w.Header(), x.r.Header.Get("Access-Control-Request-Method")
	if unoffered(x.r.Method, x.r.URL.Path) {
		h.Del("Allow")
		x.unoffered()
		return
	}
	if x.r.Method != http.MethodOptions || asked == "" || h.Get("Access-Control-Allow-Origin") == "" {
		x.fail(apierror.New(apierror.MethodNotAllowed, "method not allowed here, allowed: %s", h.Get("Allow")))
		return
	}
	h.Set("Access-Control-Allow-Methods", h.Get("Allow"))
	if names := x.r.Header.Get("Access-Control-Request-Headers"); names != "" && len(names) <= maxAskedHeaders {
		// SDKs send headers with ever new names; all of them are harmless here.
		h.Set("Access-Control-Allow-Headers", names)
		h.Add("Vary", "Access-Control-Request-Headers")
	}
	h.Set("Access-Control-Max-Age", "600")
	x.w.WriteHeader(http.StatusNoContent)
}
