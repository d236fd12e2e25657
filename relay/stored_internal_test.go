package relay

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func at(provider string) home { return home{provider: provider, backend: provider + ":m"} }

func TestStored(t *testing.T) {
	var s stored
	f := func(user, id, provider string, foreign bool) {
		t.Helper()
		h, ok, f := s.find(user, id)
		if h.provider != provider || ok != (provider != "") || f != foreign {
			t.Errorf("%s of %s is at %q (%v), foreign %v, want %q, foreign %v", id, user, h.provider, ok, f, provider, foreign)
		}
	}
	f("ann", "r1", "", false)
	s.forget("ann", "r1")
	s.put("ann", "r1", at("p1"))
	f("ann", "r1", "p1", false)
	f("bob", "r1", "", true)
	f("bob", "r2", "", false)

	// Not every server makes ids that are unique: each user has their own.
	s.put("bob", "r1", at("p2"))
	f("ann", "r1", "p1", false)
	f("bob", "r1", "p2", false)
	s.put("ann", "r1", at("p3"))
	f("ann", "r1", "p3", false)
	s.forget("ann", "r1")
	f("ann", "r1", "", true)
	s.forget("ann", "r1") // and not what is bob's
	f("bob", "r1", "p2", false)
	s.forget("bob", "r1")
	f("ann", "r1", "", false)

	// What is no id is not remembered.
	s.put("ann", "", at("p1"))
	s.put("ann", strings.Repeat("x", storedLongest+1), at("p1"))
	f("ann", "", "", false)
	if len(s.users) != 0 || len(s.known) != 0 || s.order.Len() != 0 {
		t.Errorf("%d users, %d ids, %d in order are left", len(s.users), len(s.known), s.order.Len())
	}
}

func TestStoredIsSettledOnce(t *testing.T) {
	var s stored
	s.put("ann", "r1", at("p1"))
	s.put("ann", "r2", home{settled: true})
	for i, c := range []struct {
		user, id string
		want     bool
	}{{"bob", "r1", false}, {"ann", "r1", true}, {"ann", "r1", false}, {"ann", "r2", false}, {"ann", "r3", false}} {
		if got := s.settle(c.user, c.id); got != c.want {
			t.Errorf("%d: %s of %s: %v", i, c.id, c.user, got)
		}
	}
}

func TestStoredEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s stored
		found := func(id string) bool {
			_, ok, foreign := s.find("ann", id)
			if foreign {
				t.Errorf("%s is somebody else's", id)
			}
			return ok
		}
		s.put("ann", "used", at("p"))
		s.put("ann", "unused", at("p"))
		s.put("bob", "bob's", at("p"))
		time.Sleep(storedFor - time.Nanosecond)
		if !found("used") {
			t.Error("an id ended early")
		}
		time.Sleep(time.Nanosecond)
		if found("unused") {
			t.Error("an id that was not used did not end")
		}
		if !found("used") {
			t.Error("an id that was used ended")
		}
		s.put("ann", "new", at("p")) // takes bob's along, which nobody asks for
		if len(s.users) != 1 || s.order.Len() != 2 || len(s.known) != 2 {
			t.Errorf("%d users with %d ids, %d known", len(s.users), s.order.Len(), len(s.known))
		}
		time.Sleep(storedFor)
		if found("used") || found("new") || len(s.users) != 0 {
			t.Errorf("%d users are left", len(s.users))
		}
	})
}

func TestStoredIsBounded(t *testing.T) {
	var s stored
	s.put("ann", "first", at("p"))
	for i := range 10 {
		s.put("bob", fmt.Sprint("b", i), at("p"))
	}
	has := func(user, id string) bool { return s.of(user, id) != nil }
	// One who makes very many loses their own, not those of the others.
	for i := range storedMost + 100 {
		s.put("mallory", fmt.Sprint("m", i), at("p"))
	}
	if s.order.Len() != storedMost || len(s.known) != storedMost {
		t.Errorf("%d ids, %d known", s.order.Len(), len(s.known))
	}
	if !has("ann", "first") || !has("bob", "b0") || has("mallory", "m110") || !has("mallory", "m111") {
		t.Errorf("ann %v, bob %v, mallory %v %v", has("ann", "first"), has("bob", "b0"), has("mallory", "m110"), has("mallory", "m111"))
	}
	// And who comes after that takes from the one who has most.
	s.put("carol", "c", at("p"))
	if !has("carol", "c") || !has("ann", "first") || has("mallory", "m111") || s.order.Len() != storedMost {
		t.Errorf("carol %v, ann %v, mallory %v, %d ids", has("carol", "c"), has("ann", "first"), has("mallory", "m111"), s.order.Len())
	}
	// Of theirs it is the one that was not used for longest.
	s.find("mallory", "m112")
	s.put("carol", "d", at("p"))
	if !has("mallory", "m112") || has("mallory", "m113") {
		t.Errorf("mallory %v %v", has("mallory", "m112"), has("mallory", "m113"))
	}
	// Nobody having more than one, the oldest goes.
	s = stored{}
	for i := range storedMost + 1 {
		s.put(fmt.Sprint(i), "r", at("p"))
	}
	if has("0", "r") || !has("1", "r") || !has(fmt.Sprint(storedMost), "r") || len(s.users) != storedMost {
		t.Errorf("%v %v, %d users", has("0", "r"), has("1", "r"), len(s.users))
	}
}

func TestStoredInACrowd(t *testing.T) {
	var s stored
	var wg sync.WaitGroup
	settled := make([]int, 8)
	for g := range settled {
		wg.Go(func() {
			for i := range 200 {
				id := fmt.Sprint("r", i)
				s.put(fmt.Sprint(g%2), id+"x", at("p"))
				s.find(fmt.Sprint(g%3), id+"x")
				if g == 0 {
					s.put("ann", id, at("p"))
				}
				if s.settle("ann", id) {
					settled[g]++
				}
				s.forget(fmt.Sprint(g%3), id+"x")
			}
		})
	}
	wg.Wait()
	sum := 0
	for _, n := range settled {
		sum += n
	}
	if sum > 200 {
		t.Errorf("%d settlements of 200 responses", sum)
	}
}
