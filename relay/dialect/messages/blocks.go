package messages

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
)

// blocks writes an answer's blocks one after the other, while the pieces of
// several may come mixed. The first of queue is on its way to the client; the
// pieces of the others wait until it is known to be whole.
type blocks struct {
	chat   *Chat
	queue  []*openBlock
	index  int // of the first in queue
	calls  int // that were begun
	waits  int // bytes that wait
	broken bool
}

// openBlock is a block that is not whole yet.
type openBlock struct {
	kind     string
	call     int    // of a tool_use: the provider's index
	id, name string // of a tool_use
	args     progress
	started  bool
	pieces   []byte // that wait: a JSON string's text, without the quotes
}

const (
	// maxWaiting bounds the bytes that wait.
	maxWaiting = 8 << 20
	// maxQueue bounds the blocks that wait.
	maxQueue = 1024
)

// say takes a piece of text or of reasoning, a JSON string.
func (q *blocks) say(dst []byte, kind string, piece []byte) []byte {
	if n := len(q.queue); n == 0 || q.queue[n-1].kind != kind {
		dst = q.add(dst, &openBlock{kind: kind})
	}
	return q.piece(dst, q.queue[len(q.queue)-1], piece)
}

// add puts a block at the queue's end.
func (q *blocks) add(dst []byte, b *openBlock) []byte {
	q.queue = append(q.queue, b)
	q.broken = q.broken || len(q.queue) > maxQueue
	return q.advance(dst)
}

// callOf finds the call that a piece belongs to. A piece without an index belongs
// to the last call, unless it has another id. Some servers give all calls one
// index: a call of another id and with a name is another one, if the one before
// is whole.
func (q *blocks) callOf(p callPiece, id, name string) *openBlock {
	for _, b := range slices.Backward(q.queue) {
		switch {
		case b.kind != blockToolUse, p.index >= 0 && b.call != p.index:
		case id == "" || id == b.id || b.id == "" && p.index >= 0:
			return b
		case p.index < 0, name != "" && (b.args.whole() || !b.args.begun):
			return nil
		default:
			return b
		}
	}
	return nil
}

// tool takes a piece of a call.
func (q *blocks) tool(dst []byte, k *chunk, p callPiece) []byte {
	id, name := unquote(k.bytes(p.id)), unquote(k.bytes(p.name))
	b := q.callOf(p, id, name)
	if b == nil {
		if id == "" && name == "" && strings.TrimSpace(unquote(k.bytes(p.args))) == "" {
			return dst // nothing, of a call that has ended
		}
		if p.index < 0 {
			p.index = q.calls
		}
		b = &openBlock{kind: blockToolUse, call: p.index}
		q.calls++
		dst = q.add(dst, b)
	}
	if b.id == "" {
		b.id = id
	}
	if b.name == "" {
		b.name = name
	}
	if b == q.queue[0] {
		dst = q.start(dst)
	}
	args := k.bytes(p.args)
	if len(args) > 0 && args[0] == '{' {
		args = chat.AppendText(nil, string(args))
	}
	if len(args) > 0 {
		b.args.add(args)
		dst = q.piece(dst, b, args)
	}
	return q.advance(dst)
}

// piece sends a piece, or lets it wait.
func (q *blocks) piece(dst []byte, b *openBlock, piece []byte) []byte {
	if b == q.queue[0] {
		dst = q.start(dst)
	}
	if b.started {
		return appendDelta(dst, q.index, b.delta(), piece)
	}
	text := piece[1 : len(piece)-1]
	b.pieces = append(b.pieces, text...)
	q.waits += len(text)
	q.broken = q.broken || q.waits > maxWaiting
	return dst
}

func (b *openBlock) delta() delta {
	switch b.kind {
	case blockThinking:
		return thinkingDelta()
	case blockToolUse:
		return inputDelta()
	default:
		return textDelta()
	}
}

// start begins the first block, unless it has begun or is a call whose name is
// still to come, and sends what waits of it.
func (q *blocks) start(dst []byte) []byte {
	b := q.queue[0]
	if b.started || b.kind == blockToolUse && b.name == "" {
		return dst
	}
	b.started = true
	switch b.kind {
	case blockThinking:
		dst = appendBlockStart(dst, q.index, startOfThinking)
	case blockToolUse:
		dst = appendBlockStart(dst, q.index, string(q.chat.callHead(b.id, b.name))+"{}}")
	default:
		dst = appendBlockStart(dst, q.index, startOfText)
	}
	if len(b.pieces) > 0 {
		dst = appendDelta(dst, q.index, b.delta(), append(append([]byte{'"'}, b.pieces...), '"'))
		q.waits -= len(b.pieces)
		b.pieces = nil
	}
	return dst
}

// advance closes the first block as long as another waits behind it and it is
// known to be whole.
func (q *blocks) advance(dst []byte) []byte {
	for len(q.queue) > 1 && (q.queue[0].kind != blockToolUse || q.queue[0].started && q.queue[0].args.whole()) {
		dst = q.close(dst)
	}
	return dst
}

// close ends the first block and begins the next.
func (q *blocks) close(dst []byte) []byte {
	if dst = q.start(dst); q.queue[0].started {
		dst = appendBlockStop(dst, q.index)
		q.index++
	}
	if q.queue = q.queue[1:]; len(q.queue) > 0 {
		dst = q.start(dst)
	}
	return dst
}

// end closes all blocks. One call that is not whole breaks the answer, unless
// it was cut for its length: clients take half of an input for an empty one.
func (q *blocks) end(dst []byte, finish string) []byte {
	for len(q.queue) > 0 {
		if b := q.queue[0]; b.kind == blockToolUse {
			cut := b.args.begun && !b.args.whole() && finish != chat.FinishLength
			if q.broken = q.broken || cut || b.name == ""; q.broken {
				return dst
			}
		}
		dst = q.close(dst)
	}
	return dst
}

// over notes that nothing more will come, though nothing was said to be finished:
// half a call is no answer then.
func (q *blocks) over() {
	for _, b := range q.queue {
		q.broken = q.broken || b.kind == blockToolUse && b.args.begun && !b.args.whole()
	}
}

// fault is what is wrong with the answer, nil if nothing is.
func (q *blocks) fault() error {
	if !q.broken {
		return nil
	}
	return brokenCall()
}

func brokenCall() *apierror.Error {
	return apierror.New(apierror.UpstreamError, "the provider broke off a tool call, or made one that cannot be read; try again")
}

// unquote reads a JSON string; "" for none.
func unquote(raw []byte) string {
	if len(raw) == 0 {
		return ""
	}
	text, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		return strings.ToValidUTF8(string(text), "\ufffd")
	}
	return string(text)
}
