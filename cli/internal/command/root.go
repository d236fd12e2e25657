// Package command is berry-cli: one file per command, root.go for what they
// share, output.go for how they print.
//
// Only cmd/berry-cli calls it. Results go to standard output, what is wrong to
// standard error; the exit code is 0 for good, 1 for not good and 2 for a
// command line that makes no sense.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes.
const (
	exitGood    = 0
	exitNotGood = 1
	exitUsage   = 2
)

// Main runs the process's own command line until it is done or a signal asks
// it to stop, and returns the exit code.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process, whatever it does
	return Run(ctx, Process{Args: os.Args[1:], In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv})
}

// Process is what a command sees of the outside.
type Process struct {
	Args     []string // without the program's name
	In       io.Reader
	Out, Err io.Writer
	Getenv   func(name string) string
}

// Run runs one command line and returns its exit code. It blocks until the
// command is done; the end of ctx asks it to stop.
func Run(ctx context.Context, p Process) int {
	s := &session{Process: p}
	root := newRoot(s)
	root.SetArgs(p.Args)
	ran, err := root.ExecuteContextC(ctx)
	var failure *failed
	switch {
	case err == nil:
		return exitGood
	case errors.As(err, &failure):
		if failure.err != nil {
			s.bad("%v", failure.err)
		}
		return exitNotGood
	default:
		fmt.Fprintf(s.Err, "berry-cli: %v\nRun '%s --help' for how to use it.\n", err, ran.CommandPath())
		return exitUsage
	}
}

// Tree returns the commands for what describes them; none of them is to be run.
func Tree() *cobra.Command {
	return newRoot(&session{Process: Process{Getenv: func(string) string { return "" }}})
}

// session is one run of the program: the outside and the flags that every
// command has.
type session struct {
	Process
	config  string
	json    bool
	noColor bool
}

// failed is the error of a command that was understood and did not turn out
// good. Every other error is one of usage.
type failed struct{ err error } // nil: everything has been said

func (f *failed) Error() string {
	if f.err == nil {
		return "not good"
	}
	return f.err.Error()
}

func (f *failed) Unwrap() error { return f.err }

// notGood is the error of a command that has printed what is wrong.
func notGood() error { return &failed{} }

// cannot wraps an error of the outside.
func cannot(format string, args ...any) error { return &failed{fmt.Errorf("cannot "+format, args...)} }

func newRoot(s *session) *cobra.Command {
	var asked bool // for the version
	root := &cobra.Command{
		Use:   "berry-cli",
		Short: "Check, try and set up Berry API",
		Long: "berry-cli checks configurations, providers and backends of Berry API, makes tokens,\n" +
			"and plays a provider to try things without a key.\n\n" +
			"The exit code is 0 for good, 1 for not good, 2 for wrong usage.",
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(c *cobra.Command, _ []string) error {
			if asked {
				return printVersion(s)
			}
			c.SetOut(s.Err)
			if err := c.Usage(); err != nil {
				return err
			}
			return errors.New("no command was given")
		},
	}
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	root.Flags().BoolVar(&asked, "version", false, "print the version, as the command version does")
	flags := root.PersistentFlags()
	flags.StringVarP(&s.config, "config", "c", "",
		"configuration `FILE`; else CONFIG_PATH, else ./config.toml or an example file")
	flags.BoolVar(&s.json, "json", false, "print the result as one JSON object")
	flags.BoolVar(&s.noColor, "no-color", false, "no colours, also on a terminal")
	root.AddCommand(
		newValidateConfig(s), newGenerateConfig(s),
		newHealthCheck(s), newTestBackend(s), newMock(s), newSimulate(s),
		newMetrics(s), newDecisions(s), newExplain(s),
		newHashToken(s), newGenerateToken(s),
		newVersion(s),
	)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			c.RunE, c.PersistentPreRunE = help, s.onlyText
		case "completion":
			c.PersistentPreRunE = s.onlyText
			c.Use, c.Short = "completion SHELL", "Print a completion script for a shell"
			c.Long = "completion prints what makes a shell complete commands, flags and the names in the configuration:\n" +
				"the providers, models and strategies. The help of each shell says where the script goes."
			for _, shell := range c.Commands() {
				shell.Short = "Print the script for " + shell.Name()
			}
			c.RunE = func(*cobra.Command, []string) error { return errors.New("name a shell: bash, fish, powershell or zsh") }
		}
	}
	return root
}

// onlyText refuses --json for commands whose result is a text and nothing else.
func (s *session) onlyText(c *cobra.Command, _ []string) error {
	if s.json {
		return fmt.Errorf("%s has no result for programs, leave --json out", c.Name())
	}
	return nil
}

// help shows the help of a command. Cobra's own says good to a name that is none.
func help(c *cobra.Command, args []string) error {
	topic, _, err := c.Root().Find(args)
	if err != nil {
		return err
	}
	topic.InitDefaultHelpFlag()
	return topic.Help()
}

// noArgs is for commands that take flags only.
func noArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		// Which one is not said: it may be a token.
		return fmt.Errorf("the command takes no arguments, but there is %s", count(len(args), "argument"))
	}
	return nil
}
