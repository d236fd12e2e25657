package relay

import (
	"sync"
	"sync/atomic"

	"github.com/PPKunOfficial/berry-api/relay/probe"
)

// use is what is known of one backend by its answers.
type use struct {
	probe.Use
	// effortless is set once the backend refused to be told how much to reason.
	effortless atomic.Bool
	// chatsOnly is until when the backend is taken to have no responses, in
	// nanoseconds since 1970; 0 where it may have them.
	chatsOnly atomic.Int64
	// responds is set once the backend gave a response.
	responds atomic.Bool
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
