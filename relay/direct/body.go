package direct

import (
	"bytes"
	"context"
	"errors"
	"io"
)

// body is the body of an answer. Its end, or its Close, ends the connection's
// part in the request.
type body struct {
	c    *conn
	ctx  context.Context
	stop func() bool
	keep bool  // the connection can be used again
	done error // what Read says from now on; nil while there is something to read

	untilClose bool
	chunked    bool
	left       int64 // of the body, or of the chunk; -1 before the next chunk's size
	tail       bool  // the chunk's data is over, its line end is not
	trailer    int   // bytes of trailer read, above 0 once the last chunk came
}

var (
	errClosed = errors.New("direct: the answer's body is closed")
	errChunk  = errors.New("direct: the answer's chunks are malformed")
)

// Read implements io.Reader. It returns what is there, and waits only for the
// first byte.
func (b *body) Read(p []byte) (int, error) {
	if b.done != nil {
		return 0, b.done
	}
	if len(p) == 0 {
		return 0, nil
	}
	var n int
	var err error
	if b.chunked {
		n, err = b.readChunks(p)
	} else {
		n, err = b.readPlain(p)
	}
	if err != nil {
		err = b.over(err)
	}
	return n, err
}

// Lend is Read without a copy, for what comes by itself: it waits for the first
// byte and returns what is there from where it lies, which the caller may look at
// until it calls a method of the body again. Where more lies behind that, it
// returns none, and Read brings all of it.
func (b *body) Lend() ([]byte, error) {
	if b.done != nil || !b.chunked {
		return nil, b.done
	}
	for b.left <= 0 {
		if _, err := b.frame(false); err != nil {
			return nil, b.over(err)
		}
	}
	in := &b.c.in
	if in.r == in.w {
		if err := in.fill(); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, b.over(err)
		}
	}
	have := in.bytes()
	n := int(min(int64(len(have)), b.left))
	if len(have) > n+len("\r\n") {
		return nil, nil
	}
	in.skip(n)
	if b.left -= int64(n); b.left == 0 {
		b.left, b.tail = -1, true
	}
	return have[:n], nil
}

// readPlain reads a body of known length, or one that ends with the connection.
func (b *body) readPlain(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	if b.left > 0 && int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.some(p)
	if b.left > 0 {
		if b.left -= int64(n); b.left == 0 {
			return n, io.EOF
		}
	}
	switch {
	case n > 0:
		return n, nil // an error, if it lasts, comes again
	case errors.Is(err, io.EOF) && !b.untilClose:
		return 0, io.ErrUnexpectedEOF
	}
	return 0, err
}

// some reads into p what is buffered, or else from the connection.
func (b *body) some(p []byte) (int, error) {
	in := &b.c.in
	if in.r == in.w {
		if len(p) >= firstIn {
			in.giveBack()
			return in.src.Read(p)
		}
		if err := in.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, in.bytes())
	in.skip(n)
	return n, nil
}

// readChunks reads a chunked body.
func (b *body) readChunks(p []byte) (n int, err error) {
	for n < len(p) {
		if b.left <= 0 {
			switch ok, err := b.frame(n > 0); {
			case errors.Is(err, io.EOF) && b.trailer == 0:
				return n, io.ErrUnexpectedEOF
			case err != nil:
				return n, err
			case !ok:
				return n, nil
			}
			continue
		}
		in := &b.c.in
		if in.r == in.w && n > 0 {
			return n, nil
		}
		got, err := b.some(p[n:min(int64(len(p)), int64(n)+b.left)])
		n += got
		if b.left -= int64(got); b.left == 0 {
			b.left, b.tail = -1, true
		}
		switch {
		case errors.Is(err, io.EOF):
			return n, io.ErrUnexpectedEOF
		case err != nil:
			return n, err
		}
	}
	return n, nil
}

// Bounds of what frames a chunked body.
const (
	maxChunkLine = 4 << 10
	maxTrailer   = 64 << 10
)

// frame reads one line between chunks. It is false when the line is not there
// yet and the caller has something to return instead of waiting. The error is
// io.EOF after the last line.
func (b *body) frame(busy bool) (bool, error) {
	in := &b.c.in
	i := bytes.IndexByte(in.bytes(), '\n')
	for i < 0 {
		have := len(in.bytes())
		switch {
		case have > maxChunkLine:
			return false, errChunk
		case busy:
			return false, nil
		case have > 0 && in.w == len(in.b):
			in.room()
		}
		if err := in.fill(); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return false, err
		}
		i = bytes.IndexByte(in.bytes(), '\n')
	}
	line, crlf := bytes.CutSuffix(in.bytes()[:i], []byte{'\r'})
	in.skip(i + 1)
	switch {
	case !crlf && b.trailer == 0: // readers that differ here can be played against each other
		return false, errChunk
	case b.trailer > 0:
		if b.trailer += i + 1; b.trailer > maxTrailer {
			return false, errChunk
		}
		if len(line) == 0 {
			return false, io.EOF
		}
	case b.tail:
		if len(line) > 0 {
			return false, errChunk
		}
		b.tail = false
	default:
		size, ok := chunkSize(line)
		if !ok {
			return false, errChunk
		}
		if b.left = size; size == 0 {
			b.left, b.trailer = -1, 1
		}
	}
	return true, nil
}

// chunkSize reads the line before a chunk: hexadecimal digits, and perhaps
// extensions, which say nothing to a client.
func chunkSize(line []byte) (int64, bool) {
	digits, _, _ := bytes.Cut(line, []byte{';'})
	for len(digits) > 0 && (digits[len(digits)-1] == ' ' || digits[len(digits)-1] == '\t') {
		digits = digits[:len(digits)-1]
	}
	const most = 15 // digits: more would not fit
	if len(digits) == 0 || len(digits) > most {
		return 0, false
	}
	var n int64
	for _, ch := range digits {
		switch {
		case ch >= '0' && ch <= '9':
			ch -= '0'
		case ch >= 'a' && ch <= 'f':
			ch -= 'a' - 10
		case ch >= 'A' && ch <= 'F':
			ch -= 'A' - 10
		default:
			return 0, false
		}
		n = n<<4 | int64(ch)
	}
	return n, true
}

// Finish reads the body's end if it has come already and reports whether the
// body is over. It does not wait.
func (b *body) Finish() bool {
	for b.done == nil {
		if !b.chunked || b.left > 0 {
			return false
		}
		ok, err := b.frame(true)
		switch {
		case errors.Is(err, io.EOF):
			b.end()
		case err != nil || !ok:
			return false
		}
	}
	return errors.Is(b.done, io.EOF)
}

// over ends the body with err, in order if that is io.EOF, and returns what Read
// says from now on.
func (b *body) over(err error) error {
	if errors.Is(err, io.EOF) {
		b.end()
		return b.done
	}
	b.stop()
	b.c.close()
	if b.ctx.Err() != nil {
		err = b.ctx.Err()
	}
	b.done = err
	return err
}

// end gives the connection back after the whole answer was read. What is left
// in the buffer was not asked for: such a connection is not trusted any more.
func (b *body) end() {
	b.done = io.EOF
	if unspoilt := b.stop(); unspoilt && b.keep && len(b.c.in.bytes()) == 0 {
		b.c.in.release()
		b.c.t.put(b.c)
		return
	}
	b.c.close()
}

// Close implements io.Closer; more than once is harmless.
func (b *body) Close() error {
	if b.done == nil {
		b.stop()
		b.c.close()
		b.done = errClosed
	}
	return nil
}
