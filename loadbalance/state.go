package loadbalance

import "time"

// State is the live state of a backend at one moment.
type State struct {
	ID, Group string

	Healthy             bool // not marked unhealthy
	Drained             bool // taken out by hand
	Breaker             BreakerState
	ConsecutiveFailures int
	InFlight            int       // leases not reported yet
	CoolDownUntil       time.Time // zero: not cooling down
	Stage               int       // of recovery: 30, 50 or 100 percent of the weight

	Latency    time.Duration // smoothed time to first content; 0: not measured yet
	Confidence float64       // in [0,1], as smart_ai sees it

	LastError     Kind      // of the last failure or rate limit; Success: there was none
	LastStatus    int       // its status
	LastErrorAt   time.Time // zero: never
	LastSuccessAt time.Time // of a request; zero: never
	LastCheckAt   time.Time // active check; zero: never
	NextCheckAt   time.Time // zero: none is planned

	// Requests of users: picked, answered, failed or rate limited. Checks
	// are not among them.
	Requests, Successes, Failures uint64
}

// Candidate is a listing with its backend's state, as a pick sees it.
type Candidate struct {
	State
	Index        int
	Weight       float64
	Priority     int
	Tags         []string
	PerRequest   bool
	InputPrice   float64
	OutputPrice  float64
	RequestPrice float64

	// EffectiveWeight and Share are what the strategy compares and gives; 0
	// for a listing that is excluded or with a strategy that is no Explainer.
	EffectiveWeight float64
	Share           float64
	Cost            float64 // expected price of one request, USD; 0: no prices
	Premium         bool
	Excluded        string // why it cannot be picked now; "": it can
}

// Backends returns the states of all backends, sorted by id.
func (f *Fleet) Backends() []State {
	all := f.list()
	states := make([]State, len(all))
	for i, b := range all {
		states[i] = b.state(f.now())
	}
	return states
}

// Backend returns the state of one backend. False: no such backend.
func (f *Fleet) Backend(id string) (State, bool) {
	f.mu.Lock()
	b := f.backends[id]
	f.mu.Unlock()
	if b == nil {
		return State{}, false
	}
	return b.state(f.now()), true
}

// state copies the backend's state as of now.
func (b *backend) state(now int64) State {
	f := b.fleet
	p := f.policy.Load()
	g := b.group.Load()
	regular := g.nextCheck()
	b.mu.Lock()
	defer b.mu.Unlock()
	s := State{
		ID:                  b.id,
		Group:               g.name,
		Healthy:             !b.health.unhealthy,
		Drained:             b.drained,
		Breaker:             b.breaker.at(now),
		ConsecutiveFailures: b.breaker.failures,
		InFlight:            int(b.inFlight.Load()),
		Stage:               b.recovery.stage(),
		Confidence:          b.confidence.at(stampOf(now), &p.SmartAI),
		LastError:           b.lastErr.kind,
		LastStatus:          b.lastErr.status,
		LastErrorAt:         f.time(b.lastErr.at),
		LastSuccessAt:       f.time(b.lastOK),
		LastCheckAt:         f.time(b.check.last),
		NextCheckAt:         f.time(b.nextCheck(regular, p)),
		Requests:            b.requests.Load(),
		Successes:           b.successes.Load(),
		Failures:            b.failures.Load(),
	}
	if b.coolDown.until > now {
		s.CoolDownUntil = f.time(b.coolDown.until)
	}
	if l, ok := b.latency.seconds(stampOf(now)); ok {
		s.Latency = time.Duration(l * float64(time.Second))
	}
	return s
}

// Snapshot returns all listings in their order, with the very numbers that
// Pick uses for a request without tags and pin. It changes nothing.
func (b *Balancer) Snapshot() []Candidate { return b.Explain(new(Request)) }

// Explain returns all listings in their order, with the very numbers that a
// Pick for r would use now: for the record of a decision, before it or after.
// r must be new or belong to this balancer; what it was picked for stays.
func (b *Balancer) Explain(r *Request) []Candidate {
	r.begin(b)
	r.borrowed = &room{nodes: make([]*Node, len(b.nodes)), weights: make([]float64, len(b.nodes))}
	defer func() { r.borrowed = nil }()
	c := b.filter(r, r.borrowed.nodes)
	out := make([]Weighing, len(c))
	if e, ok := b.strategy.(Explainer); ok && len(c) > 0 {
		e.Explain(c, r, out)
	}
	all := make([]Candidate, len(b.nodes))
	k := 0
	for i, n := range b.nodes {
		all[i] = n.candidate(r)
		if k < len(c) && c[k] == n {
			all[i].EffectiveWeight, all[i].Share = out[k].Weight, out[k].Share
			k++
		} else {
			all[i].Excluded = n.excluded(r)
		}
	}
	return all
}

func (n *Node) candidate(r *Request) Candidate {
	l := &n.listing
	return Candidate{
		State:        n.backend.state(r.now),
		Index:        n.index,
		Weight:       l.Weight,
		Priority:     l.Priority,
		Tags:         l.Tags,
		PerRequest:   l.PerRequest,
		InputPrice:   l.InputPrice,
		OutputPrice:  l.OutputPrice,
		RequestPrice: l.RequestPrice,
		Cost:         n.Cost(),
		Premium:      n.premium,
	}
}

// excluded says why the filter left the node out.
func (n *Node) excluded(r *Request) string {
	b := n.backend
	switch {
	case r.Only != "" && r.Only != n.listing.Group:
		return "pinned to another group"
	case !n.tagged(r):
		return "tags"
	case r.retry && r.wasTried(n.first):
		return "tried"
	}
	switch b.standing(r.now) {
	case standsDrained:
		return "drained"
	case standsBusy:
		return "trial under way"
	case standsBlocked, standsLast:
		b.mu.Lock()
		defer b.mu.Unlock()
		switch {
		case b.breaker.at(r.now) == BreakerOpen:
			return "breaker open"
		case b.coolDown.until > r.now:
			return "cooling down"
		}
		return "trial under way"
	}
	if b.group.Load().full() {
		return "concurrency limit"
	}
	return "unhealthy"
}
