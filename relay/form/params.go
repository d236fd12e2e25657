package form

import (
	"errors"
	"fmt"
	"strings"
)

// maxBoundary is the longest boundary, by RFC 2046, 5.1.1.
const maxBoundary = 70

var (
	errType     = errors.New("the Content-Type of a form is multipart/form-data")
	errBoundary = fmt.Errorf("the Content-Type must name one boundary of 1 to %d letters, digits or '()+_,-./:=?", maxBoundary)
	errParam    = errors.New("its parameters must be written NAME=VALUE or NAME=\"VALUE\", without a quote inside a value")
)

// Boundary reads the boundary out of a form's Content-Type.
func Boundary(contentType string) (string, error) {
	kind, rest := cutType(contentType)
	if !strings.EqualFold(kind, "multipart/form-data") {
		return "", errType
	}
	boundary, charset := "", ""
	for rest != "" {
		p, next, err := cutParam(rest)
		switch {
		case err != nil:
			return "", err
		case p.name == "boundary" && boundary == "" && isBoundary(p.text):
			boundary = p.text
		case p.name == "charset" && charset == "" && readable(p.text):
			charset = p.text
		case p.name == "charset" && charset == "":
			return "", errCharset
		default:
			return "", errBoundary
		}
		rest = next
	}
	if boundary == "" {
		return "", errBoundary
	}
	return boundary, nil
}

// cutType cuts a header's value before its parameters.
func cutType(v string) (kind, rest string) {
	i := strings.IndexByte(v, ';')
	if i < 0 {
		i = len(v)
	}
	return strings.Trim(v[:i], " \t"), v[i:]
}

// param is one parameter of a header's value.
type param struct {
	name string // in lower case
	text string
}

// cutParam cuts the parameter that s begins with, semicolon first.
func cutParam(s string) (p param, rest string, err error) {
	s, ok := strings.CutPrefix(s, ";")
	if !ok {
		return param{}, "", errParam
	}
	name, s, ok := strings.Cut(strings.TrimLeft(s, " \t"), "=")
	if !ok || !isToken(name) {
		return param{}, "", errParam
	}
	p.name = strings.ToLower(name)
	var end int
	if strings.HasPrefix(s, `"`) {
		s = s[1:]
		end = strings.IndexByte(s, '"')
		// Behind a backslash the quote is a part of the value to some, not to others.
		if end < 0 || end > 0 && s[end-1] == '\\' {
			return param{}, "", errParam
		}
		p.text, rest = s[:end], s[end+1:]
	} else {
		end = strings.IndexByte(s, ';')
		if end < 0 {
			end = len(s)
		}
		p.text, rest = strings.TrimRight(s[:end], " \t"), s[end:]
		if !isToken(p.text) {
			return param{}, "", errParam
		}
	}
	if rest = strings.TrimLeft(rest, " \t"); rest != "" && rest[0] != ';' {
		return param{}, "", errParam
	}
	return p, rest, nil
}

// isBoundary reports whether s is a boundary; RFC 2046 allows spaces inside it,
// which nobody uses.
func isBoundary(s string) bool {
	if s == "" || len(s) > maxBoundary {
		return false
	}
	for i := range len(s) {
		if !isAlnum(s[i]) && strings.IndexByte("'()+_,-./:=?", s[i]) < 0 {
			return false
		}
	}
	return true
}

func isAlnum(ch byte) bool {
	return ch >= '0' && ch <= '9' || ch >= 'a' && ch <= 'z' || ch >= 'A' && ch <= 'Z'
}

// isToken reports whether s is a token of HTTP (RFC 9110, 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		if !isAlnum(s[i]) && strings.IndexByte("!#$%&'*+-.^_`|~", s[i]) < 0 {
			return false
		}
	}
	return s != ""
}

// isPlain reports whether s has no control character but tabs.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' && s[i] != '\t' || s[i] == 0x7f {
			return false
		}
	}
	return true
}
