// Package stored remembers which provider keeps a response or a conversation of
// /v1/responses, and for which user: only that account knows the id, and only
// that user may use it.
//
// relay puts in what answers name, and looks up what requests go on from or ask
// for. Nothing here is asked of a provider, and nothing outlives the process.
package stored

import (
	"container/list"
	"sync"
	"time"
)

const (
	// mostIDs bounds how many ids are remembered, some 30 MB of them.
	mostIDs = 1 << 16
	// lifetime is how long an id is remembered after its last use; providers
	// that keep responses do so for 30 days.
	lifetime = 30 * 24 * time.Hour
	// longestID is the longest id that is remembered, in bytes.
	longestID = 256
)

// Responses says by user and id where responses and conversations are kept. When
// there are too many, the least recently used go, those of a user who has the
// most first. It outlives reloads, not the process. The zero value is empty and
// ready; it is safe for concurrent use. No call blocks for longer than others
// take to look something up.
type Responses struct {
	mu    sync.Mutex // guards what follows
	users map[string]*owned
	known map[string]int // by id: how many users have it
	order list.List      // of *entry, the least recently used in front
	most  *owned         // who has, or not long ago had, the most
}

// owned is what one user has.
type owned struct {
	ids   map[string]*entry
	order list.List // of *entry, as in Responses
}

type entry struct {
	user, id string
	home     Home
	until    time.Time
	all, own *list.Element
}

// Home is where a response is kept.
type Home struct {
	Provider string // provider id
	Backend  string // id of the backend that made it
	Model    string // id of the model that it was asked of
	Name     string // the name that the client knows the model by, as JSON
	// Settled is set once what the response consumed has been booked.
	Settled bool
}

// Put remembers an id of a user's, a new home in place of an old one. What cannot
// be an id, nothing or more than 256 bytes, it leaves out.
func (s *Responses) Put(user, id string, h Home) {
	if id == "" || len(id) > longestID {
		return
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users == nil {
		s.users, s.known = map[string]*owned{}, map[string]int{}
	}
	of := s.users[user]
	if of == nil {
		of = &owned{ids: map[string]*entry{}}
		s.users[user] = of
	}
	e := of.ids[id]
	if e == nil {
		e = &entry{user: user, id: id}
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
func (s *Responses) use(e *entry, now time.Time) {
	e.until = now.Add(lifetime)
	s.order.MoveToBack(e.all)
	s.users[e.user].order.MoveToBack(e.own)
}

// tidy lets go what is too old or too much.
func (s *Responses) tidy(now time.Time) {
	for e := front(&s.order); e != nil && !now.Before(e.until); e = front(&s.order) {
		s.remove(e)
	}
	for s.order.Len() > mostIDs {
		e := front(&s.order)
		if len(s.most.ids) > len(s.users[e.user].ids) {
			e = front(&s.most.order)
		}
		s.remove(e)
	}
}

func front(l *list.List) *entry {
	e := l.Front()
	if e == nil {
		return nil
	}
	return e.Value.(*entry)
}

func (s *Responses) remove(e *entry) {
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

// Find returns where the user's id is kept. Where it is not ok, foreign says
// that the id is somebody else's.
func (s *Responses) Find(user, id string) (h Home, ok, foreign bool) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.of(user, id)
	if e == nil {
		return Home{}, false, s.known[id] > 0
	}
	if !now.Before(e.until) {
		s.remove(e)
		return Home{}, false, s.known[id] > 0
	}
	s.use(e, now)
	return e.home, true, false
}

func (s *Responses) of(user, id string) *entry {
	if of := s.users[user]; of != nil {
		return of.ids[id]
	}
	return nil
}

// Settle notes that what the response consumed is about to be booked; it is
// true the first time.
func (s *Responses) Settle(user, id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.of(user, id)
	if e == nil || e.home.Settled {
		return false
	}
	e.home.Settled = true
	return true
}

// Forget lets an id of a user's go.
func (s *Responses) Forget(user, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.of(user, id); e != nil {
		s.remove(e)
	}
}
