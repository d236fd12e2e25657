package relay

import (
	"net/http"
	"strconv"
	"strings"
)

// passed are the upstream's headers that reach the client beside those of
// rateLimitPrefix; no other does: cookies, account names and server banners stay here.
var passed = map[string]struct{}{
	"Retry-After":          {},
	"Retry-After-Ms":       {},
	"X-Should-Retry":       {},
	"Openai-Processing-Ms": {},
}

const (
	rateLimitPrefix = "X-Ratelimit-"

	headerProvider   = "X-Berry-Provider"
	headerModel      = "X-Berry-Model"
	headerAttempts   = "X-Berry-Attempts"
	headerUpstreamID = "X-Berry-Upstream-Request-Id"
	headerDropped    = "X-Berry-Dropped-Params"
)

// copyHeader copies what may pass from an upstream's answer. A limit that
// Berry itself told the client of stays.
func copyHeader(to, from http.Header) {
	for name, v := range from {
		_, ok := passed[name]
		if !ok && !strings.HasPrefix(name, rateLimitPrefix) {
			continue
		}
		if _, own := to[name]; !own {
			to[name] = v
		}
	}
}

// upstreamID is the id under which the provider knows the request.
func upstreamID(h http.Header) string {
	if id := h.Get("X-Request-Id"); id != "" {
		return id
	}
	return h.Get("Request-Id")
}

// smallCounts spares the common attempt counts a conversion.
var smallCounts = [...][]string{{"0"}, {"1"}, {"2"}, {"3"}, {"4"}}

func countHeader(n int) []string {
	if n < len(smallCounts) {
		return smallCounts[n]
	}
	return []string{strconv.Itoa(n)}
}
