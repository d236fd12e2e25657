package relay

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/loadbalance"
)

// spoken is an answer's body that says its pieces at their times, and then nothing
// until it is given up.
type spoken struct {
	ctx    context.Context
	begun  time.Time
	at     []time.Duration
	pieces []string
	gaveUp time.Duration // when, after its begin
	room   [256]byte
}

func (b *spoken) Read(p []byte) (int, error) {
	next := time.Hour
	if len(b.pieces) > 0 {
		next = b.at[0]
	}
	select {
	case <-b.ctx.Done():
		b.gaveUp = time.Since(b.begun)
		return 0, b.ctx.Err()
	case <-time.After(time.Until(b.begun.Add(next))):
	}
	n := copy(p, b.pieces[0])
	b.at, b.pieces = b.at[1:], b.pieces[1:]
	return n, nil
}

func (b *spoken) Close() error { return nil }

// lendable is one that lends what it says.
type lendable struct{ *spoken }

func (b lendable) Lend() ([]byte, error) {
	n, err := b.Read(b.room[:])
	return b.room[:n], err
}

// speaker answers with a body.
type speaker struct {
	*spoken
	lends bool
}

func (s speaker) RoundTrip(req *http.Request) (*http.Response, error) {
	_ = req.Body.Close()
	s.ctx, s.begun = req.Context(), time.Now()
	res := &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: s.spoken}
	if s.lends {
		res.Body = lendable{s.spoken}
	}
	return res, nil
}

// patient is a client that notes when the first comment came.
type patient struct {
	header  http.Header
	begun   time.Time
	comment time.Duration
}

func (w *patient) Header() http.Header { return w.header }
func (w *patient) WriteHeader(int)     {}
func (w *patient) FlushError() error   { return nil }

func (w *patient) Write(p []byte) (int, error) {
	if w.comment == 0 && bytes.Equal(p, keepAliveComment) {
		w.comment = time.Since(w.begun)
	}
	return len(p), nil
}

// The limit of silence runs from the last that was heard of the provider, whatever
// that was; comments are due from the last piece that the client got.
func TestSilence(t *testing.T) {
	const event = `data: {"id":"c","choices":[{"index":0,"delta":{"content":"hi"}}]}` + "\n\n"
	const first = time.Second
	f := func(s spoken, gaveUp, comment time.Duration) {
		t.Helper()
		for _, lends := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				body := s
				g, rt := benchGateway(t, config.TypeOpenAI, speaker{&body, lends})
				ownExchanges(t)
				user, _ := rt.Keys.Lookup("token-of-the-benchmark")
				rec := Record{User: user, Start: time.Now()}
				r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(`{"model":"m","messages":[],"stream":true}`))
				w := &patient{header: http.Header{}, begun: time.Now()}
				g.Serve(w, r, rt, &rec)
				if body.gaveUp != gaveUp || w.comment != comment || rec.Last().Kind != loadbalance.Timeout {
					t.Errorf("lends %t: given up after %v, want %v, as %v; the first comment after %v, want %v",
						lends, body.gaveUp, gaveUp, rec.Last().Kind, w.comment, comment)
				}
			})
		}
	}
	const idle, comments = time.Minute, 15 * time.Second // the defaults
	f(spoken{at: []time.Duration{first}, pieces: []string{event}}, first+idle, first+comments)
	f(spoken{at: []time.Duration{first, 10 * time.Second}, pieces: []string{event, event}}, 10*time.Second+idle, 10*time.Second+comments)
	f(spoken{at: []time.Duration{first, 40 * time.Second, 90 * time.Second}, pieces: []string{event, ": x\n\n", ":"}}, 90*time.Second+idle, first+comments)
	f(spoken{at: []time.Duration{first, 50 * time.Second}, pieces: []string{event, event[:20]}}, 50*time.Second+idle, first+comments)
	f(spoken{at: []time.Duration{first, 50 * time.Second, 70 * time.Second}, pieces: []string{event, event[:20], event[20:30]}}, 70*time.Second+idle, first+comments)
}

// endless is a body without an end.
type endless struct{ *spoken }

func (endless) Read(p []byte) (int, error) { return len(p), nil }
func (b endless) Lend() ([]byte, error)    { return b.room[:], nil }

// What is read on is bounded, read or lent.
func TestReadingOnIsBounded(t *testing.T) {
	x := &exchange{g: &Gateway{}, rt: &Runtime{limits: limits{readOn: true}}, clientLeft: true}
	in := watchedBody(endless{&spoken{}}, x)
	var p [100]byte
	total := 0
	for {
		n, err := in.Read(p[:])
		if err == nil {
			var lent []byte
			lent, err = in.Lend()
			n += len(lent)
			if err == nil && len(lent) == 0 {
				t.Fatal("nothing is lent")
			}
		}
		if total += n; errors.Is(err, errGone) {
			break
		}
		if err != nil || total > readOnBytes {
			t.Fatalf("%d bytes, %v", total, err)
		}
	}
	if total < readOnBytes-len(p)-256 {
		t.Errorf("given up after %d bytes", total)
	}
}
