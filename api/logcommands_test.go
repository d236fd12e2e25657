package api_test

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/api"
)

// The commands that people run on the log give what they promise, on a log that
// a server wrote: each is run by a shell in a folder that has logs/berry-api.log.
func TestLogCommands(t *testing.T) {
	for _, tool := range []string{"bash", "grep", "jq", "awk"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is missing: the commands for the log are not tested", tool)
		}
	}
	dir := t.TempDir()
	log := filepath.Join(dir, "logs", "berry-api.log")
	b := start(t, setup{
		settings: "log_file = \"" + log + "\"\ncircuit_breaker_failure_threshold = 2\n", two: said("Hi"),
		// As RUST_LOG has it for who looks into how backends are picked.
		options: func(o *api.Options) { o.LogFilter = "berry_loadbalance=debug,berry_relay=debug" },
	})
	b.one.SetScript(said("Hi"))
	for range 3 {
		b.wantStatus(200, annToken, hello("pool"))
	}
	b.one.SetScript(failing)
	b.wantStatus(200, annToken, hello("pool")) // by the other one; the first is marked
	b.two.SetScript(failing)
	b.wantStatus(503, annToken, hello("pool"))
	b.chat(badToken, hello("pool"))
	b.chat("", hello("pool"))
	b.chat(annToken, hello("nobody's"))
	if err := b.srv.ReloadFile(); err == nil { // there is no file
		t.Error("a reload from no file was not refused")
	}
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
	run := func(command string) string {
		t.Helper()
		c := exec.CommandContext(t.Context(), "bash", "-o", "pipefail", "-c", command)
		c.Dir = dir
		out, err := c.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", command, err, out)
		}
		return string(out)
	}
	f := func(command string, want ...string) {
		t.Helper()
		got := run(command)
		for _, line := range want {
			if !regexp.MustCompile(line).MatchString(got) {
				t.Errorf("%s\ndoes not print %s, but\n%s", command, line, got)
			}
		}
	}
	const number = `[0-9]+(\.[0-9]+)?`
	f(`grep "ERROR" logs/berry-api.log | jq .`, `"level": "ERROR"`, `"error": "upstream_error"`, `"target": "berry_api::loadbalance"`)
	f(`grep "health_check" logs/berry-api.log | tail -20`, `"backend":"one:up-1".*"from":"healthy","to":"unhealthy"`, `"backend":"two:up-2".*"to":"unhealthy"`)
	f(`grep "Backend selected" logs/berry-api.log | jq -r '.fields.provider' | sort | uniq -c`, `(?m)^ +3 one$`, `(?m)^ +2 two$`)
	f(`grep "Starting Berry API" logs/berry-api.log`, `"address":"127\.0\.0\.1:\d+"`)
	f(`grep "Authentication failed" logs/berry-api.log`, `"error":"invalid_api_key","client":"127\.0\.0\.1"`, `"error":"missing_api_key"`)
	f(`grep "selected backend" logs/berry-api.log | tail -10`, `"provider":"one","upstream_model":"up-1","why":"first"`, `"provider":"two","upstream_model":"up-2","why":"failover"`)
	f(`grep "ERROR" logs/berry-api.log | cut -d' ' -f3 | sort | uniq -c`, `(?m)^ +1 "target":"berry_api::config",\n +1 "target":"berry_api::loadbalance",$`)
	f(`grep "latency" logs/berry-api.log | jq '.fields.latency_ms' | awk '{sum+=$1; count++} END {print "Average:", sum/count "ms"}'`, `^Average: `+number+`ms\n$`)

	sorted := strings.Fields(run(`grep "latency" logs/berry-api.log | jq '.fields.latency_ms' | sort -n`))
	if len(sorted) < 8 || slices.ContainsFunc(sorted, func(s string) bool { return !regexp.MustCompile("^" + number + "$").MatchString(s) }) {
		t.Errorf("latencies: %q", sorted)
	}
	documented(t, run)
}

// documented runs the commands for the log that the pages show.
func documented(t *testing.T, run func(string) string) {
	t.Helper()
	for page, want := range map[string]int{"OPERATIONS": 12, "TROUBLESHOOTING": 11, "HEALTH": 1} {
		n := 0
		for line := range strings.Lines(fileText(t, "../docs/"+page+".md")) {
			command := strings.TrimSpace(line)
			if !strings.HasPrefix(line, "    ") || !strings.Contains(command, "logs/berry-api.log") {
				continue
			}
			n++
			if run(strings.Replace(command, "REQUEST_ID", "req_", 1)) == "" {
				t.Errorf("docs/%s.md: %s prints nothing", page, command)
			}
		}
		if n < want {
			t.Errorf("docs/%s.md has %d commands for the log, want %d or more", page, n, want)
		}
	}
}
