package deploy_test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/PPKunOfficial/berry-api/core/config"
)

// patience bounds what must happen anyway, so that a failing test ends.
const patience = 60 * time.Second

// programs is a folder with berry-api and berry-cli of this checkout: the one
// that BERRY_BIN names, else one that is built.
var programs = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("BERRY_BIN"); path != "" {
		return filepath.Abs(path)
	}
	dir, err := os.MkdirTemp("", "berry-deploy-")
	if err != nil {
		return "", err
	}
	built = dir
	build := exec.Command("go", "build", "-o", dir+"/", "./api/cmd/berry-api", "./cli/cmd/berry-cli")
	build.Dir = ".."
	// This module is outside the workspace; the programs are built inside it.
	build.Env = append(os.Environ(), "GOWORK=")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build the programs: %w\n%s", err, out)
	}
	return dir, nil
})

// built is the folder that programs made, for TestMain to remove.
var built string

func TestMain(m *testing.M) {
	code := m.Run()
	if built != "" {
		os.RemoveAll(built)
	}
	os.Exit(code)
}

// program is the path of one of them.
func program(t *testing.T, name string) string {
	t.Helper()
	dir, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}

// need skips a test whose tool is not on this machine.
func need(t *testing.T, tool, from string) {
	t.Helper()
	if _, err := exec.LookPath(tool); err != nil {
		t.Skipf("%s is not installed: %s", tool, from)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// replaced is text with one part, which must be there exactly once, made another.
func replaced(t *testing.T, text, part, other string) string {
	t.Helper()
	if n := strings.Count(text, part); n != 1 {
		t.Fatalf("%q is there %d times, not once", part, n)
	}
	return strings.Replace(text, part, other, 1)
}

// freeAddress is a loopback address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// output is what a process prints, read while it runs.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// serve runs a command until the test ends; it must then stop on a signal with
// exit code 0. It is ready when url answers with status 200.
func serve(t *testing.T, cmd *exec.Cmd, url string) *output {
	t.Helper()
	out := new(output)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("%s ended with %v:\n%s", cmd.Path, err, out)
			}
		case <-time.After(patience):
			_ = cmd.Process.Kill()
			t.Errorf("%s does not end:\n%s", cmd.Path, out)
		}
	})
	await(t, out, func() bool {
		select {
		case err := <-ended:
			ended <- err // for the cleanup
			t.Fatalf("%s ended at once: %v\n%s", cmd.Path, err, out)
		default:
		}
		return answered(url)
	})
	return out
}

// answered reports whether a URL answers with status 200.
func answered(url string) bool {
	res, err := http.Get(url)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// await looks again and again until something is so.
func await(t *testing.T, out *output, so func() bool) {
	t.Helper()
	limit, again := time.After(patience), time.NewTicker(20*time.Millisecond)
	defer again.Stop()
	for !so() {
		select {
		case <-limit:
			t.Fatalf("in vain waited for it:\n%s", out)
		case <-again.C:
		}
	}
}

// berry runs berry-api with a configuration and returns its base URL.
func berry(t *testing.T, text string) string {
	t.Helper()
	address := freeAddress(t)
	cmd := exec.Command(program(t, "berry-api"), "-c", write(t, filepath.Join(t.TempDir(), "config.toml"), text))
	cmd.Env = append(os.Environ(), "BIND_ADDRESS="+address)
	serve(t, cmd, "http://"+address+"/readyz")
	return "http://" + address
}

// loads checks a configuration as the server does, with every secret file there.
func loads(t *testing.T, name, text string) *config.Config {
	t.Helper()
	e := config.Env{
		Lookup: func(string) (string, bool) { return "", false },
		ReadFile: func(path string) ([]byte, error) {
			if path == name {
				return []byte(text), nil
			}
			return []byte("secret-of-" + filepath.Base(path) + "\n"), nil
		},
	}
	cfg, err := e.Load(name)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if len(cfg.Warnings) > 0 {
		t.Errorf("%s: %v", name, cfg.Warnings)
	}
	return cfg.Config
}
