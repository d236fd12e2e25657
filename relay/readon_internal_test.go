package relay

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// A client that leaves in the very moment in which its answer ends is noted after
// the answer is over, when the exchange may serve another request already. It
// stayed counted once as an answer that is read on; after 256 of them none was.
func TestLeavingAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &Gateway{}
		for range 1000 {
			ctx, leave := context.WithCancel(t.Context())
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, "/", nil)
			if err != nil {
				t.Fatal(err)
			}
			x := &exchange{g: g, rt: &Runtime{limits: limits{readOn: true}}, r: r}
			stop := x.watchClient(func(error) { t.Error("the attempt was cancelled") })
			leave()
			stop()
			*x = exchange{} // as recycle leaves it
		}
		synctest.Wait()
		if n := g.readingOn.Load(); n != 0 {
			t.Errorf("%d answers are still counted as being read on", n)
		}
	})
}

// An answer is read on for so long and no longer, however much its provider has to
// say, and nothing of it is written.
func TestReadingOnEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, leave := context.WithCancel(t.Context())
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		x := &exchange{g: &Gateway{}, rt: &Runtime{limits: limits{readOn: true}}, r: r}
		x.gate.to(w)
		attempt, cancel := context.WithCancelCause(context.Background())
		x.gate.begin(cancel, time.Second, errFirstContent)
		x.gate.commit(time.Hour, func(http.Header) {})
		stop := x.watchClient(cancel)
		defer stop()
		leave()
		synctest.Wait()
		start := time.Now()
		for attempt.Err() == nil {
			time.Sleep(time.Second)
			x.gate.touch()
			_, _ = x.gate.send([]byte("x"))
			_ = x.gate.last([]byte("x"))
		}
		synctest.Wait()
		if took := time.Since(start); took < readOnTime || took > readOnTime+time.Second || !errors.Is(context.Cause(attempt), errGone) {
			t.Errorf("%v, %v", took, context.Cause(attempt))
		}
		if w.Body.Len() > 0 {
			t.Errorf("%q", w.Body)
		}
		x.gate.close()
	})
}
