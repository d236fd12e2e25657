package command

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay"
	"github.com/PPKunOfficial/berry-api/relay/probe"
)

// maxChecks bounds the checks under way at one time.
const maxChecks = 16

// The states of a checked provider.
const (
	stateHealthy   = "healthy"
	stateUnhealthy = "unhealthy"
	stateSkipped   = "skipped" // disabled, or health_check is off
)

// checkup is the result of health-check.
type checkup struct {
	OK        bool          `json:"ok"`
	Providers []checkResult `json:"providers"`
}

type checkResult struct {
	Provider   string   `json:"provider"`
	State      string   `json:"state"`
	Check      string   `json:"check"`  // models, chat, tcp, off, or "" when nothing could be done
	Kind       string   `json:"kind"`   // of the outcome; "" when nothing was asked
	Status     int      `json:"status"` // 0: no HTTP answer
	DurationMS float64  `json:"duration_ms"`
	Models     []string `json:"models"`
	Message    string   `json:"message"`

	time string
}

func newHealthCheck(s *session) *cobra.Command {
	var provider string
	c := &cobra.Command{
		Use:   "health-check",
		Short: "Check the providers for real, all at the same time",
		Long: "health-check calls every enabled provider as its health_check setting says: its model list,\n" +
			"a one-token chat, or a connection. It needs no running server. A provider is healthy when it\n" +
			"answers and its list names every model that the configuration uses.",
		Example: "  berry-cli health-check\n  berry-cli health-check -c config.toml -p openai --json",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return healthCheck(c.Context(), s, provider)
		},
	}
	c.Flags().StringVarP(&provider, "provider", "p", "", "check only the provider with this `ID`")
	s.completing(c, "provider", providerIDs)
	return c
}

func healthCheck(ctx context.Context, s *session, only string) error {
	cfg, err := s.load()
	if err != nil {
		return err
	}
	ids := slices.Sorted(maps.Keys(cfg.Providers))
	if only != "" {
		if err := known(cfg, only); err != nil {
			return err
		}
		ids = []string{only}
	}
	gateway, err := relay.New(cfg, relay.Options{Version: version()})
	if err != nil {
		return &failed{err}
	}
	results := checkAll(ctx, s, gateway.Current(), ids)
	if ctx.Err() != nil { // what was not checked to its end says nothing
		return &failed{errors.New("the health check was interrupted")}
	}
	bad, checked := 0, 0
	for _, r := range results {
		if r.State != stateSkipped {
			checked++
		}
		if r.State == stateUnhealthy {
			bad++
		}
	}
	if s.json {
		err := s.object(checkup{OK: bad == 0 && checked > 0, Providers: results})
		if err == nil && (bad > 0 || checked == 0) {
			err = notGood()
		}
		return err
	}
	s.showChecks(results)
	if only != "" {
		return s.verdict(results[0])
	}
	switch {
	case checked == 0:
		s.bad("No provider was checked: each is disabled or its health_check is off")
	case bad > 0:
		s.bad("Health check found %d of %s unhealthy", bad, count(checked, "provider"))
	default:
		s.good("Health check completed")
		return nil
	}
	return notGood()
}

// known reports an id that is no provider's as wrong usage.
func known(cfg *config.Config, provider string) error {
	if _, ok := cfg.Providers[provider]; ok {
		return nil
	}
	ids := slices.Sorted(maps.Keys(cfg.Providers))
	if len(ids) == 0 {
		return fmt.Errorf("there is no provider %q: the configuration has none", provider)
	}
	return fmt.Errorf("there is no provider %q; the configuration has: %s", provider, strings.Join(ids, ", "))
}

func checkAll(ctx context.Context, s *session, rt *relay.Runtime, ids []string) []checkResult {
	step, done := s.progress(len(ids), "checking providers")
	defer done()
	results := make([]checkResult, len(ids))
	slots := make(chan struct{}, maxChecks)
	var all sync.WaitGroup
	for i, id := range ids {
		slots <- struct{}{}
		all.Go(func() {
			results[i] = resultOf(rt.Config.Providers[id], rt.CheckProvider(ctx, id))
			step()
			<-slots
		})
	}
	all.Wait()
	return results
}

func resultOf(p config.Provider, r probe.Report) checkResult {
	out := checkResult{
		Provider: r.Provider, State: stateUnhealthy, Check: r.Check, Kind: r.Kind.String(), Status: r.Status,
		DurationMS: milliseconds(r.Duration), Models: r.Models, Message: r.Message, time: shown(r.Duration),
	}
	switch {
	case !p.Enabled, r.Check == probe.CheckedNothing:
		out.State, out.Kind = stateSkipped, ""
	case r.OK:
		out.State = stateHealthy
	}
	if out.Models == nil {
		out.Models = []string{}
	}
	return out
}

func (s *session) showChecks(results []checkResult) {
	rows := make([][]string, len(results))
	for i, r := range results {
		note := r.Message
		if note == "" && r.Check == probe.CheckedModels {
			note = count(len(r.Models), "model") + " listed"
		}
		rows[i] = []string{r.Provider, stateShown(r.State), dash(r.Check), r.time, note}
	}
	s.table([]string{"PROVIDER", "STATE", "CHECK", "TIME", "NOTE"}, rows)
}

func stateShown(state string) string {
	switch state {
	case stateHealthy:
		return "✅ " + state
	case stateUnhealthy:
		return "❌ " + state
	}
	return "-  " + state
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// verdict is the closing line for a single provider.
func (s *session) verdict(r checkResult) error {
	switch r.State {
	case stateHealthy:
		s.good("Provider %s is healthy", r.Provider)
		return nil
	case stateSkipped:
		s.bad("Provider %s was not checked: %s", r.Provider, r.Message)
	default:
		s.bad("Provider %s is not healthy: %s", r.Provider, r.Message)
	}
	return notGood()
}

// required marks flags that a command cannot do without.
func required(c *cobra.Command, names ...string) {
	for _, name := range names {
		if err := c.MarkFlagRequired(name); err != nil {
			panic(errors.Join(errors.New("no such flag: "+name), err)) // found by every test
		}
	}
}
