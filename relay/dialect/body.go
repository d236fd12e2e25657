package dialect

import (
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"
)

// maxPooled is the largest body buffer that is kept for another request.
const maxPooled = 1 << 20

var bodies = sync.Pool{New: func() any { return new(Body) }}

// Body is a client's request body, read once and shared by all attempts. It is
// counted: a transport may still read from it after an attempt has ended, so
// its memory goes back only when the last reader has closed.
type Body struct {
	bytes []byte
	refs  atomic.Int32
}

// NewBody returns an empty body with room for size bytes; the caller holds one
// reference and gives it back with Release.
func NewBody(size int) *Body {
	b := bodies.Get().(*Body)
	b.bytes = slices.Grow(b.bytes[:0], size)
	b.refs.Store(1)
	return b
}

// Bytes returns what was read. It is valid while a reference is held.
func (b *Body) Bytes() []byte { return b.bytes }

// Set replaces the bytes; only before the body is shared.
func (b *Body) Set(p []byte) { b.bytes = p }

// Release gives one reference back.
func (b *Body) Release() {
	if b.refs.Add(-1) > 0 {
		return
	}
	if cap(b.bytes) > maxPooled {
		b.bytes = nil
	}
	bodies.Put(b)
}

// Splice returns a reader of the body with edits applied, and its length. The
// edits are sorted by Start and do not overlap; their texts must not change
// while the reader is in use. The body's bytes are not copied. Each call takes
// a reference that the reader's Close gives back.
func (b *Body) Splice(edits []Edit) (*Spliced, int64) {
	b.refs.Add(1)
	n := len(b.bytes)
	for _, e := range edits {
		n += len(e.Text) - (e.End - e.Start)
	}
	return &Spliced{body: b, edits: edits}, int64(n)
}

// Spliced reads a body with edits applied. Close may be called at any time and
// from any goroutine, as http.Transport does; a Read after it fails.
type Spliced struct {
	edits []Edit

	mu   sync.Mutex // guards what follows
	body *Body      // nil after Close
	pos  int        // in the body
	edit int        // the next edit, or the one being read
	text int        // bytes of its text that were read
	in   bool       // inside the edit's text
}

var errClosed = errors.New("request body is closed")

// Read implements io.Reader.
func (s *Spliced) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.body == nil {
		return 0, errClosed
	}
	n := 0
	for n < len(p) {
		if s.in {
			c := copy(p[n:], s.edits[s.edit].Text[s.text:])
			n, s.text = n+c, s.text+c
			if s.text < len(s.edits[s.edit].Text) {
				break
			}
			s.pos, s.in, s.edit, s.text = s.edits[s.edit].End, false, s.edit+1, 0
		}
		end := len(s.body.bytes)
		if s.edit < len(s.edits) {
			end = s.edits[s.edit].Start
		}
		c := copy(p[n:], s.body.bytes[s.pos:end])
		n, s.pos = n+c, s.pos+c
		if s.pos < end {
			break
		}
		if s.edit >= len(s.edits) {
			if n == 0 {
				return 0, io.EOF
			}
			break
		}
		s.in = true
	}
	return n, nil
}

// AppendPieces appends all that Read gives to dst, piece by piece: a transport
// can send the body from where it lies. The pieces are valid until Close.
func (s *Spliced) AppendPieces(dst [][]byte) [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.body == nil {
		return dst
	}
	pos := 0
	for _, e := range s.edits {
		dst = append(dst, s.body.bytes[pos:e.Start], e.Text)
		pos = e.End
	}
	return append(dst, s.body.bytes[pos:])
}

// Close implements io.Closer; more than once is harmless.
func (s *Spliced) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.body != nil {
		s.body.Release()
		s.body = nil
	}
	return nil
}
