package direct

import (
	"slices"
	"time"
)

// take returns an idle connection that is still open, nil if there is none.
func (t *Transport) take() *conn {
	for {
		t.mu.Lock()
		n := len(t.idle)
		if n == 0 {
			t.mu.Unlock()
			return nil
		}
		c := t.idle[n-1]
		t.idle[n-1] = nil
		t.idle = t.idle[:n-1]
		t.mu.Unlock()
		if c.fresh(time.Now()) && c.in.sock.alive() {
			return c
		}
		c.close()
	}
}

// margin is how much earlier than the upstream will close an idle connection it
// is given up: a request must not meet the end of its connection on the way.
const margin = time.Second

// fresh reports whether an idle connection is as new as the upstream wants it.
func (c *conn) fresh(now time.Time) bool {
	return c.most == 0 || now.Sub(c.since) < c.most-margin
}

// put keeps a connection for another request, or closes it.
func (t *Transport) put(c *conn) {
	c.since = time.Now()
	t.mu.Lock()
	keep := !t.retired && len(t.idle) < t.o.MaxIdle
	if keep {
		t.idle = append(t.idle, c)
		if t.o.IdleTime > 0 && t.timer == nil {
			t.timer = time.AfterFunc(t.o.IdleTime, t.reap)
		}
	}
	t.mu.Unlock()
	if !keep {
		c.close()
	}
}

// reap closes what was idle for too long and comes again while anything is left.
func (t *Transport) reap() {
	t.mu.Lock()
	old := time.Now().Add(-t.o.IdleTime)
	n := 0
	for n < len(t.idle) && !t.idle[n].since.After(old) {
		n++
	}
	gone := slices.Clone(t.idle[:n])
	t.idle = slices.Delete(t.idle, 0, n)
	t.timer = nil
	if len(t.idle) > 0 {
		t.timer = time.AfterFunc(t.idle[0].since.Sub(old), t.reap)
	}
	t.mu.Unlock()
	for _, c := range gone {
		c.close()
	}
}

// CloseIdleConnections closes the connections that are not in use.
func (t *Transport) CloseIdleConnections() {
	t.mu.Lock()
	gone := t.idle
	t.idle = nil
	if t.timer != nil {
		t.timer.Stop()
		t.timer = nil
	}
	t.mu.Unlock()
	for _, c := range gone {
		c.close()
	}
}

// Retire closes the connections that are not in use, and from now on each
// other one with the end of its request. The transport stays usable.
func (t *Transport) Retire() {
	t.mu.Lock()
	t.retired = true
	t.mu.Unlock()
	t.CloseIdleConnections()
}
