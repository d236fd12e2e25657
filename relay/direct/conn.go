package direct

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// conn is one connection. It belongs to the goroutine whose request it carries,
// or to the pool.
type conn struct {
	t     *Transport
	nc    net.Conn
	in    buffer
	since time.Time     // when it became idle
	most  time.Duration // how long the upstream said that it may be; 0: it did not
}

func newConn(t *Transport, nc net.Conn) *conn {
	c := &conn{t: t, nc: nc}
	c.in.over(nc)
	return c
}

func (c *conn) close() {
	c.in.release()
	_ = c.nc.Close()
}

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
	c.most = keepAlive(resp.Header)
	b := &body{c: c, ctx: ctx, stop: stop, keep: sent == nil && !resp.Close}
	switch {
	case resp.Body == http.NoBody:
		b.end()
	case len(resp.TransferEncoding) > 0: // chunked: the parser takes no other
		b.chunked, b.left = true, -1
	case resp.ContentLength >= 0:
		b.left = resp.ContentLength
	default:
		b.left, b.untilClose, b.keep = -1, true, false
	}
	resp.Body = b
	return resp, nil
}

var (
	errHeader   = errors.New("direct: the answer's header is too long")
	errInterim  = errors.New("direct: no answer after several interim ones")
	errSwitched = errors.New("direct: the upstream changed the protocol, which nobody asked for")
)

// maxInterim is how many answers of the 1xx kind may come before the answer.
const maxInterim = 8

func (c *conn) answer(req *http.Request) (*http.Response, error) {
	for range maxInterim {
		resp, err := c.header(req)
		switch {
		case err != nil:
			return nil, err
		case resp.StatusCode == http.StatusSwitchingProtocols:
			return nil, errSwitched
		case resp.StatusCode >= 200:
			return resp, nil
		}
	}
	return nil, errInterim
}

// parser reads one header with net/http's own parser.
type parser struct {
	text bytes.Reader
	br   *bufio.Reader
}

var parsers = sync.Pool{New: func() any { return &parser{br: bufio.NewReaderSize(nil, firstIn)} }}

// header reads one answer's header. What the parser says of the body's framing
// is in the response; the body itself is read by this package.
func (c *conn) header(req *http.Request) (*http.Response, error) {
	text, err := c.in.header(c.t.o.MaxHeader)
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = fmt.Errorf("the connection was closed before an answer: %w", io.ErrUnexpectedEOF)
		}
		return nil, err
	}
	p := parsers.Get().(*parser)
	p.text.Reset(text)
	p.br.Reset(&p.text)
	resp, err := http.ReadResponse(p.br, req)
	p.text.Reset(nil)
	p.br.Reset(nil)
	parsers.Put(p)
	c.in.skip(len(text))
	return resp, err
}

// keepAlive is how long the upstream keeps an idle connection by its own word,
// the header Keep-Alive: timeout=SECONDS; 0 when it does not say.
func keepAlive(h http.Header) time.Duration {
	for _, v := range h["Keep-Alive"] {
		for part := range strings.SplitSeq(v, ",") {
			name, n, _ := strings.Cut(strings.TrimSpace(part), "=")
			if s, err := strconv.Atoi(n); err == nil && s >= 0 && s <= maxKeepAlive && strings.EqualFold(name, "timeout") {
				return max(time.Duration(s)*time.Second, 1)
			}
		}
	}
	return 0
}

// maxKeepAlive bounds what is believed, in seconds.
const maxKeepAlive = 24 * 60 * 60
