// Command berry-api serves the gateway.
//
// It reads its configuration from the file that --config or CONFIG_PATH names,
// else from the usual places. SIGTERM and SIGINT drain it, a second one ends it
// at once; SIGHUP reads the configuration again. Its exit code is 0 after a
// drain, 1 for a configuration that cannot be used or a start that failed, and
// 2 for a command line that it does not understand.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/PPKunOfficial/berry-api/api"
	"github.com/PPKunOfficial/berry-api/core/config"
)

// Exit codes.
const (
	exitGood   = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// flags are the command line.
type flags struct {
	config                                         string
	check, version, demo, demoTraffic, healthcheck bool
}

func parse(args []string, stderr io.Writer) (flags, error) {
	var f flags
	set := flag.NewFlagSet("berry-api", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.Usage = func() {}
	for _, name := range []string{"c", "config"} {
		set.StringVar(&f.config, name, "", "")
	}
	set.BoolVar(&f.check, "check-config", false, "")
	set.BoolVar(&f.version, "version", false, "")
	set.BoolVar(&f.demo, "demo", false, "")
	set.BoolVar(&f.healthcheck, "healthcheck", false, "")
	set.BoolVar(&f.demoTraffic, "demo-traffic", false, "")
	switch err := set.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return f, err
	case err != nil: // which is said already
		fmt.Fprint(stderr, usage)
		return f, err
	}
	f.demo = f.demo || f.demoTraffic
	switch {
	case set.NArg() > 0:
		return f, complain(stderr, "unexpected argument %q", set.Arg(0))
	case f.demo && (f.config != "" || f.check):
		return f, complain(stderr, "--demo has a configuration of its own")
	case f.healthcheck && (f.demo || f.check):
		return f, complain(stderr, "--healthcheck asks a server that runs, and starts none")
	}
	return f, nil
}

func complain(stderr io.Writer, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	fmt.Fprintf(stderr, "%v\n%s", err, usage)
	return err
}

const usage = `Usage: berry-api [flags]

  -c, --config FILE   configuration; else CONFIG_PATH, ./config.toml, ./config-example.toml,
                      ./config/smart_ai_example.toml
  --check-config      check the configuration and exit
  --demo              run in front of fake providers, without a configuration
  --demo-traffic      as --demo, with a trickle of requests
  --healthcheck       ask the server that runs on this machine whether it is ready: exit code 0 or 1
  --version           print the version and exit

Variables: BIND_ADDRESS and MAX_CONNECTIONS go before the configuration's settings, BERRY_LOG
(or RUST_LOG) before its log_level: info,relay=debug.
`

func run(args []string, stdout, stderr io.Writer) int {
	f, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return exitGood
	case err != nil:
		return exitUsage
	case f.version:
		fmt.Fprintln(stdout, "berry-api", version())
		return exitGood
	case f.healthcheck:
		return healthcheck(f.config, stdout, stderr)
	case f.demo:
		tuneMemory()
		return serve(stderr, service{run: func(ctx context.Context) error {
			return api.Demo(ctx, api.DemoOptions{
				Version: version(), Stdout: stdout, LogFilter: logFilter(),
				Address: os.Getenv("BIND_ADDRESS"), Traffic: f.demoTraffic,
			})
		}})
	}
	cfg, err := load(f.config)
	if err == nil && f.check {
		return check(cfg, stdout, stderr)
	}
	if err != nil {
		return failed(stderr, err)
	}
	tuneMemory()
	s, err := api.New(cfg, api.Options{Version: version(), Stdout: stdout, LogFilter: logFilter()})
	if err != nil {
		return failed(stderr, err)
	}
	return serve(stderr, service{listen: s.Listen, run: s.Run, reload: s.ReloadFile, manager: newNotifier(stderr)})
}

// load finds and reads the configuration.
func load(path string) (*config.Loaded, error) {
	where, err := config.Locate(path, os.Getenv)
	if err != nil {
		return nil, err
	}
	cfg, err := config.Load(where.Path)
	if err != nil {
		return nil, err
	}
	if where.Example {
		cfg.Warnings = append(cfg.Warnings, config.Problem{
			File: where.Path, Line: 1, Column: 1,
			Message: "no configuration of your own was found, this is an example: copy it to config.toml and change it",
		})
	}
	return cfg, nil
}

// check does what a start does, short of listening, and says what came of it.
func check(cfg *config.Loaded, stdout, stderr io.Writer) int {
	if _, err := api.New(cfg, api.Options{Version: version(), LogFilter: logFilter()}); err != nil {
		return failed(stderr, err)
	}
	if _, err := cfg.Config.Settings.TLS.Load(); err != nil {
		return failed(stderr, fmt.Errorf("settings.tls: %w", err))
	}
	c := cfg.Config
	// The words are the same for one, so that grep finds them.
	fmt.Fprintf(stdout, "✅ Configuration is valid\n  - %d providers configured\n  - %d models configured\n  - %d users configured\n",
		len(c.Providers), len(c.Models), len(c.Users))
	for _, w := range cfg.Warnings {
		fmt.Fprintf(stdout, "⚠️  %s\n", w)
	}
	return exitGood
}

// failed prints why nothing runs: all problems, each on lines of its own.
func failed(stderr io.Writer, err error) int {
	if problems, ok := errors.AsType[config.Problems](err); ok {
		fmt.Fprintf(stderr, "❌ Configuration has %s\n%v\n", count(len(problems), "problem"), err)
	} else {
		fmt.Fprintf(stderr, "❌ %v\n", err)
	}
	return exitFailed
}

// count is "1 user" or "2 users".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func logFilter() string {
	if f := os.Getenv("BERRY_LOG"); f != "" {
		return f
	}
	return os.Getenv("RUST_LOG")
}

// stamp is the version that a release's build gives the linker, with
// -ldflags "-X main.stamp=v1.2.3": the go command knows no version of a module
// that is built in its repository, when that has several. Nothing writes it.
var stamp string

// version is the stamp, else that of the module, which `go install` of a
// release knows.
func version() string {
	if stamp != "" {
		return stamp
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "dev"
	}
	return info.Main.Version
}

// tuneMemory lets the heap grow to five times what is live before it is
// collected, unless GOGC says otherwise. What is live in a gateway is small and
// what a request leaves behind is not: collecting less often saved about a
// tenth of the CPU for some 30 MiB more. GOMEMLIMIT still bounds it.
func tuneMemory() {
	const percent = 400
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}
