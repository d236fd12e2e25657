package messages

import (
	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/cursor"
	"github.com/PPKunOfficial/berry-api/relay/dialect/hub"
)

// Stream returns a decoder that puts the chunks of in, a fresh decoder for a
// stream that was asked for the usage, into the events of one message. Model is
// the name that the message must carry, as JSON.
func (c *Chat) Stream(in dialect.StreamDecoder, model []byte) dialect.StreamDecoder {
	d := &decoder{chat: c, in: in, model: model, blocks: hub.NewBlocks(blocks{c})}
	if bare, ok := in.(dialect.BareDecoder); ok {
		return &bareDecoder{d, bare}
	}
	return d
}

// decoder puts chunks into events.
type decoder struct {
	chat  *Chat
	in    dialect.StreamDecoder
	model []byte

	begun   bool
	refused bool
	finish  string // "" until the provider said it
	blocks  hub.Blocks
	raw     []byte // the chunks of one upstream event
	chunk   hub.Chunk
	shape   cursor.Shape // of the chunks that bring text and nothing else
}

// bareDecoder is a decoder over one that reads what stands outside of events.
type bareDecoder struct {
	*decoder
	in dialect.BareDecoder
}

// Bare implements dialect.BareDecoder.
func (d *bareDecoder) Bare(dst, data []byte) ([]byte, dialect.State, error) {
	raw, state, err := d.in.Bare(d.raw[:0], data)
	return d.put(dst, raw, outcome{state, err})
}

// Event implements dialect.StreamDecoder.
func (d *decoder) Event(dst, name, data []byte) ([]byte, dialect.State, error) {
	raw, state, err := d.in.Event(d.raw[:0], name, data)
	return d.put(dst, raw, outcome{state, err})
}

type outcome struct {
	state dialect.State
	err   error
}

// put writes chunks as events.
func (d *decoder) put(dst, chunks []byte, o outcome) ([]byte, dialect.State, error) {
	d.raw = chunks
	dst = d.write(dst, chunks)
	if o.state == dialect.End && d.finish == "" {
		d.blocks.Over()
	}
	if o.err == nil {
		o.err = d.blocks.Fault()
	}
	return dst, o.state, o.err
}

func (d *decoder) write(dst, chunks []byte) []byte {
	hub.EachChunk(chunks, func(data []byte) {
		if hole, ok := d.shape.Match(data, nil); ok && d.finish == "" {
			dst = d.blocks.Say(dst, hub.Said, data[hole.Start:hole.End])
		} else if d.chunk.Read(data) {
			dst = d.take(dst, &d.chunk)
		}
	})
	return dst
}

// take writes what one chunk says.
func (d *decoder) take(dst []byte, k *hub.Chunk) []byte {
	dst = d.begin(dst, k)
	if d.finish != "" {
		return dst
	}
	if thought := k.Thinking(); d.chat.thinks && !thought.IsZero() {
		dst = d.blocks.Say(dst, hub.Thought, k.Bytes(thought))
	}
	k.Parts = append(k.Parts, k.Text, k.Refusal)
	for _, text := range k.Parts {
		if !text.IsZero() {
			dst = d.blocks.Say(dst, hub.Said, k.Bytes(text))
		}
	}
	if k.Plain() && d.begun {
		d.shape.Learn(k.Data, k.Text)
	}
	d.refused = d.refused || !k.Refusal.IsZero()
	for _, p := range k.Calls {
		dst = d.blocks.Call(dst, k, p)
	}
	if !k.Finish.IsZero() {
		d.finish = hub.Unquote(k.Bytes(k.Finish))
		dst = d.blocks.End(dst, d.finish)
	}
	return dst
}

func (d *decoder) begin(dst []byte, k *hub.Chunk) []byte {
	if d.begun {
		return dst
	}
	d.begun = true
	return appendStart(dst, head(hub.Unquote(k.Bytes(k.ID)), d.model), d.in.Usage())
}

// End implements dialect.StreamDecoder: the reason, the totals, and the end.
func (d *decoder) End(dst []byte) []byte {
	d.raw = d.in.End(d.raw[:0])
	dst = d.write(dst, d.raw)
	dst = d.begin(dst, &hub.Chunk{})
	dst = d.blocks.End(dst, d.finish)
	if d.blocks.Broken() {
		return AppendFault(dst, hub.BrokenCall(), "")
	}
	u := d.in.Usage()
	if u.IsZero() {
		u = d.chat.estimate(d.in.TextBytes())
	}
	return appendStop(dst, ending(stopReason(d.finish, d.blocks.Calls(), d.refused)), appendUsage(nil, u))
}

// Finished implements dialect.StreamDecoder.
func (d *decoder) Finished() bool { return d.in.Finished() }

// Usage implements dialect.StreamDecoder.
func (d *decoder) Usage() dialect.Usage { return d.in.Usage() }

// TextBytes implements dialect.StreamDecoder.
func (d *decoder) TextBytes() int { return d.in.TextBytes() }

// AppendFault appends the event with which a stream ends badly.
func AppendFault(dst []byte, e *apierror.Error, requestID string) []byte {
	dst = append(dst, "event: error\ndata: "...)
	return append(append(dst, Fault(e, requestID)...), "\n\n"...)
}
