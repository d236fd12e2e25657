package relay

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/PPKunOfficial/berry-api/core/config"
)

// timed answers with a stream of which each event is written at its time.
type timed struct {
	events []string
	at     []time.Duration // after the stream's begin
}

func (s timed) RoundTrip(req *http.Request) (*http.Response, error) {
	_ = req.Body.Close()
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/event-stream"}},
		Body: io.NopCloser(&timedBody{timed: s, begun: time.Now()}),
	}, nil
}

type timedBody struct {
	timed
	begun time.Time
	sent  int
}

// Read gives all that was written by now, and waits when there is nothing.
func (b *timedBody) Read(p []byte) (n int, err error) {
	if b.sent == len(b.events) {
		return 0, io.EOF
	}
	time.Sleep(time.Until(b.begun.Add(b.at[b.sent])))
	for now := time.Now(); b.sent < len(b.events) && !b.begun.Add(b.at[b.sent]).After(now); b.sent++ {
		n += copy(p[n:], b.events[b.sent])
	}
	return n, nil
}

// arrivals is a client that notes when it gets what.
type arrivals struct {
	header  http.Header
	pending strings.Builder
	clumps  []string
	at      []time.Time
}

func (w *arrivals) Header() http.Header         { return w.header }
func (w *arrivals) WriteHeader(int)             {}
func (w *arrivals) Write(p []byte) (int, error) { return w.pending.Write(p) }
func (w *arrivals) Flush() {
	w.clumps, w.at = append(w.clumps, w.pending.String()), append(w.at, time.Now())
	w.pending.Reset()
}

// ownExchanges keeps a bubble's exchanges and those of other tests apart: a timer
// that was made on one side cannot be set on the other.
func ownExchanges(t *testing.T) {
	none := func() { exchanges = sync.Pool{New: exchanges.New} }
	none()
	t.Cleanup(none)
}

// serveTimed serves one stream of n pieces of text, gap apart, that begins
// after a second, and says when each piece was to come.
func serveTimed(t *testing.T, n int, gap time.Duration) (w *arrivals, due []time.Time) {
	t.Helper()
	s := timed{}
	for i := range n {
		s.events = append(s.events, fmt.Sprintf(`data: {"id":"c","choices":[{"index":0,"delta":{"content":"piece %d."}}]}`+"\n\n", i))
		s.at = append(s.at, time.Second+time.Duration(i)*gap)
	}
	s.events = append(s.events, `data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`+"\n\ndata: [DONE]\n\n")
	s.at = append(s.at, time.Second+time.Duration(n)*gap)
	g, rt := benchGateway(t, config.TypeOpenAI, s)
	g.burst = burstGap
	ownExchanges(t)
	user, _ := rt.Keys.Lookup("token-of-the-benchmark")
	begun := time.Now()
	rec := Record{User: user, Start: begun}
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(`{"model":"m","messages":[],"stream":true}`))
	w = &arrivals{header: http.Header{}}
	g.Serve(w, r, rt, &rec)
	w.Flush()
	if rec.Error != nil || rec.Status != http.StatusOK {
		t.Fatalf("%v, status %d", rec.Error, rec.Status)
	}
	for i := range n {
		due = append(due, begun.Add(s.at[i]))
	}
	return w, due
}

// late is the longest that a piece was under way.
func (w *arrivals) late(t *testing.T, due []time.Time) (late time.Duration) {
	t.Helper()
	next := 0
	for i, clump := range w.clumps {
		for ; next < len(due) && strings.Contains(clump, fmt.Sprintf("piece %d.", next)); next++ {
			late = max(late, w.at[i].Sub(due[next]))
		}
	}
	if next != len(due) {
		t.Errorf("piece %d is missing or out of order in %q", next, w.clumps)
	}
	return late
}

// One piece is no burst yet: what comes behind it is not waited for.
func TestFirstPieceIsNoBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, due := serveTimed(t, 2, burstGap/2)
		if late := w.late(t, due); late != 0 {
			t.Errorf("a piece came %v late: %q", late, w.clumps)
		}
	})
}

// What comes by itself goes out at once, each piece in a write of its own.
func TestPacedStreamIsNotHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, due := serveTimed(t, 50, 2*burstGap)
		if late := w.late(t, due); late != 0 || len(w.clumps) < 51 {
			t.Errorf("%d writes, the latest piece came %v late", len(w.clumps), late)
		}
	})
}

// A burst goes out in few writes; its first piece is not held up, and none for
// longer than the gap.
func TestBurstIsGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, due := serveTimed(t, 50, burstGap/25)
		if late := w.late(t, due); late > burstGap || len(w.clumps) > 5 {
			t.Errorf("%d writes, the latest piece came %v late", len(w.clumps), late)
		}
		if !strings.Contains(w.clumps[0], "piece 0.") || !w.at[0].Equal(due[0]) {
			t.Errorf("the first piece came at %v, was due at %v", w.at[0], due[0])
		}
	})
}

// What stands together at the beginning goes out together, header and all.
func TestWholeBurstIsOneWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, due := serveTimed(t, 20, 0)
		if late := w.late(t, due); late != 0 || len(w.clumps[0]) == 0 || strings.Contains(w.clumps[len(w.clumps)-1], "piece") && len(w.clumps) > 1 {
			t.Errorf("late by %v: %q", late, w.clumps)
		}
	})
}
