package api

import (
	"io"
	"math"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// unreadPatience is how long a client may take to send what is left of a
	// body that nobody reads, as behind a bad token.
	unreadPatience = 5 * time.Second
	// stallLimit is how long a client may take nothing of its answer. It is this
	// long because systems tell of a slow reader in large steps: one that takes a
	// few kilobytes a second with megabytes waiting is seen once in minutes.
	stallLimit = 10 * time.Minute
	// streamPatience is how long a client over HTTP/2 may take for an answer that
	// is not relayed.
	streamPatience = time.Minute
	// closePatience is how long a client may take for what is sent when its
	// connection is closed.
	closePatience = 5 * time.Second
	// stallPiece is how much of a large write has the limit to itself.
	stallPiece = 64 << 10
)

// watched is a listener whose connections end when their clients do not read.
type watched struct{ net.Listener }

func (l watched) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return newWatchedConn(c), nil
}

// watchedConn fails a write that makes no progress for stallLimit: net/http
// would wait for a client that stays connected without reading for ever, and
// with it a handler and its upstream call.
//
// Between hold and release it gathers what is written. net/http does not tell
// when an answer's end is written, but from there it takes back the deadline for
// writing, and goes on to the next request or closes: any deadline, read or
// close sends what is held. TLS closes with a write behind which nothing goes out.
type watchedConn struct {
	net.Conn

	born  time.Time
	mu    sync.Mutex   // held while a deadline is set
	armed atomic.Int64 // until when the limit is set well enough, after born; othersLimit if it is not ours

	writing sync.Mutex  // held while something is sent, so that nothing overtakes; guards what follows
	holding atomic.Bool // set under writing, and read without it by what ends it
	held    *[]byte     // nil for nothing, as always while not holding

	outer  io.Writer   // this connection, or TLS over it
	clumps clumpWriter // of the answer under way
}

// othersLimit stands for a deadline that somebody else has set.
const othersLimit = math.MaxInt64

func newWatchedConn(under net.Conn) *watchedConn {
	c := &watchedConn{Conn: under, born: time.Now()}
	c.outer = c
	return c
}

// heldMost is how much is gathered before it is sent anyway.
const heldMost = 64 << 10

var heldBytes = sync.Pool{New: func() any { return new(make([]byte, 0, 16<<10)) }}

func (c *watchedConn) Write(p []byte) (n int, err error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.holding.Load() && len(p) <= heldMost {
		if c.held != nil && len(*c.held)+len(p) > heldMost {
			if err := c.sendHeld(); err != nil {
				return 0, err
			}
		}
		if c.held == nil {
			c.held = heldBytes.Get().(*[]byte)
		}
		*c.held = append(*c.held, p...)
		return len(p), nil
	}
	if err := c.sendHeld(); err != nil {
		return 0, err
	}
	return c.send(p)
}

// hold makes what is written wait for release.
func (c *watchedConn) hold() {
	c.writing.Lock()
	c.holding.Store(true)
	c.writing.Unlock()
}

// release sends what is held, and from then on what is written at once.
func (c *watchedConn) release() error {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.holding.Store(false)
	return c.sendHeld()
}

// sendHeld sends what is held. Called under writing.
func (c *watchedConn) sendHeld() error {
	if c.held == nil {
		return nil
	}
	p := c.held
	c.held = nil
	_, err := c.send(*p)
	*p = (*p)[:0]
	heldBytes.Put(p)
	return err
}

// send writes p in pieces, each of which has the limit to itself.
func (c *watchedConn) send(p []byte) (n int, err error) {
	for {
		c.arm()
		m, err := c.Conn.Write(p[n:min(len(p), n+stallPiece)])
		n += m
		if err != nil || n >= len(p) {
			return n, err
		}
	}
}

// Read implements net.Conn.
func (c *watchedConn) Read(p []byte) (int, error) {
	c.ended()
	return c.Conn.Read(p)
}

// Close implements net.Conn.
func (c *watchedConn) Close() error {
	// One that is sending just now may be waiting for a client that does not
	// read; closing ends that.
	if c.holding.Load() && c.writing.TryLock() {
		_ = c.setWriteDeadline(time.Now().Add(closePatience))
		_ = c.sendHeld() // the connection ends either way
		c.writing.Unlock()
	}
	return c.Conn.Close()
}

// SetReadDeadline implements net.Conn.
func (c *watchedConn) SetReadDeadline(t time.Time) error {
	c.ended()
	return c.Conn.SetReadDeadline(t)
}

// ended sends what an answer that is over has left behind, and ends its hold also
// where that is nothing: a piece beyond heldMost was its last, and the next answer
// would wait for it.
func (c *watchedConn) ended() {
	if c.holding.Load() {
		_ = c.release() // a connection that is broken shows in the next read
	}
}

// arm starts the limit anew, a little late: not each of a stream's many small
// writes has to set the timer.
func (c *watchedConn) arm() {
	if int64(time.Since(c.born)) < c.armed.Load() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.armed.Load() != othersLimit {
		now := time.Now()
		c.armed.Store(int64(now.Sub(c.born) + stallLimit/20))
		_ = c.Conn.SetWriteDeadline(now.Add(stallLimit)) // fails on a closed connection, as the write will
	}
}

// SetWriteDeadline sets a deadline in place of the limit; the zero time brings
// the limit back.
func (c *watchedConn) SetWriteDeadline(t time.Time) error {
	err := c.setWriteDeadline(t)
	c.ended()
	return err
}

func (c *watchedConn) setWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.IsZero() {
		c.armed.Store(0)
	} else {
		c.armed.Store(othersLimit)
	}
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline is SetWriteDeadline and SetReadDeadline.
func (c *watchedConn) SetDeadline(t time.Time) error {
	if err := c.SetWriteDeadline(t); err != nil {
		return err
	}
	return c.SetReadDeadline(t)
}

// reset breaks the connection so that its client cannot take what it has for all.
func (c *watchedConn) reset() {
	if tcp, ok := c.Conn.(interface{ SetLinger(sec int) error }); ok {
		_ = tcp.SetLinger(0) // fails on a closed connection, which is as good
	}
	_ = c.Conn.Close()
}

// patientWriter does for one answer over HTTP/2 what watchedConn does for a
// connection: such a client can leave one stream unread and read the others.
type patientWriter struct {
	http.ResponseWriter
	stream *http.ResponseController
	armed  time.Time
}

// newPatientWriter takes w from the limit of answers that are not relayed.
func newPatientWriter(w http.ResponseWriter) *patientWriter {
	stream := http.NewResponseController(w)
	_ = stream.SetWriteDeadline(time.Time{}) // fails on a stream that is gone, as writing will
	return &patientWriter{ResponseWriter: w, stream: stream}
}

func (w *patientWriter) Write(p []byte) (int, error) {
	if now := time.Now(); now.Sub(w.armed) >= stallLimit/20 {
		w.armed = now
		_ = w.stream.SetWriteDeadline(now.Add(stallLimit))
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the stream.
func (w *patientWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
