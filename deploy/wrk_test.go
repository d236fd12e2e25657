package deploy_test

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// The script for wrk asks as it should, and counts the answers by status.
func TestWrk(t *testing.T) {
	need(t, "wrk", "apt-get install wrk")
	// Without a queue: the load of a second is more than the test wants to keep.
	provider := steady(t)
	url := berry(t, fmt.Sprintf(callers, provider)) + "/v1/chat/completions"
	f := func(token, stream, want string) {
		t.Helper()
		cmd := exec.Command("wrk", "-t2", "-c4", "-d1s", "-s", "../examples/wrk/chat.lua", url)
		cmd.Env = append(os.Environ(), "BERRY_TOKEN="+token, "BERRY_MODEL=m", "BERRY_STREAM="+stream)
		out, err := cmd.CombinedOutput()
		if err != nil || !regexp.MustCompile(`Transfer/sec: .*`+want+`: [1-9]\d*\nconnection errors: 0, timeouts: 0\nms to the whole answer: p50 \d+\.\d, p99`).Match(out) {
			t.Errorf("%v\n%s", err, out)
		}
	}
	f("user-canary-31-token", "", "\nstatus 200")
	f("user-canary-31-token", "1", "\nstatus 200")
	f("somebody-else", "", "\nstatus 401: 10\nstatus 429") // after ten it looks like guessing
	out, err := exec.Command("wrk", "-t1", "-c1", "-d1s", "-s", "../examples/wrk/chat.lua", url).CombinedOutput()
	if err == nil && !strings.Contains(string(out), "set BERRY_TOKEN") {
		t.Errorf("without a token: %s", out)
	}
}
