package browser

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// patience bounds what must happen anyway.
const patience = 60 * time.Second

// Build builds berry-api from this checkout into a folder, and returns its path;
// the variable BERRY_API names another one to take instead.
func Build(dir string) (string, error) {
	if path := os.Getenv("BERRY_API"); path != "" {
		return filepath.Abs(path)
	}
	root, err := exec.Command("git", "rev-parse", "--show-toplevel").Output()
	if err != nil {
		return "", fmt.Errorf("cannot find the checkout: %w", err)
	}
	path := filepath.Join(dir, "berry-api")
	build := exec.Command("go", "build", "-o", path, "./api/cmd/berry-api")
	build.Dir = strings.TrimSpace(string(root))
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "GOWORK=") { // this module runs outside the workspace; the server is built inside it
			build.Env = append(build.Env, v)
		}
	}
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build berry-api: %w\n%s", err, out)
	}
	return path, nil
}

// Berry is a running berry-api process.
type Berry struct {
	// Addresses are where it listens, by what it serves there: "all", or "api" and "admin".
	Addresses map[string]string

	cmd    *exec.Cmd
	reader sync.WaitGroup
	mu     sync.Mutex
	log    strings.Builder
}

// StartBerry runs a berry-api with a configuration, which is written into dir.
// It returns once the process listens; Stop ends it.
func StartBerry(binary, dir, config string) (*Berry, error) {
	file, err := os.CreateTemp(dir, "*.toml")
	if err != nil {
		return nil, err
	}
	_, err = file.WriteString(config)
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	b := &Berry{Addresses: map[string]string{}, cmd: exec.Command(binary, "--config", file.Name())}
	b.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	out, err := b.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	b.cmd.Stderr = b.cmd.Stdout
	if err := b.cmd.Start(); err != nil {
		return nil, err
	}
	listening := make(chan struct{})
	want := 1 + strings.Count(config, "admin_bind_address")
	b.reader.Go(func() { b.read(out, want, listening) })
	select {
	case <-listening:
	case <-time.After(patience):
	}
	if len(b.Addresses) != want {
		return nil, errors.Join(errors.New("berry-api did not say where it listens"), b.Stop(), errors.New(b.Log()))
	}
	return b, nil
}

// read collects the log; it closes listening once all addresses are known, or
// the process has ended.
func (b *Berry) read(out io.Reader, want int, listening chan<- struct{}) {
	done := sync.OnceFunc(func() { close(listening) })
	defer done()
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		b.mu.Lock()
		b.log.WriteString(lines.Text() + "\n")
		b.mu.Unlock()
		var entry struct {
			Message string
			Fields  struct{ Address, Serves string }
		}
		if len(b.Addresses) < want && json.Unmarshal(lines.Bytes(), &entry) == nil && entry.Message == "Starting Berry API" {
			b.Addresses[entry.Fields.Serves] = "http://" + entry.Fields.Address
			if len(b.Addresses) == want {
				done()
			}
		}
	}
}

// Log is what the process has printed.
func (b *Berry) Log() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log.String()
}

// Stop ends the process as a service manager does. It must then say 0.
func (b *Berry) Stop() error {
	if err := b.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	kill := time.AfterFunc(patience, func() { _ = b.cmd.Process.Kill() })
	defer kill.Stop()
	b.reader.Wait()
	if err := b.cmd.Wait(); err != nil {
		return fmt.Errorf("after SIGTERM berry-api ended with: %w", err)
	}
	return nil
}
