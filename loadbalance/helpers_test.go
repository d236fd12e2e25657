package loadbalance

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// clock is a clock that stands until it is moved.
type clock struct{ t time.Time }

func newClock() *clock                   { return &clock{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }
func (c *clock) now() time.Time          { return c.t }
func (c *clock) forward(d time.Duration) { c.t = c.t.Add(d) }

// world is a fleet on a standing clock with one balancer.
type world struct {
	t      *testing.T
	clock  *clock
	fleet  *Fleet
	lb     *Balancer
	events []string
	req    Request
	sent   map[string]int // requests that checking expects; nil: it does not look
}

// newWorld balances the listings by the strategy. A seeded generator makes it
// the same each time.
func newWorld(t *testing.T, strategy string, listings ...Listing) *world {
	t.Helper()
	w := &world{t: t, clock: newClock()}
	rnd := rand.New(rand.NewPCG(1, 2))
	w.fleet = NewFleet(Options{Now: w.clock.now, Rand: rnd.Uint64, Notify: func(e Event) {
		w.events = append(w.events, fmt.Sprintf("%s %s %s>%s %s", e.ID, e.Subject, e.From, e.To, e.Kind))
	}})
	w.lb = w.balancer(strategy, listings...)
	t.Cleanup(func() { noLeases(t, w.fleet) })
	return w
}

func (w *world) balancer(strategy string, listings ...Listing) *Balancer {
	w.t.Helper()
	s, err := ParseStrategy(strategy)
	if err != nil {
		w.t.Fatal(err)
	}
	lb, err := w.fleet.Balancer(Config{Name: "m", Strategy: s, Listings: listings})
	if err != nil {
		w.t.Fatal(err)
	}
	return lb
}

// noLeases fails the test if a lease was forgotten.
func noLeases(t *testing.T, f *Fleet) {
	t.Helper()
	if n := f.Leases(); n != 0 {
		t.Errorf("%d leases were not reported", n)
	}
}

// pick is a fresh request's pick; it must be found.
func (w *world) pick() *Lease {
	w.t.Helper()
	w.req.Reset()
	l, err := w.lb.Pick(&w.req)
	if err != nil {
		w.t.Fatal(err)
	}
	return l
}

// send is a fresh request with that outcome, and returns the backend's id.
func (w *world) send(o Outcome) string {
	w.t.Helper()
	l := w.pick()
	defer l.Report(o)
	return l.ID()
}

// report sets a backend's fate without picking it.
func (w *world) report(id string, kinds ...Kind) {
	w.t.Helper()
	w.fleet.mu.Lock()
	b := w.fleet.backends[id]
	w.fleet.mu.Unlock()
	for _, k := range kinds {
		b.report(Outcome{Kind: k, Duration: time.Second}, w.fleet.now(), false)
	}
}

func (w *world) state(id string) State {
	w.t.Helper()
	s, ok := w.fleet.Backend(id)
	if !ok {
		w.t.Fatalf("no backend %q", id)
	}
	return s
}

// refused picks for r and returns why there is nothing.
func refused(t *testing.T, lb *Balancer, r *Request) Unavailable {
	t.Helper()
	l, err := lb.Pick(r)
	if err == nil {
		l.Report(Outcome{Kind: Cancelled})
		t.Fatalf("picked %s", l.ID())
	}
	var u *Unavailable
	if !errors.As(err, &u) {
		t.Fatalf("%v is no *Unavailable", err)
	}
	return *u
}

// wantEvents compares and forgets the events so far.
func (w *world) wantEvents(want ...string) {
	w.t.Helper()
	if !slices.Equal(w.events, want) {
		w.t.Errorf("events:\n  %s\nwant:\n  %s", strings.Join(w.events, "\n  "), strings.Join(want, "\n  "))
	}
	w.events = nil
}

func ids(names string) []Listing {
	var l []Listing
	for n := range strings.FieldsSeq(names) {
		l = append(l, Listing{ID: n})
	}
	return l
}

// refusal is the Unavailable in err, the zero one if it is none.
func refusal(err error) Unavailable {
	if u, ok := errors.AsType[*Unavailable](err); ok {
		return *u
	}
	return Unavailable{}
}
