package simulate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/PPKunOfficial/berry-api/loadbalance"
)

// Config is what is simulated.
type Config struct {
	Name string // of the report, such as the strategy's; for people
	// Strategy is a fresh value; nil: weighted_failover.
	Strategy loadbalance.Strategy
	Listings []loadbalance.Listing // at least one
	Policy   loadbalance.Policy    // zero: loadbalance.DefaultPolicy, which checks nothing as it names no groups
	Rules    Rules                 // zero: nothing is retried, whole answers take any time; see DefaultRules
	World    World                 // is checked; see World.Check
	Seed     uint64
	// Observe is told of each attempt when it ends; nil: nobody is.
	Observe func(Attempt)
}

// Attempt is one request that was sent to a backend on behalf of a user.
type Attempt struct {
	Request int // number of the user's request, from 1 on in the order of arrival
	Backend string
	Why     string        // "first", "same_backend", "failover" or "rate_limit": see Rules
	Pause   time.Duration // before it
	Begin   time.Duration // since the beginning of the simulation
	End     time.Duration
	Kind    loadbalance.Kind // what came of it
	Trial   bool             // see loadbalance.Lease.Trial
}

// simulation is one Run under way. Its events are handled one at a time.
type simulation struct {
	rules    Rules
	observe  func(Attempt)
	end      moment // no request comes from then on
	now      moment
	queue    queue
	rnd      *rand.Rand // of the ledger's pauses
	fleet    *loadbalance.Fleet
	balancer *loadbalance.Balancer
	arrivals arrivals
	actors   []*actor
	byID     map[string]int // the index of an id's first listing

	ctx      context.Context
	poked    bool   // something happened that a check may be due for
	checkAt  moment // of the latest planned look at the checks
	flying   int
	idle     []*flight // to be used again
	recorder recorder
}

// flight is one request under way.
type flight struct {
	pick    loadbalance.Request
	lease   *loadbalance.Lease
	ledger  ledger
	fate    fate   // of the attempt under way or of the latest one
	number  int    // of the request, from 1 on
	seen    int    // number of the latest request when the attempt began
	began   moment // the attempt
	arrived moment // the request
	input   int
	output  int
	whole   bool
	tried   []int // listings of its attempts
	hit     []int // of those that were no trials
	failed  []int // of those that failed in an episode
}

// Generators of their own for what is drawn, so that the requests are the same
// whatever the strategy does with them.
const (
	drawsTraffic = iota
	drawsFleet
	drawsLedger
	drawsActors // and one more for each backend
)

// Run simulates c and returns what came of it. It blocks until it is done or
// ctx ends, which is an error, as is a Config that makes no sense.
func Run(ctx context.Context, c Config) (*Report, error) {
	s, err := start(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("cannot simulate %q: %w", c.Name, err)
	}
	return s.run(c)
}

// run handles the events until nothing is left to happen.
func (s *simulation) run(c Config) (*Report, error) {
	for n := 0; ; n++ {
		if n%1024 == 0 && s.ctx.Err() != nil {
			return nil, s.ctx.Err()
		}
		e, ok := s.queue.pop()
		if !ok || s.flying == 0 && e.at >= s.end {
			break
		}
		if s.recorder.requests > maxRequests {
			return nil, fmt.Errorf("cannot simulate %q: more than %d requests", c.Name, maxRequests)
		}
		s.now = e.at
		s.handle(e)
		if s.poked {
			s.check()
		}
	}
	s.recorder.turn(s.balancer.Snapshot())
	return s.recorder.report(c), nil
}

// start makes a simulation ready for its first event.
func start(ctx context.Context, c Config) (*simulation, error) {
	if len(c.Listings) == 0 {
		return nil, errors.New("there are no listings")
	}
	if err := c.World.Check(); err != nil {
		return nil, fmt.Errorf("world %q: %w", c.World.Name, err)
	}
	generator := func(stream int) *rand.Rand { return rand.New(rand.NewPCG(c.Seed, uint64(stream))) }
	s := &simulation{
		ctx: ctx, rules: c.Rules, observe: c.Observe, end: moment(c.World.Duration), rnd: generator(drawsLedger),
		arrivals: arrivals{traffic: &c.World.Traffic, rnd: generator(drawsTraffic)},
		byID:     map[string]int{}, poked: true,
	}
	if s.rules.Whole <= 0 {
		s.rules.Whole = maxDuration
	}
	epoch := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s.fleet = loadbalance.NewFleet(loadbalance.Options{
		Now:    func() time.Time { return epoch.Add(time.Duration(s.now)) },
		Rand:   generator(drawsFleet).Uint64,
		Policy: c.Policy,
		Notify: func(e loadbalance.Event) { s.poked = s.poked || e.Subject == loadbalance.Health },
	})
	var err error
	s.balancer, err = s.fleet.Balancer(loadbalance.Config{Name: c.Name, Strategy: c.Strategy, Listings: c.Listings})
	if err != nil {
		return nil, err
	}
	for i, l := range c.Listings {
		if _, again := s.byID[l.ID]; !again {
			s.byID[l.ID] = i
		}
		a := newActor(c.World.scriptOf(c.Listings, i), time.Duration(c.World.Duration), generator(drawsActors+i))
		s.actors = append(s.actors, a)
	}
	s.recorder = newRecorder(s, c.Listings)
	s.queue.push(event{at: s.recorder.width, what: bucket})
	s.plan()
	return s, nil
}

