package config

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/pelletier/go-toml/v2/unstable"
)

// maxFileBytes bounds a configuration file: far above any real one (a
// thousand users and a thousand backends are 300 KB).
const maxFileBytes = 16 << 20

// maxBroken bounds the syntax errors that one file reports.
const maxBroken = 100

// maxPath bounds the paths that problems show, so that ten thousand nested
// brackets do not cost the square of that.
const maxPath = 64

// parse reads text into a tree. It never fails: what is not TOML ends up in
// broken, what is defined twice in twice, and the rest is read all the same.
//
// The library's own decoder stops at the first error and takes keys whatever
// their case, so that only its parser is used.
func parse(text []byte) *document {
	d := newDocument(text)
	b := &builder{doc: d, table: d.root, names: map[string]step{}, room: make([]any, 0, maxPath)}
	if bytes.HasPrefix(text, []byte("\ufeff")) {
		b.base = len("\ufeff")
	}
	b.done = b.base
	var p unstable.Parser
	for {
		p.Reset(text[b.base:])
		for p.NextExpression() {
			b.add(p.Expression())
		}
		var failure *unstable.ParserError
		if !errors.As(p.Error(), &failure) || len(d.broken) == maxBroken {
			return d
		}
		b.recover(failure)
	}
}

// builder turns the parser's expressions into a document.
type builder struct {
	doc   *document
	base  int   // offset of what the parser was reset to
	done  int   // offset behind the last line that was read
	table *node // where keys go now
	path  []any // its path
	dazed bool  // no good line since the last syntax error

	// What is used again, as a large file has hundreds of thousands of each.
	names map[string]step // the keys so far
	parts []keyPart       // of the key that is being read
	room  []any           // of path
	nodes []node          // not used yet
}

// step is a key as a name and as a step of a path.
type step struct {
	name string
	any  any
}

// node returns a new node.
func (b *builder) node(n node) *node {
	const chunk = 128
	if len(b.nodes) == 0 {
		b.nodes = make([]node, chunk)
	}
	next := &b.nodes[0]
	b.nodes = b.nodes[1:]
	*next = n
	return next
}

// nextLine returns the offset behind the newline that ends the line of offset.
func (d *document) nextLine(offset int) int {
	if i := bytes.IndexByte(d.text[offset:], '\n'); i >= 0 {
		return offset + i + 1
	}
	return len(d.text)
}

// add takes one expression: a header or a key and its value.
func (b *builder) add(e *unstable.Node) {
	b.dazed = false
	var end int
	switch e.Kind {
	case unstable.Table, unstable.ArrayTable:
		keys := b.keys(e)
		end = keys[len(keys)-1].end
		b.open(keys, e.Kind == unstable.ArrayTable)
	case unstable.KeyValue:
		end = b.base + int(e.Raw.Offset+e.Raw.Length)
		b.assign(b.table, b.path, e)
	}
	b.done = b.doc.nextLine(end)
}

// extend returns path with one more step, up to maxPath. It may share memory with
// path, and with what path was extended to before, which is not valid any more:
// whoever keeps a path keeps a copy.
func extend(path []any, step any) []any {
	if len(path) >= maxPath {
		return path
	}
	return append(path, step)
}

// keyPart is one part of a dotted key.
type keyPart struct {
	step
	start, end int
}

// keys reads a key. The result is valid until the next call.
func (b *builder) keys(e *unstable.Node) []keyPart {
	b.parts = b.parts[:0]
	it := e.Key()
	for it.Next() {
		n := it.Node()
		start := b.base + int(n.Raw.Offset)
		part := keyPart{step: b.step(n.Data), start: start, end: start + int(n.Raw.Length)}
		b.doc.spans = append(b.doc.spans, span{start: part.start, end: part.end})
		b.parts = append(b.parts, part)
	}
	return b.parts
}

// step is the key that data spells.
func (b *builder) step(data []byte) step {
	s, ok := b.names[string(data)]
	if !ok {
		name := string(data)
		s = step{name, name}
		b.names[name] = s
	}
	return s
}

