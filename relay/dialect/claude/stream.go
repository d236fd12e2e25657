package claude

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/tidwall/gjson"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
	"github.com/PPKunOfficial/berry-api/relay/dialect/cursor"
)

// decoder turns the events of one message into chunks.
type decoder struct {
	d   *Dialect
	m   *dialect.Meta
	out *chat.Chunks // nil until the answer has begun

	open    map[int64]*openBlock // by the upstream's index
	calls   int                  // tool calls begun; the next one's index
	firstID string               // of the first call
	recall  recall
	cites   cited
	meter
	shape cursor.Shape // of the events that bring text
}

// openBlock is a block between its start and its stop.
type openBlock struct {
	kind  string
	index int    // of a tool_use: the call's index in the answer
	input string // of a tool_use: the arguments that came with the start
	said  bool   // of a tool_use: arguments went out
	think thinkingBlock
	from  int             // of a text: where it begins
	cites []chat.Citation // of a text
}

// maxOpen bounds how many blocks may be open at a time.
const maxOpen = 1024

var errTooManyBlocks = errors.New("too many blocks are open at a time")

// newID names an answer whose upstream gave it no id.
func newID() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails
	return "chatcmpl-" + hex.EncodeToString(b[:])
}

// Event implements dialect.StreamDecoder.
func (d *decoder) Event(dst, name, data []byte) ([]byte, dialect.State, error) {
	if hole, ok := d.shape.Match(data, nil); ok && !d.finished {
		text := data[hole.Start:hole.End]
		d.text += len(text) - len(`""`)
		d.cites.said(text)
		return d.out.Content(dst, text), dialect.Content, nil
	}
	if !cursor.Valid(data) {
		if string(name) == "error" {
			return dst, dialect.Dropped, faultInBand(gjson.Result{})
		}
		if string(bytes.TrimSpace(data)) == "[DONE]" && d.finished { // some servers of this format add it
			return dst, dialect.End, nil
		}
		return dst, dialect.Dropped, nil
	}
	ev := gjson.ParseBytes(data)
	kind := ev.Get("type").Str
	if kind == "" {
		kind = string(name)
	}
	switch kind {
	case "message_start":
		return d.start(dst, ev), dialect.Lifecycle, nil
	case "content_block_start":
		return d.blockStart(dst, ev)
	case "content_block_delta":
		d.learn(data, ev)
		return d.delta(dst, ev)
	case "content_block_stop":
		return d.blockStop(dst, ev)
	case "message_delta":
		return d.messageDelta(dst, ev)
	case "message_stop":
		if !d.finished {
			return dst, dialect.Dropped, nil
		}
		return dst, dialect.End, nil
	case "error":
		return dst, dialect.Dropped, faultInBand(ev)
	default: // ping, and what is not known
		return dst, dialect.Lifecycle, nil
	}
}

// start begins the answer, also where the upstream did not say so.
func (d *decoder) start(dst []byte, ev gjson.Result) []byte {
	d.counts.read(ev.Get("message.usage"))
	if d.out != nil {
		return dst
	}
	id := ev.Get("message.id").Str
	if id == "" {
		id = newID()
	}
	d.open = map[int64]*openBlock{}
	d.out = chat.NewChunks(id, d.d.now().Unix(), d.m)
	return d.out.Role(dst)
}

func (d *decoder) begun(dst []byte) []byte {
	if d.out == nil {
		return d.start(dst, gjson.Result{})
	}
	return dst
}

func (d *decoder) blockStart(dst []byte, ev gjson.Result) ([]byte, dialect.State, error) {
	dst = d.begun(dst)
	if d.finished {
		return dst, dialect.Dropped, nil
	}
	if len(d.open) >= maxOpen {
		return dst, dialect.Dropped, errTooManyBlocks
	}
	in := ev.Get("content_block")
	b := &openBlock{kind: in.Get("type").Str}
	d.open[ev.Get("index").Int()] = b
	switch b.kind {
	case "text":
		b.from = d.cites.at
		for _, c := range in.Get("citations").Array() {
			b.cites = d.cites.add(b.cites, c)
		}
		return d.content(dst, in.Get("text"))
	case "thinking":
		d.recall.begin(&b.think, in)
		return d.reasoning(dst, in.Get("thinking"))
	case "redacted_thinking":
		d.recall.begin(&b.think, in)
	case "tool_use":
		b.index = d.calls
		d.calls++
		id := in.Get("id").Str
		if b.index == 0 {
			d.firstID = id
		}
		if given := input(in); given != "{}" {
			b.input = given
		}
		return d.out.Call(dst, chat.CallHead{Index: b.index, ID: id, Name: in.Get("name").Str}), dialect.Content, nil
	}
	return dst, dialect.Lifecycle, nil
}

// learn takes the shape of a piece of text: nearly all events are such.
func (d *decoder) learn(data []byte, ev gjson.Result) {
	text := ev.Get("delta.text")
	if ev.Get("type").Exists() && ev.Get("delta.type").Str == "text_delta" && !isEmpty(text) {
		d.shape.Learn(data, dialect.Span{Start: text.Index, End: text.Index + len(text.Raw)})
	}
}

func (d *decoder) delta(dst []byte, ev gjson.Result) ([]byte, dialect.State, error) {
	dst = d.begun(dst)
	if d.finished {
		return dst, dialect.Dropped, nil
	}
	in := ev.Get("delta")
	b := d.open[ev.Get("index").Int()]
	switch in.Get("type").Str {
	case "text_delta":
		return d.content(dst, in.Get("text"))
	case "thinking_delta":
		text := in.Get("thinking")
		if b != nil {
			d.recall.text(&b.think, text)
		}
		return d.reasoning(dst, text)
	case "citations_delta":
		if b != nil {
			b.cites = d.cites.add(b.cites, in.Get("citation"))
		}
	case "signature_delta":
		if b != nil {
			d.recall.sign(&b.think, in.Get("signature"))
		}
	case "input_json_delta":
		piece := in.Get("partial_json")
		if b == nil || b.kind != "tool_use" || isEmpty(piece) { // a tool of the provider's own
			break
		}
		b.said = true
		d.text += len(piece.Raw) - 2
		return d.out.Arguments(dst, b.index, piece.Raw), dialect.Content, nil
	}
	return dst, dialect.Lifecycle, nil
}

// isEmpty reports whether a value is anything but a string with text.
func isEmpty(v gjson.Result) bool { return v.Type != gjson.String || len(v.Raw) <= 2 }

func (d *decoder) content(dst []byte, text gjson.Result) ([]byte, dialect.State, error) {
	if isEmpty(text) {
		return dst, dialect.Lifecycle, nil
	}
	d.text += len(text.Raw) - 2
	d.cites.said([]byte(text.Raw))
	return d.out.Content(dst, []byte(text.Raw)), dialect.Content, nil
}

func (d *decoder) reasoning(dst []byte, text gjson.Result) ([]byte, dialect.State, error) {
	if isEmpty(text) {
		return dst, dialect.Lifecycle, nil
	}
	d.text += len(text.Raw) - 2
	if d.m.DropReasoning {
		return dst, dialect.Lifecycle, nil
	}
	return d.out.Reasoning(dst, text.Raw), dialect.Content, nil
}

// thinkingBlock collects a block of reasoning to be remembered.
type thinkingBlock struct {
	whole     jsontext.Value // redacted, as it came
	text      []byte         // JSON without the quotes
	signature string         // JSON with the quotes
	kept      bool
}
