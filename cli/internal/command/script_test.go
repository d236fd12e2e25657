package command

import (
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

func TestMain(m *testing.M) {
	testscript.Main(leakChecked{m}, map[string]func(){"berry-cli": func() { os.Exit(Main()) }})
}

// leakChecked fails a run that leaves goroutines behind.
type leakChecked struct{ *testing.M }

func (m leakChecked) Run() int {
	code := m.M.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}

// canary begins every secret of the scripts; berry fails where one shows.
const canary = "canary-"

// The scripts run the program as its users do. Beside testscript's own words
// they have
//
//	berry CODE ARGS...       run berry-cli; it must exit with CODE and print no secret
//	provider NAME OPTIONS... start a fake provider at $NAME_URL: key=K, models=A,B, tls,
//	                         or a fault: hang, nolist, echo
//	gateway NAME TOKEN FOLDER  start what answers like a running server, see gateway
//	closed NAME              set $NAME_URL to an address where nothing listens
//	mode MODE FILE           check a file's mode
//	envsubst IN OUT          copy a file with the environment's values for $NAME
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(e *testscript.Env) error {
			// What the machine has set must not decide a test.
			e.Setenv("NO_COLOR", "")
			e.Setenv("CONFIG_PATH", "")
			e.Setenv("TERM", "xterm")
			e.Setenv("BIND_ADDRESS", "")
			// Under the race detector a program waits a second before it exits, for
			// what its goroutines may yet do. With a process per line that adds up.
			e.Setenv("GORACE", "atexit_sleep_ms=0")
			return private(e.WorkDir)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"berry":    berry,
			"provider": provider,
			"gateway":  gateway,
			"mode":     mode,
			"closed":   closed,
			"envsubst": envsubst,
		},
	})
}

// private gives a script's files the mode that files with secrets should have.
func private(folder string) error {
	return filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		return os.Chmod(path, 0o600)
	})
}

func berry(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: berry CODE ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	switch err := ts.Exec("berry-cli", args[1:]...); {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	default:
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
	if got != exitUsage && slices.Contains(args, "--json") {
		ts.Check(objects(ts.ReadFile("stdout"), slices.Contains(args, "--follow") || slices.Contains(args, "--watch")))
	}
	for _, stream := range []string{"stdout", "stderr"} {
		if strings.Contains(ts.ReadFile(stream), canary) {
			ts.Fatalf("%s holds a secret", stream)
		}
	}
}

// objects checks that a result with --json is one JSON object or, where it goes
// on, one in each line. There may be none: what went wrong is on standard error.
func objects(text string, many bool) error {
	d := json.NewDecoder(strings.NewReader(text))
	n := 0
	for {
		var object map[string]any
		err := d.Decode(&object)
		switch {
		case errors.Is(err, io.EOF) && many && n != strings.Count(text, "\n"):
			return fmt.Errorf("%d objects in %d lines", n, strings.Count(text, "\n"))
		case errors.Is(err, io.EOF) && !many && n > 1:
			return fmt.Errorf("%d objects", n)
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("not JSON: %w", err)
		}
		n++
	}
}

func provider(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: provider NAME OPTIONS...")
	}
	o := mockllm.Options{Behaviour: mockllm.Behaviour{Answer: func(mockllm.Prompt) string { return "Hello to you too" }}}
	for _, option := range args[1:] {
		name, value, _ := strings.Cut(option, "=")
		switch name {
		case "key":
			o.Behaviour.Key = value
		case "models":
			o.Behaviour.Models = strings.Split(value, ",")
		case "tls":
			o.TLS = true
		case "hang":
			o.Script = mockllm.Always(mockllm.Hang())
		case "nolist":
			o.Script = func(r *mockllm.Seen) []mockllm.Step {
				if strings.HasSuffix(r.Path, "/models") {
					return []mockllm.Step{mockllm.JSON(404, nil, "{}")}
				}
				return nil
			}
		case "echo": // an upstream that shows the key that it was given
			o.Script = func(r *mockllm.Seen) []mockllm.Step {
				return []mockllm.Step{mockllm.JSON(401, nil, fmt.Sprintf(`{"error":{"message":"bad: %s"}}`, r.Header.Get("Authorization")))}
			}
		default:
			ts.Fatalf("unknown option %q", option)
		}
	}
	s, err := mockllm.Open(o)
	ts.Check(err)
	ts.Defer(s.Close)
	ts.Setenv(args[0]+"_URL", s.URL)
	ts.Setenv(args[0]+"_HOST", strings.TrimPrefix(strings.TrimPrefix(s.URL, "https://"), "http://"))
	if o.TLS {
		file := ts.MkAbs(args[0] + ".pem")
		cert, err := pemOf(s)
		ts.Check(err)
		ts.Check(os.WriteFile(file, cert, 0o600))
		ts.Setenv(args[0]+"_CERT", file)
	}
}

// pemOf is the certificate of a fake provider with TLS.
func pemOf(s *mockllm.Server) ([]byte, error) {
	conn, err := tls.Dial("tcp", strings.TrimPrefix(s.URL, "https://"), &tls.Config{RootCAs: s.Roots()})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	raw := conn.ConnectionState().PeerCertificates[0].Raw
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}), nil
}

func closed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: closed NAME")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Check(l.Close())
	ts.Setenv(args[0]+"_URL", "http://"+l.Addr().String())
	ts.Setenv(args[0]+"_HOST", l.Addr().String())
}

func mode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mode MODE FILE")
	}
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := strconv.FormatUint(uint64(info.Mode().Perm()), 8); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}

func envsubst(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: envsubst IN OUT")
	}
	text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o600))
}
