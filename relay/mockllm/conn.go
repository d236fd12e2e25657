package mockllm

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	maxHeaderBytes = 1 << 20  // of one request; longer ones end the connection
	maxBodyBytes   = 64 << 20 // of one request; longer ones get 413
)

var errHeaderTooLong = errors.New("mockllm: request header too long")

// A conn is one accepted connection. One goroutine serves it; while steps run, a second one waits for the peer to
// leave.
type conn struct {
	net.Conn // the connection that HTTP runs on: TLS over raw, or raw itself
	server   *Server
	raw      net.Conn
	number   int

	limit *io.LimitedReader // bounds what one request's header may take
	in    *bufio.Reader

	closing  sync.Once
	closeErr error
}

func newConn(s *Server, raw net.Conn, number int) *conn {
	c := &conn{Conn: raw, server: s, raw: raw, number: number}
	if s.tls != nil {
		c.Conn = tls.Server(raw, s.tls)
	}
	c.limit = &io.LimitedReader{R: c.Conn}
	c.in = bufio.NewReader(c.limit)
	return c
}

// Close closes the bare connection, without TLS's farewell: that one may block, and Close must not.
func (c *conn) Close() error {
	c.closing.Do(func() { c.closeErr = c.raw.Close() })
	return c.closeErr
}

// serve answers one request after the other until either side has had enough.
func (c *conn) serve() {
	defer c.server.forget(c)
	defer c.Close()
	var last *record
	for {
		req, err := c.next()
		if err != nil {
			c.refuse(err, last)
			break
		}
		rec, steps := c.receive(req)
		if rec == nil {
			break
		}
		if last != nil {
			last.finish()
		}
		last = rec
		if !c.converse(req, rec, steps) {
			break
		}
	}
	if last != nil {
		last.finish()
	}
}

// next reads the header of the next request.
func (c *conn) next() (*http.Request, error) {
	c.limit.N = maxHeaderBytes
	req, err := http.ReadRequest(c.in)
	if err != nil && c.limit.N <= 0 {
		err = errHeaderTooLong
	}
	c.limit.N = math.MaxInt64
	return req, err
}

// refuse ends a connection on which no request could be read; last is the request before, or nil.
func (c *conn) refuse(err error, last *record) {
	switch {
	case errors.Is(err, net.ErrClosed):
	case peerLeft(err):
		if last != nil {
			last.leave(time.Now())
		}
	default:
		_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
	}
}

// receive reads the body, records the request and decides on the steps. It returns nil when the peer left before the
// request was complete.
func (c *conn) receive(req *http.Request) (*record, []Step) {
	arrived := time.Now()
	if strings.EqualFold(req.Header.Get("Expect"), "100-continue") {
		if _, err := io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
			return nil, nil
		}
	}
	body, err := io.ReadAll(io.LimitReader(req.Body, maxBodyBytes+1))
	if err != nil {
		return nil, nil
	}
	if len(body) > maxBodyBytes {
		rec := newRecord(req, nil)
		return c.server.journal.add(rec, arrived, c.number), []Step{tooLarge(), Cut()}
	}
	rec := c.server.journal.add(newRecord(req, body), arrived, c.number)
	return rec, c.server.steps(rec.copy())
}

// converse runs the steps of one request and reports whether the connection can carry another one.
func (c *conn) converse(req *http.Request, rec *record, steps []Step) (again bool) {
	ctx, cancel := context.WithCancel(c.server.ctx)
	defer cancel()
	unwatch := c.watch(func() {
		rec.leave(time.Now())
		cancel()
	})
	defer unwatch()

	x := &exchange{
		ctx:     ctx,
		conn:    c,
		head:    req.Method == http.MethodHead,
		http10:  !req.ProtoAtLeast(1, 1),
		closing: req.Close,
	}
	err := x.run(steps)
	if m := (*mistake)(nil); errors.As(err, &m) {
		c.server.mistake(m)
		_ = x.reset()
	} else if err != nil && peerLeft(err) {
		rec.leave(time.Now()) // the write noticed before the watch did
	}
	return err == nil && x.reusable()
}

// watch calls left when the peer closes or resets the connection. The returned function ends the watch and must be
// called before anything else reads. A peer that closes only its sending side counts as gone, as it does for every
// HTTP server; one that sends its next request early is not watched any longer.
func (c *conn) watch(left func()) (unwatch func()) {
	done := make(chan struct{})
	c.server.wg.Go(func() {
		defer close(done)
		if _, err := c.in.Peek(1); err != nil && peerLeft(err) {
			left()
		}
	})
	return func() {
		// A read that is under way returns at once when its deadline is in the past.
		_ = c.SetReadDeadline(time.Unix(1, 0))
		<-done
		_ = c.SetReadDeadline(time.Time{})
	}
}

// peerLeft tells the peer's going from our own closing, from an interrupted watch and from a malformed request.
func peerLeft(err error) bool {
	if errors.Is(err, net.ErrClosed) {
		return false
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return true
	}
	var op *net.OpError
	return errors.As(err, &op) && !op.Timeout()
}
