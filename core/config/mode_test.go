package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/core/config"
)

func TestFilesThatEverybodyReads(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("file modes mean nothing here")
	}
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil { // whatever the umask
			t.Fatal(err)
		}
		return path
	}
	write("key", "sk-canary-41-file\n", 0o640)
	write("open.key", "sk-canary-42-file\n", 0o644)
	const hash = `token_sha256 = "0000000000000000000000000000000000000000000000000000000000000000"`
	const used = "[users.v]\n" + hash + "\n[models.m]\n[[models.m.backends]]\nprovider = \"p\"\nmodel = \"x\"\n[providers.p]\nbase_url = \"http://127.0.0.1:1\"\n"
	f := func(mode os.FileMode, text string, want ...string) {
		t.Helper()
		path := write("c.toml", used+text, mode)
		cfg, err := config.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, w := range cfg.Warnings {
			got = append(got, fmt.Sprintf("%d %s: %s", w.Line, w.Key, w.Message))
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%v %s (-want +got):\n%s", mode, text, d)
		}
	}
	const all = "everybody on this machine can read this file and the secrets in it: chmod 600 it, or keep them out with ${VAR}, api_key_file, token_file and token_sha256"
	const file = "everybody on this machine can read the file: chmod 600 it"
	t.Setenv("BERRY_TEST_KEY", "sk-canary-43-variable")

	const key = `api_key = "sk-canary-44-spelled"` + "\n"
	f(0o644, key, "9 providers.p.api_key: "+all)
	f(0o604, key, "9 providers.p.api_key: "+all)
	f(0o640, key)
	f(0o600, key)
	f(0o644, `headers = { X-Auth = "${BERRY_TEST_KEY}", X-Client = "berry", Cookie = "canary-45-header" }`+"\n", "9 providers.p.headers.Cookie: "+all)
	f(0o644, key+"[users.u]\ntoken = \"canary-46-token-long\"\n", "9 providers.p.api_key: "+all)
	f(0o644, "[users.u]\ntoken = \"canary-46-token-long\"\n", "10 users.u.token: "+all)
	// Nothing in it that anybody may not read.
	f(0o644, "api_key = \"${BERRY_TEST_KEY}\"\n")
	f(0o644, `api_key = ""`+"\n")
	f(0o644, `api_key_file = "key"`+"\n")
	f(0o600, `api_key_file = "open.key"`+"\n", "9 providers.p.api_key_file: "+file)
	f(0o600, "[users.u]\ntoken_file = \"open.key\"\n", "10 users.u.token_file: "+file)
	f(0o600, "[settings]\ntls.cert_file = \"key\"\ntls.key_file = \"open.key\"\n", "11 settings.tls.key_file: "+file)
}
