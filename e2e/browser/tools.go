package browser

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
)

// Tools are the programs that the scripts need.
type Tools struct{ Node, Chromium string }

// FindTools looks for them. The error says what is missing and what to do.
func FindTools() (Tools, error) {
	var t Tools
	var err error
	if t.Node, err = exec.LookPath("node"); err != nil {
		return t, errors.New("node is not installed")
	}
	if _, err := os.Stat("node_modules/playwright-core"); errors.Is(err, fs.ErrNotExist) {
		return t, errors.New("npm's playwright-core is not installed: run npm ci in e2e/browser")
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome-stable", "google-chrome"} {
		if t.Chromium, err = exec.LookPath(name); err == nil {
			return t, nil
		}
	}
	return t, errors.New("chromium is not installed (apt-get install chromium)")
}
