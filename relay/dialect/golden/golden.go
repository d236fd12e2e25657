// Package golden reads the streams that dialects are tested with: files named
// testdata/*.sse of what the provider sends, a line of ====, and what the
// client gets.
//
// The tests of dialects alone use it.
package golden

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Stream is one file: its name without the folder, and its two sides.
type Stream struct{ Name, In, Out string }

// Streams returns those of the calling test's package, by name. Without one, or
// with one that has no line of ====, the test ends.
func Streams(t testing.TB) (all []Stream) {
	t.Helper()
	files, err := filepath.Glob("testdata/*.sse")
	if err != nil || len(files) == 0 {
		t.Fatalf("no streams: %v", err)
	}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		in, out, ok := strings.Cut(string(raw), "====\n")
		if !ok {
			t.Fatalf("%s has no line of ====", f)
		}
		all = append(all, Stream{filepath.Base(f), in, out})
	}
	return all
}
