package gemini

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
	"github.com/PPKunOfficial/berry-api/relay/dialect/cursor"
)

// decoder turns Gemini's stream into chunks. Gemini ends a stream without a
// word; some say the finish reason with every event, so that it goes out at
// the end.
type decoder struct {
	meta       *dialect.Meta
	signatures *Signatures

	out   *chat.Chunks // nil before the first event
	id    string
	calls calls
	piece []byte // room for JSON

	answer answer // the last event that was read whole
	shape  cursor.Shape
	feeds  []counter // what the shape's counts are
	counts []int     // those of the last event that has it

	said      bool   // there was content
	reason    string // the last finish reason
	blocked   bool   // the prompt was refused
	usage     dialect.Usage
	textBytes int
}

var _ dialect.BareDecoder = (*decoder)(nil)

// Event implements dialect.StreamDecoder.
func (d *decoder) Event(dst, name, data []byte) ([]byte, dialect.State, error) {
	data = bytes.TrimSpace(data)
	if string(data) == "[DONE]" { // Gemini does not, but what stands in for it may
		if d.Finished() {
			return dst, dialect.End, nil
		}
		return dst, dialect.Dropped, nil
	}
	if text, ok := d.match(data); ok && len(name) == 0 {
		d.textBytes += len(text) - len(`""`)
		return d.out.Content(dst, text), dialect.Content, nil
	}
	a := &d.answer
	known := a.read(data)
	switch {
	case a.fault != nil, string(name) == "error":
		return dst, dialect.Dropped, inBand(data)
	case !known:
		return dst, dialect.Dropped, nil
	}
	return d.take(dst, a)
}

// Bare implements dialect.BareDecoder.
func (d *decoder) Bare(dst, data []byte) ([]byte, dialect.State, error) {
	return d.Event(dst, nil, data)
}

func (d *decoder) take(dst []byte, a *answer) ([]byte, dialect.State, error) {
	if d.out == nil {
		d.id = unquoted(a.id)
		d.calls.signatures = d.signatures
		d.out = chat.NewChunks(answerID(d.id), time.Now().Unix(), d.meta)
		dst = d.out.Role(dst)
	}
	// Every event has the totals so far; the first ones may not count yet.
	if !a.usage.IsZero() {
		d.usage = a.usage
	}
	state := dialect.Lifecycle
	for i := range a.parts {
		var spoke bool
		if dst, spoke = d.part(dst, &a.parts[i]); spoke {
			state = dialect.Content
		}
	}
	if tokens := logprobs(nil, a.logprobs); len(tokens) > 0 {
		dst = d.out.Logprobs(dst, wrapLogprobs(tokens))
	}
	if !a.candidate && a.blocked != "" && !d.said {
		d.piece = chat.AppendText(d.piece[:0], a.refusal())
		dst = d.out.Refusal(dst, string(d.piece))
		d.blocked, d.said = true, true
		state = dialect.Content
	}
	if a.reason != "" {
		d.reason = a.reason
		if d.Finished() {
			state = dialect.Content
		}
	}
	d.learn(a)
	return dst, state, nil
}

// learn takes the shape of an event that says a piece of text and what was
// counted so far, as nearly all do.
func (d *decoder) learn(a *answer) {
	d.shape.Forget()
	if len(a.parts) != 1 || a.reason != "" || a.logprobs != nil || a.blocked != "" {
		return
	}
	if p := &a.parts[0]; p.thought || p.call != nil || p.data != nil || isEmpty(p.text) {
		return
	}
	d.shape.Learn(a.whole, a.textAt, a.counted...)
	d.feeds = append(d.feeds[:0], a.feeds...)
	d.counts = slices.Grow(d.counts[:0], len(a.feeds))[:len(a.feeds)]
}

// match reads an event that has the shape; text is its text, as JSON.
func (d *decoder) match(data []byte) (text []byte, ok bool) {
	hole, ok := d.shape.Match(data, d.counts)
	if !ok {
		return nil, false
	}
	if u := usageOf(d.feeds, d.counts); !u.IsZero() {
		d.usage = u
	}
	return data[hole.Start:hole.End], true
}

// part appends one part; it reports whether there was anything to it.
func (d *decoder) part(dst []byte, p *piece) ([]byte, bool) {
	switch {
	case p.call != nil:
		h := d.calls.head(d.id, p)
		dst = d.out.Call(dst, h)
		args := p.arguments()
		d.piece = chat.AppendText(d.piece[:0], args)
		dst = d.out.Arguments(dst, h.Index, string(d.piece))
		d.textBytes += len(args)
	case p.data != nil:
		d.piece = chat.AppendText(d.piece[:0], picture(p.data))
		dst = d.out.Content(dst, d.piece)
	case isEmpty(p.text):
		return dst, false
	case p.thought:
		d.textBytes += len(p.text) - len(`""`)
		if d.meta.DropReasoning {
			return dst, false
		}
		dst = d.out.Reasoning(dst, string(p.text))
	default:
		d.textBytes += len(p.text) - len(`""`)
		dst = d.out.Content(dst, p.text)
	}
	d.said = true
	return dst, true
}

// End implements dialect.StreamDecoder.
func (d *decoder) End(dst []byte) []byte {
	if d.out == nil {
		return dst
	}
	word := finish(d.reason, d.calls.n)
	if d.blocked {
		word = chat.FinishFilter
	}
	dst = d.out.Finish(dst, word, "")
	if d.meta.WantUsage && !d.usage.IsZero() {
		dst = d.out.Usage(dst, d.usage)
	}
	return dst
}

// Finished implements dialect.StreamDecoder.
func (d *decoder) Finished() bool {
	if d.blocked {
		return true
	}
	_, alone := ending(d.reason)
	return d.reason != "" && (d.said || alone)
}

// bytesPerToken is a usual ratio, for an estimate of what was said so far.
const bytesPerToken = 4

// Usage implements dialect.StreamDecoder. The totals so far may lag behind
// what was said: of a stream that is cut they are an estimate.
func (d *decoder) Usage() dialect.Usage {
	u := d.usage
	if !d.Finished() && !u.IsZero() {
		u.Output = max(u.Output, (d.textBytes+bytesPerToken-1)/bytesPerToken)
		u.Estimated = true
	}
	return u
}

// TextBytes implements dialect.StreamDecoder.
func (d *decoder) TextBytes() int { return d.textBytes }

// compact is a JSON text without white space between its tokens.
func compact(text string) string {
	var b bytes.Buffer
	if json.Compact(&b, []byte(text)) != nil {
		return text
	}
	return b.String()
}
