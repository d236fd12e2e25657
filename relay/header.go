package relay

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/PPKunOfficial/berry-api/relay/upstream"
)

// passed are the upstream's headers that reach the client beside its limits;
// no other does: cookies, account names and server banners stay here.
var passed = map[string]struct{}{
	"Retry-After":          {},
	"Retry-After-Ms":       {},
	"X-Should-Retry":       {},
	"Openai-Processing-Ms": {},
}

// longestPassed is how long a value of theirs may be, in bytes. What is meant to
// be passed is a number or an id; an upstream's header as a whole may be far
// larger than what a client takes.
const longestPassed = 256

const (
	rateLimitPrefix = "X-Ratelimit-"
	// claudeLimitPrefix is what Anthropic's clients look for.
	claudeLimitPrefix = "Anthropic-Ratelimit-"

	headerProvider   = "X-Berry-Provider"
	headerModel      = "X-Berry-Model"
	headerAttempts   = "X-Berry-Attempts"
	headerUpstreamID = "X-Berry-Upstream-Request-Id"
	headerDropped    = "X-Berry-Dropped-Params"
	headerEstimated  = "X-Berry-Estimated"
)

// copyHeader copies what may pass from an upstream's answer, but for what holds
// one of its secrets. A limit that Berry itself told the client of stays.
func (f Format) copyHeader(to, from http.Header, s upstream.Secrets) {
	limits := rateLimitPrefix
	if f == FormatAnthropic {
		limits = claudeLimitPrefix
	}
	for name, v := range from {
		_, ok := passed[name]
		if !ok && !strings.HasPrefix(name, limits) || len(v) != 1 || len(v[0]) > longestPassed || s.In(v[0]) {
			continue
		}
		if _, own := to[name]; !own {
			to[name] = v
		}
	}
}

// upstreamID is the id under which the provider knows the request; not one that
// holds one of its secrets.
func upstreamID(h http.Header, s upstream.Secrets) string {
	for _, name := range [...]string{"X-Request-Id", "Request-Id"} {
		if id := h.Get(name); id != "" && len(id) <= longestPassed && !s.In(id) {
			return id
		}
	}
	return ""
}

// smallCounts spares the common attempt counts a conversion.
var smallCounts = [...][]string{{"0"}, {"1"}, {"2"}, {"3"}, {"4"}}

func countHeader(n int) []string {
	if n < len(smallCounts) {
		return smallCounts[n]
	}
	return []string{strconv.Itoa(n)}
}
