package pages

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	// what a page names of the repository in its code: scripts, packages, folders that are ours
	ours  = regexp.MustCompile(`(?:^|[\s"'(=])(?:\./)?((?:scripts|examples|deploy|docs|e2e|api|cli|core|relay|loadbalance|config)/[A-Za-z0-9_./*-]*[A-Za-z0-9_*])`)
	tag   = regexp.MustCompile(`^[a-z]+/v[0-9.]+$`) // of a module, such as core/v0.1.0
	made  = regexp.MustCompile(`(?:^|[;&|] *)make ([a-z]+)\b`)
	opts  = regexp.MustCompile(`(?:^|\s)(?:\./)?(scripts/[a-z_-]+(?:\.sh)?)((?: [^|;&]*)?)`)
	moved = regexp.MustCompile(`(?:^|[;&] *)cd ([a-z0-9/_-]+)`)
)

// What a page names of the repository, a script, a folder, a package, a file or a
// target of make, is there; and a script is given options that it has.
func TestPathsExist(t *testing.T) {
	targets := regexp.MustCompile(`(?m)^([a-z0-9]+):`).FindAllStringSubmatch(text(t, "Makefile"), -1)
	var names []string
	for _, m := range targets {
		names = append(names, m[1])
	}
	seen := 0
	for _, p := range allPages(t) {
		for _, b := range p.commandsAndSpans() {
			for _, m := range made.FindAllStringSubmatch(b.text, -1) {
				seen++
				if !slices.Contains(names, m[1]) {
					t.Errorf("%s:%d: make has no target %s", b.page, b.line, m[1])
				}
			}
			for _, m := range ours.FindAllStringSubmatch(b.text, -1) {
				seen++
				if !there(p, b, m[1]) && !tag.MatchString(m[1]) {
					t.Errorf("%s:%d: there is no %s: %s", b.page, b.line, m[1], b.text)
				}
			}
			for _, m := range opts.FindAllStringSubmatch(b.text, -1) {
				script, err := os.ReadFile(filepath.Join(root, m[1]))
				if err != nil {
					continue // reported above
				}
				for word := range strings.FieldsSeq(m[2]) {
					if f := flagWord.FindStringSubmatch(word); f != nil && !strings.Contains(string(script), f[1]) {
						t.Errorf("%s:%d: %s says nothing of %s", b.page, b.line, m[1], f[1])
					}
				}
			}
		}
	}
	if seen < 100 {
		t.Errorf("only %d names were looked at", seen)
	}
}

// commandsAndSpans is all the code of a page, a line at a time.
func (p page) commandsAndSpans() []block {
	var out []block
	for _, b := range p.blocks {
		if slices.Contains([]string{"", "sh", "bash", "console"}, b.lang) {
			out = append(out, b.commands()...)
		}
	}
	return append(out, p.spans...)
}

// there reports whether a name leads somewhere: from the repository's folder,
// from the page's own, or from the one that the command goes to.
func there(p page, b block, name string) bool {
	from := []string{"", path.Dir(p.name)}
	if m := moved.FindStringSubmatch(b.text); m != nil {
		from = append(from, m[1])
	}
	for _, folder := range from {
		if found, _ := filepath.Glob(filepath.Join(root, folder, strings.TrimSuffix(name, "/..."))); len(found) > 0 {
			return true
		}
	}
	return false
}
