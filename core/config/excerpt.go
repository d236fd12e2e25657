package config

import (
	"bytes"
	"regexp"
	"sort"
	"strings"
	"unicode"
)

// excerpt returns the line of an offset, fit to be shown: comments are cut,
// and values are masked unless their key is known to hold no secret. A line
// that is not TOML is judged by its text alone.
func (d *document) excerpt(offset int, schema *section) string {
	start, end := d.lineAt(offset)
	var line string
	if b := d.brokenAt(start, end); b != nil {
		line = d.roughExcerpt(start, end, b, schema)
	} else {
		line = d.exactExcerpt(start, end)
	}
	line = strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case !unicode.IsPrint(r):
			return '?'
		}
		return r
	}, line)
	const most = 200
	if runes := []rune(line); len(runes) > most {
		line = string(runes[:most]) + "..."
	}
	return strings.TrimSpace(scrub(line))
}

// brokenAt returns the stretch of broken text that shares bytes with
// [start, end], or nil.
func (d *document) brokenAt(start, end int) *broken {
	for i := range d.broken {
		if b := &d.broken[i]; b.start <= end && (start < b.end || start <= b.at) {
			return b
		}
	}
	return nil
}

// exactExcerpt knows every key and scalar of the line.
func (d *document) exactExcerpt(start, end int) string {
	var out strings.Builder
	at := start
	first := sort.Search(len(d.spans), func(i int) bool { return d.spans[i].end > start })
	for _, s := range d.spans[first:] {
		if s.start >= end {
			break
		}
		if !copyUntilComment(&out, d.text[at:max(at, s.start)]) {
			return out.String()
		}
		piece := d.text[max(s.start, start):min(s.end, end)]
		switch {
		case s.node == nil || s.node.shown:
			out.Write(piece)
		case s.node.kind == kindString && len(s.node.text) > 0:
			out.WriteString(`"` + masked + `"`)
		case s.node.kind == kindString:
			out.WriteString(`""`)
		default:
			out.WriteString(masked)
		}
		at = min(s.end, end)
	}
	copyUntilComment(&out, d.text[at:max(at, end)])
	return out.String()
}

func copyUntilComment(out *strings.Builder, text []byte) bool {
	before, _, cut := bytes.Cut(text, []byte("#"))
	out.Write(before)
	return !cut
}

// plainKey matches what stands before the = of an ordinary line.
var plainKey = regexp.MustCompile(`^[ \t]*(?:[A-Za-z0-9_-]+[ \t]*\.[ \t]*)*([A-Za-z0-9_-]+)[ \t]*$`)

// roughExcerpt works on a line of which only the text is known. It shows
// headers, keys, and the values of keys that hold no secret.
func (d *document) roughExcerpt(start, end int, b *broken, schema *section) string {
	line := string(d.text[start:end])
	if b.start < start && !safeKey(string(d.text[b.start:d.nextLine(b.start)]), schema) {
		return masked // inside a value of several lines
	}
	line = cutComment(line)
	key, value, hasValue := strings.Cut(line, "=")
	trimmed := strings.TrimSpace(line)
	switch {
	case !hasValue && b.start < start:
		return line
	case !hasValue && (strings.HasPrefix(trimmed, "[") || trimmed == ""):
		return line
	case !hasValue && startsSafe(trimmed, schema):
		return line
	case !hasValue || !plainKey.MatchString(key):
		return masked
	case !safeKey(line, schema) || strings.ContainsAny(value, "={"):
		return key + "= " + masked
	}
	return line
}

// cutComment cuts at the first # outside quotes, or at any # when the quotes
// do not add up.
func cutComment(line string) string {
	var quote rune
	for i, r := range line {
		switch {
		case quote == 0 && r == '#':
			return line[:i]
		case quote == 0 && (r == '"' || r == '\''):
			quote = r
		case quote == r:
			quote = 0
		}
	}
	if quote != 0 {
		line, _, _ = strings.Cut(line, "#")
	}
	return line
}

// safeKey reports whether a line assigns to a key that holds no secret
// wherever it occurs in the schema.
func safeKey(line string, schema *section) bool {
	key, _, ok := strings.Cut(line, "=")
	if !ok {
		return false
	}
	m := plainKey.FindStringSubmatch(key)
	if m == nil {
		return false
	}
	known, secret := occurs(schema, m[1])
	return known && !secret
}

// startsSafe reports whether the first word of a line without = is a key that
// holds no secret.
func startsSafe(line string, schema *section) bool {
	word, _, _ := strings.Cut(line, " ")
	return safeKey(word+"=", schema)
}

// occurs looks for leaf keys of this name in the whole schema.
func occurs(s *section, key string) (known, secret bool) {
	for _, f := range s.fields {
		switch {
		case f.sub != nil:
			k, sec := occurs(f.sub, key)
			known, secret = known || k, secret || sec
		case f.key == key:
			known, secret = true, secret || f.secret
		}
	}
	return known, secret
}

// soundsSecret reports whether an unknown key may well be meant for a secret.
func soundsSecret(key string) bool {
	key = strings.ToLower(key)
	for _, word := range []string{"key", "token", "secret", "pass", "cred", "auth", "sha"} {
		if strings.Contains(key, word) {
			return true
		}
	}
	return false
}

var (
	userinfo   = regexp.MustCompile(`(://)[^/@\s"']*@`)
	queryPart  = regexp.MustCompile(`(://[^\s"'?]*\?)[^\s"'#]+`)
	credential = regexp.MustCompile(`\b(sk-|(?i:bearer|basic) +)[^\s"',]{6,}`)
)

// scrub masks what looks like a credential in a text that is about to be
// shown, as a last line of defence: secrets that were put where none belong.
func scrub(s string) string {
	s = userinfo.ReplaceAllString(s, "${1}"+masked+"@")
	s = queryPart.ReplaceAllString(s, "${1}"+masked)
	return credential.ReplaceAllString(s, "${1}"+masked)
}
