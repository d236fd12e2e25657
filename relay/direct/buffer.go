package direct

import (
	"bytes"
	"errors"
	"io"
	"sync"
)

const (
	// firstIn is a connection's buffer: a stream holds one for as long as it runs.
	firstIn = 4 << 10
	// burstIn is the buffer of a connection that brings more than firstIn at
	// once, for as long as it does: fewer and larger reads.
	burstIn = 16 << 10
)

var bursts = sync.Pool{New: func() any { return new([burstIn]byte) }}

// buffer holds what was read and not yet used.
type buffer struct {
	src   io.Reader
	own   []byte
	burst *[burstIn]byte // in use instead of own
	b     []byte         // own, burst, or longer than both for a long header
	r, w  int
	full  bool // the last read left no room
}

func newBuffer(src io.Reader) buffer {
	own := make([]byte, firstIn)
	return buffer{src: src, own: own, b: own}
}

func (in *buffer) bytes() []byte { return in.b[in.r:in.w] }

func (in *buffer) skip(n int) { in.r += n }

// fill reads once more. There must be room, or nothing left unused.
func (in *buffer) fill() error {
	if in.r == in.w {
		in.choose()
	}
	n, err := in.src.Read(in.b[in.w:])
	in.w += n
	in.full = in.w == len(in.b)
	if n > 0 {
		return nil // the error, if it lasts, comes again
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// choose takes the storage for the next read, with nothing left unused.
func (in *buffer) choose() {
	switch {
	case !in.full:
		in.release()
	case in.burst == nil:
		in.burst = bursts.Get().(*[burstIn]byte)
		in.b = in.burst[:]
	}
	in.r, in.w = 0, 0
}

// release gives up more room than a waiting connection needs. Nothing may be
// left unused.
func (in *buffer) release() {
	in.r, in.w, in.full = 0, 0, false
	if in.burst != nil {
		bursts.Put(in.burst)
		in.burst = nil
	}
	in.b = in.own
}

// room makes some behind what is not yet used.
func (in *buffer) room() {
	if in.r > 0 {
		in.w = copy(in.b, in.b[in.r:in.w])
		in.r = 0
	}
	if in.w == len(in.b) {
		in.b = append(in.b, make([]byte, len(in.b))...)
	}
}

// header reads until a whole header is there and returns it, the empty line at
// its end included. It stays in the buffer. The error is io.EOF when nothing came.
func (in *buffer) header(limit int) ([]byte, error) {
	seen := 0
	in.full = true // much may come with it, as from a stream that waited for nobody
	for {
		b := in.bytes()
		if n := headerEnd(b, seen); n > 0 {
			return b[:n], nil
		}
		if seen = len(b); seen > limit {
			return nil, errHeader
		}
		if seen > 0 && in.w == len(in.b) {
			in.room()
		}
		if err := in.fill(); err != nil {
			if seen > 0 && errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}

// headerEnd is the length of the header that b begins with, 0 while it is not
// whole. Before from no end was found. Lines end in LF or CRLF.
func headerEnd(b []byte, from int) int {
	at := max(0, from-2)
	for {
		i := bytes.IndexByte(b[at:], '\n')
		if i < 0 {
			return 0
		}
		at += i + 1
		switch rest := b[at:]; {
		case len(rest) > 0 && rest[0] == '\n':
			return at + 1
		case len(rest) > 1 && rest[0] == '\r' && rest[1] == '\n':
			return at + 2
		}
	}
}
