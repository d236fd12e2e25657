package stored

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func at(provider string) Home { return Home{Provider: provider, Backend: provider + ":m"} }

func TestResponses(t *testing.T) {
	var s Responses
	f := func(user, id, provider string, foreign bool) {
		t.Helper()
		h, ok, f := s.Find(user, id)
		if h.Provider != provider || ok != (provider != "") || f != foreign {
			t.Errorf("%s of %s is at %q (%v), foreign %v, want %q, foreign %v", id, user, h.Provider, ok, f, provider, foreign)
		}
	}
	f("ann", "r1", "", false)
	s.Forget("ann", "r1")
	s.Put("ann", "r1", at("p1"))
	f("ann", "r1", "p1", false)
	f("bob", "r1", "", true)
	f("bob", "r2", "", false)

	// Not every server makes ids that are unique: each user has their own.
	s.Put("bob", "r1", at("p2"))
	f("ann", "r1", "p1", false)
	f("bob", "r1", "p2", false)
	s.Put("ann", "r1", at("p3"))
	f("ann", "r1", "p3", false)
	s.Forget("ann", "r1")
	f("ann", "r1", "", true)
	s.Forget("ann", "r1") // and not what is bob's
	f("bob", "r1", "p2", false)
	s.Forget("bob", "r1")
	f("ann", "r1", "", false)

	// What is no id is not remembered.
	s.Put("ann", "", at("p1"))
	s.Put("ann", strings.Repeat("x", longestID+1), at("p1"))
	f("ann", "", "", false)
	if len(s.users) != 0 || len(s.known) != 0 || s.order.Len() != 0 {
		t.Errorf("%d users, %d ids, %d in order are left", len(s.users), len(s.known), s.order.Len())
	}
}

func TestAResponseIsSettledOnce(t *testing.T) {
	var s Responses
	s.Put("ann", "r1", at("p1"))
	s.Put("ann", "r2", Home{Settled: true})
	for i, c := range []struct {
		user, id string
		want     bool
	}{{"bob", "r1", false}, {"ann", "r1", true}, {"ann", "r1", false}, {"ann", "r2", false}, {"ann", "r3", false}} {
		if got := s.Settle(c.user, c.id); got != c.want {
			t.Errorf("%d: %s of %s: %v", i, c.id, c.user, got)
		}
	}
}

func TestAnIDEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Responses
		found := func(id string) bool {
			_, ok, foreign := s.Find("ann", id)
			if foreign {
				t.Errorf("%s is somebody else's", id)
			}
			return ok
		}
		s.Put("ann", "used", at("p"))
		s.Put("ann", "unused", at("p"))
		s.Put("bob", "bob's", at("p"))
		time.Sleep(lifetime - time.Nanosecond)
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
		s.Put("ann", "new", at("p")) // takes bob's along, which nobody asks for
		if len(s.users) != 1 || s.order.Len() != 2 || len(s.known) != 2 {
			t.Errorf("%d users with %d ids, %d known", len(s.users), s.order.Len(), len(s.known))
		}
		time.Sleep(lifetime)
		if found("used") || found("new") || len(s.users) != 0 {
			t.Errorf("%d users are left", len(s.users))
		}
	})
}

func TestResponsesAreBounded(t *testing.T) {
	var s Responses
	s.Put("ann", "first", at("p"))
	for i := range 10 {
		s.Put("bob", fmt.Sprint("b", i), at("p"))
	}
	has := func(user, id string) bool { return s.of(user, id) != nil }
	// One who makes very many loses their own, not those of the others.
	for i := range mostIDs + 100 {
		s.Put("mallory", fmt.Sprint("m", i), at("p"))
	}
	if s.order.Len() != mostIDs || len(s.known) != mostIDs {
		t.Errorf("%d ids, %d known", s.order.Len(), len(s.known))
	}
	if !has("ann", "first") || !has("bob", "b0") || has("mallory", "m110") || !has("mallory", "m111") {
		t.Errorf("ann %v, bob %v, mallory %v %v", has("ann", "first"), has("bob", "b0"), has("mallory", "m110"), has("mallory", "m111"))
	}
	// And who comes after that takes from the one who has most.
	s.Put("carol", "c", at("p"))
	if !has("carol", "c") || !has("ann", "first") || has("mallory", "m111") || s.order.Len() != mostIDs {
		t.Errorf("carol %v, ann %v, mallory %v, %d ids", has("carol", "c"), has("ann", "first"), has("mallory", "m111"), s.order.Len())
	}
	// Of theirs it is the one that was not used for longest.
	s.Find("mallory", "m112")
	s.Put("carol", "d", at("p"))
	if !has("mallory", "m112") || has("mallory", "m113") {
		t.Errorf("mallory %v %v", has("mallory", "m112"), has("mallory", "m113"))
	}
	// Nobody having more than one, the oldest goes.
	s = Responses{}
	for i := range mostIDs + 1 {
		s.Put(fmt.Sprint(i), "r", at("p"))
	}
	if has("0", "r") || !has("1", "r") || !has(fmt.Sprint(mostIDs), "r") || len(s.users) != mostIDs {
		t.Errorf("%v %v, %d users", has("0", "r"), has("1", "r"), len(s.users))
	}
}

func TestInACrowd(t *testing.T) {
	var s Responses
	var wg sync.WaitGroup
	settled := make([]int, 8)
	for g := range settled {
		wg.Go(func() {
			for i := range 200 {
				id := fmt.Sprint("r", i)
				s.Put(fmt.Sprint(g%2), id+"x", at("p"))
				s.Find(fmt.Sprint(g%3), id+"x")
				if g == 0 {
					s.Put("ann", id, at("p"))
				}
				if s.Settle("ann", id) {
					settled[g]++
				}
				s.Forget(fmt.Sprint(g%3), id+"x")
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
