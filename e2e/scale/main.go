// Command scale measures how berry-api grows with its configuration: it writes
// configurations of up to 2000 users, 400 models and 2000 backends, runs a
// berry-api with each on loopback, and prints a table of what loading, reloading,
// memory, choosing a backend and the pages cost. It takes about two minutes and
// runs on Linux.
//
//	go run ./scale -berry ../bin/berry-api
//
// With -o FILE the table also goes into that page, and a plot beside it. The
// exit status is 0 when all was measured, 1 when something failed, 2 for wrong
// usage.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/PPKunOfficial/berry-api/e2e/measure"
)

// full is the size that the goals speak of.
var full = size{users: 1000, models: 200, backends: 1000}

func main() {
	berry := flag.String("berry", "", "path of the berry-api to measure")
	page := flag.String("o", "", "page whose section is written anew; the plot goes beside it")
	quick := flag.Bool("quick", false, "only two small sizes, to see that it works")
	flag.Parse()
	if *berry == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p := plan{sizes: sizes(*quick), page: *page, unit: time.Second}
	if *quick {
		p.unit /= 5
	}
	if err := p.run(ctx, *berry); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func sizes(quick bool) []size {
	shares := []float64{0.1, 0.2, 0.5, 1, 2}
	if quick {
		shares = []float64{0.01, 0.02}
	}
	var all []size
	for _, s := range shares {
		all = append(all, size{
			users:    int(s * float64(full.users)),
			models:   max(1, int(s*float64(full.models))),
			backends: max(10, int(s*float64(full.backends))),
		})
	}
	return all
}

// plan is what is measured, and how long.
type plan struct {
	sizes []size
	page  string
	unit  time.Duration
}

func (p *plan) run(ctx context.Context, berry string) error {
	berry, err := filepath.Abs(berry)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "berry-scale-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	address, closeUp, err := provider()
	if err != nil {
		return err
	}
	defer closeUp()
	var rows []row
	for _, s := range p.sizes {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		fmt.Fprintf(os.Stderr, "%d users, %d models, %d backends\n", s.users, s.models, s.backends)
		r, err := measured(ctx, &world{size: s, berry: berry, dir: dir, upstream: address, unit: p.unit})
		if err != nil {
			return fmt.Errorf("with %d backends: %w", s.backends, err)
		}
		rows = append(rows, r)
	}
	text := report(rows)
	fmt.Print(text)
	if p.page == "" {
		return nil
	}
	const plot = "performance-scale.svg"
	text += fmt.Sprintf("\n![What a configuration costs by its number of backends](%s)\n", plot)
	if err := os.WriteFile(filepath.Join(filepath.Dir(p.page), plot), []byte(drawn(rows)), 0o644); err != nil {
		return err
	}
	return measure.WriteSection(p.page, "scripts/scale.sh", text)
}