func (s *simulation) handle(e event) {
	switch e.what {
	case arrival:
		s.plan()
		s.depart(e.flight)
	case content:
		e.flight.lease.Answered()
	case answer:
		s.answered(e.flight)
	case resume:
		s.resume(e.flight)
	case checkup:
		s.poked = s.poked || e.at == s.checkAt
	case bucket:
		if s.now < s.end {
			s.recorder.turn(s.balancer.Snapshot())
			s.queue.push(event{at: s.now + s.recorder.width, what: bucket})
		}
	}
}

// plan puts the next request into the queue.
func (s *simulation) plan() {
	a, ok := s.arrivals.next()
	if !ok || moment(a.At) >= s.end {
		return
	}
	f := s.board()
	f.arrived, f.input, f.output, f.whole = moment(a.At), a.InputTokens, a.OutputTokens, !a.Stream
	f.ledger = ledger{why: first}
	f.tried, f.hit, f.failed = f.tried[:0], f.hit[:0], f.failed[:0]
	s.flying++
	s.queue.push(event{at: f.arrived, what: arrival, flight: f})
}

// board returns a flight, one that has landed if there is any.
func (s *simulation) board() *flight {
	n := len(s.idle)
	if n == 0 {
		return &flight{}
	}
	f := s.idle[n-1]
	s.idle = s.idle[:n-1]
	f.pick.Reset()
	return f
}

// depart is the beginning of a request.
func (s *simulation) depart(f *flight) {
	f.number = s.recorder.arrived(s.now)
	lease, err := s.balancer.Pick(&f.pick)
	if err != nil {
		s.poked = true
		s.refuse(f, err)
		return
	}
	s.attempt(f, lease)
}

// attempt sends f to the backend that was leased for it.
func (s *simulation) attempt(f *flight, lease *loadbalance.Lease) {
	i := s.byID[lease.ID()]
	f.lease, f.began, f.seen = lease, s.now, s.recorder.requests
	f.ledger.attempts++
	q := ask{output: f.output, limit: s.rules.Whole, whole: f.whole}
	if !f.whole {
		q.limit = s.rules.group(lease.Group()).FirstContent
	}
	f.fate = s.actors[i].answer(s.now, q)
	f.tried = append(f.tried, i)
	if !lease.Trial() {
		f.hit = append(f.hit, i)
	}
	if lease.Trial() && f.fate.kind == loadbalance.Success {
		s.queue.push(event{at: s.now + moment(f.fate.first), what: content, flight: f})
	}
	s.queue.push(event{at: s.now + moment(f.fate.total), what: answer, flight: f})
}

// answered is the end of an attempt.
func (s *simulation) answered(f *flight) {
	x := &f.fate
	o := loadbalance.Outcome{
		Kind: x.kind, Status: x.status, FirstContent: x.first, Duration: x.total, RetryAfter: x.retryAfter,
	}
	if x.kind == loadbalance.Success {
		o.InputTokens, o.OutputTokens = f.input, f.output
	}
	s.recorder.attempted(f, s.byID[f.lease.ID()], s.now)
	if s.observe != nil {
		s.observe(Attempt{
			Request: f.number, Backend: f.lease.ID(), Why: string(f.ledger.why), Pause: f.ledger.pause,
			Begin: time.Duration(f.began), End: time.Duration(s.now), Kind: x.kind, Trial: f.lease.Trial(),
		})
	}
	f.lease.Report(o)
	switch {
	case x.kind == loadbalance.Success:
		s.land(f)
	case !x.kind.Elsewhere(), f.ledger.attempts > s.rules.MaxRetries, !f.lease.MayRetry():
		s.land(f)
	default:
		s.retry(f, waitInPlace)
	}
}

// refuse ends a request that nothing could be picked for.
func (s *simulation) refuse(f *flight, err error) {
	if u, ok := errors.AsType[*loadbalance.Unavailable](err); ok {
		s.recorder.refused(u)
	}
	s.free(f)
}

// land ends a request that was answered or has failed for good.
func (s *simulation) land(f *flight) {
	s.recorder.landed(f)
	s.free(f)
}

func (s *simulation) free(f *flight) {
	f.lease = nil
	s.flying--
	s.idle = append(s.idle, f)
}
