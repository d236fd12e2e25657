package claude

import (
	"github.com/go-json-experiment/json/jsontext"
	"github.com/tidwall/gjson"
)

// recall collects an answer's thinking blocks for thoughts, up to
// maxThoughtBytes; of an answer with more nothing is remembered.
type recall struct {
	blocks []jsontext.Value
	bytes  int
}

func (r *recall) begin(b *thinkingBlock, in gjson.Result) {
	if in.Get("type").Str == "redacted_thinking" {
		if r.room(len(in.Raw)) {
			b.whole = jsontext.Value(in.Raw)
		}
		return
	}
	b.kept = true
	r.text(b, in.Get("thinking"))
	r.sign(b, in.Get("signature"))
}

func (r *recall) text(b *thinkingBlock, v gjson.Result) {
	if b.kept && !isEmpty(v) && r.room(len(v.Raw)) {
		b.text = append(b.text, v.Raw[1:len(v.Raw)-1]...)
	}
}

func (r *recall) sign(b *thinkingBlock, v gjson.Result) {
	if b.kept && !isEmpty(v) && r.room(len(v.Raw)) {
		b.signature = v.Raw
	}
}

func (r *recall) end(b *thinkingBlock) {
	switch {
	case r.bytes > maxThoughtBytes:
		r.blocks = nil
	case b.whole != nil:
		r.blocks = append(r.blocks, b.whole)
	case b.signature != "":
		block := append(append([]byte(`{"type":"thinking","thinking":"`), b.text...), `","signature":`...)
		r.blocks = append(r.blocks, append(append(block, b.signature...), '}'))
	}
}

// room reports whether n more bytes are within the bound.
func (r *recall) room(n int) bool {
	r.bytes += n
	return r.bytes <= maxThoughtBytes
}
