// Package direct is an HTTP/1.1 client for upstreams in clear text, such as
// models on the same machine or network. It writes a request and reads its
// answer on the goroutine that asks, where net/http's Transport hands both to
// goroutines of its connection: for a gateway under load that handing over is
// a third of its work (docs/adr/0011).
//
// A Transport keeps connections to one host. relay makes one per provider
// whose base URL begins with http:// and calls it from the requests' own
// goroutines; what is spoken with TLS stays with net/http, which brings
// HTTP/2. It starts no goroutine.
package direct

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// Options are how a Transport works. The zero value is safe.
type Options struct {
	// Dial opens a connection; nil: net.Dialer's DialContext without limits.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// MaxIdle is how many unused connections are kept; 0: none.
	MaxIdle int
	// IdleTime is how long an unused connection is kept; 0: without limit.
	IdleTime time.Duration
	// MaxHeader bounds an answer's header in bytes; 0: 256 KiB.
	MaxHeader int
}

const defaultMaxHeader = 256 << 10

// Transport is an http.RoundTripper for one host. Its methods may be called
// from any goroutine; make one with New.
type Transport struct {
	address string
	o       Options

	mu      sync.Mutex // guards what follows
	idle    []*conn    // the one used last comes last
	timer   *time.Timer
	retired bool
}

var _ http.RoundTripper = (*Transport)(nil)

// New returns a transport to address, host:port. It opens nothing.
func New(address string, o Options) *Transport {
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	if o.MaxHeader <= 0 {
		o.MaxHeader = defaultMaxHeader
	}
	return &Transport{address: address, o: o}
}

// RoundTrip sends a request and blocks until the answer's header is there. The
// request's body must have a known length. It is closed when RoundTrip
// returns, on errors too. The answer's body has a method Finish() bool that
// reads its end where that has come already, without waiting, and reports
// whether the body is over. The request's context ends the call and the reading
// of the answer's body. Body and header belong to the caller; the body must be
// closed, and read by one goroutine at a time. A body that was not read to its
// end takes its connection with it.
//
// The answer is read once the request is written, or cannot be: what an
// upstream says before it has read a large body is heard as soon as it reads on
// or closes.
//
// A request is sent at most once: a connection that the upstream closed while
// it was idle is noticed before anything is written.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.roundTrip(req)
	if req.Body != nil {
		_ = req.Body.Close()
	}
	return resp, err
}

var errLength = errors.New("direct: the length of the request's body is not known")

func (t *Transport) roundTrip(req *http.Request) (*http.Response, error) {
	if req.ContentLength < 0 || req.ContentLength == 0 && req.Body != nil && req.Body != http.NoBody {
		return nil, errLength
	}
	ctx := req.Context()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c := t.take()
	if c == nil {
		nc, err := t.o.Dial(ctx, "tcp", t.address)
		if err != nil {
			return nil, fmt.Errorf("cannot connect: %w", err)
		}
		c = newConn(t, nc)
	}
	resp, err := c.roundTrip(ctx, req)
	if err != nil {
		c.close()
		return nil, err
	}
	return resp, nil
}
