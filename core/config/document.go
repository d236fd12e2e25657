package config

import (
	"bytes"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"
)

// kind is the TOML type of a node.
type kind uint8

const (
	kindTable kind = iota
	kindArray
	kindString
	kindInteger
	kindFloat
	kindBool
	kindTime
)

func (k kind) String() string {
	return [...]string{"a table", "an array", "a string", "a whole number", "a number with a fraction", "true or false", "a date or time"}[k]
}

// origin is how a table or array came about; it decides what may still be
// added to it.
type origin uint8

const (
	byPath   origin = iota // named on the way to a deeper [table]
	byHeader               // by its own [table], or [[array]]
	byDots                 // by a dotted key
	byValue                // by a value: { } or [ ]; closed
)

// node is one value of the file, with its place.
type node struct {
	kind   kind
	origin origin
	shown  bool   // a scalar that may be shown in an excerpt
	varied bool   // a string that had a ${VAR} in it
	failed bool   // a problem with it was noted
	key    int    // offset of its key; of the value itself inside an array
	value  int    // offset of the value
	text   string // of a scalar: a string decoded, other kinds as written
	names  []string
	fields map[string]*node // of a table, with names in the file's order
	items  []*node          // of an array
	slips  map[string]bool  // of a table: keys that an unknown key was probably meant for
	copies []*node          // further definitions of the same key, which are errors
}

// child returns the field or item at step, a string or an int; nil if there
// is none.
func (n *node) child(step any) *node {
	if n == nil {
		return nil
	}
	switch s := step.(type) {
	case string:
		return n.fields[s]
	case int:
		if s < len(n.items) {
			return n.items[s]
		}
	}
	return nil
}

func (n *node) put(name string, c *node) {
	if n.fields == nil {
		n.fields = make(map[string]*node)
		n.names = make([]string, 0, 8) // as many as the map begins with
	}
	n.fields[name] = c
	n.names = append(n.names, name)
}

// slip notes that an unknown key of n was probably meant to be key, so that
// key is not called missing as well.
func (n *node) slip(key string) {
	if key == "" {
		return
	}
	if n.slips == nil {
		n.slips = make(map[string]bool)
	}
	n.slips[key] = true
}

// span is a key or a scalar in the text; excerpts need to know where they
// are. A key has no node.
type span struct {
	start, end int
	node       *node
}

// broken is a stretch of text that is not TOML: [start, end), with the place
// of the error.
type broken struct {
	start, at, end int
	message        string
}

// document is a parsed file.
type document struct {
	text   []byte
	lines  []int // offset of each line's first byte
	root   *node
	spans  []span // ascending
	broken []broken
	twice  []twice
}

// twice is a key that is defined again.
type twice struct {
	path    []any
	at      int // offset of the second definition
	message string
}

func newDocument(text []byte) *document {
	lines := 1 + bytes.Count(text, []byte{'\n'})
	d := &document{
		text: text, lines: append(make([]int, 0, lines), 0), root: &node{origin: byHeader},
		spans: make([]span, 0, min(2*lines, len(text)/8)), // mostly a key and a value a line
	}
	for i, c := range text {
		if c == '\n' {
			d.lines = append(d.lines, i+1)
		}
	}
	return d
}

// position converts an offset to a line and a column, both from 1; the column
// counts characters.
func (d *document) position(offset int) (line, column int) {
	offset = min(max(offset, 0), len(d.text))
	line = sort.SearchInts(d.lines, offset+1)
	start := d.lines[line-1]
	// The parser may point into the middle of a character.
	for offset > start && offset < len(d.text) && !utf8.RuneStart(d.text[offset]) {
		offset--
	}
	return line, utf8.RuneCount(d.text[start:offset]) + 1
}

// lineAt returns the bounds of the line that holds offset, without its
// newline.
func (d *document) lineAt(offset int) (start, end int) {
	line, _ := d.position(offset)
	start, end = d.lines[line-1], len(d.text)
	if line < len(d.lines) {
		end = d.lines[line] - 1
	}
	if end > start && d.text[end-1] == '\r' {
		end--
	}
	return start, end
}

// find walks down path as far as there are nodes. It returns the deepest, and
// whether that is the whole path.
func (d *document) find(path []any) (*node, bool) {
	n := d.root
	for _, step := range path {
		next := n.child(step)
		if next == nil {
			return n, false
		}
		n = next
	}
	return n, true
}

// pathString writes a path as TOML would: dots, quotes where a key needs
// them, and [i] for items.
func pathString(path []any) string {
	var b strings.Builder
	for _, step := range path {
		switch s := step.(type) {
		case int:
			b.WriteString("[" + strconv.Itoa(s) + "]")
		case string:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(quoteKey(s))
		}
	}
	return b.String()
}

// quoteKey quotes a key unless it can stand bare.
func quoteKey(key string) string {
	bare := key != ""
	for _, c := range []byte(key) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-') {
			bare = false
		}
	}
	if bare {
		return key
	}
	return strconv.Quote(clip(key))
}

// clip shortens a text of the user's for a message.
func clip(s string) string {
	const most = 80
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "..."
}
