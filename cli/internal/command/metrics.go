package command

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

// watchPause is the time between two views of metrics --watch.
const watchPause = 2 * time.Second

// figures are the running server's JSON metrics.
type figures struct {
	Status    string                     `json:"status"`
	Timestamp string                     `json:"timestamp"`
	Providers map[string]providerFigures `json:"providers"`
	Balancer  struct {
		Selections   uint64            `json:"total_selections"`
		Distribution map[string]uint64 `json:"strategy_distribution"`
	} `json:"load_balancer"`
}

type providerFigures struct {
	Healthy    bool                    `json:"healthy"`
	LastCheck  *string                 `json:"last_check"`
	Total      uint64                  `json:"total_requests"`
	Successful uint64                  `json:"successful_requests"`
	Failed     uint64                  `json:"failed_requests"`
	Latency    float64                 `json:"average_latency_ms"`
	Models     map[string]modelFigures `json:"models"`
}

type modelFigures struct {
	Healthy  bool   `json:"healthy"`
	Requests uint64 `json:"requests"`
	Errors   uint64 `json:"errors"`
}

type metricsFlags struct {
	serverFlags
	detailed, watch bool
}

func newMetrics(s *session) *cobra.Command {
	var f metricsFlags
	c := &cobra.Command{
		Use:   "metrics",
		Short: "Show the running server's metrics",
		Long: "metrics asks the running server how its providers do: health, requests, errors and latency since the\n" +
			"start. The exit code is 1 when no model has a healthy backend.",
		Example: "  berry-cli metrics --detailed\n  berry-cli metrics --watch --url http://gateway:3000",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return metrics(c.Context(), s, f)
		},
	}
	f.register(c.Flags())
	c.Flags().BoolVar(&f.detailed, "detailed", false, "also by backend and by strategy")
	c.Flags().BoolVarP(&f.watch, "watch", "w", false, "show them every 2 seconds until interrupted")
	return c
}

func metrics(ctx context.Context, s *session, f metricsFlags) error {
	srv, err := s.server(f.serverFlags)
	if err != nil {
		return err
	}
	defer srv.close()
	var server absence
	for {
		var v figures
		raw, err := srv.ask(ctx, "/metrics", &v)
		switch {
		case err != nil && f.watch && ctx.Err() != nil:
			return nil
		case err != nil && server.bear(s, err):
		case err != nil:
			return err
		case !f.watch:
			return s.showMetrics(f, raw, &v)
		default:
			server.present()
			if err := s.redraw(f, raw, &v); err != nil {
				return err
			}
		}
		if !pause(ctx, watchPause) {
			return nil
		}
	}
}

// showMetrics prints the figures once.
func (s *session) showMetrics(f metricsFlags, raw json.RawMessage, v *figures) error {
	if s.json {
		if err := s.object(raw); err != nil {
			return err
		}
	} else {
		s.figures(f, v)
	}
	if v.Status == stateUnhealthy {
		return notGood()
	}
	return nil
}

func (s *session) figures(f metricsFlags, v *figures) {
	fmt.Fprintf(s.Out, "%s at %s, %s\n\n", stateOf(v.Status), v.Timestamp, count(int(v.Balancer.Selections), "selection"))
	var rows [][]string
	for _, id := range slices.Sorted(maps.Keys(v.Providers)) {
		p := v.Providers[id]
		checked := "-"
		if p.LastCheck != nil {
			checked = *p.LastCheck
		}
		rows = append(rows, []string{id, healthShown(p.Healthy), uintShown(p.Total), uintShown(p.Failed), errorShare(p.Failed, p.Total), shownMS(p.Latency), checked})
	}
	s.table([]string{"PROVIDER", "STATE", "REQUESTS", "FAILED", "ERRORS", "LATENCY", "LAST CHECK"}, rows)
	if !f.detailed {
		return
	}
	rows = nil
	for _, id := range slices.Sorted(maps.Keys(v.Providers)) {
		models := v.Providers[id].Models
		for _, name := range slices.Sorted(maps.Keys(models)) {
			m := models[name]
			rows = append(rows, []string{id + ":" + name, healthShown(m.Healthy), uintShown(m.Requests), uintShown(m.Errors), errorShare(m.Errors, m.Requests)})
		}
	}
	fmt.Fprintln(s.Out)
	s.table([]string{"BACKEND", "STATE", "REQUESTS", "FAILED", "ERRORS"}, rows)
	rows = nil
	for _, name := range slices.Sorted(maps.Keys(v.Balancer.Distribution)) {
		rows = append(rows, []string{name, uintShown(v.Balancer.Distribution[name])})
	}
	if len(rows) > 0 {
		fmt.Fprintln(s.Out)
		s.table([]string{"STRATEGY", "SELECTIONS"}, rows)
	}
}

// stateOf is the whole server's state with its mark.
func stateOf(status string) string {
	switch status {
	case stateHealthy, stateUnhealthy:
		return stateShown(status)
	}
	return "⚠️  " + status
}

func healthShown(healthy bool) string {
	if healthy {
		return stateShown(stateHealthy)
	}
	return stateShown(stateUnhealthy)
}

func uintShown(n uint64) string { return strconv.FormatUint(n, 10) }

// errorShare is a share of errors for people; "-" of nothing.
func errorShare(failed, total uint64) string {
	if total == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(failed)/float64(total))
}
