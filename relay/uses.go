package relay

import (
	"sync"
	"sync/atomic"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

// A backend that broke comes back by a probe, and what a probe asks it must be
// able to answer: a model that makes vectors refuses every chat, for ever. So
// it is remembered what each backend was asked for, and what it answered.

// use is what one backend is used for; its sets are of endpoints, as bits.
type use struct {
	asked, served atomic.Uint32
	// effortless is set once the backend refused to be told how much to reason.
	effortless atomic.Bool
}

// uses are those of all backends, by id. They outlive reloads.
type uses struct {
	mu  sync.Mutex // guards what follows
	all map[string]*use
}

// of returns the backend's.
func (u *uses) of(backend string) *use {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.all == nil {
		u.all = map[string]*use{}
	}
	one, ok := u.all[backend]
	if !ok {
		one = new(use)
		u.all[backend] = one
	}
	return one
}

// retain forgets all backends but those.
func (u *uses) retain(backends []string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	kept := make(map[string]*use, len(backends))
	for _, id := range backends {
		if one, ok := u.all[id]; ok {
			kept[id] = one
		}
	}
	u.all = kept
}

// note adds an endpoint to a set. It is called for every attempt, and seldom
// has anything to add. A message is a chat to whoever answers it, and what makes
// responses shorter makes responses; that tokens can be counted says nothing of
// the model.
func note(set *atomic.Uint32, e dialect.Endpoint) {
	switch {
	case e.Counts():
		return
	case e == dialect.Messages:
		e = dialect.Chat
	case e == dialect.Compact:
		e = dialect.Responses
	}
	if bit := uint32(1) << e; set.Load()&bit == 0 {
		set.Or(bit)
	}
}

// probed are the endpoints that a probe can use, the surest proof first: what
// they ask costs next to nothing.
var probed = [...]dialect.Endpoint{dialect.Chat, dialect.Completions, dialect.Embeddings, dialect.Moderations, dialect.Responses}

// probes are the endpoints that a probe of the backend is to try, in order: the
// first of those that it has answered, else those that it was asked for, else all.
// There may be none: pictures and speech cost too much for a probe.
func (u *use) probes() []dialect.Endpoint {
	served := u.served.Load()
	set := served
	if set == 0 {
		set = u.asked.Load()
	}
	if set == 0 {
		return probed[:]
	}
	var out []dialect.Endpoint
	for _, e := range probed {
		if set&(1<<e) != 0 {
			out = append(out, e)
		}
	}
	if served != 0 && len(out) > 1 {
		out = out[:1]
	}
	return out
}
