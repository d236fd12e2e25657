package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/loadbalance/simulate"
	"github.com/PPKunOfficial/berry-api/relay"
)

// scenario is what simulate was asked for.
type scenario struct {
	model      string
	strategies []string
	worlds     []string
	trace      string
	seed       uint64
	duration   time.Duration
	rate       float64
	svg        string
}

// study is a scenario with everything that it names found.
type study struct {
	model    *relay.Model
	listings []loadbalance.Listing
	policy   loadbalance.Policy
	rules    simulate.Rules
	scenario scenario
	worlds   []simulate.World
}

// comparison is what came of one world, strategy by strategy.
type comparison struct {
	world   simulate.World
	reports []*simulate.Report
}

const allWorlds = "all"

func newSimulate(s *session) *cobra.Command {
	var o scenario
	c := &cobra.Command{
		Use:   "simulate",
		Short: "Compare strategies in virtual time",
		Long: "simulate plays traffic against a model of the configuration in virtual time, with the code that\n" +
			"picks backends in the server and with backends that follow a script, and compares the\n" +
			"strategies. Nothing is sent anywhere. The same seed gives the same result.",
		Example: "  berry-cli simulate --world outage\n" +
			"  berry-cli simulate --world all --strategy smart_ai,weighted_failover\n" +
			"  berry-cli simulate --world ./my-world.json --trace requests.jsonl --svg shares.svg",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return simulation(c.Context(), s, o, c.Flags().Changed)
		},
	}
	f := c.Flags()
	f.StringVar(&o.model, "model", "", "`ID`, name or alias of the model; needed if the configuration has several")
	f.StringSliceVar(&o.strategies, "strategy", loadbalance.StrategyNames(), "`NAMES` of the strategies to compare, with commas between")
	f.StringSliceVar(&o.worlds, "world", []string{"healthy"},
		"`NAMES` of worlds ("+strings.Join(simulate.WorldNames(), ", ")+"; all for each of them) or files, with commas between")
	f.StringVar(&o.trace, "trace", "", "`FILE` with the requests, one JSON object per line, instead of the world's traffic")
	f.Uint64Var(&o.seed, "seed", 1, "`NUMBER` that decides what is drawn at random")
	f.DurationVar(&o.duration, "duration", 0, "`TIME` that is simulated, such as 2h, instead of the world's")
	f.Float64Var(&o.rate, "rate", 0, "requests per second on average, a `NUMBER`, instead of the world's")
	f.StringVar(&o.svg, "svg", "", "draw the shares over time into this `FILE`; for one world")
	s.completing(c, "model", modelNames)
	offering(c, "strategy", loadbalance.StrategyNames())
	offering(c, "world", append(simulate.WorldNames(), allWorlds))
	return c
}

func simulation(ctx context.Context, s *session, o scenario, given func(flag string) bool) error {
	if err := o.check(given); err != nil {
		return err
	}
	worlds, err := o.open()
	if err != nil {
		return err
	}
	cfg, err := s.load()
	if err != nil {
		return err
	}
	st, err := prepare(cfg, o)
	if err != nil {
		return err
	}
	st.worlds = worlds
	if err := st.follow(s); err != nil {
		return err
	}
	results, err := st.run(ctx, s)
	if err != nil {
		return err
	}
	if o.svg != "" {
		if err := os.WriteFile(o.svg, []byte(st.draw(results[0])), 0o644); err != nil { //nolint:gosec // a picture is no secret
			return cannot("write the picture: %w", err)
		}
	}
	if s.json {
		return s.object(st.object(results))
	}
	st.print(s, results)
	return nil
}

// check finds what no configuration could make good.
func (o *scenario) check(given func(flag string) bool) error {
	switch {
	case given("duration") && o.duration <= 0:
		return fmt.Errorf("--duration is %v, want a time above 0", o.duration)
	case given("rate") && !(o.rate > 0):
		return fmt.Errorf("--rate is %v, want a number above 0", o.rate)
	case given("rate") && given("trace"):
		return errors.New("--rate and --trace exclude each other: a trace has its own rate")
	case len(o.strategies) == 0:
		return errors.New("--strategy names none")
	case len(o.worlds) == 0:
		return errors.New("--world names none")
	}
	for _, name := range o.strategies {
		if _, err := loadbalance.ParseStrategy(name); err != nil {
			return fmt.Errorf("unknown strategy %q, want one of %s", name, strings.Join(loadbalance.StrategyNames(), ", "))
		}
	}
	if i := slices.Index(o.worlds, allWorlds); i >= 0 {
		o.worlds = slices.Replace(o.worlds, i, i+1, simulate.WorldNames()...)
	}
	if o.svg != "" && len(o.worlds) > 1 {
		return errors.New("--svg draws one world, but --world names several")
	}
	return nil
}

// run simulates each strategy in each world.
func (st *study) run(ctx context.Context, s *session) ([]comparison, error) {
	step, done := s.progress(len(st.worlds)*len(st.scenario.strategies), "simulating")
	defer done()
	var results []comparison
	for _, w := range st.worlds {
		c := comparison{world: w}
		for _, name := range st.scenario.strategies {
			strategy, err := loadbalance.ParseStrategy(name)
			if err != nil {
				return nil, err
			}
			r, err := simulate.Run(ctx, simulate.Config{
				Name: name, Strategy: strategy, Listings: st.listings,
				Policy: st.policy, Rules: st.rules, World: w, Seed: st.scenario.seed,
			})
			if err != nil {
				return nil, &failed{err}
			}
			c.reports = append(c.reports, r)
			step()
		}
		results = append(results, c)
	}
	return results, nil
}
