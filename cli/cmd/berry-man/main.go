// berry-man writes the man pages of berry-cli into a folder:
//
//	go run ./cli/cmd/berry-man docs/man
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/PPKunOfficial/berry-api/cli/internal/command"
	"github.com/PPKunOfficial/berry-api/cli/internal/manual"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: berry-man FOLDER")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "berry-man:", err)
		os.Exit(1)
	}
}

// write makes the folder hold the pages, and no page of a command that is gone.
func write(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // manuals are for all
		return err
	}
	old, err := filepath.Glob(filepath.Join(folder, "berry-cli*.1"))
	if err != nil {
		return err
	}
	for _, path := range old {
		if err := os.Remove(path); err != nil { //nolint:gosec // the folder is the caller's own choice
			return err
		}
	}
	for name, page := range manual.Pages(command.Tree()) {
		if err := os.WriteFile(filepath.Join(folder, name), page, 0o644); err != nil { //nolint:gosec // manuals are for all
			return err
		}
	}
	return nil
}
