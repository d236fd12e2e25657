// Package clients tests the programs in this folder against a real server in
// front of a fake provider.
package clients

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/PPKunOfficial/berry-api/api"
	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

const token = "a-token-for-these-tests"

// configuration has a good model, which comes first in the list, and one whose
// streams break.
const configuration = `
[settings]
bind_address = "127.0.0.1:0"
health_check_interval_seconds = 0
[providers.mock]
base_url = %q
[providers.broken]
base_url = %q
[models.good]
[[models.good.backends]]
provider = "mock"
model = "mock-model"
[models.torn]
[[models.torn.backends]]
provider = "broken"
model = "mock-model"
[users.tester]
token = "` + token + `"
`

// gateway starts Berry and returns its base URL.
func gateway(t *testing.T) string {
	t.Helper()
	torn := mockllm.OnChat(func(r *mockllm.Seen) []mockllm.Step {
		if !bytes.Contains(r.Body, []byte(`"stream": true`)) && !bytes.Contains(r.Body, []byte(`"stream":true`)) {
			return nil
		}
		return []mockllm.Step{mockllm.SSE(mockllm.Role(), mockllm.Text("one ")), mockllm.Reset()}
	})
	good, broken := mockllm.Start(t, nil), mockllm.Start(t, torn)
	cfg, err := config.Parse("clients", fmt.Appendf(nil, configuration, good.URL, broken.URL), config.Env{
		Lookup: func(string) (string, bool) { return "", false },
	})
	if err != nil {
		t.Fatal(err)
	}
	server, err := api.New(cfg, api.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return "http://" + server.Addr().String()
}

// try runs a client: with the good model it has to succeed and to show all
// parts, and with the other one to fail and to say that it did.
func try(t *testing.T, dir string, command ...string) {
	t.Helper()
	url := gateway(t)
	f := func(model string, good bool, want ...string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		c := exec.CommandContext(ctx, command[0], command[1:]...)
		c.Dir = dir
		c.Env = append(os.Environ(), "BERRY_URL="+url, "BERRY_TOKEN="+token, "NO_PROXY=127.0.0.1")
		if model != "" {
			c.Env = append(c.Env, "BERRY_MODEL="+model)
		}
		out, err := c.CombinedOutput()
		if (err == nil) != good {
			t.Errorf("model %q: %v\n%s", model, err, out)
			return
		}
		rest := string(out)
		for _, w := range want {
			_, after, ok := strings.Cut(rest, w)
			if !ok {
				t.Errorf("model %q: no %q where it should be in\n%s", model, w, out)
				return
			}
			rest = after
		}
	}
	f("", true, "== chat", "Say hello.", "== stream", "Count", "ten.", "== error", "model_not_found")
	f("torn", false, "== chat", "Say hello.", "== stream", "one ")
}

func TestCurl(t *testing.T) {
	for _, tool := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	try(t, ".", "bash", "curl.sh")
}

func TestGo(t *testing.T) {
	program := filepath.Join(t.TempDir(), "client")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = "go"
	build.Env = append(os.Environ(), "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	try(t, ".", program)
}

// The SDKs are those that e2e has installed, or the ones that a reader has put
// beside the programs.
func TestPython(t *testing.T) {
	for _, python := range []string{"python/.venv/bin/python", "../../e2e/python/.venv/bin/python", "python3"} {
		if strings.Contains(python, "/") {
			var err error
			if python, err = filepath.Abs(python); err != nil {
				t.Fatal(err)
			}
		}
		if exec.Command(python, "-c", "import openai").Run() == nil {
			try(t, "python", python, "chat.py")
			return
		}
	}
	t.Skip("the openai package is not installed: e2e/setup.sh")
}

// LangChain is installed for this test alone: in a venv of its own, by e2e/setup.sh.
func TestLangChain(t *testing.T) {
	for _, python := range []string{"langchain/.venv/bin/python", "python3"} {
		if strings.Contains(python, "/") {
			var err error
			if python, err = filepath.Abs(python); err != nil {
				t.Fatal(err)
			}
		}
		if exec.Command(python, "-c", "import langchain_openai").Run() == nil {
			try(t, "langchain", python, "chat.py")
			return
		}
	}
	t.Skip("the langchain-openai package is not installed: e2e/setup.sh")
}

func TestNode(t *testing.T) { tryNode(t, "node", "openai") }

func TestAnthropic(t *testing.T) { tryNode(t, "anthropic", "@anthropic-ai/sdk") }

// tryNode runs a folder's program with its SDK.
func tryNode(t *testing.T, folder, sdk string) {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is not installed")
	}
	for _, modules := range []string{folder + "/node_modules", "../../e2e/node/node_modules"} {
		modules, err := filepath.Abs(modules)
		if _, missing := os.Stat(filepath.Join(modules, filepath.FromSlash(sdk))); err != nil || missing != nil {
			continue
		}
		// Node looks for packages beside the program only.
		dir := t.TempDir()
		program, err := os.ReadFile(filepath.Join(folder, "chat.mjs"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "chat.mjs"), program, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
			t.Fatal(err)
		}
		try(t, dir, "node", "chat.mjs")
		return
	}
	t.Skipf("the package %s is not installed: e2e/setup.sh", sdk)
}