// open handles [keys] and [[keys]].
func (b *builder) open(keys []keyPart, list bool) {
	t := b.doc.root
	path := b.room[:0]
	defer func() { b.room = path }()
	last := keys[len(keys)-1]
	for _, k := range keys[:len(keys)-1] {
		path = append(path, k.any)
		next := t.fields[k.name]
		switch {
		case next == nil:
			next = b.node(node{origin: byPath, key: k.start, value: k.start})
			t.put(k.name, next)
		case next.kind == kindArray && next.origin == byHeader:
			path = append(path, len(next.items)-1)
			next = next.items[len(next.items)-1]
		case next.kind != kindTable || next.origin == byValue:
			b.clash(path, k.start, next)
			return
		}
		t = next
	}
	path = append(path, last.any)
	old := t.fields[last.name]
	fresh := b.node(node{origin: byHeader, key: last.start, value: last.start})
	switch {
	case list && old == nil:
		old = b.node(node{kind: kindArray, origin: byHeader, key: last.start, value: last.start})
		t.put(last.name, old)
		fallthrough
	case list && old.kind == kindArray && old.origin == byHeader:
		old.items = append(old.items, fresh)
		path = append(path, len(old.items)-1)
		b.table, b.path = fresh, path
	case !list && old == nil:
		t.put(last.name, fresh)
		b.table, b.path = fresh, path
	case !list && old.kind == kindTable && old.origin == byPath:
		old.origin, old.key, old.value = byHeader, last.start, last.start
		b.table, b.path = old, path
	default:
		b.clash(path, last.start, old)
	}
}

// clash reports a header for something that cannot be opened again; the keys
// below it are read and dropped.
func (b *builder) clash(path []any, at int, old *node) {
	b.again(path, at, old)
	b.table, b.path = &node{origin: byHeader}, nil
}

func (b *builder) again(path []any, at int, old *node) {
	line, _ := b.doc.position(old.key)
	b.doc.twice = append(b.doc.twice, twice{
		path:    append([]any(nil), path...),
		at:      at,
		message: fmt.Sprintf("defined twice: it is already there on line %d", line),
	})
}

// assign handles key = value in table t.
func (b *builder) assign(t *node, path []any, e *unstable.Node) {
	keys := b.keys(e)
	last := keys[len(keys)-1]
	for _, k := range keys[:len(keys)-1] {
		path = extend(path, k.any)
		next := t.fields[k.name]
		switch {
		case next == nil:
			next = b.node(node{origin: byDots, key: k.start, value: k.start})
			t.put(k.name, next)
		case next.kind != kindTable || next.origin != byDots:
			b.again(path, k.start, next)
			t = &node{}
			continue
		}
		t = next
	}
	path = extend(path, last.any)
	v := b.value(e.Value(), path, b.valueOffset(last.end))
	v.key = last.start
	if old := t.fields[last.name]; old != nil {
		b.again(path, last.start, old)
		old.copies = append(old.copies, v)
		return
	}
	t.put(last.name, v)
}

// valueOffset finds the value behind a key: the parser does not say where an
// array begins.
func (b *builder) valueOffset(keyEnd int) int {
	text, i := b.doc.text, keyEnd
	for i < len(text) && (text[i] == ' ' || text[i] == '\t' || text[i] == '=') {
		i++
	}
	return min(i, max(len(text)-1, 0))
}

func (b *builder) value(e *unstable.Node, path []any, at int) *node {
	n := b.node(node{key: at, value: at, origin: byValue})
	switch e.Kind {
	case unstable.Array:
		n.kind = kindArray
		for it := e.Children(); it.Next(); {
			c := it.Node()
			start := at
			if c.Raw.Length > 0 {
				start = b.base + int(c.Raw.Offset)
			}
			n.items = append(n.items, b.value(c, extend(path, len(n.items)), start))
		}
		return n
	case unstable.InlineTable:
		n.kind = kindTable
		for it := e.Children(); it.Next(); {
			b.assign(n, path, it.Node())
		}
		seal(n)
		return n
	case unstable.String:
		n.kind = kindString
	case unstable.Integer:
		n.kind = kindInteger
	case unstable.Float:
		n.kind = kindFloat
	case unstable.Bool:
		n.kind = kindBool
	default:
		n.kind = kindTime
	}
	n.text = string(e.Data)
	start := b.base + int(e.Raw.Offset)
	b.doc.spans = append(b.doc.spans, span{start: start, end: start + int(e.Raw.Length), node: n})
	return n
}

// seal closes the tables that dotted keys made inside { }: nothing outside
// may add to them.
func seal(t *node) {
	for _, c := range t.fields {
		if c.kind == kindTable && c.origin == byDots {
			c.origin = byValue
			seal(c)
		}
	}
}
