package responses

import (
	"strconv"
	"strings"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
	"github.com/PPKunOfficial/berry-api/relay/dialect/cursor"
	"github.com/PPKunOfficial/berry-api/relay/dialect/hub"
)

// writer writes the blocks of a streamed answer as the events of a response.
type writer struct {
	object
	begun  bool
	number int    // of the next event
	status string // of the items that end from now on

	// The item that has begun.
	at       string // where its pieces belong, as the members of an event
	delta    string // the event of a piece
	call     toolCall
	text     []byte // a JSON string's text, without the quotes
	logprobs []byte // elements, with commas between them
	piece    []byte // those of the piece that comes next
	kept     int    // bytes of all items
	broken   bool   // a call has ended whose arguments are no JSON: nothing follows
}

// maxKept bounds what is kept of an answer: its last event repeats it.
const maxKept = 64 << 20

// event begins an event: its name, and its data up to the number.
func (w *writer) event(dst []byte, name string) []byte {
	dst = append(append(dst, "event: "...), name...)
	dst = append(append(append(dst, "\ndata: {\"type\":\""...), name...), `","sequence_number":`...)
	w.number++
	return strconv.AppendInt(dst, int64(w.number-1), 10)
}

const eventEnd = "}\n\n"

// state appends an event that holds the response.
func (w *writer) state(dst []byte, name string, end ending) []byte {
	return append(w.append(append(w.event(dst, name), `,"response":`...), end), eventEnd...)
}

// open begins the response, unless it has begun.
func (w *writer) open(dst []byte) []byte {
	if w.begun {
		return dst
	}
	w.begun = true
	return w.state(w.state(dst, "response.created", ending{}), "response.in_progress", ending{})
}

// close ends the response.
func (w *writer) close(dst []byte, end ending) []byte {
	return w.state(w.open(dst), "response."+end.status, end)
}

// fail ends the response badly.
func (w *writer) fail(dst []byte, e *apierror.Error) []byte {
	return w.close(dst, ending{status: failed, err: e})
}

// itemEvent appends an event that holds an item.
func (w *writer) itemEvent(dst []byte, name string, index int, item []byte) []byte {
	dst = strconv.AppendInt(append(w.event(dst, name), `,"output_index":`...), int64(index), 10)
	return append(append(append(dst, `,"item":`...), item...), eventEnd...)
}

// part appends an event that says something of the item that has begun.
func (w *writer) part(dst []byte, name string, more ...[]byte) []byte {
	dst = append(w.event(dst, name), w.at...)
	for _, m := range more {
		dst = append(dst, m...)
	}
	return append(dst, eventEnd...)
}

// Begin implements hub.Writer.
func (w *writer) Begin(dst []byte, b *hub.Block) []byte {
	if w.broken {
		return dst
	}
	dst = w.open(dst)
	w.text = w.text[:0]
	if b.Kind == hub.Calls {
		return w.beginCall(dst, b)
	}
	id := w.itemID(idMessage, b.Index)
	item := messageItem(id, inProgress, nil)
	if b.Kind == hub.Thought {
		id = w.itemID(idReasoning, b.Index)
		item = reasoningItem(id, nil)
	}
	dst = w.itemEvent(dst, "response.output_item.added", b.Index, item)
	w.at = `,"item_id":"` + id + `","output_index":` + strconv.Itoa(b.Index)
	p := placeOf(b.Kind)
	w.at += `,"` + p.index + `":0`
	w.delta = p.delta
	return w.part(dst, p.added, []byte(`,"part":`), p.part([]byte(`""`), nil))
}

// place is what the events of a part are called.
type place struct {
	index              string
	added, delta, done string
	ended              string
	member             string // that has the text at its end
	part               func(text, logprobs []byte) []byte
}

