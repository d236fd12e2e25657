package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds what must happen anyway, so that a failing test ends.
const patience = 60 * time.Second

// binary is the path of a berry-api to test: the one that BERRY_API names, else one built from this checkout.
var binary = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("BERRY_API"); path != "" {
		return filepath.Abs(path)
	}
	dir, err := os.MkdirTemp("", "berry-e2e-")
	if err != nil {
		return "", err
	}
	built = dir
	path := filepath.Join(dir, "berry-api")
	build := exec.Command("go", "build", "-o", path, "./api/cmd/berry-api")
	build.Dir = ".."
	for _, v := range os.Environ() {
		// This module runs outside the workspace; the server is built inside it.
		if !strings.HasPrefix(v, "GOWORK=") {
			build.Env = append(build.Env, v)
		}
	}
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build berry-api: %w\n%s", err, out)
	}
	return path, nil
})

// built is the folder that binary made, for TestMain to remove.
var built string

func TestMain(m *testing.M) {
	code := m.Run()
	if built != "" {
		os.RemoveAll(built)
	}
	os.Exit(code)
}

// A server is a running berry-api process.
type server struct {
	address string

	mu  sync.Mutex
	log strings.Builder // everything that it printed
}

// startServer runs berry-api with a configuration until the test ends. It must then stop on SIGTERM with exit code 0,
// and must not have printed one of the secrets.
func startServer(t *testing.T, config string, secrets []string) *server {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "--config", file)
	cmd.Env = bareEnv()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = in, in
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()

	s := &server{}
	address := make(chan string, 1)
	var reader sync.WaitGroup
	reader.Go(func() {
		s.read(out, address)
		close(address)
	})
	t.Cleanup(func() {
		stop(t, cmd)
		reader.Wait()
		out.Close()
		s.check(t, secrets)
	})
	select {
	case s.address = <-address:
	case <-time.After(patience):
	}
	if s.address == "" {
		t.Fatalf("the server did not say where it listens")
	}
	s.waitReady(t)
	return s
}

// read collects the log and sends the address when the server says it.
func (s *server) read(out io.Reader, address chan<- string) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		s.mu.Lock()
		s.log.WriteString(lines.Text() + "\n")
		s.mu.Unlock()
		var entry struct {
			Message string
			Fields  struct{ Address string }
		}
		if json.Unmarshal(lines.Bytes(), &entry) == nil && entry.Message == "Starting Berry API" {
			select {
			case address <- entry.Fields.Address:
			default:
			}
		}
	}
}

func (s *server) waitReady(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.address+"/readyz", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("the server at %s did not get ready: %v", s.address, err)
		}
	}
}

// check looks at the log when all is over, and shows it if the test failed.
func (s *server) check(t *testing.T, secrets []string) {
	t.Helper()
	s.mu.Lock()
	log := s.log.String()
	s.mu.Unlock()
	for i, secret := range secrets {
		if strings.Contains(log, secret) {
			t.Errorf("secret %d is in the server's log", i)
			log = strings.ReplaceAll(log, secret, "***")
		}
	}
	if t.Failed() {
		t.Logf("the server's log:\n%s", log)
	}
}

// baseURL is what a user gives to an SDK.
func (s *server) baseURL() string { return "http://" + s.address + "/v1" }

// stop ends the process as a service manager does.
func stop(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("cannot signal the server: %v", err)
	}
	kill := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	if err := cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM the server ended with: %v", err)
	}
}

// bareEnv is an environment without settings for Berry, proxies or SDKs.
func bareEnv(more ...string) []string {
	return append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}, more...)
}
