package relay

import (
	"container/list"
	"sync"
	"time"
)

const (
	// storedMost bounds how many ids are remembered, some 30 MB of them.
	storedMost = 1 << 16
	// storedFor is how long an id is remembered after its last use; providers
	// that keep responses do so for 30 days.
	storedFor = 30 * 24 * time.Hour
	// storedLongest is the longest id that is remembered, in bytes.
	storedLongest = 256
)

// stored remembers which provider keeps a response or a conversation, and for
// which user: only that account knows the id, and only that user may use it.
// When there are too many, the least recently used go, those of a user who has
// the most first. It outlives reloads, not the process. The zero value is empty
// and ready; it is safe for concurrent use.
type stored struct {
	mu    sync.Mutex // guards what follows
	users map[string]*storedOf
	known map[string]int // by id: how many users have it
	order list.List      // of *storedID, the least recently used in front
	most  *storedOf      // who has, or not long ago had, the most
}

// storedOf is what one user has.
type storedOf struct {
	ids   map[string]*storedID
	order list.List // of *storedID, as in stored
}

type storedID struct {
	user, id string
	home     home
	until    time.Time
	all, own *list.Element
}

// home is where a response is kept.
type home struct {
	provider string
	backend  string // that made it
	model    string // the id of the model that it was asked of
	name     string // the name that the client knows the model by, as JSON
	// settled is set once what the response consumed has been booked.
	settled bool
}

// put remembers an id of a user's.
func (s *stored) put(user, id string, h home) {
	if id == "" || len(id) > storedLongest {
		return
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users == nil {
		s.users, s.known = map[string]*storedOf{}, map[string]int{}
	}
	of := s.users[user]
	if of == nil {
		of = &storedOf{ids: map[string]*storedID{}}
		s.users[user] = of
	}
	e := of.ids[id]
	if e == nil {
		e = &storedID{user: user, id: id}
		of.ids[id] = e
		e.all, e.own = s.order.PushBack(e), of.order.PushBack(e)
		s.known[id]++
	}
	e.home = h
	s.use(e, now)
	if s.most == nil || len(of.ids) > len(s.most.ids) {
		s.most = of
	}
	s.tidy(now)
}

// use makes e the most recently used.
func (s *stored) use(e *storedID, now time.Time) {
	e.until = now.Add(storedFor)
	s.order.MoveToBack(e.all)
	s.users[e.user].order.MoveToBack(e.own)
}

// tidy lets go what is too old or too much.
func (s *stored) tidy(now time.Time) {
	for e := front(&s.order); e != nil && !now.Before(e.until); e = front(&s.order) {
		s.remove(e)
	}
	for s.order.Len() > storedMost {
		e := front(&s.order)
		if len(s.most.ids) > len(s.users[e.user].ids) {
			e = front(&s.most.order)
		}
		s.remove(e)
	}
}

func front(l *list.List) *storedID {
	e := l.Front()
	if e == nil {
		return nil
	}
	return e.Value.(*storedID)
}

func (s *stored) remove(e *storedID) {
	of := s.users[e.user]
	s.order.Remove(e.all)
	of.order.Remove(e.own)
	delete(of.ids, e.id)
	if len(of.ids) == 0 {
		delete(s.users, e.user)
	}
	if s.known[e.id]--; s.known[e.id] == 0 {
		delete(s.known, e.id)
	}
}

// find returns where the user's id is kept. Where it is not ok, foreign says
// that the id is somebody else's.
func (s *stored) find(user, id string) (h home, ok, foreign bool) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.of(user, id)
	if e == nil {
		return home{}, false, s.known[id] > 0
	}
	if !now.Before(e.until) {
		s.remove(e)
		return home{}, false, s.known[id] > 0
	}
	s.use(e, now)
	return e.home, true, false
}

func (s *stored) of(user, id string) *storedID {
	if of := s.users[user]; of != nil {
		return of.ids[id]
	}
	return nil
}

// settle notes that what the response consumed is about to be booked; it is
// true the first time.
func (s *stored) settle(user, id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.of(user, id)
	if e == nil || e.home.settled {
		return false
	}
	e.home.settled = true
	return true
}

// forget lets an id of a user's go.
func (s *stored) forget(user, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.of(user, id); e != nil {
		s.remove(e)
	}
}
