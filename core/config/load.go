package config

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
)

// Loaded is a configuration that can be used, and what there is to say about
// it.
type Loaded struct {
	Config   *Config
	Warnings []Problem // sorted by position
	Path     string    // as given to Load or Parse
	SHA256   string    // of the file's bytes, 64 lower-case hex digits

	env  Env
	file bool // read from a file
	real bool // and that of the real file system
}

// Again reads the same file in the same way: what a reload does. What came from
// Parse has no file, only a name that a file may have by chance.
func (l *Loaded) Again() (*Loaded, error) {
	if !l.file {
		return nil, errors.New("the configuration is not from a file: there is nothing to read again")
	}
	return l.env.Load(l.Path)
}

// Env is what a configuration may refer to outside its file. The zero value
// is the real thing.
type Env struct {
	Lookup   func(name string) (value string, ok bool) // nil: os.LookupEnv
	ReadFile func(path string) ([]byte, error)         // nil: os.ReadFile
	// Strategies are further names that a model's strategy may have, for
	// programs that embed the server with strategies of their own.
	Strategies []string
}

// Load reads and checks the file at path, with the environment variables and
// the secret files that it refers to. The error is Problems when the file
// could be read. Load blocks on the file system only.
func Load(path string) (*Loaded, error) { return Env{}.Load(path) }

// Load is the function Load in another environment than the real one.
func (e Env) Load(path string) (*Loaded, error) {
	read := e.ReadFile
	if read == nil {
		read = os.ReadFile
	}
	data, err := read(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the configuration: %w", err)
	}
	var mode func(string) fs.FileMode
	if e.ReadFile == nil {
		mode = modeOf
	}
	l, err := parseFile(path, data, e, mode)
	if err != nil {
		return nil, err
	}
	l.env, l.file, l.real = e, true, e.ReadFile == nil
	return l, nil
}

// Parse is Load for a text that is already there. The name is shown in
// problems, and its folder is where relative paths of secret files start. The
// error is Problems.
func Parse(name string, data []byte, env Env) (*Loaded, error) {
	return parseFile(name, data, env, nil)
}

// parseFile is Parse, and with modeOf also a look at who may read the files.
func parseFile(name string, data []byte, env Env, modeOf func(path string) fs.FileMode) (*Loaded, error) {
	if env.Lookup == nil {
		env.Lookup = os.LookupEnv
	}
	if env.ReadFile == nil {
		env.ReadFile = os.ReadFile
	}
	l := &loader{name: name, dir: filepath.Dir(name), env: env, modeOf: modeOf, schema: describe(reflect.TypeFor[Config]())}
	strategy := l.schema.lookup("models").sub.lookup("strategy")
	strategy.enum = append(slices.Clip(strategy.enum), env.Strategies...)
	if len(data) > maxFileBytes {
		l.doc = newDocument(nil)
		l.problem(l.doc.root, nil, "the file has more than %d bytes", maxFileBytes)
		return nil, Problems(l.finish(l.problems))
	}
	l.doc = parse(data)
	cfg := l.read()
	if len(l.problems) > 0 {
		return nil, Problems(l.finish(l.problems))
	}
	sum := sha256.Sum256(data)
	return &Loaded{Config: cfg, Warnings: l.finish(l.warnings), Path: name, SHA256: hex.EncodeToString(sum[:]), env: env}, nil
}

// loader is one run of Parse.
type loader struct {
	name     string
	dir      string // where relative paths start
	env      Env
	modeOf   func(path string) fs.FileMode // nil: do not look
	schema   *section
	doc      *document
	problems []note
	warnings []note
}

// note is a problem whose excerpt is not there yet: what may be shown of a
// line is known only when the whole file was read.
type note struct {
	offset  int
	path    []any
	message string
}

// read turns the document into a configuration, noting every problem on the
// way. The result is of use only if there is none.
func (l *loader) read() *Config {
	cfg := new(Config)
	l.schema.fill(reflect.ValueOf(cfg).Elem())
	l.table(l.schema, l.doc.root, make([]any, 0, maxPath), reflect.ValueOf(cfg).Elem())
	for _, b := range l.doc.broken {
		l.problemAt(b.at, nil, b.message)
	}
	for _, t := range l.doc.twice {
		l.problemAt(t.at, t.path, t.message)
	}
	if len(l.doc.broken) > 0 {
		// Half a file would seem to refer to much that does not exist.
		return cfg
	}
	l.checkSettings(&cfg.Settings)
	l.checkProviders(cfg)
	l.checkModels(cfg)
	l.checkUsers(cfg)
	l.warnModes(cfg)
	return cfg
}

// problem notes what is wrong with the value of n, found at path.
func (l *loader) problem(n *node, path []any, format string, args ...any) {
	n.failed = true
	l.problemAt(n.value, path, fmt.Sprintf(format, args...))
}

// problemAt notes what is wrong at an offset.
func (l *loader) problemAt(offset int, path []any, message string) {
	l.problems = append(l.problems, note{offset, slices.Clone(path), message})
}

// wrong notes what is wrong at a path: the value there, or the table that
// lacks it.
func (l *loader) wrong(path []any, format string, args ...any) {
	n, _ := l.doc.find(path)
	l.problem(n, path, format, args...)
}

// warn notes what is probably not meant at a path.
func (l *loader) warn(path []any, format string, args ...any) {
	n, _ := l.doc.find(path)
	l.warnings = append(l.warnings, note{n.value, slices.Clone(path), fmt.Sprintf(format, args...)})
}

// finish makes problems of notes, sorted by position.
func (l *loader) finish(notes []note) []Problem {
	slices.SortStableFunc(notes, func(a, b note) int { return cmp.Compare(a.offset, b.offset) })
	var out []Problem
	for _, n := range notes {
		line, column := l.doc.position(n.offset)
		out = append(out, Problem{
			File:    l.name,
			Line:    line,
			Column:  column,
			Key:     pathString(n.path),
			Message: n.message,
			Excerpt: l.doc.excerpt(n.offset, l.schema),
		})
	}
	return out
}

// has reports whether the file sets what is at path.
func (l *loader) has(path ...any) bool {
	_, ok := l.doc.find(path)
	return ok
}

// quote shows a string value of the file in a message: the variable rather
// than its content where there is one, as the content may be a secret.
func (l *loader) quote(path []any, value string) string {
	if n, ok := l.doc.find(path); ok && n.kind == kindString {
		if !n.shown {
			return masked
		}
		if n.varied {
			value = n.text
		}
	}
	return fmt.Sprintf("%q", scrub(clip(value)))
}
