package direct

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
)

const (
	// firstIn is the room for a read that is not known to bring much.
	firstIn = 4 << 10
	// burstIn is the room for one that follows a read that filled its own: fewer
	// and larger reads.
	burstIn = 16 << 10
)

var (
	firsts = sync.Pool{New: func() any { return new([firstIn]byte) }}
	bursts = sync.Pool{New: func() any { return new([burstIn]byte) }}
)

// buffer holds what was read and not yet used. Its storage is borrowed: one that
// holds nothing and waits has none. So a thousand streams need a few buffers, and
// a read goes to memory that the processor has at hand.
type buffer struct {
	src  io.Reader
	sock socket

	b    []byte // first, burst, or longer than both for a long header; nil for none
	r, w int

	first *[firstIn]byte // what is borrowed
	burst *[burstIn]byte
	full  bool // the last read left no room
}

// over makes in read from src.
func (in *buffer) over(src io.Reader) {
	in.src = src
	if nc, ok := src.(net.Conn); ok {
		in.sock.open(nc, in)
	}
}

func (in *buffer) bytes() []byte { return in.b[in.r:in.w] }

func (in *buffer) skip(n int) { in.r += n }

// fill reads once more. There must be room, or nothing left unused.
func (in *buffer) fill() error {
	if in.r == in.w {
		in.r, in.w = 0, 0
	}
	n, ok, err := in.sock.read()
	if !ok {
		n, err = in.src.Read(in.borrow())
	}
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

// borrow returns the room for the next read.
func (in *buffer) borrow() []byte {
	if in.w == 0 {
		in.choose()
	}
	return in.b[in.w:]
}

// choose takes the storage for a read, with nothing left unused.
func (in *buffer) choose() {
	switch {
	case in.full && in.burst == nil:
		in.giveBack()
		in.burst = bursts.Get().(*[burstIn]byte)
		in.b = in.burst[:]
	case !in.full && in.first == nil:
		in.giveBack()
		in.first = firsts.Get().(*[firstIn]byte)
		in.b = in.first[:]
	}
}

// giveBack gives the storage back, unless something in it is left unused.
func (in *buffer) giveBack() {
	if in.r != in.w {
		return
	}
	in.r, in.w = 0, 0
	in.drop()
}

// drop gives the storage back.
func (in *buffer) drop() {
	if in.first != nil {
		firsts.Put(in.first)
		in.first = nil
	}
	if in.burst != nil {
		bursts.Put(in.burst)
		in.burst = nil
	}
	in.b = nil
}

// release ends the use of the buffer for one answer. Nothing may be left unused.
func (in *buffer) release() {
	in.r, in.w, in.full = 0, 0, false
	in.drop()
}

// room makes some behind what is not yet used.
func (in *buffer) room() {
	if in.r > 0 {
		in.w = copy(in.b, in.b[in.r:in.w])
		in.r = 0
	}
	if in.w == len(in.b) {
		b := append(slices.Clip(in.b), make([]byte, len(in.b))...)
		in.drop()
		in.b = b
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
