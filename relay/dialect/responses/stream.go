package responses

import (
	"github.com/tidwall/gjson"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/cursor"
	"github.com/PPKunOfficial/berry-api/relay/dialect/hub"
)

// Stream returns a decoder that puts the chunks of in, a fresh decoder for a
// stream that was asked for the usage, into the events of one response. Model is
// the name that the response must carry, as JSON.
func (c *Chat) Stream(in dialect.StreamDecoder, model []byte) dialect.StreamDecoder {
	d := &decoder{chat: c, in: in, to: writer{object: newObject(c, model), status: completed}}
	d.blocks = hub.NewBlocks(&d.to)
	if bare, ok := in.(dialect.BareDecoder); ok {
		return &bareDecoder{d, bare}
	}
	return d
}

// decoder puts chunks into events.
type decoder struct {
	chat *Chat
	in   dialect.StreamDecoder

	to     writer
	blocks hub.Blocks
	finish string // "" until the provider said it
	raw    []byte // the chunks of one upstream event
	chunk  hub.Chunk
	shape  cursor.Shape // of the chunks that bring text and nothing else
}

var _ dialect.Breaker = (*decoder)(nil)

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
		o.err = d.fault()
	}
	return dst, o.state, o.err
}

// fault is what is wrong with the answer, nil if nothing is.
func (d *decoder) fault() error {
	if d.to.kept > maxKept {
		return apierror.New(apierror.UpstreamError, "the answer is longer than %d bytes", maxKept)
	}
	if d.to.broken {
		return hub.BrokenCall()
	}
	return d.blocks.Fault()
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
	if d.finish != "" {
		return dst
	}
	if thought := k.Thinking(); !thought.IsZero() {
		dst = d.blocks.Say(dst, hub.Thought, k.Bytes(thought))
	}
	d.likely(k)
	k.Parts = append(k.Parts, k.Text)
	for _, text := range k.Parts {
		if !text.IsZero() {
			dst = d.blocks.Say(dst, hub.Said, k.Bytes(text))
		}
	}
	d.to.piece = nil
	if !k.Refusal.IsZero() {
		dst = d.blocks.Say(dst, hub.Refused, k.Bytes(k.Refusal))
	}
	if k.Plain() {
		d.shape.Learn(k.Data, k.Text)
	}
	for _, p := range k.Calls {
		dst = d.blocks.Call(dst, k, p)
	}
	if !k.Finish.IsZero() {
		d.finish = hub.Unquote(k.Bytes(k.Finish))
		d.to.status = endingOf(d.finish, dialect.Usage{}).status
		dst = d.blocks.End(dst, d.finish)
	}
	return dst
}

// likely notes a chunk's log probabilities.
func (d *decoder) likely(k *hub.Chunk) {
	if k.Logprobs.IsZero() {
		return
	}
	more := elements(gjson.GetBytes(k.Bytes(k.Logprobs), "content"))
	if len(more) == 0 {
		return
	}
	if d.to.kept += len(more); len(d.to.logprobs) > 0 {
		d.to.logprobs = append(d.to.logprobs, ',')
	}
	d.to.logprobs = append(d.to.logprobs, more...)
	d.to.piece = more
}

// End implements dialect.StreamDecoder: the totals, and the end.
func (d *decoder) End(dst []byte) []byte {
	d.raw = d.in.End(d.raw[:0])
	dst = d.write(dst, d.raw)
	dst = d.blocks.End(dst, d.finish)
	if d.to.broken || d.blocks.Broken() {
		return d.to.fail(dst, hub.BrokenCall())
	}
	u := d.in.Usage()
	if u.IsZero() {
		u = d.chat.estimate(d.in.TextBytes())
	}
	return d.to.close(dst, endingOf(d.finish, u))
}

// Break implements dialect.Breaker.
func (d *decoder) Break(dst []byte, e *apierror.Error) []byte { return d.to.fail(dst, e) }

// Finished implements dialect.StreamDecoder.
func (d *decoder) Finished() bool { return d.in.Finished() }

// Usage implements dialect.StreamDecoder.
func (d *decoder) Usage() dialect.Usage { return d.in.Usage() }

// TextBytes implements dialect.StreamDecoder.
func (d *decoder) TextBytes() int { return d.in.TextBytes() }
