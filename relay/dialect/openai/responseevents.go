package openai

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
)

// members are an object's, by name.
type members map[string]json.RawMessage

var errNotOver = errors.New("the response is not over")

// responseEvents appends the stream that says what the whole response body says:
// for upstreams that answer a request for a stream with one JSON text.
func responseEvents(dst, body []byte) ([]byte, error) {
	r, ok := readWhole(body)
	if !ok {
		return dst, errNoResponse
	}
	if says := r.says(body); !says.Over() || says.Status == "" {
		return dst, errNotOver // an end is what its client waits for
	}
	var whole members
	if err := json.Unmarshal(body, &whole); err != nil {
		return dst, fmt.Errorf("cannot read the response: %w", err)
	}
	var items []members
	if raw, ok := whole["output"]; ok {
		if err := json.Unmarshal(raw, &items); err != nil {
			return dst, fmt.Errorf("cannot read the response's output: %w", err)
		}
	}
	w := &eventWriter{dst: dst}
	began := maps.Clone(whole)
	began["status"], began["output"], began["usage"] = quoted("in_progress"), json.RawMessage("[]"), null
	w.event("response.created", members{"response": w.object(began)})
	w.event("response.in_progress", members{"response": w.object(began)})
	for i, item := range items {
		w.item(i, item)
	}
	w.event("response."+plainText(body, r.status), members{"response": body})
	return w.dst, w.err
}

// eventWriter appends numbered events; err is the first that it met.
type eventWriter struct {
	dst []byte
	n   int
	err error
}

func (w *eventWriter) object(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil && w.err == nil {
		w.err = err
	}
	return b
}

func (w *eventWriter) event(kind string, m members) {
	m["type"], m["sequence_number"] = quoted(kind), json.RawMessage(strconv.Itoa(w.n))
	w.dst = append(append(w.dst, "event: "+kind+"\ndata: "...), w.object(m)...)
	w.dst = append(w.dst, "\n\n"...)
	w.n++
}

func quoted(word string) json.RawMessage { return json.RawMessage(`"` + word + `"`) }

// item appends the events of one item of the output.
func (w *eventWriter) item(index int, item members) {
	at := func(more members) members {
		more["output_index"] = json.RawMessage(strconv.Itoa(index))
		return more
	}
	began := maps.Clone(item)
	if _, ok := item["status"]; ok {
		began["status"] = quoted("in_progress")
	}
	said := func(more members) members {
		more["item_id"] = item["id"]
		return at(more)
	}
	switch string(item["type"]) {
	case `"message"`:
		began["content"] = json.RawMessage("[]")
		w.event("response.output_item.added", at(members{"item": w.object(began)}))
		w.parts(item["content"], said)
	case `"function_call"`:
		began["arguments"] = json.RawMessage(`""`)
		w.event("response.output_item.added", at(members{"item": w.object(began)}))
		w.event("response.function_call_arguments.delta", said(members{"delta": item["arguments"]}))
		w.event("response.function_call_arguments.done", said(members{"arguments": item["arguments"], "name": item["name"]}))
	default: // what its pieces are called nobody here knows
		w.event("response.output_item.added", at(members{"item": w.object(item)}))
	}
	w.event("response.output_item.done", at(members{"item": w.object(item)}))
}

// parts appends the events of a message's content.
func (w *eventWriter) parts(content json.RawMessage, said func(members) members) {
	var parts []members
	if err := json.Unmarshal(content, &parts); err != nil {
		w.err = err
		return
	}
	for i, part := range parts {
		at := func(more members) members {
			more["content_index"] = json.RawMessage(strconv.Itoa(i))
			return said(more)
		}
		kind, text := "output_text", "text"
		if string(part["type"]) == `"refusal"` {
			kind, text = "refusal", "refusal"
		}
		began := maps.Clone(part)
		if _, ok := part[text]; ok {
			began[text] = json.RawMessage(`""`)
		}
		w.event("response.content_part.added", at(members{"part": w.object(began)}))
		if _, ok := part[text]; ok {
			delta, done := members{"delta": part[text]}, members{text: part[text]}
			if kind == "output_text" {
				delta["logprobs"], done["logprobs"] = json.RawMessage("[]"), json.RawMessage("[]")
			}
			w.event("response."+kind+".delta", at(delta))
			w.event("response."+kind+".done", at(done))
		}
		w.event("response.content_part.done", at(members{"part": w.object(part)}))
	}
}
