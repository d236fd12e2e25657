package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/PPKunOfficial/berry-api/api/dashboard"
	"github.com/PPKunOfficial/berry-api/core/auth"
	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay"
)

// Server serves one configuration after another on the addresses of the first.
// New builds it; it serves once.
type Server struct {
	version string
	start   time.Time
	filter  string // goes before settings.log_level

	auth    Authenticator
	guard   *auth.Guard
	gateway *relay.Gateway
	log     *logger
	metrics *metrics
	certs   *certificates

	decisions *decisions
	pages     *dashboard.Files
	loaded    atomic.Pointer[config.Loaded]
	viewed    atomic.Pointer[view]
	reloading sync.Mutex // one Reload at a time
	exchanges sync.Pool
	ready     atomic.Bool
	idle      chan struct{} // holds one: the last request may have ended

	listening sync.Mutex // guards what follows
	listeners []*listener
	file      io.Closer // the log file, nil if there is none
}

// New builds a server for a loaded configuration. It starts and opens nothing.
// The error is about the configuration or the options.
func New(cfg *config.Loaded, o Options) (*Server, error) {
	if o.Version == "" {
		o.Version = "dev"
	}
	s := &Server{
		version: o.Version,
		start:   time.Now(),
		filter:  o.LogFilter,
		auth:    o.Authenticator,
		guard:   auth.NewGuard(nil),
		metrics: newMetrics(),
		idle:    make(chan struct{}, 1),
	}
	s.decisions = newDecisions(o.Decisions)
	if s.auth == nil {
		s.auth = tokenList{}
	}
	levels, unknown, err := s.thresholds(cfg.Config)
	if err != nil {
		return nil, err
	}
	if s.pages, err = dashboard.New(); err != nil {
		return nil, err
	}
	s.log = newLogger(newLogSink(), levels)
	if o.Stdout != nil {
		s.log.sink.attach(logOutput(o.Stdout, cfg.Config.Settings.LogFormat))
	}
	s.certs = newCertificates(s.log)
	s.exchanges.New = func() any { return &exchange{server: s} }
	s.gateway, err = relay.New(cfg.Config, relay.Options{
		Observer:   &watcher{metrics: s.metrics, log: s.log, next: o.Observer},
		Version:    o.Version,
		Strategy:   o.Strategy,
		Discovered: s.log.discovered,
	})
	if err != nil {
		return nil, err
	}
	s.loaded.Store(cfg)
	s.warnOfParts(unknown)
	return s, nil
}

// Run serves until ctx ends, then drains: it is no longer ready, accepts no
// new connection, lets requests end within settings.shutdown_grace_seconds and
// cancels the rest. It calls Listen unless that was done. When it returns,
// nothing of the server runs any more and the log is written. It returns nil
// after a drain, else why it could not start or had to stop. Call it once.
func (s *Server) Run(ctx context.Context) error {
	defer s.closeLog()
	if err := s.Listen(); err != nil {
		return err
	}
	var background sync.WaitGroup
	logging, endLog := context.WithCancel(context.Background())
	background.Go(func() { s.log.sink.run(logging) })
	defer background.Wait()
	defer endLog()

	s.announce()
	working, endWork := context.WithCancel(context.Background())
	failures := make(chan error, 2+len(s.listeners))
	var work sync.WaitGroup
	start := func(run func() error) {
		work.Go(func() {
			if err := run(); err != nil {
				failures <- err
			}
		})
	}
	start(func() error { return s.gateway.Run(working) })
	start(func() error { return s.watch(working) })
	for _, l := range s.listeners {
		start(l.serve)
	}
	s.ready.Store(true)

	var err error
	select {
	case <-ctx.Done():
	case err = <-failures:
		err = fmt.Errorf("cannot go on serving: %w", err)
	}
	s.drain()
	endWork()
	work.Wait()
	n := s.log.line(targetAPI, levelInfo, "Berry API stopped")
	n.send()
	return err
}

