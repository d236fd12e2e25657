package auth

import (
	"iter"
	"net/http"
	"strings"
)

// Token returns the first credential that a request carries; see Tokens.
func Token(h http.Header) (token string, ok bool) {
	for t := range Tokens(h) {
		return t, true
	}
	return "", false
}

// Tokens are the credentials that a request carries: the bearer token of
// Authorization (OpenAI's clients), x-api-key (Anthropic's), api-key (Azure's).
// Clients of Anthropic's send two when they were given a key and a token, of
// which one may be for somebody else. White space around a credential is not
// part of it, an empty one does not count, and the query string is never looked
// at: URLs end up in logs.
func Tokens(h http.Header) iter.Seq[string] {
	return func(yield func(string) bool) {
		if t := bearer(h.Get("Authorization")); t != "" && !yield(t) {
			return
		}
		for _, name := range [...]string{"X-Api-Key", "Api-Key"} {
			if t := strings.TrimSpace(h.Get(name)); t != "" && !yield(t) {
				return
			}
		}
	}
}

// bearer returns the token of an Authorization header of that scheme, whose
// name is matched without regard to case (RFC 9110, 11.1), or "".
func bearer(v string) string {
	scheme, token, found := strings.Cut(strings.TrimSpace(v), " ")
	if !found || !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}
