package api

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/core/auth"
)

// Every route of the operator's, also one that is added later, is closed to
// whoever is no admin: no token, a wrong one, a user's, a disabled admin's.
func TestAttackAdminRoutesWithoutAdmin(t *testing.T) {
	const user, off = "berry-canary-12-user", "berry-canary-13-off"
	s := built(t, "[settings]\npublic_status = false\n"+clockConfig+`
[users.ann]
token = "`+user+`"
[users.off]
token = "`+off+`"
tags = ["admin"]
enabled = false
`)
	apart, admin := s.routers(true)
	together, _ := s.routers(false)
	f := func(h http.Handler, rt *route, method, token string) (int, string) {
		t.Helper()
		path := rt.path
		if fixed, _, wild := strings.Cut(path, "*"); wild {
			path = fixed + "one/up-1/drain"
		}
		r := httptest.NewRequest(method, path, nil)
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	seen := 0
	for _, rt := range s.routes() {
		if rt.access != accessAdmin && rt.access != accessStatus {
			continue
		}
		seen++
		for token, want := range map[string]int{"": 401, "nobody": 401, user: 403, off: 403} {
			for _, h := range []http.Handler{together, admin} {
				s.guard = auth.NewGuard(nil) // a new one for each, or the wrong tokens would be counted
				if got, body := f(h, rt, rt.method, token); got != want {
					t.Errorf("%s %s as %q: %d %s, want %d", rt.method, rt.path, token, got, body, want)
				}
			}
			if got, body := f(apart, rt, rt.method, token); got != 404 {
				t.Errorf("%s %s as %q on the API's address: %d %s", rt.method, rt.path, token, got, body)
			}
		}
		if got, body := f(apart, rt, rt.method, clockToken); got != 404 {
			t.Errorf("%s %s as an admin on the API's address: %d %s", rt.method, rt.path, got, body)
		}
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"} {
			if method == rt.method || method == "HEAD" && rt.method == "GET" {
				continue
			}
			if got, body := f(together, rt, method, clockToken); got != 405 {
				t.Errorf("%s %s: %d %s", method, rt.path, got, body)
			}
		}
	}
	if seen < 13 {
		t.Errorf("%d routes were tried", seen)
	}
}