func placeOf(kind hub.Kind) place {
	p := place{
		index: "content_index", added: "response.content_part.added", ended: "response.content_part.done",
		delta: "response.output_text.delta", done: "response.output_text.done", member: "text", part: textPart,
	}
	switch kind {
	case hub.Refused:
		p.delta, p.done, p.member = "response.refusal.delta", "response.refusal.done", "refusal"
		p.part = func(text, _ []byte) []byte { return refusalPart(text) }
	case hub.Thought:
		p.index, p.added, p.ended = "summary_index", "response.reasoning_summary_part.added", "response.reasoning_summary_part.done"
		p.delta, p.done = "response.reasoning_summary_text.delta", "response.reasoning_summary_text.done"
		p.part = func(text, _ []byte) []byte { return summaryPart(text) }
	}
	return p
}

func (w *writer) beginCall(dst []byte, b *hub.Block) []byte {
	w.call = toolCall{to: w.chat.tools.of(b.Name), call: w.callID(b.ID)}
	w.call.id = w.itemID(w.call.prefix(), b.Index)
	w.at = `,"item_id":"` + w.call.id + `","output_index":` + strconv.Itoa(b.Index)
	w.delta = "response.function_call_arguments.delta"
	return w.itemEvent(dst, "response.output_item.added", b.Index, w.call.item(inProgress, []byte(`""`)))
}

// Piece implements hub.Writer. Those of a custom tool's input are kept until its
// end: they are pieces of JSON, and what the client wants is the text in it.
func (w *writer) Piece(dst []byte, b *hub.Block, piece []byte) []byte {
	w.text = append(w.text, piece[1:len(piece)-1]...)
	w.kept += len(piece)
	if w.broken || b.Kind == hub.Calls && w.call.to.custom {
		return dst
	}
	dst = append(append(w.event(dst, w.delta), w.at...), `,"delta":`...)
	dst = append(dst, piece...)
	if b.Kind == hub.Said {
		dst = append(append(append(dst, `,"logprobs":[`...), w.piece...), ']')
		w.piece = nil
	}
	return append(dst, eventEnd...)
}

// End implements hub.Writer.
func (w *writer) End(dst []byte, b *hub.Block) []byte {
	if w.broken {
		return dst
	}
	end := w.endPart
	if b.Kind == hub.Calls {
		end = w.endCall
	}
	dst, item := end(dst, b)
	if w.broken {
		return dst
	}
	w.add(item)
	return w.itemEvent(dst, "response.output_item.done", b.Index, item)
}

func (w *writer) endPart(dst []byte, b *hub.Block) (_, item []byte) {
	p := placeOf(b.Kind)
	text := append(append([]byte{'"'}, w.text...), '"')
	said := [][]byte{[]byte(`,"` + p.member + `":`), text}
	if b.Kind == hub.Said {
		said = append(said, []byte(`,"logprobs":[`), w.logprobs, []byte("]"))
	}
	part := p.part(text, w.logprobs)
	if b.Kind == hub.Said {
		w.logprobs = nil
	}
	dst = w.part(dst, p.done, said...)
	dst = w.part(dst, p.ended, []byte(`,"part":`), part)
	if b.Kind == hub.Thought {
		return dst, reasoningItem(w.itemID(idReasoning, b.Index), part)
	}
	return dst, messageItem(w.itemID(idMessage, b.Index), w.status, part)
}

func (w *writer) endCall(dst []byte, _ *hub.Block) (_, item []byte) {
	args := hub.Unquote(append(append([]byte{'"'}, w.text...), '"'))
	if w.call.to.custom {
		input := w.call.inputOf(args)
		dst = w.part(dst, "response.custom_tool_call_input.delta", []byte(`,"delta":`), input)
		dst = w.part(dst, "response.custom_tool_call_input.done", []byte(`,"input":`), input)
		return dst, w.call.item(w.status, input)
	}
	if strings.TrimSpace(args) == "" { // who adds the pieces up wants what the end says
		args += "{}"
		dst = w.part(dst, w.delta, []byte(`,"delta":"{}"`))
	}
	if w.broken = w.status != incomplete && !cursor.Valid([]byte(args)); w.broken {
		return dst, nil
	}
	input, name := w.call.inputOf(args), chat.AppendText(nil, w.call.to.name)
	dst = w.part(dst, "response.function_call_arguments.done", []byte(`,"arguments":`), input, []byte(`,"name":`), name)
	return dst, w.call.item(w.status, input)
}
