package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestScript runs the script as a user does, in short, and looks at the page
// that it writes.
func TestScript(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(page, []byte("# Page\n\nkept\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time in place of the first
		out, err := exec.Command("../../scripts/scale.sh", "--quick", "-o", page).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# Page\n\nkept\n\n<!-- scripts/scale.sh: begin -->\n", "| 10 x 2 x 10 | 20 x 4 x 20 |", "/prometheus", "](performance-scale.svg)\n<!-- scripts/scale.sh: end -->\n"} {
		if strings.Count(string(text), want) < 1 {
			t.Errorf("the page lacks %q:\n%s", want, text)
		}
	}
	if n := strings.Count(string(text), "Measured "); n != 1 {
		t.Errorf("%d results on the page", n)
	}
	plot, err := os.ReadFile(filepath.Join(filepath.Dir(page), "performance-scale.svg"))
	if err != nil || !strings.HasPrefix(string(plot), "<svg ") || strings.Contains(string(plot), "NaN") {
		t.Errorf("the plot: %v %.200s", err, plot)
	}
}
