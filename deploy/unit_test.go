package deploy_test

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// The unit is one that systemd takes, fits the package and the program, and
// exposes little.
func TestUnit(t *testing.T) {
	text := read(t, "systemd/berry-api.service")
	settings := map[string]string{}
	for line := range strings.SplitSeq(text, "\n") {
		if key, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			settings[key] = value
		}
	}
	stop, err := time.ParseDuration(settings["TimeoutStopSec"] + "s")
	cfg := loads(t, "/etc/berry-api/config.toml", read(t, "package/config.toml"))
	if grace := cfg.Settings.ShutdownGraceSeconds.Duration(); err != nil || stop < grace+5*time.Second {
		t.Errorf("Berry wants %v to end, and has %v", grace, stop)
	}
	packed := read(t, "package/nfpm.yaml")
	for key, path := range map[string]string{
		"ExecStart": "", "Environment": "CONFIG_PATH=", "EnvironmentFile": "-", "LoadCredential": "keys:",
	} {
		if path = strings.TrimPrefix(settings[key], path); !strings.Contains(packed, "dst: "+path+"\n") {
			t.Errorf("%s=%s is not in the package", key, settings[key])
		}
	}
	if settings["Type"] != "notify" || settings["ExecReload"] != "/bin/kill -HUP $MAINPID" {
		t.Errorf("Type=%s ExecReload=%s", settings["Type"], settings["ExecReload"])
	}

	need(t, "systemd-analyze", "apt-get install systemd")
	out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--threshold=20", "systemd/berry-api.service").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	t.Log(regexp.MustCompile(`Overall exposure level[^\n]*`).FindString(string(out)))
	// The program is not on this machine, which is the one thing that may be amiss.
	out, _ = exec.Command("systemd-analyze", "verify", "systemd/berry-api.service").CombinedOutput()
	for line := range strings.SplitSeq(strings.TrimSpace(string(out)), "\n") {
		if line != "" && !strings.Contains(line, "Command /usr/bin/berry-api is not executable") {
			t.Error(line)
		}
	}
}
