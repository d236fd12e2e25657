package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The test binary is the program under test when this variable is set.
const asProgram = "BERRY_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

const good = `[settings]
bind_address = "127.0.0.1:0"
health_check_interval_seconds = 0
shutdown_grace_seconds = 30
[providers.one]
base_url = "%s"
[models.m]
backends = [{ provider = "one", model = "x" }]
[users.ann]
token = "berry-canary-10-user"
[users.short]
token = "tiny"
`

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCommandLine(t *testing.T) {
	for _, name := range []string{"CONFIG_PATH", "BIND_ADDRESS", "MAX_CONNECTIONS", "BERRY_LOG", "RUST_LOG"} {
		t.Setenv(name, "")
	}
	t.Chdir(t.TempDir())
	ok := write(t, fmt.Sprintf(good, "http://127.0.0.1:1"))
	bad := write(t, "[settings]\nmax_retries = \"many\"\nbind_adress = 1\n")
	f := func(code int, stdout, stderr string, args ...string) {
		t.Helper()
		var out, errs bytes.Buffer
		if got := run(args, &out, &errs); got != code {
			t.Errorf("%q: exit code %d, want %d", args, got, code)
		}
		if !strings.Contains(out.String(), stdout) || stdout == "" && out.Len() > 0 {
			t.Errorf("%q: stdout %q", args, out.String())
		}
		if !strings.Contains(errs.String(), stderr) || stderr == "" && errs.Len() > 0 {
			t.Errorf("%q: stderr %q", args, errs.String())
		}
		if strings.Contains(out.String()+errs.String(), "canary-") {
			t.Errorf("%q: a secret is printed", args)
		}
	}
	const valid = "✅ Configuration is valid\n  - 1 providers configured\n  - 1 models configured\n  - 2 users configured\n⚠️  "
	f(exitGood, "berry-api dev\n", "", "--version")
	f(exitGood, usage, "", "--help")
	f(exitGood, usage, "", "-h")
	f(exitUsage, "", "flag provided but not defined: -nope\nUsage:", "--nope")
	f(exitUsage, "", "unexpected argument \"serve\"\nUsage:", "serve")
	f(exitUsage, "", "--demo has a configuration of its own\nUsage:", "--demo", "-c", ok)
	f(exitUsage, "", "--demo has a configuration of its own\nUsage:", "--demo-traffic", "--check-config")
	f(exitGood, valid+ok+":12:9: users.short.token", "", "--check-config", "-c", ok)
	f(exitGood, valid, "", "--check-config", "--config", ok)
	f(exitFailed, "", "❌ Configuration has 2 problems\n"+bad+":2:", "--check-config", "-c", bad)
	f(exitFailed, "", bad+":3:1: ", "-c", bad)
	worse := write(t, fmt.Sprintf(good, "http://127.0.0.1:1")+"colour = 1\n")
	f(exitFailed, "", "❌ Configuration has 1 problem\n"+worse+":13:1: ", "--check-config", "-c", worse)
	uncertain := write(t, strings.Replace(fmt.Sprintf(good, "http://127.0.0.1:1"), "[settings]", "[settings]\ntls = { cert_file = \"none.pem\", key_file = \"none.pem\" }", 1))
	f(exitFailed, "", "❌ settings.tls: cannot load the certificate: open "+filepath.Join(filepath.Dir(uncertain), "none.pem"), "--check-config", "-c", uncertain)
	f(exitFailed, "", "no configuration file found; tried\n  ./config.toml", "--check-config")
	f(exitFailed, "", "nowhere.toml", "-c", "nowhere.toml")

	t.Setenv("CONFIG_PATH", ok)
	f(exitGood, "✅ Configuration is valid", "", "--check-config")
	t.Setenv("BERRY_LOG", "info,relay=loud")
	const filter = "❌ cannot use the log filter \"info,relay=loud\", of the variable BERRY_LOG or RUST_LOG: unknown log level \"loud\""
	f(exitFailed, "", filter, "--check-config")
	f(exitFailed, "", filter, "-c", ok)
	f(exitFailed, "", filter, "--demo")
	t.Setenv("BERRY_LOG", "")
	t.Setenv("CONFIG_PATH", "")
	if err := os.WriteFile("config-example.toml", fmt.Appendf(nil, good, "http://127.0.0.1:1"), 0o600); err != nil {
		t.Fatal(err)
	}
	f(exitGood, "config-example.toml:1:1: no configuration of your own was found, this is an example", "", "--check-config")

	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	t.Setenv("BIND_ADDRESS", taken.Addr().String())
	f(exitFailed, "", "❌ cannot listen on "+taken.Addr().String()+": address already in use; stop what listens there, or choose another "+
		"bind_address (the variable BIND_ADDRESS goes before it)\n", "-c", ok)
	t.Setenv("BIND_ADDRESS", "192.0.2.1:0") // an address for documentation, nobody's
	f(exitFailed, "", "❌ cannot listen on 192.0.2.1:0: cannot assign requested address; this machine has no such address, choose another "+
		"bind_address (the variable BIND_ADDRESS goes before it)\n", "-c", ok)
}

