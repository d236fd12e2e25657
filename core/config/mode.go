package config

import (
	"io/fs"
	"os"
	"regexp"
	"runtime"
)

// readableByAll is the permission bit with which everybody on the machine may
// read a file.
const readableByAll fs.FileMode = 0o004

// secretHeader finds the headers whose values are secrets by their names; to
// warn of a version or a client's name would only teach to ignore the warning.
var secretHeader = regexp.MustCompile(`(?i)auth|key|token|secret|cookie|password`)

// modeOf is a file's mode where modes mean something; 0 if it is not known.
func modeOf(path string) fs.FileMode {
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS == "windows" { // where all files seem to be readable by all
		return 0
	}
	return info.Mode()
}

// warnModes warns of files with secrets that everybody may read: the
// configuration if it spells any out, and those that it names.
func (l *loader) warnModes(cfg *Config) {
	if l.modeOf == nil {
		return
	}
	if path, n := l.spelledOut(); n != nil && l.modeOf(l.name)&readableByAll != 0 {
		l.warn(path, "everybody on this machine can read this file and the secrets in it: chmod 600 it, or keep them out with ${VAR}, api_key_file, token_file and token_sha256")
	}
	file := func(path string, at ...any) {
		if path != "" && l.modeOf(path)&readableByAll != 0 {
			l.warn(at, "everybody on this machine can read the file: chmod 600 it")
		}
	}
	for id, p := range cfg.Providers {
		file(l.fromHere(p.APIKeyFile), "providers", id, "api_key_file")
	}
	for id, u := range cfg.Users {
		file(l.fromHere(u.TokenFile), "users", id, "token_file")
	}
	file(cfg.Settings.TLS.KeyFile, "settings", "tls", "key_file")
}

// spelledOut finds the first secret that stands in the file itself. The node is
// nil if there is none.
func (l *loader) spelledOut() (path []any, first *node) {
	look := func(at ...any) {
		n, ok := l.doc.find(at)
		if ok && n.kind == kindString && n.text != "" && !n.varied && (first == nil || n.value < first.value) {
			path, first = at, n
		}
	}
	for _, id := range l.doc.root.child("providers").keys() {
		look("providers", id, "api_key")
		for _, name := range l.doc.root.child("providers").child(id).child("headers").keys() {
			if secretHeader.MatchString(name) {
				look("providers", id, "headers", name)
			}
		}
	}
	for _, id := range l.doc.root.child("users").keys() {
		look("users", id, "token")
	}
	return path, first
}

// keys are the names of a table's fields; none for what is no table.
func (n *node) keys() []string {
	if n == nil {
		return nil
	}
	return n.names
}
