package relay

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/relay/upstream"
)

// An upstream cannot make an answer's header as long as it likes, nor put the
// credential that it was sent into it.
func TestPassedHeadersAreShort(t *testing.T) {
	long := strings.Repeat("x", longestPassed+1)
	to := http.Header{"X-Ratelimit-Limit-Requests": {"own"}}
	own := upstream.Secrets{"provider-canary-31"}
	FormatChat.copyHeader(to, http.Header{
		"Openai-Version":                 {"1"},
		"X-Ratelimit-Limit-Tokens":       {"of provider-canary-31"},
		"Retry-After":                    {"3"},
		"Retry-After-Ms":                 {long},
		"Openai-Processing-Ms":           {"1", "2"},
		"X-Ratelimit-Limit-Requests":     {"theirs"},
		"X-Ratelimit-Remaining-Requests": {long[1:]},
		"X-Ratelimit-Reset-Requests":     {long},
		"Set-Cookie":                     {"a=b"},
	}, own)
	want := http.Header{"X-Ratelimit-Limit-Requests": {"own"}, "Retry-After": {"3"}, "X-Ratelimit-Remaining-Requests": {long[1:]}}
	if d := cmp.Diff(want, to); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	// Anthropic's clients look for limits under other names.
	to = http.Header{}
	FormatAnthropic.copyHeader(to, http.Header{
		"Anthropic-Ratelimit-Requests-Remaining": {"7"},
		"X-Ratelimit-Remaining-Requests":         {"7"},
		"Retry-After":                            {"3"},
	}, nil)
	if d := cmp.Diff(http.Header{"Anthropic-Ratelimit-Requests-Remaining": {"7"}, "Retry-After": {"3"}}, to); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	f := func(want string, h http.Header) {
		t.Helper()
		if got := upstreamID(h, own); got != want {
			t.Errorf("%v: %q, want %q", h, got, want)
		}
	}
	f("one", http.Header{"X-Request-Id": {"one"}, "Request-Id": {"two"}})
	f("two", http.Header{"Request-Id": {"two"}})
	f("two", http.Header{"X-Request-Id": {long}, "Request-Id": {"two"}})
	f("", http.Header{"X-Request-Id": {long}})
	f("", http.Header{"X-Request-Id": {"provider-canary-31"}})
}
