package simulate

import (
	"math"
	"slices"
	"time"
)

// Report is what came of a simulation.
type Report struct {
	Name     string // Config.Name
	World    string // its name
	Seed     uint64
	Duration time.Duration

	Requests  int // of users
	Succeeded int // answered, after retries
	Failed    int // that were sent to a backend and not answered
	Refused   int // for which no backend could be picked: nothing was sent
	Attempts  int // requests sent upstream on behalf of users
	Retried   int // requests that took more than one attempt
	// Wait is what refused requests were told to wait, shortest and longest;
	// 0 means that one was told nothing.
	WaitShortest, WaitLongest time.Duration

	// Cost is what the answers and the paid checks cost in USD.
	Cost float64
	// P50 and P99 are of the time from a request's arrival to its first
	// content (to its end if it wanted a whole answer), of those that succeeded.
	P50, P99 time.Duration

	// Timeline is the time in slices of Width each.
	Width    time.Duration
	Timeline []Slice
	Backends []BackendReport // in the order of the listings; one for each backend
	Episodes []Episode       // by backend, then by time
}

// Slice is one part of the timeline.
type Slice struct {
	Answered   []int     // requests answered, by backend as in Report.Backends
	Unanswered int       // requests failed or refused
	Confidence []float64 // at its end, by backend
}

// BackendReport is what came to one backend.
type BackendReport struct {
	ID        string
	Attempts  int
	Succeeded int
	Failed    int // rate limits among them
	Cost      float64
	// Checks that looked at it without cost, and chats that were sent to check it.
	FreeChecks, Chats int
}

// Share is the part of the answered requests that the backend answered, from
// 0 to 1.
func (r *Report) Share(backend int) float64 {
	return ratio(r.Backends[backend].Succeeded, r.Succeeded)
}

// SuccessRate is the part of the requests that succeeded, from 0 to 1.
func (r *Report) SuccessRate() float64 { return ratio(r.Succeeded, r.Requests) }

// AttemptsPerRequest counts what was sent upstream.
func (r *Report) AttemptsPerRequest() float64 { return ratio(r.Attempts, r.Requests) }

// CostPerSuccess is the cost of an answered request in USD; 0 if there is none.
func (r *Report) CostPerSuccess() float64 {
	if r.Succeeded == 0 {
		return 0
	}
	return r.Cost / float64(r.Succeeded)
}

// Chats counts the checks that cost.
func (r *Report) Chats() int {
	n := 0
	for _, b := range r.Backends {
		n += b.Chats
	}
	return n
}

func ratio(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// WorstLeave is the episode that took the most user attempts to leave its
// backend, one that was never left before all others. False: no backend that
// broke was being used.
func (r *Report) WorstLeave() (Episode, bool) {
	var worst Episode
	found := false
	for _, e := range r.Episodes {
		if e.Failures == 0 {
			continue
		}
		if !found || !e.Left && worst.Left || e.Left == worst.Left && e.Failures > worst.Failures {
			worst, found = e, true
		}
	}
	return worst, found
}

// WorstReturn is the episode that took the longest to return from; of
// episodes of several backends at the same time the first return counts. False:
// there was no return.
func (r *Report) WorstReturn() (Episode, bool) {
	firsts := map[[2]time.Duration]Episode{}
	for _, e := range r.Episodes {
		key := [2]time.Duration{e.From, e.Until}
		if best, ok := firsts[key]; e.Returned && (!ok || e.Return < best.Return) {
			firsts[key] = e
		}
	}
	var worst Episode
	for _, e := range firsts {
		if e.Return > worst.Return || e.Return == worst.Return && e.From > worst.From {
			worst = e
		}
	}
	return worst, len(firsts) > 0
}

// percentile returns the smallest latency that a share p of all does not
// exceed. It sorts them.
func percentile(seconds []float32, p float64) time.Duration {
	if len(seconds) == 0 {
		return 0
	}
	slices.Sort(seconds)
	i := int(math.Ceil(p*float64(len(seconds)))) - 1
	return time.Duration(float64(seconds[max(i, 0)]) * float64(time.Second))
}
