package messages

import (
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
)

// The events of a streamed message, written. What is taken as JSON goes out as it is.

const eventEnd = "}\n\n"

// open begins an event: its name, and its data up to the type.
func open(dst []byte, name string) []byte {
	dst = append(append(dst, "event: "...), name...)
	return append(append(append(dst, "\ndata: {\"type\":\""...), name...), '"')
}

func openIndexed(dst []byte, name string, index int) []byte {
	return strconv.AppendInt(append(open(dst, name), `,"index":`...), int64(index), 10)
}

// appendStart appends message_start: head is what a message begins with, up to
// its content.
func appendStart(dst, head []byte, u dialect.Usage) []byte {
	dst = append(append(open(dst, "message_start"), `,"message":`...), head...)
	dst = append(dst, `[],"stop_reason":null,"stop_sequence":null,"usage":`...)
	return append(append(appendUsage(dst, u), '}'), eventEnd...)
}

// appendBlockStart appends content_block_start; block is the block, as JSON.
func appendBlockStart(dst []byte, index int, block string) []byte {
	dst = append(openIndexed(dst, "content_block_start", index), `,"content_block":`...)
	return append(append(dst, block...), eventEnd...)
}

// appendDelta appends content_block_delta: a piece, as JSON, of the named kind.
func appendDelta(dst []byte, index int, kind delta, piece []byte) []byte {
	dst = append(openIndexed(dst, "content_block_delta", index), `,"delta":{"type":"`...)
	dst = append(append(append(dst, kind.name...), `","`...), kind.member...)
	return append(append(append(append(dst, `":`...), piece...), '}'), eventEnd...)
}

// delta is a kind of pieces and the member that holds one.
type delta struct{ name, member string }

func textDelta() delta      { return delta{"text_delta", "text"} }
func thinkingDelta() delta  { return delta{"thinking_delta", "thinking"} }
func signatureDelta() delta { return delta{"signature_delta", "signature"} }
func citationDelta() delta  { return delta{"citations_delta", "citation"} }
func inputDelta() delta     { return delta{"input_json_delta", "partial_json"} }

func appendBlockStop(dst []byte, index int) []byte {
	return append(openIndexed(dst, "content_block_stop", index), eventEnd...)
}

// appendStop appends message_delta, with the reason and the usage as JSON, and message_stop.
func appendStop(dst []byte, ending, usage []byte) []byte {
	dst = append(append(open(dst, "message_delta"), `,"delta":{`...), ending...)
	dst = append(append(append(dst, `},"usage":`...), usage...), eventEnd...)
	return append(open(dst, "message_stop"), eventEnd...)
}

func ending(reason string) []byte {
	return append(append([]byte(`"stop_reason":"`), reason...), `","stop_sequence":null`...)
}

// head is what a message begins with, up to its content. Model is JSON.
func head(id string, model []byte) []byte {
	dst := append([]byte(`{"id":`), chat.AppendText(nil, messageID(id))...)
	dst = append(dst, `,"type":"message","role":"assistant","model":`...)
	return append(append(dst, model...), `,"content":`...)
}

const idBegin = "msg_"

// messageID is a message's id for an answer's.
func messageID(id string) string {
	id = strings.TrimPrefix(id, "chatcmpl-")
	switch {
	case id == "":
		return idBegin + random()
	case strings.HasPrefix(id, idBegin):
		return id
	}
	return idBegin + id
}

// callID is the id of a call: one that every provider takes back.
func callID(id string) string {
	if id == "" {
		return "toolu_" + random()
	}
	return chat.CallID(id)
}

func random() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// appendUsage appends u as a message's usage: its three counts of the prompt
// are disjoint.
func appendUsage(dst []byte, u dialect.Usage) []byte {
	in := max(u.Input-u.CachedInput-u.CacheWrite, 0)
	dst = strconv.AppendInt(append(dst, `{"input_tokens":`...), int64(in), 10)
	dst = strconv.AppendInt(append(dst, `,"cache_creation_input_tokens":`...), int64(u.CacheWrite), 10)
	dst = strconv.AppendInt(append(dst, `,"cache_read_input_tokens":`...), int64(u.CachedInput), 10)
	dst = strconv.AppendInt(append(dst, `,"output_tokens":`...), int64(u.Output), 10)
	if u.Reasoning > 0 {
		dst = strconv.AppendInt(append(dst, `,"output_tokens_details":{"thinking_tokens":`...), int64(u.Reasoning), 10)
		dst = append(dst, '}')
	}
	return append(dst, '}')
}

// The reasons why a model stopped.
const (
	stopEnd     = "end_turn"
	stopLength  = "max_tokens"
	stopTools   = "tool_use"
	stopRefusal = "refusal"
)

// stopReason turns a finish reason into a stop reason. An answer with calls
// says so whatever the provider does: a client ends an agent's work otherwise.
func stopReason(finish string, calls, refused bool) string {
	switch {
	case finish == chat.FinishLength:
		return stopLength
	case finish == chat.FinishFilter:
		return stopRefusal
	case calls:
		return stopTools
	case refused:
		return stopRefusal
	default:
		return stopEnd
	}
}
