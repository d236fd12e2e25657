package config

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// quiet is how long the file must have been left alone before a change counts:
// editors and copying tools write in several steps.
const quiet = 200 * time.Millisecond

// Watch calls changed each time that the content of the file has changed and
// the file was left alone for 200 ms, until ctx ends; at once if it has changed
// since it was loaded. It blocks, calls from its own goroutine, and returns nil
// at the end of ctx. A file that is gone counts as changed. Files that the
// configuration refers to, such as secrets, are not watched.
//
// What is watched are the folders of the file and of what it is a link to, so
// that a file that is replaced is noticed, and so are the swapped links by which
// Kubernetes updates a volume. A configuration that was not read from a real
// file has nothing to watch: Watch only waits.
func (l *Loaded) Watch(ctx context.Context, changed func()) error {
	if !l.real {
		<-ctx.Done()
		return nil
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("cannot watch the configuration: %w", err)
	}
	defer func() { _ = w.Close() }()
	path, err := filepath.Abs(l.Path)
	if err != nil {
		return fmt.Errorf("cannot watch the configuration: %w", err)
	}
	f := &followed{watcher: w, path: path, seen: l.SHA256}
	if err := f.follow(); err != nil {
		return fmt.Errorf("cannot watch the configuration: %w", err)
	}
	return f.run(ctx, changed)
}

// followed is a file that is being watched.
type followed struct {
	watcher *fsnotify.Watcher
	path    string
	seen    string            // hash of the content that was last told of
	target  string            // what path resolves to; "" if it does not
	names   map[string]string // the file and the links on the way to it, and their folders
}

func (f *followed) run(ctx context.Context, changed func()) error {
	pause := time.NewTimer(0) // the first look is at once
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-f.watcher.Events:
			if !ok {
				return nil
			}
			if f.concerns(e) {
				pause.Reset(quiet)
			}
		case _, ok := <-f.watcher.Errors: // events were lost
			if !ok {
				return nil
			}
			pause.Reset(quiet)
		case <-pause.C:
			// Before the content is read, so that what comes later is an event.
			// While the folder is away there is nothing to follow.
			_ = f.follow()
			if content := sumOf(f.path); content != f.seen {
				f.seen = content
				changed()
			}
		}
	}
}

// concerns reports whether an event may have changed the file. Other files in
// its folder, such as a log, may change all the time.
func (f *followed) concerns(e fsnotify.Event) bool {
	if e.Op == fsnotify.Chmod {
		return false
	}
	if _, ok := f.names[e.Name]; ok {
		return true
	}
	target, _ := filepath.EvalSymlinks(f.path) // a folder on the way may be a link too
	return target != f.target
}

// follow watches the folders that matter now. The error is that of the file's
// own folder.
func (f *followed) follow() error {
	f.target, _ = filepath.EvalSymlinks(f.path)
	names := map[string]string{}
	const mostLinks = 40 // as Linux follows
	for at := f.path; len(names) < mostLinks; {
		names[at] = filepath.Dir(at)
		to, err := os.Readlink(at)
		if err != nil {
			break
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(at), to)
		}
		at = to
	}
	wanted := map[string]bool{}
	for _, folder := range names {
		wanted[folder] = true
	}
	for _, old := range f.watcher.WatchList() {
		if !wanted[old] {
			_ = f.watcher.Remove(old) // it may be gone by itself
		}
	}
	own := filepath.Dir(f.path)
	err := f.watcher.Add(own)
	delete(wanted, own)
	for folder := range maps.Keys(wanted) {
		_ = f.watcher.Add(folder) // a broken link: its own folder tells when it is mended
	}
	f.names = names
	return err
}

// sumOf is the hash of a file as Loaded.SHA256 has it, "" if it cannot be read.
func sumOf(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
