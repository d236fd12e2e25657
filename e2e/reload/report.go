package main

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// report is what was seen.
type report struct {
	phases  [2]phase // without reloads, with reloads
	wanted  int
	changed int // changes that took effect
	refused int // bad files that were refused
	wrong   []error
}

// phase is what clients saw in one part of the time.
type phase struct {
	mu      sync.Mutex
	times   []time.Duration // of plain requests
	streams int
	failed  []error
}

func (p *phase) answered(took time.Duration, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.times = append(p.times, took)
	if err != nil {
		p.failed = append(p.failed, err)
	}
}

func (p *phase) streamed(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.streams++
	if err != nil {
		p.failed = append(p.failed, err)
	}
}

// percentile is the time within which that share of the requests was answered.
func (p *phase) percentile(share float64) time.Duration {
	if len(p.times) == 0 {
		return 0
	}
	slices.Sort(p.times)
	return p.times[min(len(p.times)-1, int(share*float64(len(p.times))))]
}

func (r *report) change(err error) {
	if err != nil {
		r.wrong = append(r.wrong, err)
		return
	}
	r.changed++
}

func (r *report) bad(err error) {
	if err != nil {
		r.wrong = append(r.wrong, err)
		return
	}
	r.refused++
}

func (r *report) good() bool {
	before, during := &r.phases[0], &r.phases[1]
	return len(before.failed)+len(during.failed)+len(r.wrong) == 0 && r.changed == r.wanted && len(during.times) > 0 &&
		during.percentile(0.99) <= 2*before.percentile(0.99)
}

func (r *report) print(w io.Writer) {
	ms := func(d time.Duration) string { return fmt.Sprintf("%.2f", float64(d.Microseconds())/1000) }
	before, during := &r.phases[0], &r.phases[1]
	fmt.Fprintf(w, "%d of %d changes took effect, %d bad files were refused\n\n", r.changed, r.wanted, r.refused)
	fmt.Fprint(w, "| | before | while reloading |\n|---|--:|--:|\n")
	row := func(name string, value func(*phase) string) {
		fmt.Fprintf(w, "| %s | %s | %s |\n", name, value(before), value(during))
	}
	row("requests", func(p *phase) string { return fmt.Sprint(len(p.times)) })
	row("streams", func(p *phase) string { return fmt.Sprint(p.streams) })
	row("failed", func(p *phase) string { return fmt.Sprint(len(p.failed)) })
	row("p50 ms", func(p *phase) string { return ms(p.percentile(0.5)) })
	row("p99 ms", func(p *phase) string { return ms(p.percentile(0.99)) })
	row("slowest ms", func(p *phase) string { return ms(p.percentile(1)) })
	for _, list := range [][]error{r.wrong, before.failed, during.failed} {
		for i, err := range list {
			if i == 5 {
				fmt.Fprintf(w, "\nand %d more", len(list)-i)
				break
			}
			fmt.Fprintf(w, "\nwrong: %.500v", err)
		}
	}
	fmt.Fprintln(w)
}
