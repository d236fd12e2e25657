package api

import (
	"sync"
	"time"

	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

// keptDecisions is how many requests' decisions are kept unless Options say
// otherwise: a few megabytes, whatever the traffic.
const keptDecisions = 1000

// decisions keeps the records of the newest requests that had a backend to be
// picked for. What falls out is filled again, so that recording allocates
// nothing once all are in use.
type decisions struct {
	mu      sync.Mutex
	ring    []*decision // by sequence number modulo its length
	written uint64      // decisions so far; the number of the newest
	spare   []*decision // to be filled next
	readers int         // while there are any, nothing is filled again
}

// decision is the record of one request's choices.
type decision struct {
	sequence uint64 // from 1
	pick     loadbalance.Decision

	id, user, model, strategy string

	start    time.Time
	endpoint dialect.Endpoint
	stream   bool
	attempts []attemptRecord

	status                 int
	outcome                string // "success", or why not
	committed              bool
	firstContent, duration time.Duration
	usage                  relay.Usage
	cost                   float64
}

// attemptRecord is what is kept of a relay.Attempt.
type attemptRecord struct {
	provider, model               string
	why                           relay.Reason
	kind                          loadbalance.Kind
	status                        int
	pause, firstContent, duration time.Duration
}

// newDecisions keeps n; n < 0 keeps none.
func newDecisions(n int) *decisions {
	if n == 0 {
		n = keptDecisions
	}
	return &decisions{ring: make([]*decision, max(0, n))}
}

// take returns an empty decision for a request that begins, nil if none are kept.
func (k *decisions) take() *decision {
	if len(k.ring) == 0 {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if n := len(k.spare); n > 0 {
		d := k.spare[n-1]
		k.spare = k.spare[:n-1]
		return d
	}
	return new(decision)
}

// keep files what take returned, with what became of the request. A request
// that was refused before a backend was to be picked leaves nothing.
func (k *decisions) keep(d *decision, r *relay.Record) {
	filed := !d.pick.Time.IsZero() && r.Model != nil
	if filed {
		d.fill(r)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if filed {
		k.written++
		d.sequence = k.written
		slot := &k.ring[k.written%uint64(len(k.ring))]
		d, *slot = *slot, d
	}
	if d == nil || k.readers > 0 || len(k.spare) > len(k.ring) {
		return
	}
	d.pick.Reset()
	k.spare = append(k.spare, d)
}

func (d *decision) fill(r *relay.Record) {
	d.id, d.user, d.model, d.strategy = r.RequestID, "", r.Model.Name, r.Model.Strategy
	if r.User != nil {
		d.user = r.User.ID
	}
	d.start, d.endpoint, d.stream = r.Start, r.Endpoint, r.Stream
	d.attempts = d.attempts[:0]
	for i := range r.Attempts {
		a := &r.Attempts[i]
		d.attempts = append(d.attempts, attemptRecord{
			provider: a.Provider, model: a.Model, why: a.Why, kind: a.Kind, status: a.Status,
			pause: a.Pause, firstContent: a.FirstContent, duration: a.Duration,
		})
	}
	d.status, d.committed = r.Status, r.Committed
	d.outcome = outcomeOf(r)
	d.firstContent, d.duration = r.FirstContent, r.Duration
	d.usage, d.cost = r.Usage, r.Cost
}

// read calls visit with the kept decisions, the newest first, until it says
// false. They do not change meanwhile, and must not be kept.
func (k *decisions) read(visit func(*decision) bool) {
	k.mu.Lock()
	newest := make([]*decision, 0, len(k.ring))
	for i := range uint64(len(k.ring)) {
		if i >= k.written {
			break
		}
		newest = append(newest, k.ring[(k.written-i)%uint64(len(k.ring))])
	}
	k.readers++
	k.mu.Unlock()
	defer func() {
		k.mu.Lock()
		k.readers--
		k.mu.Unlock()
	}()
	for _, d := range newest {
		if !visit(d) {
			return
		}
	}
}
