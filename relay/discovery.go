package relay

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay/probe"
	"github.com/PPKunOfficial/berry-api/relay/upstream"
)

const (
	// maxReadings bounds the lists that are read at one time.
	maxReadings = 16
	// firstReadingRetry is the pause after the first failure to read a list; it
	// doubles with each further one.
	firstReadingRetry = time.Second
)

// Discovery is what is known of one discovering provider's model list.
type Discovery struct {
	Provider string   // provider id
	Models   []string // what the list named when it was last read, sorted; not the caller's
	// LeftOut is how many names of the list are not served: more than fit, or
	// such that no client could ask for them.
	LeftOut int
	ReadAt  time.Time // when the list was last read; zero: never
	TriedAt time.Time // when that was last tried; zero: never
	Failure string    // why the last try failed, for people; "": it did not

	// Added and Removed are what this reading changed, sorted; in
	// Options.Discovered only.
	Added, Removed []string
}

// discovery keeps the lists of the providers that have discover set. Gateway.Run
// reads them when they are due; a check that reads a list anyway hands it in.
type discovery struct {
	g    *Gateway
	tell func(Discovery)
	wake chan struct{} // holds one
	done atomic.Bool   // each list of the start was tried
	open atomic.Bool   // some list was never read: there may be models that are not known

	mu    sync.Mutex // guards what follows; taken after Gateway.reload
	lists map[string]*modelList
}

// modelList is one provider's list and when to read it again.
type modelList struct {
	Discovery
	provider config.Provider // as of the last configuration
	due      time.Time       // zero: not any more
	failures int             // in a row
	reading  bool
}

func newDiscovery(g *Gateway, tell func(Discovery)) *discovery {
	return &discovery{g: g, tell: tell, wake: make(chan struct{}, 1), lists: map[string]*modelList{}}
}

// Discoveries returns what is known of the discovering providers' lists, sorted
// by provider.
func (g *Gateway) Discoveries() []Discovery {
	d := g.discovery
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []Discovery
	for _, id := range slices.Sorted(maps.Keys(d.lists)) {
		out = append(out, d.lists[id].Discovery)
	}
	return out
}

// Discovered reports whether reading the model list of each discovering
// provider was tried since Run began; before that their models are not known.
// Once true it stays so.
func (g *Gateway) Discovered() bool { return g.discovery.done.Load() }

// configure takes over a new configuration: what was discovered at a provider
// stays until its list is read anew, which is at once where the provider is new
// or another than it was.
func (d *discovery) configure(rt *Runtime) {
	interval := rt.Config.Settings.HealthCheckIntervalSeconds.Duration()
	d.mu.Lock()
	old := d.lists
	d.lists = map[string]*modelList{}
	for id, up := range rt.upstreams {
		if !up.Provider.Discover {
			continue
		}
		l := old[id]
		switch {
		case l == nil:
			l = &modelList{Discovery: Discovery{Provider: id}, due: time.Now()}
		case !reflect.DeepEqual(l.provider, up.Provider):
			l.due, l.failures = time.Now(), 0
		case interval <= 0 && l.failures == 0:
			l.due = time.Time{}
		case interval > 0 && (l.due.IsZero() || l.due.After(l.TriedAt.Add(interval))):
			l.due = l.TriedAt.Add(interval)
		}
		l.provider = up.Provider
		d.lists[id] = l
	}
	d.settle()
	d.mu.Unlock()
	d.poke()
}

// settle notes when each list was tried, and whether each was read. Called under mu.
func (d *discovery) settle() {
	tried, open := true, false
	for _, l := range d.lists {
		tried = tried && !l.TriedAt.IsZero()
		open = open || l.ReadAt.IsZero()
	}
	if tried {
		d.done.Store(true)
	}
	d.open.Store(open)
}

func (d *discovery) poke() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// run reads lists when they are due, until ctx ends; it joins what it started.
func (d *discovery) run(ctx context.Context) {
	var readings sync.WaitGroup
	defer readings.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-d.wake:
		}
		due, next := d.takeDue(time.Now())
		for _, id := range due {
			readings.Go(func() {
				d.read(ctx, id)
				d.poke()
			})
		}
		timer.Reset(next)
	}
}

