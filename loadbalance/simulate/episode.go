package simulate

import (
	"slices"
	"time"

	"github.com/PPKunOfficial/berry-api/loadbalance"
)

// Episode is a time in which a backend fails all that is sent to it, and how
// the traffic left it and returned.
type Episode struct {
	Backend     string
	From, Until time.Duration

	// Failures counts the requests of users that failed on the backend until it
	// was left, whatever came of them elsewhere; trials, which look whether it is
	// back, do not count. 0: it was not used.
	Failures int
	// Left is set once 10 requests in a row went without the backend, or the
	// episode ended before that many came since its last failure.
	Left bool
	// Leave is the time from From to the last of the Failures.
	Leave time.Duration
	// Lost counts the requests that failed for good after an attempt on it.
	Lost int

	// Returned is set when the backend answered a request after Until and
	// before it broke again; Return is the time until that request was sent to
	// it, and Arrivals how many had come since Until by then.
	Returned bool
	Return   time.Duration
	Arrivals int
}

// settled is how many requests in a row must go without a backend for it to
// count as left.
const settled = 10

// watch follows the episodes of one backend.
type watch struct {
	id      string
	listing int
	outages []span
	done    []Episode

	open    bool // episode has begun
	over    bool // a request has come after it
	before  int  // requests that came before it was over
	episode Episode
	without int // requests in a row that were not sent to the backend
}

// within returns the spans that begin before the end.
func within(all []span, end moment) []span {
	return slices.DeleteFunc(slices.Clone(all), func(s span) bool { return s.from >= end })
}

// enter moves on to the episode that a moment is in or after.
func (w *watch) enter(at moment) {
	for len(w.outages) > 0 && at >= w.outages[0].from {
		if w.open {
			w.close()
		}
		next := w.outages[0]
		w.outages = w.outages[1:]
		w.open, w.over, w.without = true, false, 0
		w.episode = Episode{Backend: w.id, From: time.Duration(next.from), Until: time.Duration(next.until)}
	}
}

func (w *watch) close() {
	e := &w.episode
	e.Left = e.Left || e.Failures > 0 && w.without > 0
	w.done = append(w.done, *e)
	w.open = false
}

// arrived notes a request, which came after so many others.
func (w *watch) arrived(at moment, others int) {
	w.enter(at)
	if w.open && !w.over && at >= moment(w.episode.Until) {
		w.over, w.before = true, others
	}
}

// failed notes an attempt that failed.
func (w *watch) failed(f *flight, now moment) {
	e := &w.episode
	if !w.open || e.Left || f.lease.Trial() || f.began < moment(e.From) || f.began >= moment(e.Until) {
		return
	}
	if !slices.Contains(f.failed, w.listing) {
		f.failed = append(f.failed, w.listing)
		e.Failures++
	}
	e.Leave = time.Duration(now) - e.From
}

// succeeded notes an attempt that was answered. The first to be answered need
// not be the first that was sent.
func (w *watch) succeeded(f *flight) {
	e := &w.episode
	if !w.open || f.began < moment(e.Until) {
		return
	}
	if after := time.Duration(f.began) - e.Until; !e.Returned || after < e.Return {
		e.Returned, e.Return, e.Arrivals = true, after, max(0, f.seen-w.before)
	}
}

// landed notes a request that is over.
func (w *watch) landed(f *flight) {
	e := &w.episode
	if !w.open || f.arrived < moment(e.From) || f.arrived >= moment(e.Until) {
		return
	}
	if f.fate.kind != loadbalance.Success && slices.Contains(f.tried, w.listing) {
		e.Lost++
	}
	if slices.Contains(f.hit, w.listing) {
		w.without = 0
		return
	}
	w.without++
	if e.Failures > 0 && w.without >= settled {
		e.Left = true
	}
}

// finish returns all episodes.
func (w *watch) finish() []Episode {
	if w.open {
		w.close()
	}
	return w.done
}
