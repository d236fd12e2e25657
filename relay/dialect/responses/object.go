package responses

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
)

// The states of a response and of its items.
const (
	inProgress = "in_progress"
	completed  = "completed"
	incomplete = "incomplete"
	failed     = "failed"
)

// object writes one response, in whatever state it is.
type object struct {
	chat  *Chat
	model []byte // the name that it must carry, as JSON
	// id is what its ids are made of. Not the provider's: some servers give one
	// id to several answers, and clients know the items of a conversation by theirs.
	id      string
	created int64
	output  []byte          // its items that are whole, with commas between them
	calls   map[string]bool // the ids of its calls
}

func newObject(c *Chat, model []byte) object {
	return object{chat: c, model: model, id: random(), created: time.Now().Unix()}
}

// ending is how a response ends; the zero value is for one that goes on.
type ending struct {
	status string
	reason string // why it is incomplete
	err    *apierror.Error
	usage  dialect.Usage
}

// endingOf is the end that a finish reason stands for.
func endingOf(finish string, u dialect.Usage) ending {
	switch finish {
	case chat.FinishLength:
		return ending{status: incomplete, reason: "max_output_tokens", usage: u}
	case chat.FinishFilter:
		return ending{status: incomplete, reason: "content_filter", usage: u}
	}
	return ending{status: completed, usage: u}
}

// append appends the response.
func (o *object) append(dst []byte, end ending) []byte {
	dst = append(append(append(dst, `{"id":"resp_`...), o.id...), `","object":"response","created_at":`...)
	dst = strconv.AppendInt(dst, o.created, 10)
	dst = append(append(dst, `,"status":"`...), cmp.Or(end.status, inProgress)...)
	dst = append(dst, `","completed_at":`...)
	if end.status == completed {
		dst = strconv.AppendInt(dst, max(time.Now().Unix(), o.created), 10)
	} else {
		dst = append(dst, "null"...)
	}
	if dst = append(dst, `,"error":`...); end.err != nil {
		dst = chat.AppendText(append(dst, `{"code":`...), cmp.Or(end.err.Code, string(apierror.UpstreamError)))
		dst = append(chat.AppendText(append(dst, `,"message":`...), end.err.Message), '}')
	} else {
		dst = append(dst, "null"...)
	}
	if dst = append(dst, `,"incomplete_details":`...); end.reason != "" {
		dst = append(append(append(dst, `{"reason":"`...), end.reason...), `"}`...)
	} else {
		dst = append(dst, "null"...)
	}
	dst = append(append(append(dst, `,"model":`...), o.model...), `,"output":[`...)
	dst = append(append(dst, o.output...), "],"...)
	dst = append(append(dst, o.chat.echo...), `"usage":`...)
	if end.status == completed || end.status == incomplete {
		return append(appendUsage(dst, end.usage), '}')
	}
	return append(dst, "null}"...)
}

// add notes an item that is whole.
func (o *object) add(item []byte) {
	if len(o.output) > 0 {
		o.output = append(o.output, ',')
	}
	o.output = append(o.output, item...)
}

// itemID is the id of the item of the given number: no two of a response's are
// the same.
func (o *object) itemID(prefix string, n int) string {
	return prefix + o.id + "_" + strconv.Itoa(n)
}

// The beginnings of ids. That of reasoning is Berry's own: a provider of this
// format takes one that it does not know for one that it should.
const (
	idMessage   = "msg_"
	idCall      = "fc_"
	idCustom    = "ctc_"
	idReasoning = dialect.OwnReasoning
)

// callID is the id of a call: one that every provider takes back, and that tells
// it apart from the others of the answer, as not every provider's does.
func (o *object) callID(id string) string {
	if id != "" {
		id = chat.CallID(id)
	}
	if id == "" || o.calls[id] {
		id = "call_" + random()
	}
	if o.calls == nil {
		o.calls = map[string]bool{}
	}
	o.calls[id] = true
	return id
}

func random() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

func appendUsage(dst []byte, u dialect.Usage) []byte {
	dst = strconv.AppendInt(append(dst, `{"input_tokens":`...), int64(u.Input), 10)
	dst = strconv.AppendInt(append(dst, `,"input_tokens_details":{"cached_tokens":`...), int64(u.CachedInput), 10)
	dst = strconv.AppendInt(append(dst, `,"cache_write_tokens":`...), int64(u.CacheWrite), 10)
	dst = strconv.AppendInt(append(dst, `},"output_tokens":`...), int64(u.Output), 10)
	dst = strconv.AppendInt(append(dst, `,"output_tokens_details":{"reasoning_tokens":`...), int64(u.Reasoning), 10)
	dst = strconv.AppendInt(append(dst, `},"total_tokens":`...), int64(u.Input+u.Output), 10)
	return append(dst, '}')
}
