package relay

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
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
