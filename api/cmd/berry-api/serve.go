package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// service is what the program runs until a signal ends it.
type service struct {
	listen  func() error // opens the addresses; nil: run does
	run     func(context.Context) error
	reload  func() error // for SIGHUP; nil: there is nothing to read again
	manager notifier
}

// serve runs a service until a signal ends it. A second one does not wait.
func serve(stderr io.Writer, s service) int {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	if s.listen != nil {
		if err := s.listen(); err != nil {
			return failed(stderr, err)
		}
	}
	ctx, drain := context.WithCancel(context.Background())
	defer drain()
	done := make(chan error, 1)
	go func() { done <- s.run(ctx) }()
	// The addresses are open: who connects from now on is served.
	s.manager.tell(stateReady)
	for {
		select {
		case err := <-done:
			if err != nil {
				return failed(stderr, err)
			}
			return exitGood
		case sig := <-signals:
			switch {
			case sig == syscall.SIGHUP:
				if ctx.Err() == nil {
					s.again()
				}
			case ctx.Err() != nil:
				return exitFailed
			default:
				s.manager.tell(stateStopping)
				drain()
			}
		}
	}
}

// again reads the configuration anew. What came of it is in the log; a file that
// cannot be used changes nothing.
func (s *service) again() {
	if s.reload == nil {
		return
	}
	state := stateReady
	if err := s.reload(); err != nil {
		state = stateRefused
	}
	s.manager.tell(state)
}
