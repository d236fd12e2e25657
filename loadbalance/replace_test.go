package loadbalance

import (
	"fmt"
	"strings"
	"testing"
)

// replaceBy puts another balancer of the strategy in the place of the world's.
func (w *world) replaceBy(strategy, listed string) {
	w.t.Helper()
	s, err := ParseStrategy(strategy)
	if err != nil {
		w.t.Fatal(err)
	}
	lb, err := w.fleet.Balancer(Config{Strategy: s, Listings: ids(listed), Replaces: w.lb})
	if err != nil {
		w.t.Fatal(err)
	}
	w.lb = lb
	w.fleet.Retain(strings.Fields(listed))
}

// next is whom the next n requests go to.
func (w *world) next(n int) string {
	w.t.Helper()
	var got []string
	for range n {
		got = append(got, w.send(ok))
	}
	return strings.Join(got, " ")
}

// Reloads do not disturb the turns of round_robin: it stays exactly even where
// nothing changes, and goes on behind the backend that was last where listings do.
func TestRoundRobinGoesOn(t *testing.T) {
	t.Run("with the same listings", func(t *testing.T) {
		w := newWorld(t, "round_robin", ids("a b c d e")...)
		got := map[string]int{}
		for range 500 {
			for id := range strings.FieldsSeq(w.next(2)) {
				got[id]++
			}
			w.replaceBy("round_robin", "a b c d e")
		}
		if want := fmt.Sprint(map[string]int{"a": 200, "b": 200, "c": 200, "d": 200, "e": 200}); fmt.Sprint(got) != want {
			t.Errorf("%v", got)
		}
	})
	t.Run("with requests that began before", func(t *testing.T) {
		w := newWorld(t, "round_robin", ids("a b")...)
		before, last := w.lb, w.send(ok)
		w.replaceBy("round_robin", "a b")
		for range 10 {
			w.lb, before = before, w.lb
			if id := w.send(ok); id == last {
				t.Fatalf("%s twice in a row", id)
			} else {
				last = id
			}
		}
	})
	t.Run("with some of them down", func(t *testing.T) {
		w := newWorld(t, "round_robin", ids("a b c")...)
		w.report("b", Network)
		got := map[string]int{}
		for range 300 {
			got[w.send(ok)]++
			w.replaceBy("round_robin", "a b c")
		}
		if got["a"] != 150 || got["c"] != 150 {
			t.Errorf("%v", got)
		}
	})
	f := func(listed, then, want string) {
		t.Helper()
		w := newWorld(t, "round_robin", ids(listed)...)
		for w.send(ok) != "b" {
		}
		w.replaceBy("round_robin", then)
		if got := w.next(len(strings.Fields(want))); got != want {
			t.Errorf("%s, b was last, then %s: %s, want %s", listed, then, got, want)
		}
	}
	f("a b c", "a b c", "c a b c")
	f("a b c", "a b c d", "c d a b c")
	f("a b c", "z a b c", "c z a b")
	f("a b c", "c b a", "c b a c")
	f("a b c", "a c", "c a c")
	f("a b c", "a b", "a b a")
	f("a b c", "b", "b b")
	f("a b b c", "a b b c d", "b c d a")
	f("a b c", "x c", "c x c")

	t.Run("with others", func(t *testing.T) {
		w := newWorld(t, "round_robin", ids("a b c")...)
		w.next(2)
		w.replaceBy("round_robin", "x y")
		if got := w.next(4); got != "x y x y" && got != "y x y x" {
			t.Errorf("%s", got)
		}
		w.replaceBy("failover", "x y")
		w.replaceBy("round_robin", "x y")
		if got := w.next(4); got != "x y x y" && got != "y x y x" {
			t.Errorf("%s", got)
		}
		w.replaceBy("round_robin", "")
		w.replaceBy("round_robin", "x")
		if got := w.next(2); got != "x x" {
			t.Errorf("%s", got)
		}
	})
}

// A balancer that goes on as it is has its say in how backends are listed: without
// it a backend that it bills per request would be checked with requests that cost.
func TestRenew(t *testing.T) {
	w := newWorld(t, "smart_ai", Listing{ID: "a", PerRequest: true})
	w.fleet.Retain([]string{"a"})
	f := func(renew, perRequest, smart bool) {
		t.Helper()
		w.balancer("failover", Listing{ID: "a"})
		if renew {
			w.lb.Renew()
		}
		w.fleet.Retain([]string{"a"})
		b := w.fleet.list()[0]
		if b.perRequest != perRequest || b.smart != smart {
			t.Errorf("renewed %v: per request %v, smart_ai %v", renew, b.perRequest, b.smart)
		}
	}
	f(true, true, true)
	f(true, true, true)
	f(false, false, false)
}
