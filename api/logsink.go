package api

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// logDelay is how long a line may wait to share a system call with others.
	logDelay = 100 * time.Millisecond
	// logEager is how much is collected before it is written ahead of time.
	logEager = 64 << 10
	// logMost bounds what waits when the output does not take it: a standard
	// output that nobody reads must not stop the gateway. What comes on top is
	// dropped and counted.
	logMost = 4 << 20
)

// logSink collects log lines and writes many at once. While run is active one
// goroutine does the writing; before and after it every line is written by the
// goroutine that logs it.
type logSink struct {
	more   chan struct{} // holds one: something waits
	urgent chan struct{} // holds one: write now

	mu      sync.Mutex // guards what follows
	waiting []byte     // whole lines
	running bool
	lost    int // lines dropped since the last flush

	out   sync.Mutex // held while writing; guards what follows
	outs  []io.Writer
	spare []byte

	dropped, failed atomic.Uint64 // lines dropped, writes failed, since the start
}

func newLogSink(outs ...io.Writer) *logSink {
	return &logSink{more: make(chan struct{}, 1), urgent: make(chan struct{}, 1), outs: outs}
}

// attach adds an output for all lines from now on.
func (s *logSink) attach(w io.Writer) {
	s.out.Lock()
	defer s.out.Unlock()
	s.outs = append(s.outs, w)
}

// Write takes whole lines. It never fails and does not block on the outputs
// while run is active.
func (s *logSink) Write(p []byte) (int, error) {
	s.mu.Lock()
	first := len(s.waiting) == 0
	switch {
	case len(s.waiting)+len(p) > logMost:
		s.lost++
		s.dropped.Add(1)
	default:
		s.waiting = appendSpaced(s.waiting, p)
	}
	eager, running := len(s.waiting) >= logEager, s.running
	s.mu.Unlock()
	switch {
	case !running:
		s.flush()
	case eager:
		s.hurry()
	case first:
		signal(s.more)
	}
	return len(p), nil
}

// appendSpaced appends a line with a space after each of its first three fields:
// the third word of a line, as cut and awk count, is then the part that it is
// from, as in text for people.
func appendSpaced(dst, line []byte) []byte {
	for range 3 {
		i := bytes.IndexByte(line, ',') + 1
		if i == 0 {
			break
		}
		dst = append(append(dst, line[:i]...), ' ')
		line = line[i:]
	}
	return append(dst, line...)
}

// hurry has what waits written now.
func (s *logSink) hurry() { signal(s.urgent) }

// signal puts a token into a channel that holds one, unless one is there.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run writes what waits, at most logDelay after it came, until ctx ends; then
// it writes the rest.
func (s *logSink) run(ctx context.Context) {
	s.setRunning(true)
	defer s.flush()
	defer s.setRunning(false)
	timer := time.NewTimer(logDelay)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.urgent:
		case <-s.more:
			timer.Reset(logDelay)
			select {
			case <-ctx.Done():
				return
			case <-s.urgent:
			case <-timer.C:
			}
		}
		s.flush()
	}
}

func (s *logSink) setRunning(on bool) {
	s.mu.Lock()
	s.running = on
	s.mu.Unlock()
}

// flush writes all that waits to all outputs.
func (s *logSink) flush() {
	s.out.Lock()
	defer s.out.Unlock()
	s.mu.Lock()
	lines, lost := s.waiting, s.lost
	s.waiting, s.lost = s.spare[:0], 0
	s.mu.Unlock()
	if lost > 0 {
		lines = fmt.Appendf(lines, `{"timestamp":%q,"level":"WARN","target":%q,"message":"Log lines dropped","fields":{"lines":%d}}`+"\n",
			time.Now().UTC().Format(time.RFC3339Nano), targetAPI, lost)
	}
	if len(lines) > 0 {
		for _, w := range s.outs {
			if _, err := w.Write(lines); err != nil {
				s.failed.Add(1) // shown by the metrics: a log that cannot be written cannot say so
			}
		}
	}
	if cap(lines) <= 2*logEager {
		s.spare = lines
	} else {
		s.spare = nil // do not keep the memory of a burst
	}
}