// process is the program, running.
type process struct {
	t   *testing.T
	cmd *exec.Cmd
	mu  sync.Mutex
	out bytes.Buffer
	url string
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(b)
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// await waits until the program has printed something.
func (p *process) await(text string) {
	p.t.Helper()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	limit := time.After(30 * time.Second)
	for !strings.Contains(p.output(), text) {
		select {
		case <-poll.C:
		case <-limit:
			p.t.Fatalf("in vain waited for %q in:\n%s", text, p.output())
		}
	}
}

var address = regexp.MustCompile(`"address":"([^"]+)"`)

// launch starts the program without a BIND_ADDRESS, and notes where it listens.
func launch(t *testing.T, args ...string) *process {
	t.Helper()
	p := startWith(t, []string{"BIND_ADDRESS="}, args...)
	p.url = "http://" + address.FindStringSubmatch(p.output())[1]
	return p
}

// startWith starts the program with more variables, and waits until it listens.
func startWith(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(os.Args[0], args...)}
	p.cmd.Env = append(os.Environ(), asProgram+"=1", "CONFIG_PATH=", "BERRY_LOG=", "RUST_LOG=")
	p.cmd.Env = append(p.cmd.Env, env...)
	p.cmd.Stdout, p.cmd.Stderr = p, p
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	})
	p.await("Starting Berry API")
	return p
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// exit waits for the end and returns the exit code.
func (p *process) exit() int {
	_ = p.cmd.Wait()
	return p.cmd.ProcessState.ExitCode()
}

// upstream accepts a chat and never answers until the test ends.
func upstream(t *testing.T) (url string, asked <-chan struct{}) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	got := make(chan struct{}, 1)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = c.Close() })
			go func() {
				buf := make([]byte, 1)
				_, _ = c.Read(buf)
				select {
				case got <- struct{}{}:
				default:
				}
				_, _ = io.Copy(io.Discard, c)
			}()
		}
	}()
	return "http://" + l.Addr().String(), got
}

func TestSignals(t *testing.T) {
	hang, asked := upstream(t)
	path := write(t, fmt.Sprintf(good, hang))
	p := launch(t, "-c", path)
	if res, err := http.Get(p.url + "/readyz"); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%v %v", err, res)
	}
	http.DefaultClient.CloseIdleConnections()

	// SIGHUP: a bad file is refused, a good one is taken.
	if err := os.WriteFile(path, []byte("nonsense = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.signal(syscall.SIGHUP)
	p.await("Configuration refused, the old one stays")
	if err := os.WriteFile(path, fmt.Appendf(nil, good+"name = \"Shorty\"\n", hang), 0o600); err != nil {
		t.Fatal(err)
	}
	p.signal(syscall.SIGHUP)
	p.await("Configuration reloaded")

	p.signal(syscall.SIGTERM)
	if code := p.exit(); code != 0 {
		t.Errorf("after SIGTERM: exit code %d\n%s", code, p.output())
	}
	p.await("Berry API stopped")

	// A second signal does not wait for the request that hangs.
	p = launch(t, "-c", path)
	go func() {
		r, _ := http.NewRequest(http.MethodPost, p.url+"/v1/chat/completions", strings.NewReader(`{"model":"m","messages":[]}`))
		r.Header.Set("Authorization", "Bearer berry-canary-10-user")
		if res, err := http.DefaultClient.Do(r); err == nil {
			_ = res.Body.Close()
		}
	}()
	<-asked
	p.signal(os.Interrupt)
	p.await("Draining")
	p.signal(os.Interrupt)
	if code := p.exit(); code != exitFailed {
		t.Errorf("after a second signal: exit code %d", code)
	}
	if strings.Contains(p.output(), "canary-") {
		t.Error("a secret is printed")
	}
}

func TestDemoIsOneFlag(t *testing.T) {
	p := launch(t, "--demo")
	p.signal(os.Interrupt)
	if code := p.exit(); code != 0 {
		t.Errorf("exit code %d\n%s", code, p.output())
	}
	if want := "Base URL  " + p.url + "/v1\n"; !strings.Contains(p.output(), want) {
		t.Errorf("no %q in:\n%s", want, p.output())
	}
}
