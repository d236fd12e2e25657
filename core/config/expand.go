package config

import (
	"path/filepath"
	"regexp"
	"strings"
)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// expand replaces the variables in the string n: ${VAR}, ${VAR:-default}, and
// $$ for a single $. As in a shell the default also stands in for an empty
// variable. A $ before anything else is itself.
func (l *loader) expand(n *node, path []any) (string, bool) {
	if !strings.Contains(n.text, "$") {
		return n.text, true
	}
	var out strings.Builder
	rest := n.text
	for {
		before, after, found := strings.Cut(rest, "$")
		out.WriteString(before)
		switch {
		case !found:
			return out.String(), true
		case strings.HasPrefix(after, "$"):
			out.WriteByte('$')
			rest = after[1:]
		case strings.HasPrefix(after, "{"):
			body, tail, closed := strings.Cut(after[1:], "}")
			if !closed {
				l.problem(n, path, "a ${ has no closing }; write $$ for a $ itself")
				return "", false
			}
			n.varied = true
			value, ok := l.variable(n, path, body)
			if !ok {
				return "", false
			}
			out.WriteString(value)
			rest = tail
		default:
			out.WriteByte('$')
			rest = after
		}
	}
}

// variable returns the value of what stands between ${ and }.
func (l *loader) variable(n *node, path []any, body string) (string, bool) {
	name, fallback, hasFallback := strings.Cut(body, ":-")
	if !variableName.MatchString(name) {
		// The text is not repeated: whoever writes ${sk-...} has put a secret there.
		l.problem(n, path, "what stands in ${ } is not the name of a variable: letters, digits and _, no digit first; write $$ for a $ itself")
		return "", false
	}
	value, set := l.env.Lookup(name)
	switch {
	case hasFallback && value == "":
		return fallback, true
	case !set:
		l.problem(n, path, "the environment variable %s is not set; set it, or write ${%s:-default}", clip(name), clip(name))
		return "", false
	}
	return value, true
}

// secretFile returns what the file named by the key at path holds, less one
// trailing newline.
func (l *loader) secretFile(path []any, name string) (string, bool) {
	data, err := l.env.ReadFile(l.fromHere(name))
	if err != nil {
		l.wrong(path, "cannot read the file: %s", reason(err))
		return "", false
	}
	value := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if value == "" {
		l.wrong(path, "the file is empty")
		return "", false
	}
	return value, true
}

// fromHere makes a relative path one that starts at the folder of the
// configuration file.
func (l *loader) fromHere(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(l.dir, path)
}
