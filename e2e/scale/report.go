package main

import (
	"fmt"
	"strings"

	"github.com/PPKunOfficial/berry-api/e2e/measure"
)

// figures are the lines of the table: what it is, its figure in a row, and how
// it is written.
func figures() []figure {
	f := []figure{
		{"file, KiB", "%.0f", func(r *row) float64 { return float64(r.bytes) / 1024 }},
		{"load: `--check-config` from start to end, ms", "%.0f", func(r *row) float64 { return r.check }},
		{"ready after, ms", "%.0f", func(r *row) float64 { return r.ready }},
		{"reload: answer of `POST /admin/reload-config`, ms", "%.0f", func(r *row) float64 { return r.reload }},
		{"p99 of 200 requests/s, ms", "%.1f", func(r *row) float64 { return r.calm }},
		{"the same with a reload every 0.2 s, ms", "%.1f", func(r *row) float64 { return r.during }},
		{"RSS, MiB", "%.0f", func(r *row) float64 { return r.rss }},
		{"heap in use, MiB", "%.0f", func(r *row) float64 { return r.heap }},
		{"choice among all backends (`smart_ai`, with report), us", "%.1f", func(r *row) float64 { return r.pick / 1000 }},
		{"CPU of a request, model of 5 backends, us", "%.0f", func(r *row) float64 { return r.narrow }},
		{"CPU of a request, model of all backends, us", "%.0f", func(r *row) float64 { return r.wide }},
	}
	for _, path := range pages() {
		f = append(f, figure{"`" + path + "`, ms", "%.1f", func(r *row) float64 { return r.pages[path].took }})
		f = append(f, figure{"its size, KiB", "%.0f", func(r *row) float64 { return float64(r.pages[path].bytes) / 1024 }})
	}
	return f
}

type figure struct {
	name, format string
	of           func(*row) float64
}

// report is the table, one column for each size.
func report(rows []row) string {
	head := []string{"users x models x backends"}
	for _, r := range rows {
		head = append(head, fmt.Sprintf("%d x %d x %d", r.users, r.models, r.backends))
	}
	head = append(head, "growth")
	var lines [][]string
	first, last := &rows[0], &rows[len(rows)-1]
	for _, f := range figures() {
		line := []string{f.name}
		for i := range rows {
			line = append(line, fmt.Sprintf(f.format, f.of(&rows[i])))
		}
		growth := "-"
		if v := f.of(first); v > 0 {
			growth = fmt.Sprintf("%.1f x", f.of(last)/v)
		}
		lines = append(lines, append(line, growth))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Measured %s; times, 99th percentiles too, are the best of several. The backends grow %.0f x from the first column to the last; what grows less is better than linear.\n\n",
		measure.Machine(), float64(last.backends)/float64(first.backends))
	b.WriteString(measure.Table(head, lines))
	return b.String()
}

// drawn is the plot of what is worth seeing.
func drawn(rows []row) string {
	p := measure.Plot{Title: "What a configuration costs", X: "backends (a fifth as many models, as many users)", Y: "ms, us, MiB"}
	for _, r := range rows {
		p.Points = append(p.Points, float64(r.backends))
	}
	for _, l := range []struct {
		name string
		of   func(*row) float64
	}{
		{"load, ms", func(r *row) float64 { return r.check }},
		{"reload, ms", func(r *row) float64 { return r.reload }},
		{"heap in use, MiB", func(r *row) float64 { return r.heap }},
		{"choice among all, us", func(r *row) float64 { return r.pick / 1000 }},
		{"/prometheus, ms", func(r *row) float64 { return r.pages["/prometheus"].took }},
		{"/admin/model-weights, ms", func(r *row) float64 { return r.pages["/admin/model-weights"].took }},
	} {
		line := measure.Line{Name: l.name}
		for i := range rows {
			line.Values = append(line.Values, l.of(&rows[i]))
		}
		p.Lines = append(p.Lines, line)
	}
	return p.SVG()
}
