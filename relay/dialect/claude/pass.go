package claude

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"

	"github.com/tidwall/gjson"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/cursor"
)

// Clients that speak this format themselves: what they send and what they get
// is passed on as it is, but for the model's name.

const versionHeader = "Anthropic-Version"

// pass makes the upstream request of Messages and CountTokens. The client's own
// API version wins: its body is written for it.
func (d *Dialect) pass(ctx context.Context, in *dialect.Request) *http.Request {
	s := &in.Scan
	edits := []dialect.Edit{{Span: s.ModelValue, Text: in.Model}}
	edits = dialect.RemoveMembers(edits, in.Body.Bytes(), s.Open, s.BackendMember)
	for _, o := range s.Extensions {
		edits = dialect.RemoveMembers(edits, in.Body.Bytes(), o.Open, o.Members...)
	}
	if !s.Thinking.IsZero() {
		edits = append(edits, dialect.Edit{Span: s.Thinking, Text: []byte(`{"type":"disabled"}`)})
		in.Dropped = append(in.Dropped, "thinking")
	}
	dialect.SortEdits(edits)
	body, n := in.Body.Splice(edits)

	h := d.requestHeader(in)
	if v, ok := in.Header[versionHeader]; ok {
		h[versionHeader] = v
	}
	to := d.url
	if in.Endpoint == dialect.CountTokens {
		to = d.count
	}
	req := &http.Request{
		Method: http.MethodPost, URL: to, Host: to.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: body, ContentLength: n,
		GetBody: func() (io.ReadCloser, error) {
			again, _ := in.Body.Splice(edits)
			return again, nil
		},
	}
	return req.WithContext(ctx)
}

// passAnswer is Decode for a message that its client reads itself.
func passAnswer(body []byte, m *dialect.Meta) ([]byte, dialect.Usage, error) {
	in := gjson.ParseBytes(body)
	var u counts
	u.read(in.Get("usage"))
	return renamed(body, in.Get("model"), m), u.usage(), nil
}

// renamed is text with the model's name, which stands at v, replaced.
func renamed(text []byte, v gjson.Result, m *dialect.Meta) []byte {
	if v.Index == 0 { // there is none
		return text
	}
	return slices.Replace(text, v.Index, v.Index+len(v.Raw), m.Model...)
}

// passing passes the events of one message on.
type passing struct {
	m *dialect.Meta
	meter
	shape   cursor.Shape // of the events that bring text
	begun   bool
	stopped bool // the last event is out
}

const deltaEvent = "content_block_delta"

// Event implements dialect.StreamDecoder.
func (d *passing) Event(dst, name, data []byte) ([]byte, dialect.State, error) {
	if hole, ok := d.shape.Match(data, nil); ok && d.begun && !d.finished {
		d.text += hole.End - hole.Start - len(`""`)
		dst = append(append(dst, "event: "+deltaEvent+"\ndata: "...), data...)
		return append(dst, "\n\n"...), dialect.Content, nil
	}
	data = bytes.TrimSpace(data)
	if !cursor.Valid(data) {
		if string(name) == "error" {
			return dst, dialect.Dropped, faultInBand(gjson.Result{})
		}
		if string(data) == "[DONE]" && d.finished { // some servers of this format add it
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
	case "error":
		return dst, dialect.Dropped, faultInBand(ev)
	case "message_start":
		return d.start(dst, data, ev)
	case "ping":
		return appendEvent(dst, kind, data), dialect.Lifecycle, nil
	case "message_stop":
		if !d.finished {
			return dst, dialect.Dropped, nil
		}
		d.stopped = true
		return appendEvent(dst, kind, data), dialect.End, nil
	}
	if !d.begun || !isWord(kind) || d.finished && kind != "message_delta" {
		return dst, dialect.Dropped, nil
	}
	return appendEvent(dst, kind, data), d.weigh(kind, data, ev), nil
}

func (d *passing) start(dst, data []byte, ev gjson.Result) ([]byte, dialect.State, error) {
	if d.begun { // a second one throws in clients
		return dst, dialect.Dropped, nil
	}
	d.begun = true
	d.counts.read(ev.Get("message.usage"))
	data = renamed(bytes.Clone(data), ev.Get("message.model"), d.m)
	return appendEvent(dst, "message_start", data), dialect.Lifecycle, nil
}

// weigh takes notice of an event and says what it amounts to.
func (d *passing) weigh(kind string, data []byte, ev gjson.Result) dialect.State {
	switch kind {
	case "content_block_start":
		switch b := ev.Get("content_block"); b.Get("type").Str {
		case "text":
			return d.piece(b.Get("text"))
		case "thinking":
			return d.piece(b.Get("thinking"))
		case "redacted_thinking":
			return dialect.Lifecycle
		default: // a call, or the work of a tool that the provider carries out
			return dialect.Content
		}
	case deltaEvent:
		if text := ev.Get("delta.text"); ev.Get("type").Exists() && ev.Get("delta.type").Str == "text_delta" && !isEmpty(text) && !bytes.ContainsAny(data, "\r\n") {
			d.shape.Learn(data, dialect.Span{Start: text.Index, End: text.Index + len(text.Raw)})
		}
		for _, member := range [...]string{"delta.text", "delta.thinking", "delta.partial_json"} {
			if v := ev.Get(member); v.Exists() {
				return d.piece(v)
			}
		}
	case "message_delta":
		d.counts.read(ev.Get("usage"))
		if reason := ev.Get("delta.stop_reason"); !isEmpty(reason) {
			d.finished = true
			return dialect.Content
		}
	}
	return dialect.Lifecycle
}

func (d *passing) piece(v gjson.Result) dialect.State {
	if isEmpty(v) {
		return dialect.Lifecycle
	}
	d.text += len(v.Raw) - len(`""`)
	return dialect.Content
}

// isWord reports whether a kind of events can stand in a stream: it goes there
// as it is.
func isWord(kind string) bool {
	for _, ch := range []byte(kind) {
		if ch <= ' ' || ch >= 0x7f {
			return false
		}
	}
	return kind != ""
}

// appendEvent appends an event. White space between the tokens of its data may
// break lines.
func appendEvent(dst []byte, kind string, data []byte) []byte {
	dst = append(append(append(dst, "event: "...), kind...), "\ndata: "...)
	from := len(dst)
	dst = append(dst, data...)
	for i, ch := range dst[from:] {
		if ch == '\n' || ch == '\r' {
			dst[from+i] = ' '
		}
	}
	return append(dst, "\n\n"...)
}

// End implements dialect.StreamDecoder: the last event, where the provider did
// not send it.
func (d *passing) End(dst []byte) []byte {
	if d.stopped {
		return dst
	}
	d.stopped = true
	return appendEvent(dst, "message_stop", []byte(`{"type":"message_stop"}`))
}
