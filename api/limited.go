package api

import (
	"container/list"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
)

// limited is a listener with at most cap(slots) connections in use. One more is
// accepted and waits, the others wait in the system's queue. While somebody
// waits, a connection that is idle between two requests gives way: else those
// that clients keep for later would keep others out.
type limited struct {
	net.Listener
	slots chan struct{}
	done  chan struct{}
	once  sync.Once

	mu      sync.Mutex // guards what follows
	idle    list.List  // of net.Conn, the longest idle first
	places  map[net.Conn]*list.Element
	waiting bool // and none was idle: the next one that is gives way
}

func newLimited(l net.Listener, most int) *limited {
	return &limited{
		Listener: l, slots: make(chan struct{}, most), done: make(chan struct{}),
		places: map[net.Conn]*list.Element{},
	}
}

func (l *limited) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	select {
	case l.slots <- struct{}{}:
	default:
		l.makeRoom()
		select {
		case l.slots <- struct{}{}:
			l.mu.Lock()
			l.waiting = false
			l.mu.Unlock()
		case <-l.done:
			_ = c.Close() // it was never served
			return nil, net.ErrClosed
		}
	}
	return &limitedConn{Conn: c, free: sync.OnceFunc(func() { <-l.slots })}, nil
}

// makeRoom has the longest idle connection give way, or the next that is idle.
func (l *limited) makeRoom() {
	l.mu.Lock()
	first := l.idle.Front()
	l.waiting = first == nil
	if first != nil {
		delete(l.places, l.idle.Remove(first).(net.Conn))
	}
	l.mu.Unlock()
	if first != nil {
		drop(first.Value.(net.Conn))
	}
}

// state is http.Server's ConnState: it is told when a connection is idle.
func (l *limited) state(c net.Conn, s http.ConnState) {
	l.mu.Lock()
	if place, ok := l.places[c]; ok {
		l.idle.Remove(place)
		delete(l.places, c)
	}
	givesWay := s == http.StateIdle && l.waiting
	switch {
	case givesWay:
		l.waiting = false
	case s == http.StateIdle:
		l.places[c] = l.idle.PushBack(c)
	}
	l.mu.Unlock()
	if givesWay {
		drop(c)
	}
}

// drop closes a connection on which nothing is under way. TLS's farewell is left
// out: it could wait for the client, and others are waiting.
func drop(c net.Conn) {
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	_ = c.Close() // it is gone either way
}

func (l *limited) Close() error {
	l.once.Do(func() { close(l.done) })
	return l.Listener.Close()
}

type limitedConn struct {
	net.Conn
	free func()
}

func (c *limitedConn) Close() error {
	err := c.Conn.Close()
	c.free()
	return err
}
