package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// report is what a soak found.
type report struct {
	began  time.Time
	faults []map[string]int // by provider

	mu       sync.Mutex // guards what follows
	outcomes map[string]int
	samples  []sample
}

// sample is the gateway's process at a moment.
type sample struct {
	at            time.Duration
	rssKiB, files int
	threads       int
	goroutines    string
}

func (r *report) note(outcome string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.outcomes[outcome]++
}

// watch takes a sample every minute.
func (r *report) watch(ctx context.Context, g *gateway) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			r.sample(g)
		}
	}
}

// sample reads the process's figures from /proc and its own metrics.
func (r *report) sample(g *gateway) {
	s := sample{at: time.Since(r.began)}
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.PID()))
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) > 1 {
			n, _ := strconv.Atoi(f[1])
			switch f[0] {
			case "VmRSS:":
				s.rssKiB = n
			case "Threads:":
				s.threads = n
			}
		}
	}
	files, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", g.PID()))
	s.files = len(files)
	if resp, err := g.client.Get(g.URL() + "/prometheus"); err == nil {
		page, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		for line := range strings.Lines(string(page)) {
			if v, ok := strings.CutPrefix(line, "go_goroutines "); ok {
				s.goroutines = strings.TrimSpace(v)
			}
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.samples = append(r.samples, s)
}

// good reports whether nothing went wrong that the faults do not explain.
func (r *report) good() bool {
	for name := range r.outcomes {
		if strings.HasPrefix(name, "wrong") {
			return false
		}
	}
	return true
}

func (r *report) print(w io.Writer) {
	total := 0
	for _, n := range r.outcomes {
		total += n
	}
	fmt.Fprintf(w, "%d requests in %v\n\n| outcome | requests | share |\n|---|--:|--:|\n", total, time.Since(r.began).Round(time.Second))
	for _, name := range slices.Sorted(maps.Keys(r.outcomes)) {
		fmt.Fprintf(w, "| %s | %d | %.2f %% |\n", name, r.outcomes[name], 100*float64(r.outcomes[name])/float64(total))
	}
	fmt.Fprintf(w, "\n| fault | A | B |\n|---|--:|--:|\n")
	names := maps.Clone(r.faults[0])
	maps.Copy(names, r.faults[1])
	for _, name := range slices.Sorted(maps.Keys(names)) {
		fmt.Fprintf(w, "| %s | %d | %d |\n", name, r.faults[0][name], r.faults[1][name])
	}
	fmt.Fprintf(w, "\n| minute | RSS MiB | goroutines | open files | threads |\n|--:|--:|--:|--:|--:|\n")
	for i, s := range r.samples {
		if len(r.samples) > 24 && i%5 != 0 && i != len(r.samples)-1 {
			continue
		}
		fmt.Fprintf(w, "| %.1f | %.1f | %s | %d | %d |\n", s.at.Minutes(), float64(s.rssKiB)/1024, s.goroutines, s.files, s.threads)
	}
}
