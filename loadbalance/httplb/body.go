package httplb

import (
	"context"
	"errors"
	"io"

	"github.com/PPKunOfficial/berry-api/loadbalance"
)

// peekSize is how much of a body is read before the caller gets it. Only the
// first byte is waited for.
const peekSize = 512

// emptyReads is how many reads without anything a peek bears.
const emptyReads = 100

// body is an answer's body, which ends its attempt. Close may be called while
// Read blocks, as with the bodies of net/http.
type body struct {
	*attempt
	ctx  context.Context // of the attempt
	from io.ReadCloser

	head []byte // peeked and not read yet
	then error  // what comes after it; nil: more of from
	room [peekSize]byte
}

// peek waits for the first byte. The error says that there will be none, and
// that this is no empty body.
func (b *body) peek() error {
	for range emptyReads {
		n, err := b.from.Read(b.room[:])
		b.head, b.then = b.room[:n], err
		if n > 0 || err == io.EOF {
			b.firstByte()
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// Read reads on; the end of the body is the end of the attempt.
func (b *body) Read(p []byte) (n int, err error) {
	if len(b.head) > 0 {
		n = copy(p, b.head)
		b.head = b.head[n:]
		return n, nil
	}
	if b.then == nil {
		n, b.then = b.from.Read(p)
	}
	if b.then != nil {
		b.over(b.then)
	}
	return n, b.then
}

// over ends the attempt with the error of a Read.
func (b *body) over(err error) {
	if errors.Is(err, io.EOF) {
		b.end(loadbalance.Success, nil)
		return
	}
	kind, err := b.judge(b.ctx, err)
	b.end(kind, err)
}

// Close ends the attempt. A body that is not read to its end is left by the
// caller: the target has answered.
func (b *body) Close() error {
	kind := loadbalance.Success
	if b.x.cancelled() {
		kind = loadbalance.Cancelled
	}
	b.report(kind, 0, nil)
	err := b.from.Close()
	b.end(kind, nil)
	return err
}
