package command

import (
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/PPKunOfficial/berry-api/core/config"
)

// completing offers a flag's values from the configuration to shells. Without
// one that loads there is nothing to offer, and nothing is said: the line is
// still being written.
func (s *session) completing(c *cobra.Command, flag string, values func(*config.Config) []string) {
	err := c.RegisterFlagCompletionFunc(flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		at, err := config.Locate(s.config, s.Getenv)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		loaded, err := config.Load(at.Path)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return values(loaded.Config), cobra.ShellCompDirectiveNoFileComp
	})
	if err != nil {
		panic(err) // the flag is not there: found by every test
	}
}

// offering offers a flag's values to shells, and files where it takes those too.
func offering(c *cobra.Command, flag string, values []string) {
	if err := c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveDefault)); err != nil {
		panic(err) // the flag is not there: found by every test
	}
}

func providerIDs(cfg *config.Config) []string { return slices.Sorted(maps.Keys(cfg.Providers)) }

// modelNames are the public names of the models and their aliases.
func modelNames(cfg *config.Config) []string {
	var out []string
	for _, m := range cfg.Models {
		out = append(append(out, m.Name), m.Aliases...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// upstreamModels are the models of a provider, by its own names: those that it
// lists, and those that are used of it. Without a provider they are everybody's.
func upstreamModels(cfg *config.Config, provider string) []string {
	var out []string
	for id, p := range cfg.Providers {
		if provider == "" || id == provider {
			out = append(out, p.Models...)
		}
	}
	for _, m := range cfg.Models {
		for _, l := range m.Backends {
			if provider == "" || l.Provider == provider {
				out = append(out, l.Model)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
