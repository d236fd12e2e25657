package deploy_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// script runs one of scripts/ with these variables and returns what it printed.
func script(t *testing.T, code int, env []string, stdin, name string, args ...string) (stdout, stderr string) {
	t.Helper()
	need(t, "bash", "apt-get install bash")
	need(t, "curl", "apt-get install curl")
	cmd := exec.Command("bash", append([]string{"../scripts/" + name}, args...)...)
	cmd.Env = append(os.Environ(), "BERRY_BIN="+filepath.Dir(program(t, "berry-api")), "BERRY_CLI="+program(t, "berry-cli"), "CONFIG_PATH=", "GOWORK=")
	cmd.Env = append(cmd.Env, env...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs output
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run()
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Errorf("%s %q: exit code %d, want %d\n%s%s", name, args, got, code, &out, &errs)
	}
	return out.String(), errs.String()
}

// Every script says how it is used, and that it does not know a flag.
func TestScriptsHelp(t *testing.T) {
	for _, name := range []string{
		"build-deb.sh", "build-precompiled-docker.sh", "check.sh", "dashboard.sh", "debug_demo.sh", "release.sh", "rotate-api-keys.sh", "test_auth.sh",
	} {
		if out, _ := script(t, 0, nil, "", name, "--help"); !strings.HasPrefix(out, "Usage: scripts/"+name) {
			t.Errorf("%s --help: %q", name, out)
		}
		if _, errs := script(t, 2, nil, "", name, "--nonsense"); !strings.HasPrefix(errs, "Usage: scripts/"+name) {
			t.Errorf("%s --nonsense: %q", name, errs)
		}
	}
}

const callers = `[settings]
health_check_interval_seconds = 0
[providers.p]
base_url = %q
api_key = "upstream-canary-30-key"
[models.m]
[[models.m.backends]]
provider = "p"
model = "m"
[models.other]
[[models.other.backends]]
provider = "p"
model = "m"
[users.ann]
token = "user-canary-31-token"
allowed_models = ["m"]
[users.off]
token = "disabled-canary-32-token"
enabled = false
[users.few]
token = "limited-canary-33-token"
[users.few.rate_limit]
requests_per_minute = 1
[users.root]
token = "admin-canary-34-token"
tags = ["admin"]
`

// answers is a provider that answers everything, to the keys that it has got.
func answers(t *testing.T) (url string, keys func() []string) {
	t.Helper()
	got := make(chan string, 100)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got <- strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}`)
	}))
	t.Cleanup(s.Close)
	return s.URL, func() (all []string) {
		for len(got) > 0 {
			all = append(all, <-got)
		}
		return all
	}
}

func TestScriptTestAuth(t *testing.T) {
	provider, _ := answers(t)
	url := berry(t, fmt.Sprintf(callers, provider))
	whole := []string{
		"BERRY_URL=" + url + "/", "BERRY_TOKEN=user-canary-31-token", "BERRY_ADMIN_TOKEN=admin-canary-34-token",
		"BERRY_DISABLED_TOKEN=disabled-canary-32-token", "BERRY_FORBIDDEN_MODEL=other", "BERRY_LIMITED_TOKEN=limited-canary-33-token",
	}
	out, errs := script(t, 0, whole, "", "test_auth.sh", "--chat")
	if strings.Count(out, "✅") != 15 || strings.Contains(out, "not asked") || !strings.HasSuffix(out, "all 15 as they should be\n") || errs != "" {
		t.Errorf("%s%s", out, errs)
	}
	for _, want := range []string{
		"no token +401 missing_api_key", "nobody's +401 invalid_api_key", "does not exist +404 model_not_found",
		"may not use +403 model_not_allowed", "a disabled user +403 user_disabled", "user's token +403 admin_required",
		"may make +429 rate_limit_exceeded", "a chat with m +200",
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}

	// Less to go on: fewer checks, and it says which.
	out, _ = script(t, 0, whole[:2], "", "test_auth.sh")
	if !strings.HasSuffix(out, "all 10 as they should be\n") || strings.Count(out, "not asked") != 4 {
		t.Error(out)
	}
	// What is not as it should be is said, and is the exit status.
	out, _ = script(t, 1, append(slices.Clone(whole), "BERRY_DISABLED_TOKEN=user-canary-31-token"), "", "test_auth.sh")
	if !regexp.MustCompile(`❌ a disabled user +200 , not 403 user_disabled`).MatchString(out) || !strings.HasSuffix(out, "1 wrong, 14 checks\n") {
		t.Error(out)
	}
	out, _ = script(t, 1, []string{"BERRY_URL=" + url, "BERRY_TOKEN=not-ours"}, "", "test_auth.sh")
	if strings.Count(out, "❌") < 3 {
		t.Error(out)
	}
	script(t, 2, []string{"BERRY_TOKEN="}, "", "test_auth.sh")

	// The operator's routes at an address of their own.
	admin := freeAddress(t)
	apart := berry(t, replaced(t, fmt.Sprintf(callers, provider), "[settings]\n", fmt.Sprintf("[settings]\nadmin_bind_address = %q\n", admin)))
	whole[0] = "BERRY_URL=" + apart
	out, _ = script(t, 1, whole, "", "test_auth.sh")
	if !regexp.MustCompile(`❌ /admin with an admin's token +404`).MatchString(out) {
		t.Error(out)
	}
	out, _ = script(t, 0, append(whole, "BERRY_ADMIN_URL=http://"+admin), "", "test_auth.sh")
	if !strings.HasSuffix(out, "all 14 as they should be\n") {
		t.Error(out)
	}
}

func TestScriptDebugDemo(t *testing.T) {
	out, errs := script(t, 0, nil, "", "debug_demo.sh")
	for _, want := range []string{
		`"Attempt ended"`, "Candidates at the first pick", "data: {", `"Authentication failed"`,
		"STRATEGY", "effective_weight", "Berry API stopped",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s%s", want, out, errs)
		}
	}
}

// steady is a provider that answers all in its format, streamed or not.
func steady(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), `"stream":true`) {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "data: {\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\","+
				"\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}`)
	}))
	t.Cleanup(s.Close)
	return s.URL
}
