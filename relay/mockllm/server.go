package mockllm

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
)

// Options says what server [Open] starts. The zero value is a server on a free loopback port that remembers all
// requests and answers like the zero [Behaviour].
type Options struct {
	Listener  net.Listener // where to listen; owned by the server from then on; nil: 127.0.0.1 on a free port
	Script    Script       // nil: the behaviour answers everything
	Behaviour Behaviour    // answers what the script leaves alone
	Keep      int          // how many of the newest requests are remembered; 0: all; KeepNone: none
	TLS       bool         // serve HTTPS with a certificate made for this server; see Server.Roots
}

// KeepNone as Options.Keep remembers no requests, for servers that run for long.
const KeepNone = -1

// A Server is a running fake provider. Its methods may be called at any time, also after Close.
type Server struct {
	URL string // base without a path or trailing slash, such as http://127.0.0.1:40001

	listener  net.Listener
	tls       *tls.Config // nil: plain HTTP
	script    atomic.Pointer[Script]
	behaviour atomic.Pointer[Behaviour]
	journal   journal
	chats     atomic.Uint64 // chat requests that the behaviour answered
	kept      kept          // responses that it made

	ctx  context.Context // ends with Close
	stop context.CancelFunc
	wg   sync.WaitGroup

	mu       sync.Mutex
	open     map[*conn]struct{}
	opened   int // connections accepted so far
	mistakes []error
}

// Open starts a server; the caller closes it. It fails when there is no port to listen on or the options are out of
// range.
func Open(o Options) (*Server, error) {
	if o.Keep < KeepNone {
		return nil, fmt.Errorf("mockllm: Keep is %d, want %d or more", o.Keep, KeepNone)
	}
	s := &Server{listener: o.Listener, journal: newJournal(o.Keep), open: map[*conn]struct{}{}}
	s.SetScript(o.Script)
	if err := s.SetBehaviour(o.Behaviour); err != nil {
		return nil, err
	}
	scheme := "http://"
	if o.TLS {
		config, err := selfSigned()
		if err != nil {
			return nil, fmt.Errorf("mockllm: cannot make a certificate: %w", err)
		}
		s.tls, scheme = config, "https://"
	}
	if s.listener == nil {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("mockllm: cannot listen: %w", err)
		}
		s.listener = l
	}
	s.URL = scheme + s.listener.Addr().String()
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.wg.Go(s.accept)
	return s, nil
}

// TB is the part of testing.TB that [Start] needs.
type TB interface {
	Helper()
	Cleanup(func())
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// Start opens a server for one test and closes it at the test's end. The test fails if a script made a mistake
// (see Server.Err). A nil script leaves all answers to the zero behaviour.
func Start(t TB, script Script) *Server {
	t.Helper()
	s, err := Open(Options{Script: script})
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() {
		s.Close()
		if err := s.Err(); err != nil {
			t.Errorf("%v", err)
		}
	})
	return s
}

// Close stops listening, drops all connections, and returns when nothing of the server runs any more. Calling it
// again does nothing.
func (s *Server) Close() {
	s.stop()
	s.listener.Close()
	s.mu.Lock()
	for c := range s.open {
		c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

// SetScript replaces the script for the requests that arrive from now on; nil leaves them to the behaviour.
func (s *Server) SetScript(script Script) { s.script.Store(&script) }

// SetBehaviour replaces the behaviour for the requests that arrive from now on. It fails, and changes nothing, when
// the behaviour is out of range.
func (s *Server) SetBehaviour(b Behaviour) error {
	if err := b.check(); err != nil {
		return fmt.Errorf("mockllm: %w", err)
	}
	b = b.clone()
	b.kept = &s.kept
	s.behaviour.Store(&b)
	return nil
}

// Behaviour returns a copy of the behaviour in force, ready to be changed and set again.
func (s *Server) Behaviour() Behaviour { return s.behaviour.Load().clone() }

// Connections tells how many connections are open now and how many were accepted since the start.
func (s *Server) Connections() (open, accepted int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open), s.opened
}

// Err returns the mistakes in scripts that showed so far, joined, or nil. A mistake is a step that makes no sense
// where it stands, such as JSON after SSE; the connection is reset there.
func (s *Server) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.mistakes...)
}

// Roots returns a pool with the certificate of a server with Options.TLS, nil for a plain one.
func (s *Server) Roots() *x509.CertPool {
	if s.tls == nil {
		return nil
	}
	pool := x509.NewCertPool()
	pool.AddCert(s.tls.Certificates[0].Leaf)
	return pool
}

func (s *Server) accept() {
	for {
		raw, err := s.listener.Accept()
		if err != nil {
			return
		}
		c := s.adopt(raw)
		if c == nil {
			return
		}
		s.wg.Go(c.serve)
	}
}

// adopt registers a connection so that Close finds it; nil when the server is closing.
func (s *Server) adopt(raw net.Conn) *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		raw.Close()
		return nil
	}
	s.opened++
	c := newConn(s, raw, s.opened)
	s.open[c] = struct{}{}
	return c
}

func (s *Server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

func (s *Server) mistake(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mistakes = append(s.mistakes, err)
}

// steps decides what is done about one request.
func (s *Server) steps(r *Seen) []Step {
	if script := *s.script.Load(); script != nil {
		if steps := script(r); steps != nil {
			return steps
		}
	}
	return s.behaviour.Load().answer(r, &s.chats)
}
