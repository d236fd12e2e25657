package hub

import (
	"slices"
	"strings"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
)

// Kind is what a block holds.
type Kind uint8

// The kinds of blocks.
const (
	Said    Kind = iota // text
	Refused             // why the model will not answer
	Thought             // reasoning
	Calls               // a tool call: its pieces are its arguments
)

// Block is one block of a streamed answer.
type Block struct {
	Kind     Kind
	Index    int    // counts the blocks that began, from 0; set when it begins
	ID, Name string // of a call, as the provider says them

	call    int // the provider's index of a call
	args    progress
	started bool
	pieces  []byte // that wait: a JSON string's text, without the quotes
}

// Writer writes blocks in the client's form. Each of its methods appends events
// to dst. A block begins, has pieces, which are JSON strings, and ends before
// the next one begins.
type Writer interface {
	Begin(dst []byte, b *Block) []byte
	Piece(dst []byte, b *Block, piece []byte) []byte
	End(dst []byte, b *Block) []byte
}

// Blocks writes an answer's blocks one after the other, while the pieces of
// several may come mixed. The first of queue is on its way to the client; the
// pieces of the others wait until it is known to be whole.
type Blocks struct {
	to     Writer
	queue  []*Block
	index  int // of the first in queue
	calls  int // that were begun
	waits  int // bytes that wait
	broken bool
}

const (
	// maxWaiting bounds the bytes that wait.
	maxWaiting = 8 << 20
	// maxQueue bounds the blocks that wait.
	maxQueue = 1024
)

// NewBlocks returns the blocks of one answer.
func NewBlocks(to Writer) Blocks { return Blocks{to: to} }

// Calls reports whether the answer has called a tool.
func (q *Blocks) Calls() bool { return q.calls > 0 }

// Say takes a piece of what is no call, a JSON string.
func (q *Blocks) Say(dst []byte, kind Kind, piece []byte) []byte {
	if n := len(q.queue); n == 0 || q.queue[n-1].Kind != kind {
		dst = q.add(dst, &Block{Kind: kind})
	}
	return q.piece(dst, q.queue[len(q.queue)-1], piece)
}

// add puts a block at the queue's end.
func (q *Blocks) add(dst []byte, b *Block) []byte {
	q.queue = append(q.queue, b)
	q.broken = q.broken || len(q.queue) > maxQueue
	return q.advance(dst)
}

// callOf finds the call that a piece belongs to. A piece without an index belongs
// to the last call, unless it has another id. Some servers give all calls one
// index: a call of another id and with a name is another one, if the one before
// is whole.
func (q *Blocks) callOf(p CallPiece, id, name string) *Block {
	for _, b := range slices.Backward(q.queue) {
		switch {
		case b.Kind != Calls, p.Index >= 0 && b.call != p.Index:
		case id == "" || id == b.ID || b.ID == "" && p.Index >= 0:
			return b
		case p.Index < 0, name != "" && (b.args.whole() || !b.args.begun):
			return nil
		default:
			return b
		}
	}
	return nil
}

// Call takes a piece of a call.
func (q *Blocks) Call(dst []byte, k *Chunk, p CallPiece) []byte {
	id, name := Unquote(k.Bytes(p.ID)), Unquote(k.Bytes(p.Name))
	b := q.callOf(p, id, name)
	if b == nil {
		if id == "" && name == "" && strings.TrimSpace(Unquote(k.Bytes(p.Args))) == "" {
			return dst // nothing, of a call that has ended
		}
		if p.Index < 0 {
			p.Index = q.calls
		}
		b = &Block{Kind: Calls, call: p.Index}
		q.calls++
		dst = q.add(dst, b)
	}
	if b.ID == "" {
		b.ID = id
	}
	if b.Name == "" {
		b.Name = name
	}
	if b == q.queue[0] {
		dst = q.start(dst)
	}
	args := k.Bytes(p.Args)
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
func (q *Blocks) piece(dst []byte, b *Block, piece []byte) []byte {
	if b == q.queue[0] {
		dst = q.start(dst)
	}
	if b.started {
		return q.to.Piece(dst, b, piece)
	}
	text := piece[1 : len(piece)-1]
	b.pieces = append(b.pieces, text...)
	q.waits += len(text)
	q.broken = q.broken || q.waits > maxWaiting
	return dst
}

// start begins the first block, unless it has begun or is a call whose name is
// still to come, and sends what waits of it.
func (q *Blocks) start(dst []byte) []byte {
	b := q.queue[0]
	if b.started || b.Kind == Calls && b.Name == "" {
		return dst
	}
	b.started, b.Index = true, q.index
	dst = q.to.Begin(dst, b)
	if len(b.pieces) > 0 {
		dst = q.to.Piece(dst, b, append(append([]byte{'"'}, b.pieces...), '"'))
		q.waits -= len(b.pieces)
		b.pieces = nil
	}
	return dst
}

// advance closes the first block as long as another waits behind it and it is
// known to be whole.
func (q *Blocks) advance(dst []byte) []byte {
	for len(q.queue) > 1 && (q.queue[0].Kind != Calls || q.queue[0].started && q.queue[0].args.whole()) {
		dst = q.close(dst)
	}
	return dst
}

// close ends the first block and begins the next.
func (q *Blocks) close(dst []byte) []byte {
	if dst = q.start(dst); q.queue[0].started {
		dst = q.to.End(dst, q.queue[0])
		q.index++
	}
	if q.queue = q.queue[1:]; len(q.queue) > 0 {
		dst = q.start(dst)
	}
	return dst
}

// End closes all blocks. One call that is not whole breaks the answer, unless
// it was cut for its length: clients take half of an input for an empty one.
func (q *Blocks) End(dst []byte, finish string) []byte {
	for len(q.queue) > 0 {
		if b := q.queue[0]; b.Kind == Calls {
			cut := b.args.begun && !b.args.whole() && finish != chat.FinishLength
			if q.broken = q.broken || cut || b.Name == ""; q.broken {
				return dst
			}
		}
		dst = q.close(dst)
	}
	return dst
}

// Over notes that nothing more will come, though nothing was said to be finished:
// half a call is no answer then.
func (q *Blocks) Over() {
	for _, b := range q.queue {
		q.broken = q.broken || b.Kind == Calls && b.args.begun && !b.args.whole()
	}
}

// Fault is what is wrong with the answer, nil if nothing is.
func (q *Blocks) Fault() error {
	if !q.broken {
		return nil
	}
	return BrokenCall()
}

// Broken reports whether there is a Fault.
func (q *Blocks) Broken() bool { return q.broken }

// BrokenCall is the error of an answer with a call that is not whole.
func BrokenCall() *apierror.Error {
	return apierror.New(apierror.UpstreamError, "the provider broke off a tool call, or made one that cannot be read; try again")
}
