package config

import (
	"fmt"
	"strings"
)

// Problem is one thing that is wrong in a configuration file, or, among
// Loaded.Warnings, one thing that is probably not meant. It never holds a
// secret.
type Problem struct {
	File    string // as it was given to Load or Parse
	Line    int    // from 1; 0 if it is about the file as a whole
	Column  int    // from 1, in characters
	Key     string // TOML path, as models.gpt_4.backends[0].weight; "" for a syntax error
	Message string // what is wrong and what would be right
	Excerpt string // the offending line, secrets masked, comments cut; "" if it is empty
}

// String is "file:line:column: key: message", without what is not known, and the excerpt on a second line
// if there is one.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 { // else it is about the whole
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	b.WriteString(": ")
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	b.WriteString(p.Message)
	if p.Excerpt != "" {
		b.WriteString("\n    " + p.Excerpt)
	}
	return b.String()
}

// Problems are all the things that are wrong in one file, sorted by position.
// It is the error of Load and Parse when the file could be read.
type Problems []Problem

// Error prints all problems, one after the other.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}
