package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/PPKunOfficial/berry-api/core/config"
)

// Limits of a connection. There is none on how long an answer takes: streams last.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 120 * time.Second
	headerBytes   = 64 << 10
)

// unixPrefix marks a bind address that is a path.
const unixPrefix = "unix:"

// listener is one bind address with the HTTP server behind it.
type listener struct {
	net.Listener
	name   string // what it serves: "api", "admin" or "all"
	secure bool   // TLS
	server *http.Server
	cancel context.CancelCauseFunc // ends the contexts of all its requests
}

// Listen opens the addresses of the configuration, and the log file, so that
// Addr and AdminAddr are known before Run. What it opened Run closes: call Run
// after it. Calling it again does nothing. On an error nothing stays open.
func (s *Server) Listen() error {
	s.listening.Lock()
	defer s.listening.Unlock()
	if len(s.listeners) > 0 {
		return nil
	}
	st := &s.gateway.Current().Config.Settings
	secure := st.TLS.CertFile != ""
	if secure {
		if err := s.certs.load(st.TLS); err != nil {
			return fmt.Errorf("settings.tls: %w", err)
		}
	}
	var opened []*listener
	open := func(name, address string, handler http.Handler, most int) error {
		l, err := bind(address, most)
		if err != nil {
			return unbound(name, address, err)
		}
		opened = append(opened, s.newListener(name, l, handler, secure))
		return nil
	}
	public, admin := s.routers(st.AdminBindAddress != "")
	var err error
	if st.AdminBindAddress == "" {
		err = open("all", st.BindAddress, public, st.MaxConnections)
	} else {
		err = open("api", st.BindAddress, public, st.MaxConnections)
		if err == nil { // without the limit: an operator must get in when it is reached
			err = open("admin", st.AdminBindAddress, admin, 0)
		}
	}
	if err == nil && st.LogFile != "" {
		var f *logFile
		if f, err = openLogFile(st.LogFile); err == nil {
			s.log.sink.attach(f)
			s.file = f
		}
	}
	if err != nil {
		for _, l := range opened {
			_ = l.Close()
			l.cancel(nil)
		}
		return err
	}
	s.listeners = opened
	return nil
}

func (s *Server) newListener(name string, l net.Listener, handler http.Handler, secure bool) *listener {
	ctx, cancel := context.WithCancelCause(context.Background())
	out := &listener{Listener: l, name: name, secure: secure, cancel: cancel}
	out.server = &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    headerBytes,
		// "OPTIONS *" is answered by the router as all else is.
		DisableGeneralOptionsHandler: true,
		BaseContext:                  func(net.Listener) context.Context { return ctx },
		ConnContext:                  withConnection,
		// Broken handshakes and the like: the noise of the open network.
		ErrorLog: log.New(connectionLog{s.log}, "", 0),
	}
	if most, ok := l.(*limited); ok {
		out.server.ConnState = most.state
	}
	if secure {
		out.server.TLSConfig = s.certs.config()
	}
	return out
}

// serve accepts until the server is told to stop, which is no error.
func (l *listener) serve() error {
	var err error
	if l.secure {
		err = l.server.ServeTLS(l.Listener, "", "")
	} else {
		err = l.server.Serve(l.Listener)
	}
	if closed(err) {
		return nil
	}
	return err
}

// address is where it listens really, in the form of bind_address.
func (l *listener) address() string {
	if l.Addr().Network() == "unix" {
		return unixPrefix + l.Addr().String()
	}
	return l.Addr().String()
}

// Addr returns the address that the API is served on, nil before Listen. Its
// port is the real one where the configuration says 0.
func (s *Server) Addr() net.Addr { return s.addr("all", "api") }

// AdminAddr returns the address that the operator's routes are served on: that
// of the API unless admin_bind_address is set. It is nil before Listen.
func (s *Server) AdminAddr() net.Addr { return s.addr("all", "admin") }

func (s *Server) addr(names ...string) net.Addr {
	s.listening.Lock()
	defer s.listening.Unlock()
	for _, l := range s.listeners {
		if slices.Contains(names, l.name) {
			return l.Addr()
		}
	}
	return nil
}

// bind opens an address: host:port or unix:/path. Above most open connections,
// if that is not 0, new ones wait in the system's queue.
func bind(address string, most int) (net.Listener, error) {
	network, where := "tcp", address
	if path, ok := strings.CutPrefix(address, unixPrefix); ok {
		network, where = "unix", path
		removeStale(path)
	}
	l, err := net.Listen(network, where)
	if err != nil {
		return nil, err
	}
	l = watched{l}
	if most > 0 {
		return newLimited(l, most), nil
	}
	return l, nil
}

// unbound is the error of an address that cannot be listened on, with the remedy.
func unbound(name, address string, err error) error {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		err = errno // it says nothing but what went wrong; the address is named already
	}
	setting := "bind_address (the variable BIND_ADDRESS goes before it)"
	if name == "admin" {
		setting = "admin_bind_address"
	}
	var remedy string
	switch {
	case errors.Is(err, syscall.EADDRINUSE) && strings.HasPrefix(address, unixPrefix):
		remedy = "; stop what answers there, remove the file, or choose another " + setting
	case errors.Is(err, syscall.EADDRINUSE):
		remedy = "; stop what listens there, or choose another " + setting
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		remedy = "; this machine has no such address, choose another " + setting
	case errors.Is(err, syscall.EACCES):
		remedy = "; the user of this process may not, choose another " + setting
	}
	return fmt.Errorf("cannot listen on %s: %w%s", address, err, remedy)
}

// removeStale removes the socket that a killed process left behind. One that
// somebody answers on is left alone: listening will fail on it.
func removeStale(path string) {
	info, err := os.Stat(path)
	if err != nil || info.Mode().Type() != os.ModeSocket {
		return
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		_ = c.Close()
	} else if errors.Is(err, syscall.ECONNREFUSED) {
		_ = os.Remove(path)
	}
}

// connectionLog takes what net/http says about connections.
type connectionLog struct{ log *logger }

var _ io.Writer = connectionLog{}

func (c connectionLog) Write(p []byte) (int, error) {
	lv := levelDebug
	if bytes.Contains(p, []byte("Accept error")) {
		lv = levelWarn // nobody gets in, as when files run out
	}
	n := c.log.line(targetAPI, lv, "Connection error")
	if n.whole != nil {
		n.fields.Str("error", clip(strings.TrimSpace(string(p))))
		n.send()
	}
	return len(p), nil
}

// moved names the changed settings that take a restart: other listeners, another
// way to write the log.
func moved(old, next *config.Settings) []string {
	var keys []string
	for _, m := range []struct {
		key   string
		moved bool
	}{
		{"bind_address", old.BindAddress != next.BindAddress},
		{"admin_bind_address", old.AdminBindAddress != next.AdminBindAddress},
		{"max_connections", old.MaxConnections != next.MaxConnections},
		{"log_file", old.LogFile != next.LogFile},
		{"log_format", old.LogFormat != next.LogFormat},
		{"tls", (old.TLS.CertFile == "") != (next.TLS.CertFile == "")},
	} {
		if m.moved {
			keys = append(keys, m.key)
		}
	}
	return keys
}
