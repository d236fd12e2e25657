package deploy_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// calls are the system calls that systemd's names stand for, such as @system-service.
func calls(t *testing.T, names ...string) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for _, name := range names {
		if !strings.HasPrefix(name, "@") {
			all[name] = true
			continue
		}
		out, err := exec.Command("systemd-analyze", "syscall-filter", name).Output()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for line := range strings.SplitSeq(string(out), "\n") {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") && line != name {
				for call := range calls(t, line) {
					all[call] = true
				}
			}
		}
	}
	return all
}

// The unit's filter lets through every system call that the server makes while
// it starts, serves, writes its log, loads a changed configuration and drains.
func TestUnitAllowsWhatTheServerCalls(t *testing.T) {
	need(t, "systemd-analyze", "apt-get install systemd")
	need(t, "strace", "apt-get install strace")
	if out, err := exec.Command("strace", "-o", os.DevNull, "true").CombinedOutput(); err != nil {
		t.Skipf("strace may not trace here: %v %s", err, out)
	}
	filters := regexp.MustCompile(`(?m)^SystemCallFilter=(~?)(.*)$`).FindAllStringSubmatch(read(t, "systemd/berry-api.service"), -1)
	if len(filters) != 2 || filters[0][1] != "" || filters[1][1] != "~" {
		t.Fatalf("filters %q", filters)
	}
	allowed := calls(t, strings.Fields(filters[0][2])...)
	for call := range calls(t, strings.Fields(filters[1][2])...) {
		delete(allowed, call)
	}

	made := traced(t)
	if len(made) < 30 {
		t.Errorf("only %d system calls were seen", len(made))
	}
	for call := range made {
		if !allowed[call] {
			t.Errorf("the server makes the system call %s, which the unit refuses", call)
		}
	}
}

// traced runs a server under strace and returns the system calls that it made.
func traced(t *testing.T) map[string]bool {
	t.Helper()
	dir := t.TempDir()
	trace, logs, address := filepath.Join(dir, "trace"), filepath.Join(dir, "berry.log"), freeAddress(t)
	text := replaced(t, fmt.Sprintf(callers, steady(t)), "[settings]\n", fmt.Sprintf("[settings]\nlog_file = %q\n", logs))
	config := write(t, filepath.Join(dir, "config.toml"), text)
	cmd := exec.Command("strace", "-f", "-o", trace, program(t, "berry-api"), "-c", config)
	cmd.Env = append(os.Environ(), "BIND_ADDRESS="+address, "NOTIFY_SOCKET="+filepath.Join(dir, "nobody"))
	// In a group of its own, so that signals reach the server and not only strace.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out := new(output)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	url := "http://" + address
	await(t, out, func() bool { return answered(url + "/readyz") })
	body := `{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}`
	if status := send(t, url+"/v1/chat/completions", "user-canary-31-token", body); status != 200 {
		t.Errorf("a chat: %d\n%s", status, out)
	}
	if status := get(t, url+"/prometheus"); status != 200 {
		t.Errorf("metrics: %d", status)
	}
	write(t, config, text+"# changed\n")
	await(t, out, func() bool { return strings.Contains(read(t, logs), "Configuration is unchanged") })
	server := strings.Fields(read(t, trace))[0] // each line begins with the process that called
	pid, err := strconv.Atoi(server)
	if err != nil {
		t.Fatal(err)
	}
	_ = syscall.Kill(pid, syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	made := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\d+ +(?:<\.\.\. )?([a-z0-9_]+)(?:\(| resumed)`).FindAllStringSubmatch(read(t, trace), -1) {
		made[m[1]] = true
	}
	return made
}
