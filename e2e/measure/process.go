// Package measure is what the programs bench and scale have in common: programs
// that run beside this one and what they use of the machine, sections of a page
// that a command writes, and plots. It reads /proc and runs on Linux only.
//
// A fake provider is in upstream, a load generator in load.
package measure

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Process is a program that runs beside this one.
type Process struct {
	cmd  *exec.Cmd
	log  *os.File
	Born time.Time
}

// Start runs a program in a folder, which also gets what it prints, in a file of
// that name. The caller stops it.
func Start(dir, name, program string, args ...string) (*Process, error) {
	log, err := os.Create(filepath.Join(dir, name+".log"))
	if err != nil {
		return nil, err
	}
	p := &Process{cmd: exec.Command(program, args...), log: log, Born: time.Now()}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, log, log
	// Whatever happens to this program, that one does not outlive it.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		_ = log.Close()
		return nil, err
	}
	return p, nil
}

// Stop ends the program: it is asked, and after five seconds it is made to.
func (p *Process) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(5*time.Second, func() { _ = p.cmd.Process.Kill() })
	_ = p.cmd.Wait()
	late.Stop()
	_ = p.log.Close()
}

// tick is the unit of times in /proc: Linux shows hundredths of a second to
// programs, whatever the kernel counts in.
const tick = 10 * time.Millisecond

// CPU returns the time that the program has used so far, its own and the
// kernel's on its behalf. It is 10 ms coarse.
func (p *Process) CPU() (time.Duration, error) {
	text, err := os.ReadFile(p.proc("stat"))
	if err != nil {
		return 0, err
	}
	// The second field is the program's name in brackets, which may hold anything.
	i := strings.LastIndexByte(string(text), ')')
	fields := strings.Fields(string(text[i+1:]))
	if i < 0 || len(fields) < 13 {
		return 0, errors.New("cannot read " + p.proc("stat"))
	}
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * tick, errors.Join(err1, err2)
}

// Memory is what a program holds of the machine's memory, in MiB.
type Memory struct{ Now, Peak float64 }

// Memory returns what the program holds and the most that it has held.
func (p *Process) Memory() (Memory, error) {
	text, err := os.ReadFile(p.proc("status"))
	if err != nil {
		return Memory{}, err
	}
	var m Memory
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(line, ":")
		kib, _ := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
		switch name {
		case "VmRSS":
			m.Now = kib / 1024
		case "VmHWM":
			m.Peak = kib / 1024
		}
	}
	if m.Peak == 0 {
		return m, errors.New("cannot read " + p.proc("status"))
	}
	return m, nil
}

func (p *Process) proc(file string) string {
	return fmt.Sprintf("/proc/%d/%s", p.cmd.Process.Pid, file)
}

// Await asks the URL until it answers 200 and returns how long after its start
// the program did. It gives up after 20 seconds, and when the program ends.
func (p *Process) Await(ctx context.Context, url string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	pause := time.NewTicker(time.Millisecond)
	defer pause.Stop()
	for {
		if answers(ctx, url) {
			return time.Since(p.Born), nil
		}
		if p.ended() {
			cancel()
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
			text, _ := os.ReadFile(p.log.Name())
			return 0, fmt.Errorf("%s does not answer; it printed:\n%s", url, text)
		}
	}
}

// ended reports whether the program has ended and nobody has waited for it yet.
func (p *Process) ended() bool {
	text, err := os.ReadFile(p.proc("stat"))
	_, rest, found := strings.Cut(string(text), ") ")
	return err != nil || found && strings.HasPrefix(rest, "Z")
}

func answers(ctx context.Context, url string) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	_ = a.Body.Close()
	return a.StatusCode == http.StatusOK
}
