package api

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
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

// A drain ends when the last handler has: also of one that was cut off, which
// net/http does not wait for. One that never ends is waited for no longer than
// joinLimit, and that is said.
func TestDrainJoinsHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := built(t, "")
		s.log.sink.attach(&log)
		drained := func() (ended chan time.Duration) {
			ended = make(chan time.Duration, 1)
			s.ready.Store(true)
			s.metrics.inFlight.Add(1)
			start := time.Now()
			go func() {
				s.drain()
				ended <- time.Since(start)
			}()
			synctest.Wait()
			return ended
		}
		ended := drained()
		time.Sleep(time.Second)
		if len(ended) > 0 {
			t.Error("the drain ended before the handler")
		}
		s.left()
		if took := <-ended; took != time.Second {
			t.Errorf("the drain took %s", took)
		}
		if took := <-drained(); took != joinLimit || !strings.Contains(log.String(), "Requests did not end after they were cancelled") {
			t.Errorf("took %s, and said\n%s", took, &log)
		}
	})
}
