package api

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// A server is not ready before it runs, nor while it drains.
func TestReady(t *testing.T) {
	s := built(t, "")
	h, _ := s.routers(false)
	f := func(path string, status int, body string) {
		t.Helper()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != status || w.Body.String() != body {
			t.Errorf("%s: %d %q", path, w.Code, w.Body)
		}
	}
	f("/readyz", 503, "not ready\n")
	f("/livez", 200, "ok\n")
	s.ready.Store(true)
	f("/readyz", 200, "ready\n")
	s.drain()
	f("/readyz", 503, "not ready\n")
}
