// Package process runs a berry-api as a process of its own, as an operator does, for
// the tests and the programs of this module.
package process

import (
	"bufio"
	"cmp"
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
	root, err := checkout()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "berry-api")
	build := exec.Command("go", "build", "-o", path, "./api/cmd/berry-api")
	build.Dir = root
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

// checkout is the folder above this one that holds the workspace.
func checkout() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, none := os.Stat(filepath.Join(dir, "go.work")); none == nil {
			return dir, nil
		}
		if above := filepath.Dir(dir); above != dir {
			dir = above
			continue
		}
		err = errors.New("there is no go.work in this folder or above it")
	}
	return "", fmt.Errorf("cannot find the checkout: %w", err)
}

// BareEnv is an environment without settings for Berry, proxies or SDKs.
func BareEnv(more ...string) []string {
	return append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}, more...)
}

// Log keeps what a process prints. The zero value is empty and ready; it is safe for
// concurrent use.
type Log struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write keeps p too. It never fails.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Options say what a process has beside its configuration.
type Options struct {
	Env []string  // nil: that of this process
	Log io.Writer // gets what it prints, in whole lines; nil: nobody does
	// Errors gets what it prints to its standard error; nil: that is part of the log.
	Errors io.Writer
}

// Berry is a running berry-api.
type Berry struct {
	addresses map[string]string
	cmd       *exec.Cmd
	reader    sync.WaitGroup
}

// File writes a configuration into a new file in dir.
func File(dir, config string) (path string, err error) {
	f, err := os.CreateTemp(dir, "*.toml")
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(config)
	return f.Name(), errors.Join(err, f.Close())
}

// Start runs the berry-api at binary with a configuration file, whose log_format
// must be json. It returns once the process listens; Stop ends it.
func Start(binary, file string, o Options) (*Berry, error) {
	config, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	b := &Berry{addresses: map[string]string{}, cmd: exec.Command(binary, "--config", file)}
	b.cmd.Env = o.Env
	out, err := b.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if b.cmd.Stderr = o.Errors; o.Errors == nil {
		b.cmd.Stderr = b.cmd.Stdout
	}
	if err := b.cmd.Start(); err != nil {
		return nil, err
	}
	listening := make(chan struct{})
	want := 1 + strings.Count(string(config), "admin_bind_address")
	b.reader.Go(func() { b.read(out, o.Log, want, listening) })
	known := false
	select {
	case <-listening:
		known = len(b.addresses) == want
	case <-time.After(patience):
	}
	if !known {
		return nil, errors.Join(errors.New("berry-api did not say where it listens"), b.Stop())
	}
	return b, nil
}

// read hands the log on; it closes listening once all addresses are known, or
// the process has ended.
func (b *Berry) read(out io.Reader, log io.Writer, want int, listening chan<- struct{}) {
	known := sync.OnceFunc(func() { close(listening) })
	defer known()
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for found := 0; lines.Scan(); {
		if log != nil {
			_, _ = fmt.Fprintln(log, lines.Text())
		}
		var entry struct {
			Message string
			Fields  struct{ Address, Serves string }
		}
		if found < want && json.Unmarshal(lines.Bytes(), &entry) == nil && entry.Message == "Starting Berry API" {
			b.addresses[entry.Fields.Serves] = "http://" + entry.Fields.Address
			if found++; found == want {
				known()
			}
		}
	}
	_, _ = io.Copy(io.Discard, out) // after a line that is too long: the process must be able to end
}

// URL is where clients are served, without a slash at its end.
func (b *Berry) URL() string { return cmp.Or(b.addresses["all"], b.addresses["api"]) }

// AdminURL is where the operator's routes are; that of clients where they have no
// address of their own.
func (b *Berry) AdminURL() string { return cmp.Or(b.addresses["all"], b.addresses["admin"]) }

// PID is the process's id.
func (b *Berry) PID() int { return b.cmd.Process.Pid }

// Signal sends the process a signal.
func (b *Berry) Signal(s os.Signal) error { return b.cmd.Process.Signal(s) }

// Stop ends the process as a service manager does. It must then say 0.
func (b *Berry) Stop() error {
	if err := b.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
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
