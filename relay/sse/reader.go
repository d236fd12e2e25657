// Package sse reads server-sent events as they stand in the stream's bytes, so
// that a relay can pass them on without taking them apart and putting them
// together again.
//
// relay reads upstream answers with it. A Reader belongs to one goroutine.
package sse

import (
	"bytes"
	"errors"
	"io"
)

// ErrTooLong is returned for an event longer than the reader's limit.
var ErrTooLong = errors.New("sse: event is too long")

// Event is one event. Its bytes are valid until the next call of Next or Buffered.
type Event struct {
	Name []byte // the field event; empty if there was none
	Data []byte // the data lines, joined by newlines
	Bare bool   // Data is a JSON object that was no event's; see Reader.ReadBare
}

// Reader splits a stream into events. The framing is the HTML standard's:
// lines end in LF, CRLF or CR, an empty line ends an event, a line that begins
// with a colon is a comment, one space after a field's colon is not data.
// Beyond the standard, an event that the end of the stream cuts short of its
// empty line counts, since some upstreams end so; whether its data is whole is
// for the caller to see.
type Reader struct {
	src    io.Reader
	lender Lender // src, if it is one
	max    int

	buf    []byte // own, or what was lent
	lent   bool
	own    []byte
	pos    int  // next byte to look at
	line   int  // where the current line begins
	event  int  // where the current event begins: what is before it may go
	crlf   bool // the last line ended in CR: an LF right after it is part of that end
	full   bool // the last read left no room
	begun  bool // the byte order mark, if any, has been dealt with
	err    error
	name   span
	data   span
	has    bool   // the event has data
	joined []byte // data of several lines
	multi  bool
	bares  bool // hand out bare objects
	bare   bare
	listed bool // what stands before the current place, blank lines aside, is a list's punctuation
}

type span struct{ from, to int }

const (
	// firstBuffer is the room that a stream begins with; it grows with the
	// longest event up to the reader's limit.
	firstBuffer = 4 << 10
	// burstBuffer is the room of a stream that brings more than it has at once:
	// what is read together is passed on together.
	burstBuffer = 16 << 10
)

// Lender is a source that can show what it has without its being copied.
type Lender interface {
	// Lend waits, as Read does, and returns bytes that stay as they are until the
	// source is called again. Where it returns none and no error, Read is to be
	// called, with which it begins where Lend ended.
	Lend() ([]byte, error)
}

// NewReader returns a reader of src that refuses events of more than limit bytes.
func NewReader(src io.Reader, limit int) *Reader {
	r := &Reader{}
	r.Reset(src, limit)
	return r
}

// Reset makes r read from src; it keeps its buffer unless that grew large.
func (r *Reader) Reset(src io.Reader, limit int) {
	own, joined := r.own[:0], r.joined[:0]
	if cap(own) > burstBuffer {
		own = nil
	}
	if cap(joined) > burstBuffer {
		joined = nil
	}
	*r = Reader{src: src, max: limit, buf: own, own: own, joined: joined}
	r.lender, _ = src.(Lender)
}

// Next returns the next event that has data, blocking until it is there. At
// the end of the stream the error is io.EOF; any other is the source's own, or
// ErrTooLong.
func (r *Reader) Next() (Event, error) {
	r.drop()
	for {
		if r.scan() {
			return r.take(), nil
		}
		if r.err != nil {
			if errors.Is(r.err, io.EOF) && r.finish() {
				return r.take(), nil
			}
			return Event{}, r.err
		}
		r.fill()
	}
}

// Buffered reports whether Next would return an event without reading.
func (r *Reader) Buffered() bool {
	r.drop()
	return r.scan()
}

// scan looks for the end of the current event in what is buffered. It is
// called again without harm while an event stands ready.
func (r *Reader) scan() bool {
	if r.ready() {
		return true
	}
	for r.pos < len(r.buf) {
		if r.crlf {
			r.crlf = false
			if r.buf[r.pos] == '\n' {
				r.pos++
				r.line = r.pos
				continue
			}
		}
		if r.bares && r.atBare() {
			return r.scanBare()
		}
		i := lineEnd(r.buf[r.pos:])
		if i < 0 {
			r.pos = len(r.buf)
			return false
		}
		end := r.pos + i
		r.crlf = r.buf[end] == '\r'
		r.pos = end + 1
		start := r.line
		r.line = r.pos
		r.listed = r.listed && start == end // what is left of a list's line says nothing
		if start == end {
			if r.has {
				r.event = -1
				return true
			}
			r.reset()
			continue
		}
		r.field(start, end)
	}
	return false
}