// takeDue marks the lists that are due as being read and returns their
// providers, and the time until the next is due.
func (d *discovery) takeDue(now time.Time) (due []string, next time.Duration) {
	next = time.Minute // a guard: what changes the plan wakes run
	d.mu.Lock()
	defer d.mu.Unlock()
	running := 0
	for _, l := range d.lists {
		if l.reading {
			running++
		}
	}
	for _, id := range slices.Sorted(maps.Keys(d.lists)) {
		l := d.lists[id]
		switch {
		case l.due.IsZero() || l.reading:
		case l.due.After(now):
			next = min(next, l.due.Sub(now))
		case running < maxReadings: // else the end of one wakes run
			l.reading = true
			running++
			due = append(due, id)
		}
	}
	return due, next
}

// read asks a provider for its list.
func (d *discovery) read(ctx context.Context, id string) {
	rt := d.g.Current()
	if up := rt.upstreams[id]; up != nil {
		d.take(up, probe.New(up, &rt.Config.Settings).Read(ctx), ownReading)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if l := d.lists[id]; l != nil {
		l.reading = false
	}
}

// reader says who read a list.
type reader uint8

const (
	ownReading   reader = iota // run
	checkReading               // the fleet's check, which comes again by itself
)

// take books a reading, and serves what it changed.
func (d *discovery) take(up *upstream.Upstream, r probe.Reading, by reader) {
	if r.Cancelled {
		return // Run ends: what broke off says nothing
	}
	if ev := d.book(up, r, by); ev != nil && d.tell != nil {
		d.tell(*ev)
	}
}

// book is take without the telling; nil: there is nothing to tell.
func (d *discovery) book(up *upstream.Upstream, r probe.Reading, by reader) *Discovery {
	d.g.reload.Lock()
	defer d.g.reload.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.lists[up.Provider.ID]
	if l == nil || !reflect.DeepEqual(l.provider, up.Provider) || r.At.Before(l.TriedAt) {
		return nil // a reload made it another provider, or a later reading was faster
	}
	was := l.Discovery
	l.TriedAt, l.Failure = r.At, r.Failure
	if r.Failure != "" {
		l.failures++
	} else {
		l.failures = 0
		l.ReadAt, l.Models, l.LeftOut = r.At, r.Names, r.LeftOut
	}
	d.plan(l, by)
	if !slices.Equal(was.Models, l.Models) {
		if err := d.serve(); err != nil {
			l.Discovery = was // what is served is still the list before
			l.TriedAt, l.Failure = r.At, err.Error()
		}
	}
	d.settle()
	ev := l.Discovery
	ev.Added, ev.Removed = missing(ev.Models, was.Models), missing(was.Models, ev.Models)
	if len(ev.Added)+len(ev.Removed) == 0 && was.LeftOut == ev.LeftOut && (was.Failure == "") == (ev.Failure == "") {
		return nil
	}
	return &ev
}

// plan sets when the list is read next. Called under mu.
func (d *discovery) plan(l *modelList, by reader) {
	s := &d.g.Current().Config.Settings
	interval := s.HealthCheckIntervalSeconds.Duration()
	switch {
	case by == checkReading:
		l.due = time.Now().Add(interval + interval/4) // should the checks cease
	case l.failures > 0:
		longest := interval
		if longest <= 0 {
			longest = s.RecoveryCheckIntervalSeconds.Duration()
		}
		l.due = time.Now().Add(min(longest, firstReadingRetry<<min(l.failures-1, 20)))
	case interval > 0:
		l.due = time.Now().Add(interval - rand.N(interval/4+1)) // as the checks are spread
	default:
		l.due = time.Time{} // no checks: read once
	}
}

// serve makes the lists as they are now what is served. Called under both locks.
func (d *discovery) serve() error {
	old := d.g.Current()
	rt, dials, err := d.g.build(old.Config, d.names())
	if err != nil {
		return fmt.Errorf("cannot serve what the list names: %w", err)
	}
	// It is the same configuration still.
	rt.Generation, rt.LoadedAt = old.Generation, old.LoadedAt
	d.g.swap(rt, dials)
	return nil
}

// names are the models of each list, by provider. Called under mu.
func (d *discovery) names() map[string][]string {
	out := make(map[string][]string, len(d.lists))
	for id, l := range d.lists {
		out[id] = l.Models
	}
	return out
}
