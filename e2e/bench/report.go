package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/PPKunOfficial/berry-api/e2e/measure"
)

// result is one run.
type result struct {
	workload, target string
	round            int
	measured
}

// brief is a run in a few words, for whoever waits.
func (m *measured) brief(w workload) string {
	if m.Done == 0 {
		return fmt.Sprintf("ready after %d ms, %.1f MiB", m.ready.Milliseconds(), m.memory.Now)
	}
	return fmt.Sprintf("%7.1f us CPU per request, %d done, p50 %.2f ms, p99 %.2f ms, %d errors",
		m.perRequest(), m.Done, measure.Quantile(m.Latency, 0.5), measure.Quantile(m.Latency, 0.99), m.Errors())
}

// series are the results of one workload.
type series []result

func of(results []result, workload string) series {
	return slices.DeleteFunc(slices.Clone(results), func(r result) bool { return r.workload != workload })
}

// median is the middle of a figure over the rounds of a target.
func (s series) median(target string, figure func(*result) float64) float64 {
	var all []float64
	for i := range s {
		if s[i].target == target {
			all = append(all, figure(&s[i]))
		}
	}
	return measure.Median(all)
}

// against returns, for each round, how a figure of one target combines with
// that of another in the same round.
func (s series) against(target, other string, figure func(*result) float64, combine func(a, b float64) float64) []float64 {
	var all []float64
	for i := range s {
		for k := range s {
			if s[i].target == target && s[k].target == other && s[i].round == s[k].round {
				if b := figure(&s[k]); b > 0 {
					all = append(all, combine(figure(&s[i]), b))
				}
			}
		}
	}
	return all
}

func (s series) errors(target string) int {
	n := 0
	for i := range s {
		if s[i].target == target {
			n += s[i].Errors()
		}
	}
	return n
}

func cpu(r *result) float64   { return r.perRequest() }
func rate(r *result) float64  { return float64(r.Done) / r.Took.Seconds() }
func peak(r *result) float64  { return r.memory.Peak }
func now(r *result) float64   { return r.memory.Now }
func ready(r *result) float64 { return float64(r.ready.Microseconds()) / 1000 }

func latency(q float64) func(*result) float64 {
	return func(r *result) float64 { return measure.Quantile(r.Latency, q) }
}

func firstEvent(r *result) float64 { return measure.Quantile(r.First, 0.5) }

func ratio(a, b float64) float64 { return a / b }
func minus(a, b float64) float64 { return a - b }

// report is all tables.
func report(results []result, p *plan) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured %s. Medians of rounds: %d; each ratio and difference is taken within a round.\n", measure.Machine(), p.rounds)
	if p.trial {
		b.WriteString("\n**A trial run: it shows that the benchmark works, and its figures mean nothing.**\n")
	}
	b.WriteString(busyTable(results, p.workloads))
	b.WriteString(latencyTable(results, p.workloads))
	b.WriteString(memoryTable(results, p.workloads))
	return b.String()
}

// busyTable is what requests cost.
func busyTable(results []result, all []workload) string {
	var rows [][]string
	for _, w := range all {
		s := of(results, w.id)
		if w.body == nil {
			continue
		}
		r := s.against(gateway, baseline, cpu, ratio)
		if len(r) == 0 {
			continue
		}
		rows = append(rows, []string{
			w.id + " " + w.about,
			fmt.Sprintf("%.1f", s.median(direct, cpu)), fmt.Sprintf("%.1f", s.median(baseline, cpu)), fmt.Sprintf("%.1f", s.median(gateway, cpu)),
			fmt.Sprintf("**%.2f** (%.2f-%.2f)", measure.Median(r), slices.Min(r), slices.Max(r)),
			fmt.Sprintf("%.0f", s.median(baseline, rate)), fmt.Sprintf("%.0f", s.median(gateway, rate)),
			fmt.Sprintf("%d / %d", s.errors(baseline), s.errors(gateway)),
		})
	}
	if rows == nil {
		return ""
	}
	return "\n" + measure.Table([]string{
		"CPU per request, us", "the provider alone", baseline, gateway, gateway + " / " + baseline + " (range)",
		baseline + " req/s", gateway + " req/s", "errors of both",
	}, rows)
}

// latencyTable is what a gateway adds at a rate that all can hold.
func latencyTable(results []result, all []workload) string {
	var rows [][]string
	for _, w := range all {
		s := of(results, w.id)
		if w.rate == 0 && w.once == 0 && w.id != "W3p" {
			continue
		}
		line := func(name string, figure func(*result) float64) {
			rows = append(rows, []string{
				w.id + " " + name, fmt.Sprintf("%.2f", s.median(direct, figure)),
				fmt.Sprintf("%+.2f", measure.Median(s.against(baseline, direct, figure, minus))),
				fmt.Sprintf("%+.2f", measure.Median(s.against(gateway, direct, figure, minus))),
			})
		}
		if w.events > 0 {
			line("first event, p50", firstEvent)
		}
		line("whole answer, p50", latency(0.5))
		line("whole answer, p99", latency(0.99))
	}
	if rows == nil {
		return ""
	}
	return "\n" + measure.Table([]string{"Latency, ms", direct, baseline + " adds", gateway + " adds"}, rows)
}

// memoryTable is what a gateway holds, and how soon it is there.
func memoryTable(results []result, all []workload) string {
	var rows [][]string
	for _, w := range all {
		s := of(results, w.id)
		line := func(name string, figure func(*result) float64) {
			rows = append(rows, []string{name, fmt.Sprintf("%.1f", s.median(baseline, figure)), fmt.Sprintf("%.1f", s.median(gateway, figure))})
		}
		switch {
		case w.once > 0:
			line(fmt.Sprintf("%s most RSS with %d streams, MiB", w.id, w.once), peak)
		case w.body == nil:
			line(w.id+" RSS at rest, MiB", now)
			line(w.id+" ready after, ms", ready)
		}
	}
	if rows == nil {
		return ""
	}
	return "\n" + measure.Table([]string{"Memory and start", baseline, gateway}, rows)
}

// drawn is the plot of the ratios; "" if there are none.
func drawn(results []result) string {
	p := measure.Bars{Title: "CPU per request, Berry as a share of a bare ReverseProxy", Mark: 1}
	for _, w := range workloads() {
		r := of(results, w.id).against(gateway, baseline, cpu, ratio)
		if len(r) > 0 {
			p.Bars = append(p.Bars, measure.Bar{Name: w.id + " " + w.about, Value: measure.Median(r), Low: slices.Min(r), High: slices.Max(r)})
		}
	}
	if len(p.Bars) == 0 {
		return ""
	}
	return p.SVG()
}
