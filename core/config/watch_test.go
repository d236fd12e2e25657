package config_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/PPKunOfficial/berry-api/core/config"
)

const watchable = "[providers.one]\nbase_url = \"http://127.0.0.1:1\"\n"

// watching is a file that is being watched.
type watching struct {
	t    *testing.T
	path string
	told chan string // the file's content when a change was told
	last string
}

// watch loads the file and watches it until the test ends.
func watch(t *testing.T, path string) *watching {
	t.Helper()
	l, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	w := &watching{t: t, path: path, told: make(chan string, 100), last: content(path)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Watch(ctx, func() { w.told <- content(path) }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Watch: %v", err)
		}
		if n := len(w.told); n > 0 {
			t.Errorf("told %d times more than the file changed", n)
		}
	})
	return w
}

// wait waits until the present content was told. What was told of before has
// to be a change as well: on a busy machine a moment between two writes can
// be a quiet one.
func (w *watching) wait(what string) {
	w.t.Helper()
	limit := time.After(20 * time.Second)
	for want := content(w.path); ; {
		select {
		case got := <-w.told:
			if got == w.last {
				w.t.Errorf("%s: told of no change", what)
			}
			w.last = got
			if got == want {
				return
			}
		case <-limit:
			w.t.Fatalf("not told of: %s", what)
		}
	}
}

// content is what a file holds, for one that is gone a word of its own.
func content(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return "gone"
	}
	return string(data)
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func do(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWatch(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "config.toml")
	put(t, path, watchable)
	w := watch(t, path)

	put(t, path, watchable+"# 1\n")
	w.wait("a write in place")
	put(t, path+".new", watchable+"# 2\n")
	do(t, os.Rename(path+".new", path))
	w.wait("a rename over it")
	// As editors do, with the file away for a moment; several writes are one change.
	do(t, os.Rename(path, path+"~"))
	for _, text := range []string{"", watchable, watchable + "# 3\n"} {
		put(t, path, text)
	}
	w.wait("a file that was written anew")
	do(t, os.Remove(path))
	w.wait("a file that is gone")
	put(t, path, watchable)
	w.wait("a file that is there again")

	// Neither what is beside it nor a touch is a change; Cleanup counts.
	put(t, path+".log", "noise")
	put(t, path, watchable)
	put(t, path, watchable+"# 4\n")
	w.wait("the last change")
}

// Kubernetes writes a volume's files into a new folder and swaps the link to it.
func TestWatchSwappedFolder(t *testing.T) {
	dir := t.TempDir()
	version := func(name, text string) {
		t.Helper()
		do(t, os.Mkdir(filepath.Join(dir, name), 0o700))
		put(t, filepath.Join(dir, name, "config.toml"), text)
		do(t, os.Symlink(name, filepath.Join(dir, "..data_tmp")))
		do(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	}
	version("..1", watchable)
	path := filepath.Join(dir, "config.toml")
	do(t, os.Symlink(filepath.Join("..data", "config.toml"), path))
	w := watch(t, path)
	version("..2", watchable+"# 2\n")
	do(t, os.RemoveAll(filepath.Join(dir, "..1")))
	w.wait("the first swap")
	version("..3", watchable+"# 3\n")
	do(t, os.RemoveAll(filepath.Join(dir, "..2")))
	w.wait("the second swap")
	put(t, filepath.Join(dir, "..3", "config.toml"), watchable+"# 4\n")
	w.wait("a write behind the link")
}

// A swap whose old folder stays, as the first one of a volume's may for a while:
// only the link in between says that another file is meant.
func TestWatchSwappedLinkAlone(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"..1": watchable, "..2": watchable + "# 2\n"} {
		do(t, os.Mkdir(filepath.Join(dir, name), 0o700))
		put(t, filepath.Join(dir, name, "config.toml"), text)
	}
	do(t, os.Symlink("..1", filepath.Join(dir, "..data")))
	path := filepath.Join(dir, "config.toml")
	do(t, os.Symlink(filepath.Join("..data", "config.toml"), path))
	w := watch(t, path)
	do(t, os.Symlink("..2", filepath.Join(dir, "..data_tmp")))
	do(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	w.wait("the swap")
}

// A link into another folder: what it leads to is watched, and where it leads.
func TestWatchLink(t *testing.T) {
	here, there := t.TempDir(), t.TempDir()
	path := filepath.Join(here, "config.toml")
	put(t, filepath.Join(there, "a.toml"), watchable)
	put(t, filepath.Join(there, "b.toml"), watchable+"# b\n")
	do(t, os.Symlink(filepath.Join(there, "a.toml"), path))
	w := watch(t, path)
	put(t, filepath.Join(there, "a.toml"), watchable+"# a\n")
	w.wait("a write behind the link")
	do(t, os.Symlink(filepath.Join(there, "b.toml"), path+".new"))
	do(t, os.Rename(path+".new", path))
	w.wait("another target")
}

// What happened between the reading and the watching is told too.
func TestWatchTellsOfWhatIsMissed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.toml")
	put(t, path, watchable)
	l, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	put(t, path, watchable+"# meanwhile\n")
	ctx, cancel := context.WithCancel(context.Background())
	if err := l.Watch(ctx, cancel); err != nil {
		t.Error(err)
	}
	if l, err = l.Again(); err != nil {
		t.Fatal(err)
	}
	do(t, os.RemoveAll(filepath.Dir(path)))
	if err := l.Watch(context.Background(), func() {}); err == nil {
		t.Error("a folder that is not there can be watched")
	}
}

// A configuration that was not read from a file has nothing to watch.
func TestWatchNothing(t *testing.T) {
	f := func(l *config.Loaded, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := l.Watch(ctx, func() { t.Error("told of a change") }); err != nil {
			t.Error(err)
		}
	}
	f(config.Parse("nowhere.toml", []byte(watchable), config.Env{}))
	f(config.Env{ReadFile: func(string) ([]byte, error) { return []byte(watchable), nil }}.Load("/nowhere/c.toml"))
}
