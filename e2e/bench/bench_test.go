package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestScript runs the script as a user does, in short: every workload on every
// target without an error, and a page that holds the tables once.
func TestScript(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(page, []byte("# Page\n\n<!-- scripts/bench.sh: begin -->\nold\n<!-- scripts/bench.sh: end -->\n\nkept\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("../../scripts/bench.sh", "--quick", "-o", page).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range workloads() {
		if !strings.Contains(string(text), "| "+w.id+" ") {
			t.Errorf("no line for %s", w.id)
		}
	}
	if !strings.HasSuffix(string(text), "](performance-bench.svg)\n<!-- scripts/bench.sh: end -->\n\nkept\n") || strings.Contains(string(text), "old") {
		t.Errorf("the page:\n%s", text)
	}
	plot, err := os.ReadFile(filepath.Join(filepath.Dir(page), "performance-bench.svg"))
	if err != nil || strings.Count(string(plot), "<rect ") != 6 || strings.Contains(string(plot), "NaN") {
		t.Errorf("the plot: %v %.200s", err, plot)
	}
}

func TestAgainst(t *testing.T) {
	run := func(target string, round, done int) result {
		r := result{target: target, round: round}
		r.Done = done
		return r
	}
	s := series{run(baseline, 0, 10), run(gateway, 0, 20), run(gateway, 1, 90), run(baseline, 1, 30), run(baseline, 2, 7)}
	done := func(r *result) float64 { return float64(r.Done) }
	if got := s.against(gateway, baseline, done, ratio); len(got) != 2 || got[0] != 2 || got[1] != 3 {
		t.Errorf("ratios %v, want those of rounds 0 and 1: 2 and 3", got)
	}
	if got := s.median(baseline, done); got != 10 {
		t.Errorf("median %v, want 10", got)
	}
}
