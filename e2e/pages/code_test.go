package pages

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What stands on a page as JSON is JSON.
func TestJSONParses(t *testing.T) {
	blocks := 0
	for _, p := range allPages(t) {
		for _, b := range p.blocks {
			if b.lang != "json" {
				continue
			}
			blocks++
			var v any
			if err := json.Unmarshal([]byte(b.text), &v); err != nil {
				t.Errorf("%s:%d: %v", b.page, b.line, err)
			}
		}
	}
	if blocks == 0 {
		t.Error("no page has JSON any more")
	}
}

// The Go code of the READMEs compiles, inside a function that has what it calls.
func TestGoCompiles(t *testing.T) {
	const frame = `package page

import (
	"context"
	"time"

	"github.com/PPKunOfficial/berry-api/loadbalance"
)

func use(ctx context.Context, search func(context.Context, string) error) error {
`
	library, err := filepath.Abs(filepath.Join(root, "loadbalance"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"README.md", "README.zh-CN.md"} {
		blocks := 0
		for _, b := range read(t, root, name).blocks {
			if b.lang != "go" {
				continue
			}
			blocks++
			dir := t.TempDir()
			files := map[string]string{
				"page.go": frame + b.text + "}\n",
				"go.mod": "module example.com/page\n\ngo 1.26\n\nrequire github.com/PPKunOfficial/berry-api/loadbalance v0.0.0\n\n" +
					"replace github.com/PPKunOfficial/berry-api/loadbalance => " + library + "\n",
			}
			for file, content := range files {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			c := exec.Command("go", "vet", "./...")
			c.Dir, c.Env = dir, append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod", "GOPROXY=off")
			if out, err := c.CombinedOutput(); err != nil {
				t.Errorf("%s:%d: %v\n%s", b.page, b.line, err, out)
			}
		}
		if blocks == 0 {
			t.Errorf("%s has no Go any more", name)
		}
	}
}

// python runs a page's program with the SDK that setup.sh installs; without it
// the program is only looked at.
func (w walk) python(t *testing.T, s *session, b block) {
	t.Helper()
	interpreter, err := filepath.Abs(filepath.Join(root, "e2e", "python", ".venv", "bin", "python"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(interpreter); err != nil {
		t.Logf("%s:%d: not run, Python's openai is not installed: see e2e/README.md", b.page, b.line)
		return
	}
	file := filepath.Join(t.TempDir(), "page.py")
	if err := os.WriteFile(file, []byte(s.places.Replace(b.text)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := s.do(interpreter + " " + file); len(strings.Fields(out)) < 5 {
		t.Errorf("%s:%d prints %q", b.page, b.line, out)
	}
}
