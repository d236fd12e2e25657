package api

import (
	"strconv"
	"sync"
)

const (
	// largeChunk is the most that is put into a chunk here: more costs more to copy
	// than net/http's way does.
	largeChunk = 32 << 10
	// sizeRoom is for a chunk's size and the line's end: 8000 hexadecimal.
	sizeRoom = 4 + len("\r\n")
)

// chunk is one of an answer in chunks (RFC 9112, 7.1). Its storage is borrowed, so
// that the one that was used last, which the processor has at hand, is used next.
type chunk struct{ b []byte }

var chunks = sync.Pool{New: func() any { return &chunk{make([]byte, sizeRoom, 4<<10)} }}

func newChunk() *chunk { return chunks.Get().(*chunk) }

func (c *chunk) add(p []byte) { c.b = append(c.b, p...) }

func (c *chunk) bytes() []byte { return c.b[sizeRoom:] }

func (c *chunk) size() int { return len(c.b) - sizeRoom }

// framed is the whole chunk as it is sent; c is not to be added to any more.
func (c *chunk) framed() []byte {
	var room [sizeRoom]byte
	size := append(strconv.AppendUint(room[:0], uint64(c.size()), 16), "\r\n"...)
	from := sizeRoom - len(size)
	copy(c.b[from:], size)
	c.b = append(c.b, "\r\n"...)
	return c.b[from:]
}

// release gives c back.
func (c *chunk) release() {
	c.b = c.b[:sizeRoom]
	chunks.Put(c)
}
