package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"

	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay"
)

// bill is a relay.Observer that adds up what each user has consumed. The
// metrics and the log go on beside it. The zero value is ready.
type bill struct {
	mu    sync.Mutex
	users map[string]*account
}

type account struct {
	requests, failed int
	tokens           uint64
	cost             float64 // USD
}

// Finished books a request. It is called on the request's goroutine: it has to
// be quick, and must not keep the record.
func (b *bill) Finished(r *relay.Record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.users == nil {
		b.users = map[string]*account{}
	}
	a := b.users[r.User.ID]
	if a == nil {
		a = new(account)
		b.users[r.User.ID] = a
	}
	a.requests++
	if r.Error != nil {
		a.failed++
	}
	a.tokens += uint64(r.Usage.Input + r.Usage.Output)
	a.cost += r.Cost
}

// Selected does nothing: only whole requests are billed.
func (b *bill) Selected(*relay.Record, *relay.Attempt) {}

// Attempted does nothing.
func (b *bill) Attempted(*relay.Record, *relay.Attempt) {}

// BackendChanged does nothing.
func (b *bill) BackendChanged(loadbalance.Event) {}

// print writes one line for each user.
func (b *bill) print(out io.Writer) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(b.users)) {
		a := b.users[id]
		if _, err := fmt.Fprintf(out, "%s: %d requests, %d failed, %d tokens, $%.4f\n", id, a.requests, a.failed, a.tokens, a.cost); err != nil {
			return err
		}
	}
	return nil
}
