package load

import (
	"encoding/json"
	"net"
	"testing"
	"time"

	"github.com/PPKunOfficial/berry-api/e2e/measure/upstream"
)

// provider is the fake provider, so that each is tried on the other.
func provider(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- upstream.Serve(l) }()
	t.Cleanup(func() {
		_ = l.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func TestLoops(t *testing.T) {
	address := provider(t)
	const events = upstream.Events + 1
	f := func(name string, r Result, done int) {
		t.Helper()
		if r.Errors() > 0 || r.Done < done || len(r.Latency) != r.Done || len(r.First) != r.Done {
			t.Errorf("%s: %d done, want %d; broken %v", name, r.Done, done, r.Broken)
		}
	}
	f("closed", Closed(t.Context(), Request{Address: address, Body: Chat("plain", 1000)}, 3, 50*time.Millisecond), 3)
	r := Open(t.Context(), Request{Address: address, Body: Chat("slow-2", 1000)}, 100, 200*time.Millisecond)
	if f("open", r, 20); r.Done != 20 || r.Latency[0] < 20 {
		t.Errorf("open: %d done, the first in %v ms", r.Done, r.Latency[0])
	}
	r = Once(t.Context(), Request{Address: address, Body: Stream("burst", 1000), Events: events}, 5, 0)
	if f("once", r, 5); r.Events != 5*events {
		t.Errorf("once: %d events, want %d", r.Events, 5*events)
	}
}

// An answer that is not what was asked for is no answer.
func TestBrokenIsCounted(t *testing.T) {
	address := provider(t)
	f := func(q Request, want string) {
		t.Helper()
		q.Address = address
		if r := Once(t.Context(), q, 2, 0); r.Done != 0 || r.Broken[want] != 2 {
			t.Errorf("%d done, broken %v; want 2 times %q", r.Done, r.Broken, want)
		}
	}
	f(Request{Body: Chat("absent", 10)}, "status 404")
	f(Request{Body: Stream("burst", 10), Events: 7}, "a stream of 51 events, want 7")
	f(Request{Body: Chat("burst", 10)}, "the answer broke")
	f(Request{Body: Chat("plain", 10), Events: 3}, "a stream of 0 events, want 3")
}

func TestBodiesAreJSON(t *testing.T) {
	for _, body := range [][]byte{Chat("m", 100_000), Stream("m", 0)} {
		if !json.Valid(body) {
			t.Errorf("%.200s", body)
		}
	}
}
