package relay

import "time"

// burstGap is how long a stream in a burst waits between two clumps. It is far
// below what anybody sees, and what the upstream writes meanwhile, event by
// event, goes out in one piece: reading and writing each by itself costs more
// than all else that is done for it.
const burstGap = time.Millisecond

// gather lets the upstream write on while it does so without a pause: when a
// clump came right behind another one (or behind the wait after that), or when
// the first one has several events of content. It is called when a clump has
// gone out, at now, so that nothing that is here waits.
func (p *pump) gather(now time.Time) {
	burst := p.contents > 1
	if !p.flushed.IsZero() {
		burst = now.Sub(p.flushed) < 2*p.burst
	}
	p.flushed, p.contents = now, 0
	if burst && p.burst > 0 {
		time.Sleep(p.burst)
	}
}
