package command

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/loadbalance/simulate"
	"github.com/PPKunOfficial/berry-api/relay"
)

// open finds the worlds and changes them as the flags say.
func (o *scenario) open() ([]simulate.World, error) {
	var worlds []simulate.World
	for _, name := range o.worlds {
		w, err := simulate.BuiltIn(name)
		if err != nil {
			if w, err = openWorld(name); err != nil {
				return nil, err
			}
		}
		if o.duration > 0 {
			w.Duration = simulate.Duration(o.duration)
		}
		if o.rate > 0 {
			w.Traffic.Rate = o.rate
		}
		if err := w.Check(); err != nil {
			return nil, fmt.Errorf("world %s: %w", name, err)
		}
		worlds = append(worlds, w)
	}
	return worlds, nil
}

// openWorld reads a world from a file.
func openWorld(path string) (simulate.World, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) && !strings.ContainsAny(path, `./\`) {
		return simulate.World{}, fmt.Errorf("unknown world %q, want a file or one of %s", path, strings.Join(simulate.WorldNames(), ", "))
	}
	if err != nil {
		return simulate.World{}, cannot("open the world: %w", err)
	}
	defer func() { _ = f.Close() }()
	w, err := simulate.ParseWorld(f)
	if err != nil {
		return w, cannot("use the world %s: %w", path, err)
	}
	if w.Name == "" {
		w.Name = path
	}
	return w, nil
}

// prepare takes the model and the settings out of the configuration.
func prepare(cfg *config.Config, o scenario) (*study, error) {
	gateway, err := relay.New(cfg, relay.Options{Version: version()})
	if err != nil {
		return nil, &failed{err}
	}
	st := &study{policy: relay.Policy(cfg), rules: rulesOf(cfg), scenario: o}
	runtime := gateway.Current()
	models := runtime.Models()
	var ids []string
	for _, m := range models {
		ids = append(ids, m.ID)
	}
	slices.Sort(ids)
	switch found, ok := runtime.Find(o.model); {
	case ok:
		st.model = found
	case o.model != "":
		return nil, fmt.Errorf("no enabled model %q, want one of %s", o.model, strings.Join(ids, ", "))
	case len(models) == 1:
		st.model = models[0]
	case len(models) == 0:
		return nil, cannot("simulate: the configuration has no enabled model")
	default:
		return nil, fmt.Errorf("which model? Name it with --model: %s", strings.Join(ids, ", "))
	}
	for _, l := range st.model.Listings {
		st.listings = append(st.listings, relay.Listing(l))
	}
	if len(st.listings) == 0 {
		return nil, cannot("simulate: no backend of model %s is in service", st.model.ID)
	}
	return st, nil
}

// rulesOf is how the configuration's gateway retries.
func rulesOf(cfg *config.Config) simulate.Rules {
	s := &cfg.Settings
	r := simulate.Rules{
		MaxRetries:  s.MaxRetries,
		MaxMoves:    s.MaxInternalRetries,
		WaitInPlace: s.RetryAfterWaitSeconds.Duration(),
		Whole:       s.NonStreamTimeoutSeconds.Duration(),
		Groups:      map[string]simulate.GroupRules{},
	}
	for id, p := range cfg.Providers {
		r.Groups[id] = simulate.GroupRules{MaxRetries: p.MaxRetries, FirstContent: p.TimeoutSeconds.Duration()}
	}
	return r
}

// follow puts the trace in the place of the worlds' traffic.
func (st *study) follow(s *session) error {
	o := &st.scenario
	if o.trace == "" {
		return nil
	}
	f, err := os.Open(o.trace)
	if err != nil {
		return cannot("open the trace: %w", err)
	}
	defer func() { _ = f.Close() }()
	all, err := simulate.ParseTrace(f)
	if err != nil {
		return cannot("use the trace %s: %w", o.trace, err)
	}
	var mine []simulate.Arrival
	for _, a := range all {
		if a.Model == "" || a.Model == st.model.ID || a.Model == st.model.Name || slices.Contains(st.model.Aliases, a.Model) {
			mine = append(mine, a)
		}
	}
	if len(mine) == 0 {
		return cannot("use the trace %s: none of its %s is for model %s", o.trace, count(len(all), "request"), st.model.ID)
	}
	if other := len(all) - len(mine); other > 0 {
		s.warn(s.Err, "%s of the trace are for other models and were left out", count(other, "request"))
	}
	for i := range st.worlds {
		w := &st.worlds[i]
		w.Traffic.Trace = mine
		if o.duration == 0 { // to the end of the trace, whatever the world's is
			w.Duration = simulate.Duration(mine[len(mine)-1].At + time.Second)
		}
	}
	return nil
}
