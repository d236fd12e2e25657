// Package strict reads a JSON text that somebody else will read again, and
// refuses what two parsers could read differently: duplicate member names,
// escaped ones too, invalid UTF-8, lone surrogates, anything after the value.
//
// relay reads each client's request with it, once, to find the few members that
// it needs; what it does not need is passed over at the speed of memory. A
// Reader belongs to one goroutine.
package strict

import (
	"bytes"
	"fmt"
	"io"
	"unicode/utf8"
)

// MaxDepth is how deep a text may nest.
const MaxDepth = 10_000

// Reader walks one text. The zero value reads an empty one. After an error it
// is of no use until Reset.
type Reader struct {
	b      []byte
	i      int  // what is next
	high   bool // a byte above ASCII was seen: the text is to be checked
	frames []frame
	names  [][]byte // of the members of all open objects, those of the innermost last
}

// frame is an open object or array.
type frame struct {
	object bool
	filled bool // it has a member or element
	from   int  // where its names begin
	many   map[string]struct{}
}

// keptRoom bounds the storage that Reset keeps, in names and in levels.
const keptRoom = 1 << 10

// Reset makes r read text, which must not change meanwhile; nil lets go of the
// one before.
func (r *Reader) Reset(text []byte) {
	names, frames := r.names[:cap(r.names)], r.frames[:cap(r.frames)]
	clear(names)
	clear(frames)
	if len(names) > keptRoom {
		names = nil
	}
	if len(frames) > keptRoom {
		frames = nil
	}
	*r = Reader{b: text, names: names[:0], frames: frames[:0]}
}

// Offset is where what was read last ends.
func (r *Reader) Offset() int { return r.i }

// Peek returns the first byte of the value that comes next, without reading it;
// 0 at the end of the text. It is to be called where a value may stand: at the
// beginning and after Name or Element.
func (r *Reader) Peek() byte {
	i := r.space(r.i)
	if i < len(r.b) {
		return r.b[i]
	}
	return 0
}

// Begin enters the object or array that comes next: open is '{' or '['.
func (r *Reader) Begin(open byte) error {
	i := r.space(r.i)
	if i >= len(r.b) {
		return io.ErrUnexpectedEOF
	}
	if r.b[i] != open {
		return r.unexpected(i)
	}
	if len(r.frames) >= MaxDepth {
		return fmt.Errorf("nested deeper than %d levels at offset %d", MaxDepth, i)
	}
	r.i = i + 1
	r.frames = append(r.frames, frame{object: open == '{', from: len(r.names)})
	return nil
}

// Name reads the name of the next member of the object entered last; its value
// must be read next. It is nil at the object's end, which is left with it. An
// empty name is not nil. The name is valid until Reset.
func (r *Reader) Name() ([]byte, error) {
	more, err := r.next('}')
	if err != nil || !more {
		return nil, err
	}
	start := r.i
	if start >= len(r.b) {
		return nil, io.ErrUnexpectedEOF
	}
	if r.b[start] != '"' {
		return nil, r.unexpected(start)
	}
	escaped, err := r.str()
	if err != nil {
		return nil, err
	}
	name := r.b[start+1 : r.i-1 : r.i-1]
	if escaped {
		name = unescape(name)
	}
	if !r.unique(name) {
		return nil, fmt.Errorf("duplicate member name %.100q at offset %d", name, start)
	}
	end := r.i
	i := r.space(end)
	if i >= len(r.b) {
		return nil, io.ErrUnexpectedEOF
	}
	if r.b[i] != ':' {
		return nil, r.unexpected(i)
	}
	r.i = i + 1
	return name, nil
}

// Element goes to the next element of the array entered last, which must be
// read next. It is false at the array's end, which is left with it.
func (r *Reader) Element() (bool, error) { return r.next(']') }

// next passes the comma before another member or element, or the end.
func (r *Reader) next(end byte) (bool, error) {
	f := &r.frames[len(r.frames)-1]
	i := r.space(r.i)
	if i >= len(r.b) {
		return false, io.ErrUnexpectedEOF
	}
	switch ch := r.b[i]; {
	case ch == end:
		r.i = i + 1
		r.names = r.names[:f.from]
		r.frames = r.frames[:len(r.frames)-1]
		return false, nil
	case !f.filled:
		f.filled = true
	case ch != ',':
		return false, r.unexpected(i)
	default:
		i = r.space(i + 1)
	}
	r.i = i
	return true, nil
}

// Value reads one value of any kind and returns its text.
func (r *Reader) Value() ([]byte, error) {
	start := r.space(r.i)
	if err := r.Skip(); err != nil {
		return nil, err
	}
	return r.b[start:r.i:r.i], nil
}

// Skip reads one value of any kind.
func (r *Reader) Skip() error {
	depth := len(r.frames)
	for {
		if err := r.enter(); err != nil {
			return err
		}
		for {
			if len(r.frames) == depth {
				return nil
			}
			var more bool
			var err error
			if r.frames[len(r.frames)-1].object {
				var name []byte
				name, err = r.Name()
				more = name != nil
			} else {
				more, err = r.Element()
			}
			if err != nil {
				return err
			}
			if more {
				break
			}
		}
	}
}

// enter reads a scalar, or enters an object or array.
func (r *Reader) enter() error {
	i := r.space(r.i)
	if i >= len(r.b) {
		return io.ErrUnexpectedEOF
	}
	switch ch := r.b[i]; ch {
	case '{', '[':
		return r.Begin(ch)
	case '"':
		r.i = i
		_, err := r.str()
		return err
	case 't':
		return r.word(i, "true")
	case 'f':
		return r.word(i, "false")
	case 'n':
		return r.word(i, "null")
	default:
		return r.number(i)
	}
}

// End reads the end of the text: nothing but white space may follow.
func (r *Reader) End() error {
	if i := r.space(r.i); i < len(r.b) {
		return fmt.Errorf("there is more after the object, at offset %d", i)
	}
	if r.high && !utf8.Valid(r.b) {
		return errUTF8(r.b)
	}
	return nil
}

// errUTF8 says where text stops being UTF-8.
func errUTF8(text []byte) error {
	at := 0
	for at < len(text) {
		c, n := utf8.DecodeRune(text[at:])
		if c == utf8.RuneError && n == 1 {
			break
		}
		at += n
	}
	return fmt.Errorf("invalid UTF-8 at offset %d", at)
}

// fewNames is how many names of one object are compared one by one.
const fewNames = 24

// unique notes a member's name; it is false if the object has it already.
func (r *Reader) unique(name []byte) bool {
	f := &r.frames[len(r.frames)-1]
	if f.many == nil {
		own := r.names[f.from:]
		for _, n := range own {
			if bytes.Equal(n, name) {
				return false
			}
		}
		if len(own) < fewNames {
			r.names = append(r.names, name)
			return true
		}
		f.many = make(map[string]struct{}, 2*fewNames)
		for _, n := range own {
			f.many[string(n)] = struct{}{}
		}
	} else if _, ok := f.many[string(name)]; ok {
		return false
	}
	f.many[string(name)] = struct{}{}
	return true
}

func (r *Reader) space(i int) int {
	for i < len(r.b) {
		switch r.b[i] {
		case ' ', '\t', '\n', '\r':
			i++
		default:
			return i
		}
	}
	return i
}

func (r *Reader) unexpected(i int) error {
	return fmt.Errorf("invalid character %q at offset %d", r.b[i], i)
}
