package command

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/PPKunOfficial/berry-api/core/config"
)

// validation is the result of validate-config.
type validation struct {
	Valid     bool      `json:"valid"`
	Path      string    `json:"path"`
	Example   bool      `json:"example"`
	SHA256    string    `json:"sha256"`
	Providers int       `json:"providers"`
	Models    int       `json:"models"`
	Users     int       `json:"users"`
	Problems  []problem `json:"problems"`
	Warnings  []problem `json:"warnings"`
}

type problem struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Key     string `json:"key"`
	Message string `json:"message"`
	Excerpt string `json:"excerpt"`
}

func newValidateConfig(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "validate-config",
		Short: "Check a configuration file as the server does",
		Long: "validate-config checks a configuration file as the server does when it starts, with the variables,\n" +
			"secret files and the certificate that it refers to, and prints every problem with its place.",
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return validateConfig(s) },
	}
}

func validateConfig(s *session) error {
	at, err := s.locate()
	if err != nil {
		return err
	}
	loaded, err := config.Load(at.Path)
	var problems config.Problems
	if err != nil && !errors.As(err, &problems) {
		return &failed{err}
	}
	if err == nil {
		if _, failure := loaded.Config.Settings.TLS.Load(); failure != nil { // the server would not start
			problems = config.Problems{{File: at.Path, Key: "settings.tls", Message: failure.Error()}}
			err = problems
		}
	}
	if s.json {
		v := validation{Valid: err == nil, Path: at.Path, Example: at.Example, Problems: problemsOf(problems), Warnings: []problem{}}
		if loaded != nil {
			c := loaded.Config
			v.SHA256, v.Providers, v.Models, v.Users = loaded.SHA256, len(c.Providers), len(c.Models), len(c.Users)
			v.Warnings = problemsOf(loaded.Warnings)
		}
		if failure := s.object(v); failure != nil || err == nil {
			return failure
		}
		return notGood()
	}
	if err != nil {
		return s.invalid(problems)
	}
	c := loaded.Config
	s.good("Configuration is valid")
	// The words are the same for one, so that `berry-cli validate-config | grep users` finds it.
	fmt.Fprintf(s.Out, "  - %d providers configured\n  - %d models configured\n  - %d users configured\n",
		len(c.Providers), len(c.Models), len(c.Users))
	for _, w := range loaded.Warnings {
		s.warn(s.Out, "%v", w)
	}
	return nil
}

func problemsOf(from []config.Problem) []problem {
	out := make([]problem, len(from))
	for i, p := range from {
		out[i] = problem(p)
	}
	return out
}

// locate finds the configuration file, and says so when it is an example.
func (s *session) locate() (config.Location, error) {
	at, err := config.Locate(s.config, s.Getenv)
	if err != nil {
		return at, &failed{err}
	}
	if at.Example {
		s.warn(s.Err, "%s is an example file; write your own with `berry-cli generate-config -o config.toml`", at.Path)
	}
	return at, nil
}

// load loads the configuration for a command that works with it.
func (s *session) load() (*config.Config, error) {
	at, err := s.locate()
	if err != nil {
		return nil, err
	}
	loaded, err := config.Load(at.Path)
	var problems config.Problems
	switch {
	case errors.As(err, &problems):
		return nil, s.invalid(problems)
	case err != nil:
		return nil, &failed{err}
	}
	return loaded.Config, nil
}

// invalid prints all problems of a configuration.
func (s *session) invalid(problems config.Problems) error {
	s.bad("Configuration has %s", count(len(problems), "problem"))
	_, _ = io.WriteString(s.Err, problems.Error()+"\n")
	return notGood()
}
