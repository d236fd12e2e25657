package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/fsnotify/fsnotify"
)

// A file beside the configuration that is written all the time, such as a log,
// must not put off the look at the configuration for ever.
func TestConcerns(t *testing.T) {
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	in := func(parts ...string) string { return filepath.Join(append([]string{dir}, parts...)...) }
	for _, name := range []string{"v1", "v2"} {
		must(os.Mkdir(in(name), 0o700))
		must(os.WriteFile(in(name, "config.toml"), nil, 0o600))
	}
	must(os.Symlink("v1", in("now")))
	must(os.Symlink(filepath.Join("now", "config.toml"), in("config.toml")))
	w, err := fsnotify.NewWatcher()
	must(err)
	defer func() { must(w.Close()) }()
	f := &followed{watcher: w, path: in("config.toml")}
	must(f.follow())

	check := func(name string, op fsnotify.Op, want bool) {
		t.Helper()
		if got := f.concerns(fsnotify.Event{Name: in(name), Op: op}); got != want {
			t.Errorf("%s of %s: %v, want %v", op, name, got, want)
		}
	}
	check("config.toml", fsnotify.Write, true)
	check("config.toml", fsnotify.Chmod, false)
	check(filepath.Join("now", "config.toml"), fsnotify.Write, true)
	check("berry.log", fsnotify.Write, false)
	check("now", fsnotify.Create, false)
	must(os.Symlink("v2", in("next")))
	must(os.Rename(in("next"), in("now")))
	check("now", fsnotify.Create, true)
	check("berry.log", fsnotify.Write, true) // whatever tells of it
	must(f.follow())
	check("berry.log", fsnotify.Write, false)
}
