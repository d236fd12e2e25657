package direct

import (
	"bytes"
	"errors"
	"io"
)

var errChunk = errors.New("direct: the answer's chunks are malformed")

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
