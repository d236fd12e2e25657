package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay"
)

// story prints what happens. It is the gateway's observer, for which
// api.Options has a place.
type story struct {
	start time.Time

	mu    sync.Mutex // guards what follows
	out   io.Writer
	stage int            // of main's recovery, percent; 0: it has not failed yet
	count map[string]int // requests since the last tally, by provider
}

func (s *story) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.print(format, args...)
}

func (s *story) title(text string) { s.say("\n%s", text) }

// print writes a line with the time since the start. Called under mu.
func (s *story) print(format string, args ...any) {
	line, indent := fmt.Sprintf(format, args...), ""
	if rest, ok := strings.CutPrefix(line, "\n"); ok {
		line, indent = rest, "\n"
	} else {
		line = "  " + line
	}
	fmt.Fprintf(s.out, "%s%5.1fs  %s\n", indent, time.Since(s.start).Seconds(), line)
}

// BackendChanged tells each transition of a backend.
func (s *story) BackendChanged(e loadbalance.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name, _, _ := strings.Cut(e.ID, ":")
	who := "a request"
	if e.Check != loadbalance.CheckNone {
		who = "a check"
	}
	switch {
	case e.Subject == loadbalance.Recovery:
		if name == "main" {
			s.stage = percent(e.To)
		}
		if e.To != "30" { // that is where a failing one starts over; told when it is back
			s.print("%s counts %s %% of its weight", name, e.To)
		}
	case e.Kind.Failure():
		s.print("%s: %s %s -> %s, %s saw %s %s", name, e.Subject, e.From, e.To, who, e.Kind, status(e.Status))
	case e.Subject == loadbalance.Health:
		s.print("%s: health %s -> %s, %s saw it; it counts 30 %% of its weight", name, e.From, e.To, who)
	default:
		s.print("%s: %s %s -> %s, %s saw it", name, e.Subject, e.From, e.To, who)
	}
}

// percent reads a stage: "30", "50" or "100".
func percent(stage string) int {
	n, err := strconv.Atoi(stage)
	if err != nil {
		return 0
	}
	return n
}

func status(code int) string {
	if code == 0 {
		return "(no answer)"
	}
	return fmt.Sprintf("(status %d)", code)
}

// Finished counts a request for who answered it.
func (s *story) Finished(r *relay.Record) {
	who := "nobody"
	if a := r.Last(); a != nil && r.Error == nil {
		who = a.Provider
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count == nil {
		s.count = map[string]int{}
	}
	s.count[who]++
}

// tally tells and forgets who has answered since the last one.
func (s *story) tally() {
	s.mu.Lock()
	defer s.mu.Unlock()
	total := 0
	for _, n := range s.count {
		total += n
	}
	noun := "requests"
	if total == 1 {
		noun = "request"
	}
	s.print("%d %s: main %d, spare %d, absent %d, unanswered %d", total, noun,
		s.count["main"], s.count["spare"], s.count["absent"], s.count["nobody"])
	clear(s.count)
}

// Selected does nothing: the tally counts answers.
func (s *story) Selected(*relay.Record, *relay.Attempt) {}

// Attempted does nothing.
func (s *story) Attempted(*relay.Record, *relay.Attempt) {}
