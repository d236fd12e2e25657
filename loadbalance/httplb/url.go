package httplb

import (
	"net/url"
	"strings"
)

// join puts a request's path and query after a base. Neither argument is changed.
func join(base, request *url.URL) *url.URL {
	u := *base
	path, raw := base.Path, base.EscapedPath()
	if request.Path != "" {
		path = strings.TrimSuffix(path, "/") + slashed(request.Path)
		raw = strings.TrimSuffix(raw, "/") + slashed(request.EscapedPath())
	}
	u.Path, u.RawPath = path, raw // RawPath counts where it differs from Path's own escapes
	u.RawQuery = joinQuery(base.RawQuery, request.RawQuery)
	u.ForceQuery = u.RawQuery == "" && request.ForceQuery
	u.Fragment, u.RawFragment = "", ""
	return &u
}

func slashed(path string) string {
	if strings.HasPrefix(path, "/") {
		return path
	}
	return "/" + path
}

func joinQuery(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "&" + b
}

// withQuery returns a copy of u with another query.
func withQuery(u *url.URL, raw string) *url.URL {
	c := *u
	c.RawQuery = raw
	return &c
}
