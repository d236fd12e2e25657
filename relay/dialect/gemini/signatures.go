package gemini

import (
	"container/list"
	"sync"
	"time"
)

const (
	// keptCalls and keptBytes bound what Signatures hold.
	keptCalls = 8192
	keptBytes = 16 << 20
	// keptFor is how long a call is remembered after its answer: tools have
	// answered and people have thought by then.
	keptFor = 2 * time.Hour
)

// Signatures remember what Gemini said beside its function calls, by the
// tool-call id that the client got, for clients that do not send it back. They
// are bounded in number, bytes and time; the oldest go first. The zero value is
// ready; it is safe for concurrent use.
type Signatures struct {
	mu    sync.Mutex // guards what follows
	calls map[string]*list.Element
	order list.List // of *signed, the oldest in front
	bytes int
}

// signed is one remembered call.
type signed struct {
	id        string // the tool-call id
	signature string // "" if the call had none
	own       string // the id by which Gemini itself knows the call, "" if it gave none
	until     time.Time
}

func (s *signed) size() int { return len(s.id) + len(s.signature) + len(s.own) }

// put remembers a call.
func (s *Signatures) put(c signed) {
	if c.signature == "" && c.own == "" || c.size() > keptBytes {
		return
	}
	now := time.Now()
	c.until = now.Add(keptFor)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls == nil {
		s.calls = map[string]*list.Element{}
	}
	if old, ok := s.calls[c.id]; ok {
		s.drop(old)
	}
	s.calls[c.id] = s.order.PushBack(&c)
	s.bytes += c.size()
	for e := s.order.Front(); e != nil; e = s.order.Front() {
		if len(s.calls) <= keptCalls && s.bytes <= keptBytes && now.Before(e.Value.(*signed).until) {
			break
		}
		s.drop(e)
	}
}

// get returns what is remembered of a call, the zero value if nothing is.
func (s *Signatures) get(id string) signed {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.calls[id]
	if !ok {
		return signed{}
	}
	c := e.Value.(*signed)
	if !time.Now().Before(c.until) {
		s.drop(e)
		return signed{}
	}
	return *c
}

func (s *Signatures) drop(e *list.Element) {
	c := s.order.Remove(e).(*signed)
	delete(s.calls, c.id)
	s.bytes -= c.size()
}
