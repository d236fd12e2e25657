package messages

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/tidwall/gjson"

	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
	"github.com/PPKunOfficial/berry-api/relay/dialect/cursor"
)

// AppendEvents appends to dst the stream that says what the whole message body
// says: for upstreams that answer a request for a stream with one JSON body.
func AppendEvents(dst, body []byte) ([]byte, error) {
	line := jsontext.Value(bytes.Clone(body)) // an event's data stands on one line
	if !cursor.Valid(body) || line.Compact() != nil {
		return dst, errNoAnswer
	}
	m := gjson.ParseBytes(line)
	if !m.IsObject() || !m.Get("content").IsArray() {
		return dst, errNoAnswer
	}
	dst = append(append(open(dst, "message_start"), `,"message":`...), emptied(m)...)
	dst = append(dst, eventEnd...)
	for i, b := range m.Get("content").Array() {
		dst = appendWhole(dst, i, b)
	}
	reason := []byte(`"stop_reason":` + orNull(m.Get("stop_reason")) + `,"stop_sequence":` + orNull(m.Get("stop_sequence")))
	if details := m.Get("stop_details"); details.Exists() {
		reason = append(append(reason, `,"stop_details":`...), details.Raw...)
	}
	usage := m.Get("usage").Raw
	if usage == "" { // clients read it without looking
		usage = `{"output_tokens":0}`
	}
	return appendStop(dst, reason, []byte(usage)), nil
}

// emptied is a message as it is before it says anything.
func emptied(m gjson.Result) []byte {
	out := []byte{'{'}
	m.ForEach(func(name, v gjson.Result) bool {
		raw := v.Raw
		switch name.Str {
		case "content":
			raw = "[]"
		case "stop_reason", "stop_sequence", "stop_details":
			raw = "null"
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, name.Raw...), ':'), raw...)
		return true
	})
	return append(out, '}')
}

func orNull(v gjson.Result) string {
	if !v.Exists() {
		return "null"
	}
	return v.Raw
}

// appendWhole appends a block that is known as a whole.
func appendWhole(dst []byte, index int, b gjson.Result) []byte {
	piece := func(kind delta, v gjson.Result) {
		if v.Type == gjson.String && v.Str != "" {
			dst = appendDelta(dst, index, kind, []byte(v.Raw))
		}
	}
	switch b.Get("type").Str {
	case blockText:
		dst = appendBlockStart(dst, index, startOfText)
		piece(textDelta(), b.Get("text"))
		for _, c := range b.Get("citations").Array() {
			dst = appendDelta(dst, index, citationDelta(), []byte(c.Raw))
		}
	case blockThinking:
		dst = appendBlockStart(dst, index, startOfThinking)
		piece(thinkingDelta(), b.Get("thinking"))
		piece(signatureDelta(), b.Get("signature"))
	case blockToolUse:
		start := `{"type":"tool_use","id":` + orNull(b.Get("id")) + `,"name":` + orNull(b.Get("name")) + `,"input":{}}`
		dst = appendBlockStart(dst, index, start)
		if in := b.Get("input"); in.IsObject() && len(in.Raw) > len("{}") {
			dst = appendDelta(dst, index, inputDelta(), chat.AppendText(nil, in.Raw))
		}
	default:
		dst = appendBlockStart(dst, index, b.Raw)
	}
	return appendBlockStop(dst, index)
}

const (
	startOfText     = `{"type":"text","text":""}`
	startOfThinking = `{"type":"thinking","thinking":"","signature":""}`
)
