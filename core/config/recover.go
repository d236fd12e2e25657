package config

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

var (
	// whole matches a line that has all of a key and the = behind it, or opens a table.
	whole = regexp.MustCompile(`^[ \t]*(\[|[A-Za-z0-9_."'-][A-Za-z0-9_."' -]*=)`)
	// fresh matches a line that is not the rest of a value begun above.
	fresh = regexp.MustCompile(`^[ \t]*([A-Za-z_\[]|["'0-9-][A-Za-z0-9_."' -]*=)`)
	// unquoted matches a key with a word behind it that has no quotes.
	unquoted = regexp.MustCompile(`^[^=]*=[ \t]*[A-Za-z][^"'\[{]*$`)
)

// recover notes a syntax error and finds the line to go on with. Lines after
// an error that look like the rest of the same mistake are skipped in silence.
func (b *builder) recover(failure *unstable.ParserError) {
	d := b.doc
	at := min(cap(d.text)-cap(failure.Highlight), len(d.text))
	start := b.skipBlank(at)
	resume := d.nextLine(at)
	startLine, _ := d.position(start)
	_, lineEnd := d.lineAt(start)
	line := d.text[start:max(start, lineEnd)]
	message := "this is not TOML: " + inWords(failure.Message, line)
	if atLine, _ := d.position(at); atLine > startLine {
		message += fmt.Sprintf(" (in what begins on line %d)", startLine)
		// An array or table that was left open swallows the line behind it,
		// and the parser stumbles over how that begins.
		lineStart, lineEnd := d.lineAt(at)
		if len(bytes.Trim(d.text[lineStart:at], " \t[")) == 0 && whole.Match(d.text[lineStart:lineEnd]) {
			resume = lineStart
		}
	}
	if !b.dazed || fresh.Match(line) {
		d.broken = append(d.broken, broken{start: start, at: at, end: max(resume, at), message: message})
	} else {
		d.broken[len(d.broken)-1].end = max(resume, at)
	}
	b.dazed = true
	if bytes.HasPrefix(line, []byte("[")) {
		// Nobody knows what table the next keys belong to.
		b.table, b.path = &node{origin: byHeader}, nil
	}
	b.base, b.done = resume, resume
}

// inWords says what the parser complains of in words that help more, where
// there are some.
func inWords(complaint string, line []byte) string {
	switch {
	case unquoted.Match(line):
		return "a string needs quotes around it"
	case strings.HasSuffix(complaint, "strings cannot have new lines"), strings.HasPrefix(complaint, "unterminated "):
		return "the closing quote is missing"
	case strings.HasPrefix(complaint, "invalid escape character"):
		return complaint + `; write \\ for a backslash, or '...' for a string without escapes`
	}
	return complaint
}

// skipBlank returns where the expression that failed at offset at begins.
func (b *builder) skipBlank(at int) int {
	text, i := b.doc.text, b.done
	for i < at {
		switch text[i] {
		case ' ', '\t', '\r', '\n':
			i++
		case '#':
			end := b.doc.nextLine(i)
			if end > at {
				return i
			}
			i = end
		default:
			return i
		}
	}
	return at
}
