package form

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxLines is how many lines the header of one part may have.
const maxLines = 16

var (
	errCharset     = errors.New("its characters must be UTF-8")
	errLine        = errors.New("a line of its header is not NAME: VALUE with plain characters")
	errLines       = fmt.Errorf("its header has more than %d lines", maxLines)
	errDisposition = errors.New("it needs one line Content-Disposition: form-data; name=\"NAME\"")
	errNested      = errors.New("a form inside a form is not read")
	errLength      = errors.New("its Content-Length is not its length")
	errEncoding    = errors.New("an encoded part is not read: send it as it is")
)

// header reads the header of a part with the given value.
func (p *Part) header(text string, value []byte) error {
	if !utf8.ValidString(text) {
		return errCharset
	}
	var seen [maxLines]string
	n := 0
	for line := range strings.SplitSeq(text, "\r\n") {
		if n == maxLines {
			return errLines
		}
		name, v, ok := strings.Cut(line, ":")
		if !ok || !isToken(name) || !isPlain(v) {
			return errLine
		}
		name = strings.ToLower(name)
		if slices.Contains(seen[:n], name) {
			return fmt.Errorf("its header has two lines %s", name)
		}
		seen[n] = name
		n++
		if err := p.line(name, strings.Trim(v, " \t"), value); err != nil {
			return err
		}
	}
	if p.Name == "" {
		return errDisposition
	}
	// Without a type a part is text, says RFC 7578; a file is not ours to read.
	p.Text = !p.File && (p.Text || !slices.Contains(seen[:n], "content-type"))
	return nil
}

// line takes one line of the header; name is in lower case.
func (p *Part) line(name, v string, value []byte) error {
	switch name {
	case "content-disposition":
		return p.disposition(v)
	case "content-type":
		return p.contentType(v)
	case "content-length": // some servers believe it, most do not
		if v != strconv.Itoa(len(value)) {
			return errLength
		}
	case "content-transfer-encoding":
		switch strings.ToLower(v) {
		case "7bit", "8bit", "binary":
		default:
			return errEncoding
		}
	case "content-encoding":
		if !strings.EqualFold(v, "identity") {
			return errEncoding
		}
	}
	return nil
}

// disposition reads form-data; name="NAME"; filename="FILE".
func (p *Part) disposition(v string) error {
	kind, rest := cutType(v)
	if !strings.EqualFold(kind, "form-data") {
		return errDisposition
	}
	var plain, extended bool // a file's name in the two ways
	for rest != "" {
		one, next, err := cutParam(rest)
		if err != nil {
			return err
		}
		rest = next
		switch {
		case one.name == "name" && p.Name == "":
			p.Name = one.text
		case one.name == "filename" && !plain:
			p.File, plain = true, true
		case one.name == "filename*" && !extended:
			p.File, extended = true, true
		default:
			return errDisposition
		}
		// A parser that looks for name= in the whole line must not find another.
		if hidesName(one.text) {
			return fmt.Errorf("its Content-Disposition has a value with %q in it, which some servers misread", "name=")
		}
	}
	if p.Name == "" || strings.ContainsRune(p.Name, '\\') || strings.Contains(p.Name, "=?") {
		return errDisposition
	}
	return nil
}

// contentType reads a part's type.
func (p *Part) contentType(v string) error {
	kind, rest := cutType(v)
	kind = strings.ToLower(kind)
	if strings.HasPrefix(kind, "multipart/") || strings.HasPrefix(kind, "message/") {
		return errNested
	}
	p.Text = kind == "text/plain" && rest == ""
	if kind != "text/plain" {
		return nil // a file's, whose parameters are nobody's business here
	}
	if one, next, err := cutParam(rest); rest != "" && err == nil && next == "" && one.name == "charset" {
		p.Text = readable(one.text)
	}
	return nil
}

// readable reports whether ASCII is written in a charset as in UTF-8, so that
// servers that believe it, and those that do not, find the same fields.
func readable(charset string) bool {
	switch strings.ToLower(charset) {
	case "utf-8", "utf8", "us-ascii", "iso-8859-1", "windows-1252":
		return true
	}
	return false
}

// hidesName reports whether text has something like a parameter name in it.
func hidesName(text string) bool {
	text = strings.ToLower(text)
	for {
		i := strings.Index(text, "name")
		if i < 0 {
			return false
		}
		text = text[i+len("name"):]
		if next := strings.TrimLeft(text, " \t"); next != "" && (next[0] == '=' || next[0] == '*') {
			return true
		}
	}
}
