package relay

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/PPKunOfficial/berry-api/relay/sse"
)

// With on_client_disconnect = "finish" an answer whose client has left is read
// on, so that its usage is known: the provider bills it anyway. The request's
// own goroutine does it, before Serve returns, within these bounds.
const (
	readOnTime  = 60 * time.Second
	readOnBytes = 8 << 20
	// readOnMost is how many answers are read on at one time; what comes on
	// top is cancelled, as without the setting.
	readOnMost = 256
)

// upstreamContext is what an attempt's context derives from: the client's, or
// one that outlives the client's leaving.
func (x *exchange) upstreamContext() context.Context {
	if x.rt.limits.readOn {
		return context.WithoutCancel(x.r.Context())
	}
	return x.r.Context()
}

// watchClient lets an attempt outlive the client within the bounds, where that
// is set. The caller calls stop when the attempt is over: the exchange is not
// touched any more from then on, also by a leaving that is being noted at that
// very moment.
func (x *exchange) watchClient(cancel context.CancelCauseFunc) (stop func()) {
	if !x.rt.limits.readOn {
		return func() {}
	}
	var (
		mu            sync.Mutex // guards what follows
		over, counted bool
	)
	release := context.AfterFunc(x.r.Context(), func() {
		mu.Lock()
		defer mu.Unlock()
		if over {
			return
		}
		if x.stopping() { // the client is there, and told
			cancel(ErrStopping)
			return
		}
		if x.g.readingOn.Add(1) > readOnMost {
			x.g.readingOn.Add(-1)
			cancel(errGone)
			return
		}
		counted = true
		x.gate.leave(readOnTime)
	})
	return func() {
		if release() {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		over = true
		if counted {
			x.g.readingOn.Add(-1)
		}
	}
}

// left reports whether the client has gone.
func (x *exchange) left() bool {
	return x.clientLeft || x.r.Context().Err() != nil && !x.stopping()
}

// watched tells the gate of each sign of life from the upstream, and bounds
// what is read on for a client that has gone. The gate hears of it before the
// next read: a clump that goes out meanwhile tells it as much.
type watched struct {
	src    io.Reader
	lender sse.Lender // src, if it is one
	gate   *gate
	x      *exchange
	readOn bool
	untold bool // the gate has not heard of the last read
	excess int  // bytes read since the client left
}

// watchedBody is src, the body of an answer to x, watched.
func watchedBody(src io.Reader, x *exchange) watched {
	lender, _ := src.(sse.Lender)
	return watched{src: src, lender: lender, gate: &x.gate, x: x, readOn: x.rt.limits.readOn}
}

// Read implements io.Reader.
func (r *watched) Read(p []byte) (int, error) {
	r.tell()
	n, err := r.src.Read(p)
	if r.readOn && r.x.left() {
		if r.excess += n; r.excess > readOnBytes {
			return 0, errGone
		}
	}
	return n, err
}

// Lend implements sse.Lender.
func (r *watched) Lend() ([]byte, error) {
	if r.lender == nil {
		return nil, nil
	}
	r.tell()
	p, err := r.lender.Lend()
	if r.readOn && r.x.left() {
		if r.excess += len(p); r.excess > readOnBytes {
			return nil, errGone
		}
	}
	return p, err
}

// tell tells the gate of the last read before the next one.
func (r *watched) tell() {
	if r.untold {
		r.gate.touch()
	}
	r.untold = true
}
