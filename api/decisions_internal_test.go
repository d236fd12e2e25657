package api

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/core/auth"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay"
)

// decided is a request that was balanced, with one attempt per backend.
func decided(d *decision, id string, backends ...string) *relay.Record {
	r := &relay.Record{
		RequestID: id, User: &auth.User{ID: "ann"}, Start: time.Now(), Decision: &d.pick,
		Model: &relay.Model{Name: "m", Strategy: "failover"}, Status: 200,
	}
	d.pick.Time = r.Start
	for _, b := range backends {
		d.pick.Considered = append(d.pick.Considered, loadbalance.Considered{ID: b + ":x", Group: b})
		r.Attempts = append(r.Attempts, relay.Attempt{Backend: b + ":x", Provider: b, Model: "x", Status: 200})
	}
	return r
}

func ringIDs(k *decisions) []string {
	ids := []string{}
	k.read(func(d *decision) bool {
		ids = append(ids, fmt.Sprint(d.sequence, " ", d.id, " ", len(d.pick.Considered), " ", len(d.attempts)))
		return true
	})
	return ids
}

func TestDecisionRing(t *testing.T) {
	k := newDecisions(3)
	f := func(want ...string) {
		t.Helper()
		if d := cmp.Diff(append([]string{}, want...), ringIDs(k)); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	}
	f()
	for i := range 5 {
		d := k.take()
		k.keep(d, decided(d, fmt.Sprint("r", i), make([]string, i)...))
	}
	f("5 r4 4 4", "4 r3 3 3", "3 r2 2 2")
	// Refused before balancing: nothing is recorded, and its storage comes back.
	d := k.take()
	k.keep(d, &relay.Record{RequestID: "refused"})
	f("5 r4 4 4", "4 r3 3 3", "3 r2 2 2")
	if k.take() != d {
		t.Error("the storage of a refused request is not used again")
	}

	// What is being read is not used again.
	k.read(func(old *decision) bool {
		for i := range 4 {
			d := k.take()
			k.keep(d, decided(d, fmt.Sprint("s", i), "b"))
		}
		if old.id != "r4" || len(old.attempts) != 4 {
			t.Errorf("changed while it was read: %+v", old)
		}
		return false
	})
	f("9 s3 1 1", "8 s2 1 1", "7 s1 1 1")

	none := newDecisions(-1)
	if none.take() != nil || len(ringIDs(none)) != 0 {
		t.Error("a ring of no length keeps something")
	}
}

func TestDecisionRingFromManyGoroutines(t *testing.T) {
	k := newDecisions(10)
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 200 {
				d := k.take()
				k.keep(d, decided(d, fmt.Sprint(g), make([]string, i%5)...))
				if i%20 == 0 {
					k.read(func(d *decision) bool {
						if len(d.attempts) != len(d.pick.Considered) {
							t.Errorf("%d attempts, %d candidates", len(d.attempts), len(d.pick.Considered))
						}
						return true
					})
				}
			}
		})
	}
	all.Wait()
	if got := ringIDs(k); len(got) != 10 || k.written != 1600 {
		t.Errorf("%d decisions of %d: %q", len(got), k.written, got)
	}
}

// BenchmarkDecisions is what keeping a decision costs a request, beside what
// the pick records.
func BenchmarkDecisions(b *testing.B) {
	k := newDecisions(0)
	d := k.take()
	r := decided(d, "id", "one")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			d := k.take()
			d.pick.Time = r.Start
			k.keep(d, r)
		}
	})
}
