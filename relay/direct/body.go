package direct

import (
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

var errClosed = errors.New("direct: the answer's body is closed")

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
