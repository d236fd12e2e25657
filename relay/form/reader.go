// Package form reads a multipart/form-data body (RFC 7578) that somebody else
// will read again, and refuses what two parsers could read differently: line
// ends other than CRLF, text outside of parts, a boundary that stands inside a
// part, folded, repeated or ambiguous headers, encodings, nested bodies, a body
// without its end.
//
// relay reads each client's form with it, once, to find where its fields stand;
// the bytes go upstream as they came. A Reader belongs to one goroutine.
package form

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	// MaxParts is how many parts a form may have; widely used servers refuse
	// more than this too.
	MaxParts = 1000
	// maxHeader bounds the header of one part, in bytes.
	maxHeader = 8 << 10
	// maxEnd bounds the line ends behind the closing boundary: some clients add
	// an empty line to the one that belongs there.
	maxEnd = 8
)

// Part is one part of a form; the offsets are in the form's body.
type Part struct {
	Name string // of the field
	File bool   // it says that it is a file, whatever its name
	// Text is set for a part that is no file and that says nothing of its type,
	// or that it is text in which ASCII is as in UTF-8.
	Text bool

	Start, End           int // from its delimiter to the next part's: without it the form is still a form
	ValueStart, ValueEnd int // its value
}

// Reader walks one form.
type Reader struct {
	b         []byte
	delimiter []byte // two dashes and the boundary
	i         int    // where the next delimiter stands
	parts     int
}

// NewReader returns a reader of body, which must not change meanwhile. The
// boundary is what Boundary read.
func NewReader(body []byte, boundary string) *Reader {
	return &Reader{b: body, delimiter: []byte("--" + boundary)}
}

var (
	errBegin   = errors.New("it does not begin with the boundary that its Content-Type names")
	errAfter   = errors.New("there is more after its end")
	errMany    = fmt.Errorf("it has more than %d parts", MaxParts)
	errInside  = errors.New("the boundary stands inside a part: choose one that the files do not contain")
	errHeaders = fmt.Errorf("a part's header has no end within %d bytes", maxHeader)
)

var crlf = []byte("\r\n")

// Next returns the next part. The error is io.EOF after the last one,
// io.ErrUnexpectedEOF where the form ends without its closing boundary; any
// other says what is wrong with the form. After an error the reader is of no
// use.
func (r *Reader) Next() (Part, error) {
	if r.i == 0 && !bytes.HasPrefix(r.b, r.delimiter) {
		if len(r.b) == 0 {
			return Part{}, io.ErrUnexpectedEOF
		}
		return Part{}, errBegin
	}
	at := r.i + len(r.delimiter)
	rest, last := bytes.CutPrefix(r.b[at:], []byte("--"))
	switch {
	case last && len(rest) <= maxEnd && len(bytes.ReplaceAll(rest, crlf, nil)) == 0:
		return Part{}, io.EOF
	case last:
		return Part{}, errAfter
	case len(rest) < len(crlf):
		return Part{}, io.ErrUnexpectedEOF
	case !bytes.HasPrefix(rest, crlf):
		return Part{}, errInside
	case r.parts == MaxParts:
		return Part{}, errMany
	}
	r.parts++
	return r.part(at + len(crlf))
}

// part reads the part whose header begins at from.
func (r *Reader) part(from int) (Part, error) {
	n := bytes.Index(r.b[from:], r.delimiter)
	if n < 0 {
		return Part{}, io.ErrUnexpectedEOF
	}
	next := from + n
	head := r.b[from:next]
	end := bytes.Index(head[:min(len(head), maxHeader)], []byte("\r\n\r\n"))
	if end < 0 {
		return Part{}, errHeaders
	}
	p := Part{Start: r.i, End: next, ValueStart: from + end + 4, ValueEnd: next - len(crlf)}
	if p.ValueEnd < p.ValueStart || !bytes.Equal(r.b[p.ValueEnd:next], crlf) {
		return Part{}, errInside
	}
	value := r.b[p.ValueStart:p.ValueEnd]
	if err := p.header(string(head[:end]), value); err != nil {
		return Part{}, fmt.Errorf("part %d: %w", r.parts, err)
	}
	// RFC 7578, 4.6: a field of this name says how the others are to be read.
	if p.Name == "_charset_" && !readable(strings.TrimSpace(string(value[:min(len(value), maxHeader)]))) {
		return Part{}, errCharset
	}
	r.i = next
	return p, nil
}
