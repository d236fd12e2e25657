package relay_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Whoever looks for something, or for where to put it, finds it in the package's
// comment: it names each file once, and none that is not there.
func TestTheCommentNamesTheFiles(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	for _, row := range regexp.MustCompile(`(?m)^//\t((?:[a-z]+ )+) `).FindAllStringSubmatch(string(text), -1) {
		named = append(named, strings.Fields(row[1])...)
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var there []string
	for _, file := range files {
		if file != "doc.go" && !strings.HasSuffix(file, "_test.go") {
			there = append(there, strings.TrimSuffix(file, ".go"))
		}
	}
	slices.Sort(named)
	for _, name := range named {
		if !slices.Contains(there, name) {
			t.Errorf("doc.go names %s.go, which is not there", name)
		}
	}
	for _, name := range there {
		if i, ok := slices.BinarySearch(named, name); !ok || i+1 < len(named) && named[i+1] == name {
			t.Errorf("doc.go is to name %s.go, once", name)
		}
	}
}
