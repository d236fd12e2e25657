package simulate

import (
	"time"

	"github.com/PPKunOfficial/berry-api/loadbalance"
)

// timelineSlices is how many parts the timeline has.
const timelineSlices = 60

// recorder collects what the report is made of.
type recorder struct {
	listings []loadbalance.Listing
	indices  []int // of the backends in the report, by listing; -1: an earlier listing is the same
	width    moment
	requests int
	told     bool // a refused request was told to wait
	out      Report
	slice    Slice
	latency  []float32 // seconds
	watches  []watch
}

func newRecorder(s *simulation, listings []loadbalance.Listing) recorder {
	r := recorder{listings: listings, width: max(1, (s.end+timelineSlices-1)/timelineSlices)}
	for i, l := range listings {
		if s.byID[l.ID] != i {
			r.indices = append(r.indices, -1)
			continue
		}
		r.indices = append(r.indices, len(r.out.Backends))
		r.out.Backends = append(r.out.Backends, BackendReport{ID: l.ID})
		r.watches = append(r.watches, watch{id: l.ID, listing: i, outages: within(s.actors[i].outages, s.end)})
	}
	r.slice = r.newSlice()
	return r
}

func (r *recorder) newSlice() Slice {
	return Slice{Answered: make([]int, len(r.out.Backends))}
}

// turn ends a slice of the timeline.
func (r *recorder) turn(candidates []loadbalance.Candidate) {
	for i, c := range candidates {
		if r.indices[i] >= 0 {
			r.slice.Confidence = append(r.slice.Confidence, c.Confidence)
		}
	}
	r.out.Timeline = append(r.out.Timeline, r.slice)
	r.slice = r.newSlice()
}

// arrived counts a request and returns its number.
func (r *recorder) arrived(now moment) int {
	for i := range r.watches {
		r.watches[i].arrived(now, r.requests)
	}
	r.requests++
	return r.requests
}

// refused counts a request that nothing was sent for.
func (r *recorder) refused(u *loadbalance.Unavailable) {
	r.out.Refused++
	r.slice.Unanswered++
	if !r.told || u.RetryAfter < r.out.WaitShortest {
		r.out.WaitShortest = u.RetryAfter
	}
	r.out.WaitLongest = max(r.out.WaitLongest, u.RetryAfter)
	r.told = true
}

// attempted counts an attempt on the backend of listing i that has ended.
func (r *recorder) attempted(f *flight, i int, now moment) {
	b := &r.out.Backends[r.indices[i]]
	b.Attempts++
	r.out.Attempts++
	w := &r.watches[r.indices[i]]
	if f.fate.kind != loadbalance.Success {
		b.Failed++
		w.failed(f, now)
		return
	}
	b.Succeeded++
	cost := price(&r.listings[f.lease.Index()], float64(f.input), float64(f.output))
	b.Cost += cost
	r.out.Cost += cost
	r.slice.Answered[r.indices[i]]++
	w.succeeded(f)
}

// landed counts a request that is over.
func (r *recorder) landed(f *flight) {
	if f.ledger.attempts > 1 {
		r.out.Retried++
	}
	if f.fate.kind == loadbalance.Success {
		r.out.Succeeded++
		took := time.Duration(f.began-f.arrived) + f.fate.first
		r.latency = append(r.latency, float32(took.Seconds()))
	} else {
		r.out.Failed++
		r.slice.Unanswered++
	}
	for i := range r.watches {
		r.watches[i].landed(f)
	}
}

// checked counts a check of the backend of listing i.
func (r *recorder) checked(i int, kind loadbalance.CheckKind) {
	b := &r.out.Backends[r.indices[i]]
	if kind != loadbalance.CheckChat {
		b.FreeChecks++
		return
	}
	b.Chats++
	cost := price(&r.listings[i], chatInput, 1)
	b.Cost += cost
	r.out.Cost += cost
}

// chatInput is about how many tokens the prompt of a check has.
const chatInput = 8

func (r *recorder) report(c Config) *Report {
	out := &r.out
	out.Name, out.World, out.Seed = c.Name, c.World.Name, c.Seed
	out.Duration, out.Width = time.Duration(c.World.Duration), time.Duration(r.width)
	out.Requests = r.requests
	out.P50, out.P99 = percentile(r.latency, 0.50), percentile(r.latency, 0.99)
	for i := range r.watches {
		out.Episodes = append(out.Episodes, r.watches[i].finish()...)
	}
	return out
}
