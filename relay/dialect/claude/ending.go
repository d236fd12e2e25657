package claude

import (
	"github.com/tidwall/gjson"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
)

func (d *decoder) blockStop(dst []byte, ev gjson.Result) ([]byte, dialect.State, error) {
	index := ev.Get("index").Int()
	b := d.open[index]
	if b == nil || d.finished {
		return dst, dialect.Lifecycle, nil
	}
	delete(d.open, index)
	d.recall.end(&b.think)
	return d.endBlock(dst, b), dialect.Lifecycle, nil
}

// endBlock says what is known of a block at its end.
func (d *decoder) endBlock(dst []byte, b *openBlock) []byte {
	d.cites.place(b.cites, b.from)
	return d.endCall(dst, b)
}

// endCall gives a call that came without pieces its arguments.
func (d *decoder) endCall(dst []byte, b *openBlock) []byte {
	if b.kind != "tool_use" || b.said {
		return dst
	}
	b.said = true
	if b.input == "" {
		b.input = "{}"
	}
	return d.out.Arguments(dst, b.index, string(chat.AppendText(nil, b.input)))
}

// messageDelta ends the choice: what follows is only the end of the stream.
func (d *decoder) messageDelta(dst []byte, ev gjson.Result) ([]byte, dialect.State, error) {
	d.counts.read(ev.Get("usage"))
	reason := ev.Get("delta.stop_reason")
	if d.finished || isEmpty(reason) {
		return dst, dialect.Lifecycle, nil
	}
	dst = d.begun(dst)
	d.finished = true
	for len(d.open) > 0 { // in order, also where a stop is missing
		first := d.firstOpen()
		dst = d.endBlock(dst, d.open[first])
		delete(d.open, first)
	}
	d.d.thoughts.of(d.m.User).keep(d.firstID, d.recall.blocks)
	if len(d.cites.all) > 0 { // all at once: the SDKs put no two lists together
		dst = d.out.Annotations(dst, d.cites.all)
	}
	why, native := finish(reason.Str, d.calls > 0)
	if why == chat.FinishFilter {
		if words := ev.Get("delta.stop_details.explanation"); !isEmpty(words) {
			dst = d.out.Refusal(dst, words.Raw)
		}
	}
	return d.out.Finish(dst, why, native), dialect.Content, nil
}

func (d *decoder) firstOpen() int64 {
	first, found := int64(0), false
	for i := range d.open {
		if !found || i < first {
			first, found = i, true
		}
	}
	return first
}

// End implements dialect.StreamDecoder: the totals, for a client that wants them.
func (d *decoder) End(dst []byte) []byte {
	if !d.m.WantUsage || d.out == nil {
		return dst
	}
	return d.out.Usage(dst, d.Usage())
}