// drain ends the requests: in their own time within the grace, then by force.
func (s *Server) drain() {
	s.ready.Store(false)
	grace := s.view().settings.ShutdownGraceSeconds.Duration()
	n := s.log.line(targetAPI, levelInfo, "Draining")
	n.fields.Int64("in_flight", s.metrics.inFlight.Load()).Float64("grace_seconds", grace.Seconds())
	n.send()

	limit, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	var all sync.WaitGroup
	for _, l := range s.listeners {
		all.Go(func() {
			if l.server.Shutdown(limit) != nil {
				l.stop()
			}
			l.cancel(nil)
		})
	}
	all.Wait()
	s.join()
}

// farewell is how long the clients of requests that are ended may take to be told.
const farewell = time.Second

// stop ends the requests that are left, and with them their upstream calls.
func (l *listener) stop() {
	l.cancel(relay.ErrStopping)
	limit, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	_ = l.server.Shutdown(limit) // nothing is accepted any more; it waits until they are told
	_ = l.server.Close()
}

// joinLimit is how long requests that were cancelled may take to notice.
const joinLimit = 5 * time.Second

// join waits for the handlers: http.Server.Close does not.
func (s *Server) join() {
	limit := time.NewTimer(joinLimit)
	defer limit.Stop()
	for s.metrics.inFlight.Load() > 0 {
		select {
		case <-s.idle:
		case <-limit.C:
			n := s.log.line(targetAPI, levelError, "Requests did not end after they were cancelled")
			n.fields.Int64("in_flight", s.metrics.inFlight.Load())
			n.send()
			return
		}
	}
}

// left notes that a request ended.
func (s *Server) left() {
	if s.metrics.inFlight.Add(-1) == 0 && !s.ready.Load() {
		signal(s.idle)
	}
}

// announce logs the start: the real addresses, and what the loader warned of.
func (s *Server) announce() {
	cfg := s.loaded.Load()
	for _, l := range s.listeners {
		n := s.log.line(targetAPI, levelInfo, "Starting Berry API")
		n.fields.Str("address", l.address()).Str("serves", l.name).Str("version", s.version).Str("config", cfg.Path)
		n.send()
	}
	s.warn(cfg.Warnings)
}

func (s *Server) warn(warnings []config.Problem) {
	for _, p := range warnings {
		n := s.log.line(targetConfig, levelWarn, "Configuration warning")
		n.fields.Str("file", p.File).Int("line", p.Line).Str("key", p.Key).Str("warning", p.Message)
		n.send()
	}
}

// closeLog writes what waits and closes the log file.
func (s *Server) closeLog() {
	s.log.sink.flush()
	s.listening.Lock()
	defer s.listening.Unlock()
	if s.file != nil {
		_ = s.file.Close() // written already
		s.file = nil
	}
}

// thresholds are the log levels by the filter of the options and, for what that
// leaves open, by the settings.
func (s *Server) thresholds(cfg *config.Config) (thresholds, []string, error) {
	filter := s.filter
	if !setsAll(filter) {
		filter = cfg.Settings.LogLevel + "," + filter
	}
	levels, unknown, err := parseFilter(filter)
	if err != nil && s.filter != "" { // settings.log_level was checked when it was loaded
		err = fmt.Errorf("cannot use the log filter %q, of the variable BERRY_LOG or RUST_LOG: %w", s.filter, err)
	}
	return levels, unknown, err
}

// warnOfParts logs the parts that a log filter names and Berry does not have.
func (s *Server) warnOfParts(unknown []string) {
	for _, name := range unknown {
		n := s.log.line(targetConfig, levelWarn, "Log filter names a part that Berry does not have")
		n.fields.Str("target", name)
		n.send()
	}
}

// closed reports whether err is only that of a server that was told to stop.
func closed(err error) bool { return errors.Is(err, http.ErrServerClosed) }
