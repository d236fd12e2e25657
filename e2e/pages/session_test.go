package pages

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience bounds one command; the first go run of a clone builds everything.
const patience = 5 * time.Minute

// A session is one shell in which a page's commands are run one after another.
// What stays in the foreground, a server, is put into the background and given
// the terminal that the page asks for.
type session struct {
	t       *testing.T
	dir     string // the folder for the logs
	stdin   io.Writer
	lines   chan string
	places  *strings.Replacer // the page's addresses and what stands for them here
	port    string            // the gateway's
	servers []server
	count   int
}

// A server is a command of the page that goes on until it is told to stop.
type server struct {
	command, log string
	pid          int
	gateway      bool
}

// open starts a shell in dir, with addresses replaced by places.
func open(t *testing.T, dir, port string, places *strings.Replacer, env []string) *session {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	shell := exec.CommandContext(ctx, "bash", "--norc")
	shell.Dir, shell.Env = dir, append(os.Environ(), env...)
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := shell.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := shell.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	shell.Stderr = shell.Stdout
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	s := &session{t: t, dir: t.TempDir(), stdin: stdin, lines: make(chan string), places: places, port: port}
	done := make(chan struct{})
	go func() {
		defer close(s.lines)
		read := bufio.NewScanner(out)
		read.Buffer(nil, 16<<20)
		for read.Scan() {
			select {
			case s.lines <- read.Text():
			case <-done:
				return
			}
		}
	}()
	t.Cleanup(func() {
		for _, one := range s.servers { // what a failure left running
			_ = syscall.Kill(-one.pid, syscall.SIGKILL)
		}
		close(done)
		stdin.Close()
		cancel()
		_ = shell.Wait()
	})
	s.run("set -m") // each job gets a process group of its own, as in a terminal
	return s
}

// run runs one command and returns what it prints and its exit status.
func (s *session) run(command string) (string, int) {
	s.t.Helper()
	s.count++
	mark := fmt.Sprintf("--- end of %d:", s.count)
	fmt.Fprintf(s.stdin, "%s\nprintf '\\n%s %%d\\n' $?\n", command, mark)
	limit := time.After(patience)
	var out strings.Builder
	for {
		select {
		case line, ok := <-s.lines:
			if !ok {
				s.t.Fatalf("%s: the shell has ended:\n%s", command, out.String())
			}
			if rest, found := strings.CutPrefix(line, mark+" "); found {
				status, err := strconv.Atoi(rest)
				if err != nil {
					s.t.Fatal(err)
				}
				return strings.TrimRight(out.String(), "\n"), status
			}
			out.WriteString(line + "\n")
		case <-limit:
			s.t.Fatalf("%s: no end after %s:\n%s", command, patience, out.String())
		}
	}
}

var (
	gatewayCommand = regexp.MustCompile(`^(bin/|\./bin/|go run \./api/cmd/)?berry-api\b`)
	gatewayOnce    = regexp.MustCompile(`--(check-config|version|healthcheck|help)\b`)
	mockCommand    = regexp.MustCompile(`^(bin/|go run \./cli/cmd/)?berry-cli mock .*--addr (\S+)`)
)

// do does what the page says: a command, or a server that stays.
func (s *session) do(command string) string {
	s.t.Helper()
	command = s.places.Replace(command)
	mock := mockCommand.FindStringSubmatch(command)
	gateway := gatewayCommand.MatchString(command) && !gatewayOnce.MatchString(command)
	if mock == nil && !gateway {
		out, status := s.run(command)
		s.t.Logf("$ %s\n%s", command, clip(out))
		if status != 0 {
			s.t.Fatalf("exit status %d of: %s", status, command)
		}
		return out
	}
	if gateway {
		s.stopGateway()
	}
	log := filepath.Join(s.dir, fmt.Sprintf("server-%d.log", len(s.servers)))
	out, status := s.run(command + " > " + log + " 2>&1 & echo pid $!")
	pid, err := strconv.Atoi(strings.TrimPrefix(strings.TrimSpace(out[strings.LastIndex(out, "pid "):]), "pid "))
	if err != nil || status != 0 {
		s.t.Fatalf("%s: %v, status %d: %s", command, err, status, out)
	}
	s.servers = append(s.servers, server{command, log, pid, gateway})
	if gateway {
		s.await(log, func() bool { return answers("http://127.0.0.1:" + s.port + "/readyz") })
	} else {
		s.await(log, func() bool { return listens(mock[2]) })
	}
	text, _ := os.ReadFile(log)
	s.t.Logf("$ %s\n%s", command, text)
	return string(text)
}

// stopGateway stops the gateway that runs, as Ctrl-C does: its exit must be clean.
func (s *session) stopGateway() {
	s.t.Helper()
	for i, one := range s.servers {
		if !one.gateway {
			continue
		}
		s.servers = append(s.servers[:i:i], s.servers[i+1:]...)
		out, status := s.run(fmt.Sprintf("kill -INT -- -%d; wait %d", one.pid, one.pid))
		text, _ := os.ReadFile(one.log)
		if strings.HasPrefix(one.command, "go run ") {
			status = 0 // the go command says 1 after Ctrl-C, whatever the program says
		}
		if status != 0 || !strings.Contains(string(text), "Berry API stopped") {
			s.t.Fatalf("%s ended with status %d: %s\n%s", one.command, status, out, text)
		}
		return
	}
}

func (s *session) await(log string, ready func() bool) {
	s.t.Helper()
	limit := time.After(patience)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !ready() {
		select {
		case <-tick.C:
		case <-limit:
			text, _ := os.ReadFile(log)
			s.t.Fatalf("not there after %s:\n%s", patience, text)
		}
	}
}

// clip leaves the middle out of what is long, for the log of the test.
func clip(out string) string {
	const ends = 8
	lines := strings.Split(out, "\n")
	if len(lines) <= 5*ends {
		return out
	}
	left := fmt.Sprintf("... %d lines ...", len(lines)-2*ends)
	return strings.Join(lines[:ends], "\n") + "\n" + left + "\n" + strings.Join(lines[len(lines)-ends:], "\n")
}

func answers(url string) bool {
	client := http.Client{Timeout: time.Second}
	res, err := client.Get(url)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	return res.StatusCode == http.StatusOK
}

func listens(address string) bool {
	c, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	return c.Close() == nil
}
