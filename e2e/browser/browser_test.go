package browser

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
	"time"
)

// cases are what the scripts must run, no more and no fewer.
func cases() []string {
	return []string{
		"loads", "structure", "wrong_token", "right_token", "revoked", "figures", "down_and_back", "decision", "past", "dark", "contrast",
		"narrow", "keyboard", "all_down", "lost", "hidden", "private", "apart", "empty", "folder",
	}
}

func TestDashboard(t *testing.T) {
	tools, err := FindTools()
	if err != nil {
		t.Skip(err)
	}
	w := newWorld(t)
	world, err := json.Marshal(map[string]any{
		"chromium": tools.Chromium, "control": w.control.URL,
		"main": w.main.URL(), "private": w.private.URL(), "empty": w.empty.URL(),
		"api": w.apart.URL(), "admin": w.apart.AdminURL(),
		"token": adminToken, "userToken": userToken, "wrongToken": wrongToken,
		"secrets": []string{
			adminToken, userToken, wrongToken, alphaKey, betaKey, upstreamWords,
			w.providers["alpha"].URL, w.providers["beta"].URL,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, tools.Node, "dashboard.mjs")
	cmd.WaitDelay = time.Second
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "BERRY_WORLD=" + string(world)}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Errorf("dashboard.mjs: %v\n%s", err, stderr.String())
	}
	reports := map[string]string{} // what went wrong, by case
	for lines := bufio.NewScanner(&stdout); lines.Scan(); {
		var r struct{ Case, Error string }
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Errorf("the script printed %q", lines.Text())
			continue
		}
		reports[r.Case] = r.Error
	}
	for _, name := range cases() {
		t.Run(name, func(t *testing.T) {
			problem, ran := reports[name]
			switch {
			case !ran:
				t.Error("the script did not run this case")
			case problem != "":
				t.Error(problem)
			}
			delete(reports, name)
		})
	}
	for name := range reports {
		t.Errorf("the script ran a case that is not in the list: %s", name)
	}
}