// lineEnd is the offset of the first CR or LF, -1 if there is none.
func lineEnd(b []byte) int {
	n := bytes.IndexByte(b, '\n')
	if n >= 0 {
		b = b[:n]
	}
	if c := bytes.IndexByte(b, '\r'); c >= 0 {
		return c
	}
	return n
}

// ready reports whether a whole event was found and not yet dropped.
func (r *Reader) ready() bool { return r.event == -1 }

// field takes one line that is not empty.
func (r *Reader) field(from, to int) {
	if !r.begun {
		r.begun = true
		if bytes.HasPrefix(r.buf[from:to], []byte("\xef\xbb\xbf")) {
			from += 3
		}
	}
	line := r.buf[from:to]
	colon := bytes.IndexByte(line, ':')
	if colon == 0 {
		return
	}
	key, val := line, span{to, to}
	if colon > 0 {
		key = line[:colon]
		val.from = from + colon + 1
		if val.from < to && r.buf[val.from] == ' ' {
			val.from++
		}
	}
	switch string(key) {
	case "event":
		r.name = val
	case "data":
		r.addData(val)
	}
}

func (r *Reader) addData(v span) {
	switch {
	case !r.has:
		r.data, r.has = v, true
	case !r.multi:
		r.multi = true
		r.joined = append(r.joined[:0], r.buf[r.data.from:r.data.to]...)
		fallthrough
	default:
		r.joined = append(r.joined, '\n')
		r.joined = append(r.joined, r.buf[v.from:v.to]...)
	}
}

// take hands out the event that scan or finish found.
func (r *Reader) take() Event {
	e := Event{Name: r.buf[r.name.from:r.name.to], Data: r.buf[r.data.from:r.data.to], Bare: r.bare.on}
	if r.multi {
		e.Data = r.joined
	}
	r.event = -2
	return e
}

// drop forgets an event that was handed out.
func (r *Reader) drop() {
	if r.event == -2 {
		r.reset()
	}
}

// reset begins a new event at the current line.
func (r *Reader) reset() {
	r.event, r.name, r.data, r.has, r.multi, r.bare = r.line, span{}, span{}, false, false, bare{}
}

// finish ends the event that the end of the stream left open.
func (r *Reader) finish() bool {
	if r.bare.on {
		r.data.to, r.has = len(r.buf), true
		r.line, r.pos = len(r.buf), len(r.buf)
		return true
	}
	if r.line < len(r.buf) {
		r.field(r.line, len(r.buf))
		r.line, r.pos = len(r.buf), len(r.buf)
	}
	return r.has
}

// fill reads once more, having made room.
func (r *Reader) fill() {
	if r.event > 0 || r.lent {
		r.keep()
	}
	if len(r.buf) == 0 && r.lender != nil {
		lent, err := r.lender.Lend()
		if len(lent) > 0 {
			r.buf, r.lent, r.full = lent, true, false
			return
		}
		if err != nil {
			r.err = err
			return
		}
	}
	if len(r.buf) >= r.max {
		r.err = ErrTooLong
		return
	}
	switch {
	case len(r.buf) == cap(r.buf):
		r.grow(2 * cap(r.buf))
	case r.full && cap(r.buf) < burstBuffer:
		r.grow(burstBuffer)
	}
	n, err := r.src.Read(r.buf[len(r.buf):cap(r.buf)])
	r.buf = r.buf[:len(r.buf)+n]
	r.full = len(r.buf) == cap(r.buf)
	r.err = err
}

// keep moves the event that is not whole to the begin of the reader's own buffer.
func (r *Reader) keep() {
	r.own = append(r.own[:0], r.buf[r.event:]...)
	r.buf, r.lent = r.own, false
	r.pos -= r.event
	r.line -= r.event
	r.name = r.name.shift(r.event)
	r.data = r.data.shift(r.event)
	r.event = 0
}

func (r *Reader) grow(size int) {
	grown := make([]byte, len(r.buf), min(max(firstBuffer, size), r.max))
	copy(grown, r.buf)
	r.buf, r.own = grown, grown
}

func (s span) shift(by int) span {
	if s == (span{}) {
		return s
	}
	return span{s.from - by, s.to - by}
}
