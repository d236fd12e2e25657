package messages

import (
	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/cursor"
)

// Stream returns a decoder that puts the chunks of in, a fresh decoder for a
// stream that was asked for the usage, into the events of one message. Model is
// the name that the message must carry, as JSON.
func (c *Chat) Stream(in dialect.StreamDecoder, model []byte) dialect.StreamDecoder {
	d := &decoder{chat: c, in: in, model: model, blocks: blocks{chat: c}}
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
	blocks  blocks
	raw     []byte // the chunks of one upstream event
	chunk   chunk
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
		d.blocks.over()
	}
	if o.err == nil {
		o.err = d.blocks.fault()
	}
	return dst, o.state, o.err
}

func (d *decoder) write(dst, chunks []byte) []byte {
	eachChunk(chunks, func(data []byte) {
		if hole, ok := d.shape.Match(data, nil); ok && d.finish == "" {
			dst = d.blocks.say(dst, blockText, data[hole.Start:hole.End])
		} else if d.chunk.read(data) {
			dst = d.take(dst, &d.chunk)
		}
	})
	return dst
}

// take writes what one chunk says.
func (d *decoder) take(dst []byte, k *chunk) []byte {
	dst = d.begin(dst, k)
	if d.finish != "" {
		return dst
	}
	if thought := k.reasoning; d.chat.thinks {
		if thought.IsZero() {
			thought = k.thought
		}
		if !thought.IsZero() {
			dst = d.blocks.say(dst, blockThinking, k.bytes(thought))
		}
	}
	k.parts = append(k.parts, k.text, k.refusal)
	for _, text := range k.parts {
		if !text.IsZero() {
			dst = d.blocks.say(dst, blockText, k.bytes(text))
		}
	}
	if k.plain() && d.begun {
		d.shape.Learn(k.data, k.text)
	}
	d.refused = d.refused || !k.refusal.IsZero()
	for _, p := range k.calls {
		dst = d.blocks.tool(dst, k, p)
	}
	if !k.finish.IsZero() {
		d.finish = unquote(k.bytes(k.finish))
		dst = d.blocks.end(dst, d.finish)
	}
	return dst
}

func (d *decoder) begin(dst []byte, k *chunk) []byte {
	if d.begun {
		return dst
	}
	d.begun = true
	return appendStart(dst, head(unquote(k.bytes(k.id)), d.model), d.in.Usage())
}

// End implements dialect.StreamDecoder: the reason, the totals, and the end.
func (d *decoder) End(dst []byte) []byte {
	d.raw = d.in.End(d.raw[:0])
	dst = d.write(dst, d.raw)
	dst = d.begin(dst, &chunk{})
	dst = d.blocks.end(dst, d.finish)
	if d.blocks.broken {
		return AppendFault(dst, brokenCall(), "")
	}
	u := d.in.Usage()
	if u.IsZero() {
		u = d.chat.estimate(d.in.TextBytes())
	}
	return appendStop(dst, ending(stopReason(d.finish, d.blocks.calls > 0, d.refused)), appendUsage(nil, u))
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
