// Command bench measures berry-api, with all its features on, against a bare
// reverse proxy in Go (httputil.ReverseProxy with a tuned transport and nothing
// else), in front of a fake provider that costs as little as it can. The main
// figure is the CPU time of the gateway's process for a request: it moves little
// when something else runs on the machine. It runs on Linux, on loopback, without
// root, and ends by itself.
//
//	go run ./bench -berry ../bin/berry-api
//
// With -o FILE the tables also go into that page, and a plot beside it. The exit
// status is 0 when all was measured without an error, 1 if not, 2 for wrong usage.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/PPKunOfficial/berry-api/e2e/measure"
)

func main() {
	// The fake provider and the bare proxy are this program in another role, in
	// processes of their own.
	if len(os.Args) > 1 && playsRole(os.Args[1:]) {
		return
	}
	berry := flag.String("berry", "", "path of the berry-api to measure")
	page := flag.String("o", "", "page whose section is written anew; the plot goes beside it")
	quick := flag.Bool("quick", false, "seconds instead of minutes, to see that it works; the figures mean nothing")
	rounds := flag.Int("rounds", 5, "how often each workload is run on each target")
	only := flag.String("workloads", "", "comma-separated ids, such as W1,W3p; empty: all")
	flag.Parse()
	if *berry == "" || flag.NArg() > 0 || *rounds < 1 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p := plan{rounds: *rounds, workloads: workloads(), page: *page}
	if *quick {
		p.workloads, p.rounds, p.trial = quickly(p.workloads), 1, true
	}
	if *only != "" {
		p.workloads = chosen(p.workloads, strings.Split(*only, ","))
	}
	if err := p.run(ctx, *berry); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// plan is what is measured.
type plan struct {
	rounds    int
	workloads []workload
	page      string
	trial     bool // the figures mean nothing
}

func (p *plan) run(ctx context.Context, berry string) error {
	dir, err := os.MkdirTemp("", "berry-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	s, err := newStage(dir, berry)
	if err != nil {
		return err
	}
	var results []result
	for round := range p.rounds {
		for _, w := range p.workloads {
			// Whoever comes first in one round comes last in another.
			for i := range s.targets {
				t := s.targets[(i+round)%len(s.targets)]
				m, err := s.measure(ctx, t, w)
				if err != nil {
					return fmt.Errorf("%s on %s: %w", w.id, t.name, err)
				}
				fmt.Fprintf(os.Stderr, "round %d  %-4s %-12s %s\n", round+1, w.id, t.name, m.brief(w))
				results = append(results, result{workload: w.id, target: t.name, round: round, measured: m})
			}
		}
	}
	text := report(results, p)
	fmt.Print(text)
	if p.page != "" {
		if err := publish(p.page, text, results); err != nil {
			return err
		}
	}
	return blame(results)
}

// blame is an error if Berry failed a request. What the others failed is in the
// table.
func blame(results []result) error {
	for _, r := range results {
		if n := r.Errors(); n > 0 && r.target == gateway {
			return fmt.Errorf("%s: %d requests were not answered by Berry as they should be: %v", r.workload, n, r.Broken)
		}
	}
	return nil
}

// publish writes the page and the plot.
func publish(page, text string, results []result) error {
	const plot = "performance-bench.svg"
	drawing := drawn(results)
	if drawing != "" {
		if err := os.WriteFile(filepath.Join(filepath.Dir(page), plot), []byte(drawing), 0o644); err != nil {
			return err
		}
		text += fmt.Sprintf("\n![CPU of Berry as a share of the bare proxy's](%s)\n", plot)
	}
	return measure.WriteSection(page, "scripts/bench.sh", text)
}
