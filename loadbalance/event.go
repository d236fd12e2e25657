package loadbalance

import "time"

// Subject says what about a backend an Event reports.
type Subject uint8

// The subjects of events, with the values of From and To.
const (
	Health   Subject = iota + 1 // "healthy", "unhealthy"
	Breaker                     // "closed", "open", "half_open"
	Recovery                    // "30", "50", "100": percent of the weight
)

// String returns "health", "breaker" or "recovery".
func (s Subject) String() string {
	switch s {
	case Health:
		return "health"
	case Breaker:
		return "breaker"
	case Recovery:
		return "recovery"
	}
	return "unknown"
}

// Event is one transition of a backend's state.
type Event struct {
	Time      time.Time
	ID, Group string
	Subject   Subject
	From, To  string

	// Kind and Status are of the outcome that caused the transition.
	Kind   Kind
	Status int
	// Check is the kind of active check that caused it; CheckNone: a request did.
	Check CheckKind
}

// events collects what happened under a backend's lock, to be told after it.
// One step changes each subject at most twice.
type events struct {
	list [6]Event
	n    int
}

// add notes a transition, if it is one.
func (b *backend) add(ev *events, s Subject, from, to string) {
	if from == to || b.fleet.notify == nil || ev.n == len(ev.list) {
		return
	}
	ev.list[ev.n] = Event{ID: b.id, Group: b.group.Load().name, Subject: s, From: from, To: to}
	ev.n++
}

// tell hands the events to Options.Notify. No lock may be held.
func (f *Fleet) tell(ev *events, cause Outcome, check CheckKind) {
	if ev.n == 0 {
		return
	}
	now := f.time(f.now())
	for _, e := range ev.list[:ev.n] {
		e.Time, e.Kind, e.Status, e.Check = now, cause.Kind, cause.Status, check
		f.notify(e)
	}
}
