package relay

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"
)

// The causes with which a gate ends an attempt.
var (
	errFirstContent = errors.New("no content in time")
	errIdle         = errors.New("the stream fell silent")
	errTotal        = errors.New("no whole answer in time")
	errDrained      = errors.New("nothing more to read")
	errGone         = errors.New("the client left and reading on was long enough")
)

// gate is the client's side of one request: it holds the answer's header back
// until the first content, keeps an open stream alive with comments, and is
// the one clock of the request's time limits. Its timer's goroutine and the
// request's meet under mu; after close nothing is written.
type gate struct {
	stream    bool
	hold      time.Time     // when a stream's header goes out without content
	keepalive time.Duration // longest silence towards the client; 0 for none
	w         http.ResponseWriter
	out       flusher

	mu        sync.Mutex // guards what follows, and writing to w
	open      bool       // the header is out
	closed    bool
	ticked    bool      // timer has fired
	gone      time.Time // the client left: nothing is written, and reading on ends then
	lastWrite time.Time
	since     time.Time // the last sign of life from the upstream

	timer *time.Timer
	next  time.Time // when timer fires

	// The attempt under way.
	cancel context.CancelCauseFunc // nil between attempts
	until  time.Time               // its limit
	cause  error                   // what that limit is
	idle   time.Duration           // above 0 once content came: the limit moves with since
}

// flusher sends what was written.
type flusher interface{ FlushError() error }

// controlled is a flusher of any http.ResponseWriter.
type controlled struct{ *http.ResponseController }

func (c controlled) FlushError() error { return c.Flush() }

// to makes w what the gate writes to.
func (g *gate) to(w http.ResponseWriter) {
	g.w = w
	if f, ok := w.(flusher); ok {
		g.out = f
		return
	}
	g.out = controlled{http.NewResponseController(w)}
}

// begin arms the limit of an attempt: cancel is called with cause when d has passed.
func (g *gate) begin(cancel context.CancelCauseFunc, d time.Duration, cause error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.cancel, g.until, g.cause, g.idle = cancel, time.Now().Add(d), cause, 0
	g.arm()
}

// flowing changes the attempt's limit to one of silence, for a stream whose
// header went out in an earlier attempt.
func (g *gate) flowing(idle time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.idle, g.cause, g.since = idle, errIdle, time.Now()
	g.arm()
}

// leave notes that the client has gone while the attempt goes on for d more.
func (g *gate) leave(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.gone.IsZero() {
		g.gone = time.Now().Add(d)
		g.arm()
	}
}

// left reports whether leave was called.
func (g *gate) left() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.gone.IsZero()
}

// end disarms the attempt's limit.
func (g *gate) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.cancel = nil
}

// touch notes a sign of life from the upstream.
func (g *gate) touch() {
	g.mu.Lock()
	g.since = time.Now()
	g.mu.Unlock()
}

// commit lets the header out, unless the hold did; the first content is about to
// follow. From now on the attempt's limit is one of silence. header is called
// under the gate's lock when the header is still to be written.
func (g *gate) commit(idle time.Duration, header func(h http.Header)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.open && g.gone.IsZero() {
		g.open = true
		streamHeader(g.w.Header())
		header(g.w.Header())
		g.w.WriteHeader(http.StatusOK)
	}
	now := time.Now()
	g.idle, g.cause, g.since, g.lastWrite = idle, errIdle, now, now
	g.arm()
}

// send writes p and flushes it, which is a sign of life from the upstream, and
// returns when that was done. The error is the client's connection's.
func (g *gate) send(p []byte) (now time.Time, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	gone := !g.gone.IsZero()
	if !gone {
		if _, err = g.w.Write(p); err == nil {
			err = g.out.FlushError()
		}
	}
	now = time.Now()
	if g.since = now; !gone {
		g.lastWrite = now
	}
	return now, err
}

// last writes p and leaves it to the answer's end to send it.
func (g *gate) last(p []byte) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.gone.IsZero() {
		return nil
	}
	_, err := g.w.Write(p)
	g.lastWrite = time.Now() // no comment is due behind it
	return err
}

// final writes the answer's end, or an answer as a whole: f is told whether
// the header is out, and nothing is written after it.
func (g *gate) final(f func(open bool)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	f(g.open)
}

// close ends the gate's part; nothing is written by it afterwards. It is true
// when the timer will not come any more and has not come: the gate can then be
// used for another request.
func (g *gate) close() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed, g.cancel = true, nil
	return g.timer == nil || g.timer.Stop() && !g.ticked
}

// keepAliveComment is a comment line: clients skip it, intermediaries see traffic.
var keepAliveComment = []byte(": keep-alive\n\n")

// tick does what is due and arms the timer for what is next.
func (g *gate) tick() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ticked = true
	if g.closed {
		return
	}
	g.next = time.Time{}
	now := time.Now()
	if limit := g.limit(); !limit.IsZero() && !now.Before(limit) {
		cause := g.cause
		if limit.Equal(g.gone) {
			cause = errGone
		}
		g.cancel(cause)
		g.cancel = nil
	}
	if beat := g.beat(); !beat.IsZero() && !now.Before(beat) {
		if !g.open {
			g.open = true
			streamHeader(g.w.Header())
			g.w.WriteHeader(http.StatusOK)
		}
		// A client that has gone shows in the next event's write.
		_, _ = g.w.Write(keepAliveComment)
		_ = g.out.FlushError()
		g.lastWrite = time.Now()
	}
	g.arm()
}

// limit is when the attempt is to be ended; zero for never.
func (g *gate) limit() time.Time {
	if g.cancel == nil {
		return time.Time{}
	}
	limit := g.until
	if g.idle > 0 {
		limit = g.since.Add(g.idle)
	}
	if !g.gone.IsZero() && g.gone.Before(limit) {
		return g.gone
	}
	return limit
}

// beat is when the client is to see a comment; zero for never.
func (g *gate) beat() time.Time {
	switch {
	case !g.stream || !g.gone.IsZero():
		return time.Time{}
	case !g.open:
		return g.hold
	case g.keepalive > 0:
		return g.lastWrite.Add(g.keepalive)
	default:
		return time.Time{}
	}
}

// arm sets the timer for the earliest of limit and beat, unless it fires
// before that anyway.
func (g *gate) arm() {
	at := g.limit()
	if beat := g.beat(); at.IsZero() || !beat.IsZero() && beat.Before(at) {
		at = beat
	}
	if g.closed || at.IsZero() || !g.next.IsZero() && !at.Before(g.next) {
		return
	}
	g.next = at
	d := time.Until(at)
	if g.timer == nil {
		g.timer = time.AfterFunc(d, g.tick)
		return
	}
	g.timer.Reset(d)
}

// streamHeader sets what every streamed answer carries.
func streamHeader(h http.Header) {
	h["Content-Type"] = eventStream
	h["Cache-Control"] = noCache
	h["X-Accel-Buffering"] = noBuffering
}

var (
	eventStream = []string{"text/event-stream"}
	noCache     = []string{"no-cache"}
	noBuffering = []string{"no"}
)
