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
	src  io.ReadCloser
	stop func() bool
	keep bool  // the connection can be used again
	done error // what Read says from now on; nil while there is something to read
}

var errClosed = errors.New("direct: the answer's body is closed")

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.done != nil {
		return 0, b.done
	}
	n, err := b.src.Read(p)
	switch {
	case err == nil:
	case errors.Is(err, io.EOF):
		b.end()
	default:
		b.stop()
		b.c.close()
		if b.ctx.Err() != nil {
			err = b.ctx.Err()
		}
		b.done = err
	}
	return n, err
}

// end gives the connection back after the whole answer was read. What is left
// in the buffer was not asked for: such a connection is not trusted any more.
func (b *body) end() {
	b.done = io.EOF
	if unspoilt := b.stop(); unspoilt && b.keep && b.c.br.Buffered() == 0 {
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
