package simulate

import (
	"context"

	"github.com/PPKunOfficial/berry-api/loadbalance"
)

// check lets the fleet make the checks that are due, and plans the next look.
func (s *simulation) check() {
	next := s.fleet.CheckDue(s.ctx, prober{s})
	s.poked = false
	s.checkAt = s.now + moment(next)
	s.queue.push(event{at: s.checkAt, what: checkup})
}

// prober answers checks as the scripts say. It takes no time.
type prober struct{ s *simulation }

func (p prober) Probe(_ context.Context, c loadbalance.Check) []loadbalance.Outcome {
	s := p.s
	out := make([]loadbalance.Outcome, len(c.IDs))
	for i, id := range c.IDs {
		k := s.byID[id]
		s.recorder.checked(k, c.Kind)
		if c.Kind != loadbalance.CheckChat {
			out[i] = s.actors[k].checked(s.now, c.Kind)
			continue
		}
		x := s.actors[k].answer(s.now, ask{output: 1, limit: maxDuration, whole: true})
		out[i] = loadbalance.Outcome{
			Kind: x.kind, Status: x.status, FirstContent: x.first, Duration: x.total, RetryAfter: x.retryAfter,
		}
	}
	return out
}
