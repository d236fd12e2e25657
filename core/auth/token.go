package auth

import (
	"net/http"
	"strings"
)

// Token returns the credential that a request carries: the bearer token of
// Authorization (OpenAI's clients), else x-api-key (Anthropic's), else api-key
// (Azure's). White space around it is not part of it, an empty one does not
// count, and the query string is never looked at: URLs end up in logs.
func Token(h http.Header) (token string, ok bool) {
	if t := bearer(h.Get("Authorization")); t != "" {
		return t, true
	}
	for _, name := range [...]string{"X-Api-Key", "Api-Key"} {
		if t := strings.TrimSpace(h.Get(name)); t != "" {
			return t, true
		}
	}
	return "", false
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
