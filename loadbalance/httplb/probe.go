package httplb

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/PPKunOfficial/berry-api/loadbalance"
)

// Run checks the targets until ctx ends, by Fleet.Run: it blocks, joins what
// it started and returns nil. A fleet runs once at a time; for one that is
// shared between balancers, run the fleet itself with a Prober that passes on
// to each Transport's Probe what is its own.
//
// With a fleet of the caller's the policy decides which targets are checked:
// those whose group has a Check.
func (t *Transport) Run(ctx context.Context) error { return t.fleet.Run(ctx, t) }

// Probe makes one check of the targets c.IDs, all at a time. It makes
// Transport a loadbalance.Prober:
//
//   - CheckList asks for the HealthPath, with the target's Header. It gives nil
//     if no target of the check has one.
//   - CheckConnect asks for the header of the URL, without the target's
//     Header and query; any answer at all passes.
//   - CheckChat gives nil: a target that failed requests is brought back by
//     requests, not by what it says of itself.
//
// IDs that are not of this Transport give Cancelled, which is no evidence.
func (t *Transport) Probe(ctx context.Context, c loadbalance.Check) []loadbalance.Outcome {
	var check func(context.Context, *target) loadbalance.Outcome
	switch {
	case c.Kind == loadbalance.CheckConnect:
		check = t.connect
	case c.Kind == loadbalance.CheckList && t.anyHealthPath(c.IDs):
		check = t.health
	default:
		return nil
	}
	out := make([]loadbalance.Outcome, len(c.IDs))
	var wg sync.WaitGroup
	for i, id := range c.IDs {
		out[i].Kind = loadbalance.Cancelled
		if known := t.byID(id); known != nil {
			wg.Go(func() { out[i] = check(ctx, known) })
		}
	}
	wg.Wait()
	return out
}

func (t *Transport) byID(id string) *target {
	for _, known := range t.targets {
		if known.ID == id {
			return known
		}
	}
	return nil
}

func (t *Transport) anyHealthPath(ids []string) bool {
	for _, id := range ids {
		if known := t.byID(id); known != nil && known.health != nil {
			return true
		}
	}
	return false
}

// health asks for the health path; of a target without one, among others that
// have one, whether it answers.
func (t *Transport) health(ctx context.Context, known *target) loadbalance.Outcome {
	if known.health == nil {
		return t.connect(ctx, known)
	}
	return t.ask(ctx, http.MethodGet, known, func(resp *http.Response) loadbalance.Outcome {
		o := loadbalance.Outcome{Status: resp.StatusCode}
		switch code := resp.StatusCode; {
		case code < 400:
			o.Kind = loadbalance.Success
		case code == http.StatusTooManyRequests:
			o.Kind = loadbalance.RateLimit
		case code == http.StatusUnauthorized, code == http.StatusForbidden:
			o.Kind = loadbalance.Auth
		case code == http.StatusNotFound, code == http.StatusMethodNotAllowed, code == http.StatusNotImplemented:
			// A path that was configured has to be there. With their status these
			// would mean that there is no such check.
			o = loadbalance.Outcome{Kind: loadbalance.Server}
		default:
			o.Kind = loadbalance.Server
		}
		return o
	})
}

// connect finds out whether there is an HTTP server.
func (t *Transport) connect(ctx context.Context, known *target) loadbalance.Outcome {
	return t.ask(ctx, http.MethodHead, known, func(*http.Response) loadbalance.Outcome {
		return loadbalance.Outcome{Kind: loadbalance.Success}
	})
}

// ask makes one request for a check: GET of the health path, HEAD of the URL.
func (t *Transport) ask(ctx context.Context, method string, known *target, judge func(*http.Response) loadbalance.Outcome) loadbalance.Outcome {
	start := time.Now()
	r := (&http.Request{Method: method, URL: withQuery(known.base, ""), Header: http.Header{"User-Agent": {"httplb"}}}).WithContext(ctx)
	r.Host = known.Header.Get("Host")
	if method == http.MethodGet {
		r.URL = known.health
		known.setHeader(r.Header)
	}
	resp, err := t.base.RoundTrip(r)
	if err != nil {
		kind := loadbalance.Network
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			kind = loadbalance.Timeout
		}
		return loadbalance.Outcome{Kind: kind, Duration: time.Since(start)}
	}
	o := judge(resp)
	_, _ = io.CopyN(io.Discard, resp.Body, discardable) // so that the connection can be used again
	_ = resp.Body.Close()
	o.Duration = time.Since(start)
	return o
}
