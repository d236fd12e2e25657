package api

import (
	"errors"
	"net"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
)

// named is a connection that notes when it is closed.
type named struct {
	net.Conn
	name   string
	closed *[]string
}

func (n *named) Close() error { *n.closed = append(*n.closed, n.name); return nil }

// The one that was idle for longest gives way; one that is in use never does,
// and where none is idle the next that is.
func TestLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var closed []string
		p := &pipes{make(chan net.Conn), make(chan struct{})}
		l := newLimited(p, 3)
		accepted := make(chan net.Conn, 9)
		done := make(chan error, 1)
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					done <- err
					return
				}
				accepted <- c
			}
		}()
		dial := func(name string) { p.accepted <- &named{name: name, closed: &closed} }
		served := func(name string) net.Conn {
			t.Helper()
			synctest.Wait()
			select {
			case c := <-accepted:
				if got := c.(*limitedConn).Conn.(*named).name; got != name {
					t.Errorf("%s is served, want %s", got, name)
				}
				return c
			default:
				t.Fatalf("%s waits", name)
				return nil
			}
		}
		want := func(names ...string) {
			t.Helper()
			synctest.Wait()
			if !slices.Equal(closed, names) {
				t.Errorf("closed %q, want %q", closed, names)
			}
		}
		dial("a")
		dial("b")
		dial("c")
		a, b, c := served("a"), served("b"), served("c")
		for _, idle := range []net.Conn{a, b, c} {
			l.state(idle, http.StateIdle)
		}
		l.state(a, http.StateActive)
		l.state(a, http.StateIdle) // used last
		dial("d")
		d := served("d")
		want("b")
		l.state(b, http.StateClosed)
		l.state(c, http.StateActive)
		dial("e")
		e := served("e")
		want("b", "a")
		// All are in use.
		dial("f")
		synctest.Wait()
		if len(accepted) != 0 {
			t.Error("f is served above the limit")
		}
		l.state(d, http.StateActive)
		want("b", "a")
		l.state(d, http.StateIdle)
		served("f")
		want("b", "a", "d")
		// Nobody waits: what is idle may stay.
		l.state(e, http.StateIdle)
		l.state(c, http.StateIdle)
		want("b", "a", "d")
		// One that closes by itself is no longer counted as idle.
		_ = e.Close()
		l.state(e, http.StateClosed)
		dial("g")
		served("g")
		want("b", "a", "d", "e")
		l.state(c, http.StateActive)
		dial("h") // waits, and is let go with the listener
		synctest.Wait()
		_ = l.Close()
		if err := <-done; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept: %v", err)
		}
		want("b", "a", "d", "e", "h")
	})
}
