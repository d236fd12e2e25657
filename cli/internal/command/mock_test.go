package command

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/PPKunOfficial/berry-api/core/config"
)

// patience is for what takes milliseconds unless it is broken.
const patience = 30 * time.Second

// A mock in a process of its own answers until a signal comes, and then ends
// well.
func TestMockEndsOnSignals(t *testing.T) {
	f := func(signal os.Signal) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		var stderr bytes.Buffer
		c := exec.CommandContext(ctx, "berry-cli", "mock", "--json", "--key", "canary-key", "--models", "m1,m2", "--name", "Fake", "--latency", "1ms")
		c.Stderr = &stderr
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		var ready mocked
		if err := json.NewDecoder(out).Decode(&ready); err != nil {
			t.Fatalf("what it printed: %v; %s", err, stderr.String())
		}
		if ready.Name != "Fake" || ready.Format != "openai" || strings.Join(ready.Models, " ") != "m1 m2" {
			t.Errorf("it says it is %+v", ready)
		}
		if strings.Contains(ready.Config, canary) {
			t.Error("the snippet holds the key")
		}
		for key, want := range map[string]int{"": 401, "canary-key": 200} {
			if got := ask(t, ready.BaseURL, key); got != want {
				t.Errorf("status %d with the key %q, want %d", got, key, want)
			}
		}
		if err := c.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if err := c.Wait(); err != nil {
			t.Errorf("after %v: %v; %s", signal, err, stderr.String())
		}
	}
	f(os.Interrupt)
	f(syscall.SIGTERM)
}

// ask sends a chat to m1 and returns the status.
func ask(t *testing.T, base, key string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/chat/completions",
		strings.NewReader(`{"model":"m1","messages":[{"role":"user","content":"Hi"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode
}

// The printed snippet is a configuration that uses the mock.
func TestMockSnippetLoads(t *testing.T) {
	f := func(m mocking) {
		t.Helper()
		const base = "http://127.0.0.1:1/v1"
		text := m.snippet(base) + "[users.ann]\ntoken = \"a-token-of-a-user-1\"\n"
		loaded, err := config.Parse("snippet.toml", []byte(text), config.Env{Lookup: func(name string) (string, bool) {
			if name != mockKeyVariable {
				return "", false
			}
			return m.key, true
		}})
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		p := loaded.Config.Providers["mock"]
		if p.Name != m.name || p.BaseURL != base || p.APIKey.Reveal() != m.key {
			t.Errorf("the provider came out as %+v of\n%s", p, text)
		}
		if len(loaded.Config.Models) != len(m.models) {
			t.Errorf("%d models of %d", len(loaded.Config.Models), len(m.models))
		}
		for _, name := range m.models {
			got, ok := loaded.Config.Models[name]
			if !ok || got.Name != name || got.Backends[0].Model != name || got.Backends[0].Provider != "mock" {
				t.Errorf("the model %q came out as %+v of\n%s", name, got, text)
			}
		}
	}
	f(mocking{name: "mock", format: "openai", models: []string{mockModel}})
	f(mocking{format: "openai", name: `The "mock" of $HOME \ü`, key: "canary-key", models: []string{"gpt-4", "vendor/m2:free", `a"b\c$d.é`}})
}

// In each format the snippet makes a configuration whose provider passes its
// check and a chat, streamed or not.
func TestMockInEveryFormat(t *testing.T) {
	t.Setenv(mockKeyVariable, "canary-key")
	f := func(format string) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		out, in := io.Pipe()
		code := make(chan int)
		run := func(ctx context.Context, out io.Writer, args ...string) int {
			return Run(ctx, Process{Args: args, In: strings.NewReader(""), Out: out, Err: out, Getenv: os.Getenv})
		}
		go func() {
			c := run(ctx, in, "mock", "--json", "--format", format, "--key", "canary-key", "--models", "m1")
			in.Close()
			code <- c
		}()
		var ready mocked
		if err := json.NewDecoder(out).Decode(&ready); err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = io.Copy(io.Discard, out) }()
		file := filepath.Join(t.TempDir(), "config.toml")
		if err := os.WriteFile(file, []byte(ready.Config), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{
			{"health-check"}, {"test-backend", "-p", "mock", "-m", "m1"}, {"test-backend", "-p", "mock", "-m", "m1", "--stream"},
		} {
			var text strings.Builder
			if c := run(ctx, &text, append(args, "-c", file)...); c != exitGood || strings.Contains(text.String(), canary) {
				t.Errorf("%s: %v: exit code %d\n%s\n%s", format, args, c, text.String(), ready.Config)
			}
		}
		cancel()
		if c := <-code; c != exitGood {
			t.Errorf("%s: exit code %d", format, c)
		}
	}
	f("openai")
	f("azure")
	f("claude")
	f("gemini")
}

// Without --json it prints what a person needs, and ends with its context.
func TestMockForPeople(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	code := make(chan int)
	var stderr bytes.Buffer
	go func() {
		c := Run(ctx, Process{Args: []string{"mock"}, In: strings.NewReader(""), Out: in, Err: &stderr, Getenv: func(string) string { return "" }})
		in.Close()
		code <- c
	}()
	var text strings.Builder
	for !strings.Contains(text.String(), "Stop it with Ctrl-C.") {
		var b [512]byte
		n, err := out.Read(b[:])
		if err != nil {
			t.Fatal(err)
		}
		text.Write(b[:n])
	}
	const want = "Fake provider \"mock\" (openai format) answers on http://127.0.0.1:"
	if !strings.HasPrefix(text.String(), want) || !strings.Contains(text.String(), "\n[providers.mock]\n") {
		t.Errorf("it printed\n%s", text.String())
	}
	cancel()
	if got := <-code; got != exitGood || stderr.Len() > 0 {
		t.Errorf("exit code %d, %s", got, stderr.String())
	}
}
