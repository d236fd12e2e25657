package main

import (
	"os"
	"path/filepath"
	"testing"
)

const committed = "../../../docs/man"

// The pages in docs/man are what berry-man makes of the commands as they are now.
func TestPagesAreCurrent(t *testing.T) {
	folder := t.TempDir()
	// A page of a command that is gone goes.
	gone := filepath.Join(folder, "berry-cli-gone.1")
	if err := os.WriteFile(gone, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := write(folder); err != nil {
		t.Fatal(err)
	}
	made, old := read(t, folder), read(t, committed)
	if len(made) < 13 {
		t.Errorf("%d pages", len(made))
	}
	for name, page := range made {
		if old[name] != page {
			t.Errorf("docs/man/%s is not current: go run ./cli/cmd/berry-man docs/man", name)
		}
		delete(old, name)
	}
	for name := range old {
		t.Errorf("docs/man/%s is of no command: go run ./cli/cmd/berry-man docs/man", name)
	}
}

func read(t *testing.T, folder string) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(path)] = string(text)
	}
	return out
}

func TestFolderThatCannotBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := write(file); err == nil {
		t.Error("no error")
	}
}
