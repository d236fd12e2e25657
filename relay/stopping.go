package relay

import (
	"context"
	"errors"
	"time"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/loadbalance"
)

// ErrStopping is the cause with which a server that is stopped cancels the
// contexts of the requests that it will not wait for any longer. To Serve it
// differs from a client that left: this one is still there. It is told, by a 503
// or by the error of its stream, before Serve returns; no backend is blamed, and
// nothing is tried again.
var ErrStopping = errors.New("relay: the server is being stopped")

// stopping reports whether the server has ended the request.
func (x *exchange) stopping() bool {
	return errors.Is(context.Cause(x.r.Context()), ErrStopping)
}

// cancelled is the verdict on an attempt that was ended from outside: by the
// client that left, or by the server that is stopped.
func (x *exchange) cancelled() verdict {
	v := verdict{kind: loadbalance.Cancelled}
	switch {
	case !x.stopping():
		x.clientLeft = true
	case x.rec.Committed:
		v.err = apierror.New(apierror.StreamInterrupted, "the gateway is being stopped; the answer is not complete")
	default:
		v.err = apierror.New(apierror.NoBackendAvailable, "the gateway is being stopped; try again").WithRetryAfter(time.Second)
	}
	return v
}
