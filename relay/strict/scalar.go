package strict

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/bits"
	"slices"
	"unicode/utf16"
)

// A word of eight bytes is looked at as a whole.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// Plain returns how many bytes of a string's text need no look: up to the first
// quote, backslash or control character, or to the last word of b. high is
// false when no byte above ASCII is among them.
func Plain(b []byte) (n int, high bool) {
	var seen uint64
	rest := b
	for len(rest) >= 8 {
		w := binary.LittleEndian.Uint64(rest)
		// Subtracting borrows from the high bit of a byte that is zero, and in
		// the last of the three of one that is less than a space. A borrow that
		// goes on upwards marks wrong bytes only above a right one.
		q, s := w^ones*'"', w^ones*'\\'
		stop := ((q-ones)&^q | (s-ones)&^s | (w-ones*' ')&^w) & highs
		seen |= w
		if stop != 0 {
			return len(b) - len(rest) + bits.TrailingZeros64(stop)/8, seen&highs != 0
		}
		rest = rest[8:]
	}
	return len(b) - len(rest), seen&highs != 0
}

// str reads the string that begins at i. It reports whether it has escapes.
func (r *Reader) str() (escaped bool, err error) {
	b, i := r.b, r.i+1
	for {
		n, high := Plain(b[i:])
		i += n
		r.high = r.high || high
		if i >= len(b) {
			return false, io.ErrUnexpectedEOF
		}
		switch ch := b[i]; {
		case ch == '"':
			r.i = i + 1
			return escaped, nil
		case ch == '\\':
			escaped = true
			n, err := r.escape(i)
			if err != nil {
				return false, err
			}
			i += n
		case ch < ' ':
			return false, r.unexpected(i)
		default: // in the last bytes, too few for a word
			r.high = r.high || ch >= 0x80
			i++
		}
	}
}

// escape returns the length of the escape sequence at i; that of a surrogate
// pair is two sequences.
func (r *Reader) escape(i int) (int, error) {
	b := r.b[i:]
	if len(b) < 2 {
		return 0, io.ErrUnexpectedEOF
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, nil
	case 'u':
	default:
		return 0, fmt.Errorf("invalid escape sequence %q at offset %d", b[:2], i)
	}
	c, err := r.hex(i)
	if err != nil || !utf16.IsSurrogate(c) {
		return 6, err
	}
	if rest := b[6:]; len(rest) == 0 || rest[0] == '\\' && (len(rest) == 1 || rest[1] == 'u') {
		low, err := r.hex(i + 6)
		if err != nil {
			return 0, err
		}
		if utf16.DecodeRune(c, low) != '\ufffd' {
			return 12, nil
		}
	}
	return 0, fmt.Errorf("invalid surrogate pair %q at offset %d", b[:6], i)
}

// hex reads the four digits of the \u sequence at i.
func (r *Reader) hex(i int) (rune, error) {
	b := r.b[i:]
	if len(b) < 6 {
		return 0, io.ErrUnexpectedEOF
	}
	var c rune
	for _, ch := range b[2:6] {
		switch {
		case ch >= '0' && ch <= '9':
			ch -= '0'
		case ch >= 'a' && ch <= 'f':
			ch -= 'a' - 10
		case ch >= 'A' && ch <= 'F':
			ch -= 'A' - 10
		default:
			return 0, fmt.Errorf("invalid escape sequence %q at offset %d", b[:6], i)
		}
		c = c<<4 | rune(ch)
	}
	return c, nil
}

// Unquote returns the text of a string value that Value returned, "" for any
// other value.
func Unquote(value []byte) string {
	if len(value) < 2 || value[0] != '"' {
		return ""
	}
	text := value[1 : len(value)-1]
	if slices.Contains(text, '\\') {
		text = unescape(text)
	}
	return string(text)
}

// unescape returns the text of a string that has been read, quotes left out.
func unescape(s []byte) []byte {
	quoted := make([]byte, 0, len(s)+2)
	quoted = append(append(append(quoted, '"'), s...), '"')
	var text string
	if json.Unmarshal(quoted, &text) != nil {
		return s // cannot be: it has been read
	}
	return []byte(text)
}

func (r *Reader) word(i int, w string) error {
	for n := range len(w) {
		if i+n >= len(r.b) {
			return io.ErrUnexpectedEOF
		}
		if r.b[i+n] != w[n] {
			return r.unexpected(i + n)
		}
	}
	r.i = i + len(w)
	return nil
}

// number reads a number as RFC 8259 has it.
func (r *Reader) number(i int) error {
	at := func() byte {
		if i < len(r.b) {
			return r.b[i]
		}
		return 0
	}
	digits := func() error {
		from := i
		for at() >= '0' && at() <= '9' {
			i++
		}
		switch {
		case i > from:
			return nil
		case i >= len(r.b):
			return io.ErrUnexpectedEOF
		}
		return r.unexpected(i)
	}
	if at() == '-' {
		i++
	}
	if at() == '0' {
		i++
	} else if err := digits(); err != nil {
		return err
	}
	if at() == '.' {
		i++
		if err := digits(); err != nil {
			return err
		}
	}
	if at() == 'e' || at() == 'E' {
		i++
		if at() == '+' || at() == '-' {
			i++
		}
		if err := digits(); err != nil {
			return err
		}
	}
	r.i = i
	return nil
}
