package deploy_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const rotated = `# the first line
[settings]
bind_address = "127.0.0.1:3000"
[providers.plain]
base_url = %q
api_key = "old-canary-40-key" # ours
[providers."by.file"]
base_url = %q
api_key_file = "key"
[providers.variable]
base_url = "http://127.0.0.1:1"
api_key = "${HOME}"
[models.m]
[[models.m.backends]]
provider = "plain"
model = "m"
[users.ann]
token = "old-canary-41-token"   # Ann's
[users.bob]
token_sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
[users.cid]
token_file = "cid-token"
[users.root]
token = "root-canary-42-token"
tags = ["admin"]
`

// rotation is a folder with a configuration whose secrets are changed.
type rotation struct {
	t           *testing.T
	dir, config string
	env         []string
}

func newRotation(t *testing.T, provider string) *rotation {
	t.Helper()
	dir := t.TempDir()
	r := &rotation{t: t, dir: dir, config: write(t, filepath.Join(dir, "config.toml"), fmt.Sprintf(rotated, provider, provider))}
	write(t, filepath.Join(dir, "key"), "old-canary-43-key\n")
	write(t, filepath.Join(dir, "cid-token"), "old-canary-44-token\n")
	return r
}

// run rotates and returns the new token. Nothing but that is a secret in what is printed.
func (r *rotation) run(code int, stdin string, args ...string) (token, said string) {
	r.t.Helper()
	token, said = script(r.t, code, r.env, stdin, "rotate-api-keys.sh", append(args, "-c", r.config)...)
	token = strings.TrimSuffix(token, "\n")
	if strings.Contains(said, "-canary-") || token != "" && strings.Contains(said, token) {
		r.t.Errorf("%q: a secret is said", args)
	}
	return token, said
}

// backup is what was in a file before, which its owner alone may read; it is removed.
func (r *rotation) backup(name string) string {
	r.t.Helper()
	found, _ := filepath.Glob(filepath.Join(r.dir, name+".*.bak"))
	if len(found) != 1 {
		r.t.Fatalf("backups of %s: %q", name, found)
	}
	info, err := os.Stat(found[0])
	if err != nil || info.Mode().Perm() != 0o600 {
		r.t.Errorf("%v %v", err, info.Mode())
	}
	text := read(r.t, found[0])
	_ = os.Remove(found[0])
	return text
}

// changed requires that the configuration differs from before in one line alone.
func (r *rotation) changed(before, part, other string) {
	r.t.Helper()
	if got := read(r.t, r.config); got != replaced(r.t, before, part, other) {
		r.t.Errorf("the configuration is now\n%s", got)
	}
	if r.backup("config.toml") != before {
		r.t.Error("the backup is not what it was")
	}
}

func hash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

func TestRotate(t *testing.T) {
	r := newRotation(t, "http://127.0.0.1:1")
	form := regexp.MustCompile(`^berry-[A-Za-z0-9_-]{43}$`)
	before := read(t, r.config)
	token, _ := r.run(0, "", "user", "ann")
	if !form.MatchString(token) {
		t.Errorf("token %q", token)
	}
	r.changed(before, `token = "old-canary-41-token"   # Ann's`, fmt.Sprintf("token_sha256 = %q # Ann's", hash(token)))

	before = read(t, r.config)
	token, _ = r.run(0, "", "user", "bob")
	r.changed(before, strings.Repeat("0", 64), hash(token))

	token, _ = r.run(0, "", "user", "cid")
	if got := read(t, filepath.Join(r.dir, "cid-token")); got != token+"\n" || r.backup("cid-token") != "old-canary-44-token\n" {
		t.Errorf("the file holds %q", got)
	}

	before = read(t, r.config)
	r.run(0, "new-canary-45-key\n", "provider", "plain")
	r.changed(before, `api_key = "old-canary-40-key"`, `api_key = "new-canary-45-key"`)
	r.run(0, "new-canary-46-key", "provider", "by.file")
	if got := read(t, filepath.Join(r.dir, "key")); got != "new-canary-46-key\n" || r.backup("key") != "old-canary-43-key\n" {
		t.Errorf("the file holds %q", got)
	}
	if info, _ := os.Stat(r.config); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}

// What cannot be done changes nothing, and says why.
func TestRotateRefuses(t *testing.T) {
	r := newRotation(t, "http://127.0.0.1:1")
	f := func(want, stdin string, args ...string) {
		t.Helper()
		before := read(t, r.config)
		token, said := r.run(1, stdin, args...)
		if !strings.Contains(said, want) || token != "" {
			t.Errorf("%q: %q, %q", args, token, said)
		}
		files, _ := filepath.Glob(filepath.Join(r.dir, "*"))
		if read(t, r.config) != before || len(files) != 3 {
			t.Errorf("%q: something was changed: %q", args, files)
		}
	}
	f("[users.nobody] has none of token|token_sha256|token_file", "", "user", "nobody")
	f("providers.variable.api_key in line 12 is made from a variable", "new", "provider", "variable")
	f("is not one key: it is empty", "", "provider", "plain")
	f("is not one key", "two keys", "provider", "plain")
	f("is not one key", `a"b`, "provider", "plain")
	f("--url needs the variable BERRY_ADMIN_TOKEN", "", "user", "ann", "--url", "http://127.0.0.1:1")
	write(t, r.config, read(t, r.config)+"nonsense = 1\n")
	f("the configuration is not valid as it is: mend it first", "", "user", "ann")
}

// A running server takes the new token and the new key, told by a request or by a signal.
func TestRotateRunning(t *testing.T) {
	provider, keys := answers(t)
	r := newRotation(t, provider)
	address := freeAddress(t)
	cmd := exec.Command(program(t, "berry-api"), "-c", r.config)
	cmd.Env = append(os.Environ(), "BIND_ADDRESS="+address)
	url := "http://" + address
	log := serve(t, cmd, url+"/readyz")
	r.env = []string{"BERRY_ADMIN_TOKEN=root-canary-42-token"}

	token, said := r.run(0, "", "user", "cid", "--url", url)
	if !strings.Contains(said, url+" takes the new token\n") {
		t.Error(said)
	}
	as := func(token string) int {
		t.Helper()
		return send(t, url+"/v1/chat/completions", token, `{"model":"m","messages":[{"role":"user","content":"hi"}]}`)
	}
	if status := as(token); status != 200 {
		t.Errorf("the new token: %d", status)
	}
	if status := as("old-canary-44-token"); status != 401 {
		t.Errorf("the old token: %d", status)
	}
	keys()
	r.run(0, "new-canary-47-key", "provider", "plain", "--url", url)
	if status := as(token); status != 200 {
		t.Errorf("with the new key: %d", status)
	}
	if got := keys(); len(got) == 0 || got[len(got)-1] != "new-canary-47-key" {
		t.Error("the provider does not get the new key")
	}
	r.run(1, "new-canary-48-key", "provider", "plain", "--url", "http://"+freeAddress(t))

	_, said = r.run(0, "", "user", "bob", "--pid", fmt.Sprint(cmd.Process.Pid))
	if !strings.Contains(said, "was told to load it") {
		t.Error(said)
	}
	if strings.Contains(log.String(), "-canary-") {
		t.Error("a secret is in the log")
	}
}
