package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// testFiles are the secret files that the golden configurations refer to.
var testFiles = map[string]string{
	"testdata/good/secrets/key":    "key-from-a-file\n",
	"testdata/good/secrets/token":  "token-from-a-file-1\r\n",
	"testdata/bad/secrets/empty":   "\n",
	"testdata/bad/secrets/two":     "one\ntwo\n",
	"/run/secrets/absolute":        "key-from-an-absolute-path",
	"testdata/bad/secrets/spaced":  "a token with blanks\n",
	"testdata/bad/secrets/twin":    "the-token-of-two-users",
	"testdata/good/secrets/blanks": "  kept as it is  \n",
}

var testVars = map[string]string{"KEY": "key-from-a-variable", "EMPTY": "", "HOST": "llm.example", "STRATEGY": "canary-strategy"}

func eachFile(t *testing.T, pattern string, f func(t *testing.T, path string, data []byte)) {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("no files match %s: %v", pattern, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".toml"), func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			f(t, filepath.ToSlash(path), data)
		})
	}
}

// TestGood loads every file of testdata/good and compares the warnings.
func TestGood(t *testing.T) {
	eachFile(t, "testdata/good/*.toml", func(t *testing.T, path string, data []byte) {
		got, err := Parse(path, data, fakeEnv(testVars, testFiles))
		if err != nil {
			t.Fatal(err)
		}
		golden(t, strings.TrimSuffix(path, ".toml")+".txt", []byte(report(got.Warnings)))
	})
}

// TestBad loads every file of testdata/bad and compares all that is printed.
func TestBad(t *testing.T) {
	eachFile(t, "testdata/bad/*.toml", func(t *testing.T, path string, data []byte) {
		golden(t, strings.TrimSuffix(path, ".toml")+".txt", []byte(failure(t, path, data).Error()+"\n"))
	})
}

// failure loads what must not load.
func failure(t *testing.T, path string, data []byte) Problems {
	t.Helper()
	_, err := Parse(path, data, fakeEnv(testVars, testFiles))
	problems, ok := errors.AsType[Problems](err)
	if !ok || len(problems) == 0 {
		t.Fatalf("%s: got error %v, want problems", path, err)
	}
	return problems
}

func report(warnings []Problem) string {
	var b strings.Builder
	for _, w := range warnings {
		b.WriteString(w.String() + "\n")
	}
	return b.String()
}

// TestSnippets loads pieces of configurations that name providers which they
// do not define: each gets an error for just that.
func TestSnippets(t *testing.T) {
	want := map[string][]string{
		"models":            {`no provider "openai" is defined`, `no provider "azure" is defined`},
		"first-model":       {`no provider "openai-primary" is defined`},
		"weighted-random":   {`no provider "cheap-provider" is defined`, `no provider "premium-provider" is defined`},
		"round-robin":       {`no provider "provider-a" is defined`, `no provider "provider-b" is defined`},
		"least-latency":     {`no provider "fast-provider" is defined`, `no provider "slow-provider" is defined`},
		"failover":          {`no provider "primary-provider" is defined`, `no provider "backup-provider" is defined`, `no provider "emergency-provider" is defined`},
		"weighted-failover": {`no provider "openai-main" is defined`, `no provider "openai-backup" is defined`, `no provider "azure" is defined`},
		"random":            {`no provider "provider-a" is defined`},
		"enterprise":        {`no provider "cheap_provider" is defined`, `no provider "premium_provider" is defined`},
		"startup":           {`no provider "budget_provider" is defined`, `no provider "premium_provider" is defined`},
		"multi-cloud":       {`no provider "aws_openai" is defined`, `no provider "azure_openai" is defined`, `no provider "gcp_openai" is defined`},
		"dev-team":          {`no provider "openai" is defined`, `no provider "anthropic" is defined`},
		"breaker-without-table": {
			"unknown key; circuit_breaker_failure_threshold belongs in [settings]",
			"unknown key; circuit_breaker_timeout_seconds belongs in [settings]",
		},
		"sections": {
			"this is not TOML: invalid character at start of key: U+002A '*'",
			"this is not TOML: invalid character at start of key: U+002A '*'",
			"this is not TOML: invalid character at start of key: U+002A '*'",
		},
	}
	got := make(map[string][]string)
	eachFile(t, "testdata/snippets/*.toml", func(t *testing.T, path string, data []byte) {
		name := strings.TrimSuffix(filepath.Base(path), ".toml")
		for _, p := range failure(t, path, data) {
			got[name] = append(got[name], p.Message)
		}
	})
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("wrong problems (-want +got):\n%s", d)
	}
}
