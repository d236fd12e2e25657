package loadbalance

import "context"

// CheckKind is a way to find out whether backends work.
type CheckKind uint8

// The kinds of checks. All but CheckAuto can be asked of a Prober.
const (
	CheckNone    CheckKind = iota // no active checks
	CheckList                     // ask the account for its models: free, one call for a group
	CheckChat                     // ask one backend for one token
	CheckConnect                  // open a connection, TCP and TLS: free, one call for a group
	CheckAuto                     // CheckList, or CheckConnect where there is no list
)

// String returns "none", "list", "chat", "connect" or "auto".
func (k CheckKind) String() string {
	switch k {
	case CheckNone:
		return "none"
	case CheckList:
		return "list"
	case CheckChat:
		return "chat"
	case CheckConnect:
		return "connect"
	case CheckAuto:
		return "auto"
	}
	return "unknown"
}

// Check is one check to be made.
type Check struct {
	Kind  CheckKind // CheckList, CheckConnect or CheckChat
	Group string
	IDs   []string // the backends that it is made for, sorted; exactly one for CheckChat
}

// Prober makes the checks that a Fleet decides on. The fleet owns when; the
// prober owns how.
//
// Probe returns one outcome for each of c.IDs, in their order:
//
//   - Success: it works as far as this kind of check can tell.
//   - Model, from CheckList: the list was read and does not have the backend.
//   - Caller, from CheckChat: it answered that the probe's own request was at
//     fault, which takes a working backend: it passes.
//   - RateLimit: no evidence; from CheckChat it is a reason to rest.
//   - the failures: it does not work.
//   - Cancelled: no evidence.
//
// A nil result means that the group has no such check. A CheckList whose
// outcomes all carry the Status 404, 405 or 501 means the same: no such
// endpoint. It is no evidence, and the fleet calls Probe again at once, with
// CheckConnect; under CheckAuto it keeps to that for the next sixty intervals.
// A backend for which CheckChat gives nil is left to the requests of users to
// bring back.
//
// Probe is called by Fleet.Run on up to 16 goroutines at a time, at most once
// at a time per group and kind (per backend for CheckChat). It must return
// soon after ctx ends: Run waits for it, and until it returns it takes up a place.
type Prober interface {
	Probe(ctx context.Context, c Check) []Outcome
}

// checkState is what a backend knows of its own checks.
type checkState struct {
	last        int64 // moment of the last outcome; 0: never
	next        int64 // moment of the next regular CheckChat; 0: at once
	light       int64 // moment of the last one that moved the confidence; 0: never
	running     bool  // a CheckChat is under way
	holdsTrial  bool  // and it has the trial slot of the breaker
	unsupported bool  // the prober cannot do CheckChat for it
}

// groupCheck is what a group knows of its checks.
type groupCheck struct {
	next    int64 // moment of the next regular one; 0: not planned yet
	list    int64 // moment from which a list is asked for again
	running bool
}

// nextCheck is the moment of the group's next regular check; 0: none.
func (g *group) nextCheck() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.check.next
}
