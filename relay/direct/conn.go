package direct

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// readBuffer is a connection's buffer: a stream holds one for as long as it runs.
const readBuffer = 4 << 10

// conn is one connection. It belongs to the goroutine whose request it carries,
// or to the pool.
type conn struct {
	t     *Transport
	nc    net.Conn
	br    *bufio.Reader
	alive func() bool // whether the other side has left an idle connection open
	since time.Time   // when it became idle

	header int  // bytes of header that may still be read; below 0 for a body
	over   bool // the header was longer
}

func newConn(t *Transport, nc net.Conn) *conn {
	c := &conn{t: t, nc: nc, alive: watcher(nc)}
	c.br = bufio.NewReaderSize(c, readBuffer)
	return c
}

func (c *conn) close() { _ = c.nc.Close() }

// Read feeds the buffer and bounds the header.
func (c *conn) Read(p []byte) (int, error) {
	if c.header < 0 {
		return c.nc.Read(p)
	}
	if c.header == 0 {
		c.over = true
		return 0, errHeader
	}
	n, err := c.nc.Read(p[:min(len(p), c.header)])
	c.header -= n
	return n, err
}

var errHeader = errors.New("direct: the answer's header is too long")

// past is a deadline that ends every read and write at once.
var past = time.Unix(1, 0)

// abort ends what is under way. It is called by the request's context.
func (c *conn) abort() { _ = c.nc.SetDeadline(past) }

// roundTrip sends req and reads the answer's header. After an error the
// connection is of no use.
func (c *conn) roundTrip(ctx context.Context, req *http.Request) (*http.Response, error) {
	stop := context.AfterFunc(ctx, c.abort)
	sent := send(c.nc, c.t.address, req)
	var resp *http.Response
	var err error
	// An upstream that refuses a request may say so before it has read it all,
	// and close: what it said counts more than that it did not listen.
	if _, ours := errors.AsType[*bodyError](sent); !ours {
		resp, err = c.answer(req)
	}
	if resp == nil {
		stop()
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case sent != nil:
			return nil, sent
		}
		return nil, err
	}
	b := &body{c: c, ctx: ctx, src: resp.Body, stop: stop, keep: sent == nil && !resp.Close}
	resp.Body = b
	if b.src == http.NoBody {
		b.end()
	}
	return resp, nil
}

// maxInterim is how many answers of the 1xx kind may come before the answer.
const maxInterim = 8

func (c *conn) answer(req *http.Request) (*http.Response, error) {
	c.header, c.over = c.t.o.MaxHeader, false
	defer func() { c.header = -1 }()
	for range maxInterim {
		resp, err := http.ReadResponse(c.br, req)
		switch {
		case c.over:
			return nil, errHeader
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil, fmt.Errorf("the connection was closed before an answer: %w", io.ErrUnexpectedEOF)
		case err != nil:
			return nil, err
		case resp.StatusCode == http.StatusSwitchingProtocols:
			return nil, errors.New("direct: the upstream changed the protocol, which nobody asked for")
		case resp.StatusCode >= 200:
			return resp, nil
		}
	}
	return nil, errors.New("direct: no answer after several interim ones")
}
