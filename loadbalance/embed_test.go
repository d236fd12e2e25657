package loadbalance

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// section returns the part of text between two marks.
func section(t *testing.T, text, from, to string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, from)
	part, _, ended := strings.Cut(rest, to)
	if !found || !ended {
		t.Fatalf("no part between %q and %q", from, to)
	}
	return part
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestReadmeIsTheExample keeps the program in README.md and the package's
// example, which is run, the same.
func TestReadmeIsTheExample(t *testing.T) {
	readme := section(t, readFile(t, "README.md"), "func main() {\n", "\n}\n```")
	example := section(t, readFile(t, "example_test.go"), "func Example() {\n", "\n\t// Output:")
	if readme != example {
		t.Errorf("README.md:\n%s\nexample_test.go:\n%s", readme, example)
	}
}

// TestEmbedding builds and runs the README's program as an outsider would: a
// module of its own, outside the workspace, without a network.
func TestEmbedding(t *testing.T) {
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("the go tool is not in the PATH, so that no other program can be built")
	}
	module, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("main.go", section(t, readFile(t, "README.md"), "```go\n", "```"))
	write("go.mod", `module example.com/embedder

go 1.26

require github.com/PPKunOfficial/berry-api/loadbalance v0.0.0

replace github.com/PPKunOfficial/berry-api/loadbalance => `+module+"\n")
	cmd := exec.Command(tool, "run", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod", "GOPROXY=off")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if want := "near network\nfar success\nfar success\n"; string(out) != want {
		t.Errorf("it printed %q, want %q", out, want)
	}
	if sum, err := os.ReadFile(filepath.Join(dir, "go.sum")); !errors.Is(err, fs.ErrNotExist) && len(sum) > 0 {
		t.Errorf("its go.sum has other modules: %s %v", sum, err)
	}
	if list, err := os.ReadFile(filepath.Join(dir, "go.mod")); err != nil || strings.Count(string(list), "require") != 1 {
		t.Errorf("its go.mod grew: %s %v", list, err)
	}
}
