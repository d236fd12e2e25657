package command

import (
	"fmt"
	"strings"
	"time"

	"github.com/PPKunOfficial/berry-api/loadbalance/simulate"
)

// print compares the strategies for people, one table for each world.
func (st *study) print(s *session, results []comparison) {
	fmt.Fprintf(s.Out, "Model %s with %s, seed %d\n", st.model.ID, count(len(st.listings), "backend"), st.scenario.seed)
	for _, c := range results {
		about := ""
		if c.world.About != "" {
			about = ": " + c.world.About
		}
		fmt.Fprintf(s.Out, "\nWorld %s%s\n%s in %s\n\n", c.world.Name, about,
			count(c.reports[0].Requests, "request"), plain(time.Duration(c.world.Duration)))
		header := []string{"STRATEGY", "SUCCESS", "COST/1000", "ATTEMPTS", "P50", "P99", "LEFT AFTER", "BACK AFTER", "PROBES", "SHARES"}
		var rows [][]string
		for _, r := range c.reports {
			rows = append(rows, st.row(r))
		}
		s.table(header, rows)
	}
}

func (st *study) row(r *simulate.Report) []string {
	return []string{
		r.Name, percent(r.SuccessRate(), 2), st.thousand(r), fmt.Sprintf("%.3f", r.AttemptsPerRequest()),
		shown(r.P50), shown(r.P99), left(r), back(r), fmt.Sprint(r.Chats()), shares(r),
	}
}

// thousand is the cost of a thousand answers; "-" without prices.
func (st *study) thousand(r *simulate.Report) string {
	for _, l := range st.listings {
		if l.InputPrice+l.OutputPrice+l.RequestPrice > 0 {
			return fmt.Sprintf("$%.3f", 1000*r.CostPerSuccess())
		}
	}
	return "-"
}

// left is how many requests failed on a broken backend before it was left.
func left(r *simulate.Report) string {
	e, used := r.WorstLeave()
	switch {
	case !used:
		return "-"
	case !e.Left:
		return "never"
	}
	return fmt.Sprintf("%d in %.1f s", e.Failures, e.Leave.Seconds())
}

// back is how long after its recovery a backend was used again.
func back(r *simulate.Report) string {
	e, returned := r.WorstReturn()
	if !returned {
		return "-"
	}
	return fmt.Sprintf("%.1f s", e.Return.Seconds())
}

// shares says who answered: at most four of them.
func shares(r *simulate.Report) string {
	const most = 4
	var parts []string
	for i, b := range r.Backends {
		if b.Succeeded > 0 {
			parts = append(parts, b.ID+" "+percent(r.Share(i), 0))
		}
	}
	if more := len(parts) - most; more > 1 {
		parts = append(parts[:most], fmt.Sprintf("%d more", more))
	}
	return strings.Join(parts, ", ")
}

// percent is a share for people. It is only 100 % if nothing is missing.
func percent(share float64, digits int) string {
	text := fmt.Sprintf("%.*f", digits, 100*share)
	if whole := fmt.Sprintf("%.*f", digits, 100.0); text == whole && share < 1 && digits > 0 {
		return "<" + whole + " %"
	}
	return text + " %"
}

// plain is a duration without zero parts: 1h instead of 1h0m0s.
func plain(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
