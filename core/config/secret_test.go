package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// secretConfig has a secret with "canary" in it at every place that may hold
// one.
const secretConfig = `
[providers.a]
base_url = "https://a.example"
api_key = "canary-key"
headers = { Authorization = "Bearer canary-bearer", X-Anything = "canary-header" }

[providers.b]
base_url = "https://b.example"
api_key_file = "key"

[users.u]
token = "canary-token-of-u"

[users.v]
token_file = "token"

[users.w]
token = "${TOKEN}"
`

// TestSecretsDoNotPrint prints and marshals a configuration in every way.
func TestSecretsDoNotPrint(t *testing.T) {
	got, err := Parse("c.toml", []byte(secretConfig), fakeEnv(
		map[string]string{"TOKEN": "canary-from-a-variable"},
		map[string]string{"key": "canary-key-from-a-file", "token": "canary-token-from-a-file"}))
	if err != nil {
		t.Fatal(err)
	}
	cfg := got.Config
	if key := cfg.Providers["b"].APIKey.Reveal(); key != "canary-key-from-a-file" {
		t.Fatalf("the test has no canaries: got %q", key)
	}
	check := func(how, text string) {
		t.Helper()
		if strings.Contains(text, "canary") {
			t.Errorf("%s shows a secret: %s", how, text)
		}
		// The bytes of "canary", as %x and %d print them.
		for _, leak := range []string{"63616e617279", "63616E617279", "99 97 110 97 114 121", "0x63, 0x61"} {
			if strings.Contains(text, leak) {
				t.Errorf("%s shows the bytes of a secret: %s", how, text)
			}
		}
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("text", "config", cfg, "key", cfg.Providers["a"].APIKey, "headers", cfg.Providers["a"].Headers)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("json", "config", cfg, "key", cfg.Providers["a"].APIKey, "headers", cfg.Providers["a"].Headers)
	check("slog", log.String())
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "% x", "%#x"} {
		check(verb, fmt.Sprintf(verb, *cfg))
		check(verb, fmt.Sprintf(verb, cfg.Providers))
		check(verb, fmt.Sprintf(verb, cfg.Users))
		check(verb, fmt.Sprintf(verb, cfg.Providers["a"].Headers))
		secret := cfg.Users["u"].Token
		check(verb, fmt.Sprintf(verb, secret))
		check(verb, fmt.Sprintf(verb, &secret))
	}
	text, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	check("JSON", string(text))
	if hash := cfg.Users["u"].TokenSHA256; strings.Contains(string(text), hash) {
		t.Errorf("JSON shows the hash of a token, from which a weak one can be guessed")
	}
	if !strings.Contains(string(text), masked) {
		t.Errorf("JSON does not even show that there are secrets: %s", text)
	}
}

func TestSecretPrints(t *testing.T) {
	f := func(format string, s Secret, want string) {
		t.Helper()
		if got := fmt.Sprintf(format, s); got != want {
			t.Errorf("%s: got %s, want %s", format, got, want)
		}
	}
	f("%v", NewSecret("x"), "***")
	f("%s", NewSecret("x"), "***")
	f("%q", NewSecret("x"), `"***"`)
	f("%#v", NewSecret("x"), "config.Secret(***)")
	f("%v", Secret{}, "")
	f("%#v", Secret{}, "config.Secret()")
	var s Secret
	if err := json.Unmarshal([]byte(`"value"`), &s); err != nil || s.Reveal() != "value" || s.IsEmpty() {
		t.Errorf("got %q, %v", s.Reveal(), err)
	}
}

// TestSecretsNotInProblems looks for canaries in everything that is said about
// files that are wrong: the golden ones, and a good one broken in every place.
func TestSecretsNotInProblems(t *testing.T) {
	env := fakeEnv(testVars, testFiles)
	check := func(what string, err error) {
		t.Helper()
		if problems, ok := errors.AsType[Problems](err); ok {
			for _, text := range []string{problems.Error(), fmt.Sprintf("%+v", problems), fmt.Sprintf("%#v", problems)} {
				if strings.Contains(strings.ToLower(text), "canary") {
					t.Errorf("%s: a problem shows a secret:\n%s", what, text)
				}
			}
		}
	}
	paths, _ := filepath.Glob("testdata/bad/*.toml")
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Parse(path, data, env)
		check(path, err)
	}
	for n, piece := range []string{"", "\"", "'", "=", "\n", "#", "{", "[", "\\", "\x00", "\"\"\"", "x", " = 1 = "} {
		const stride = 5 // every place is tried with some of the pieces
		for i := n % stride; i < len(secretConfig); i += stride {
			for _, cut := range []int{0, 1, 2} {
				// Breaking a canary apart would hide it from the check.
				if lo, hi := strings.LastIndex(secretConfig[:i], "canary"), min(i+cut, len(secretConfig)); lo >= 0 && i < lo+6 && hi > lo {
					continue
				}
				text := secretConfig[:i] + piece + secretConfig[min(i+cut, len(secretConfig)):]
				_, err := Parse("c.toml", []byte(text), env)
				check(fmt.Sprintf("%q at %d, %d cut", piece, i, cut), err)
			}
		}
	}
}
