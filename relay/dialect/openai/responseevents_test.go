package openai

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

func TestEventsOfAWholeResponse(t *testing.T) {
	f := func(in string, want ...string) {
		t.Helper()
		out, err := AppendChunks(nil, []byte(in), &dialect.Meta{Endpoint: dialect.Responses})
		if err != nil {
			t.Errorf("%s: %v", in, err)
		}
		if d := cmp.Diff(strings.Join(want, ""), string(out)); d != "" {
			t.Errorf("%s (-want +got):\n%s", in, d)
		}
		// What is made is read as what an upstream streams.
		d := NewResponses(&dialect.Meta{Model: []byte(`"m"`)})
		for i, ev := range want {
			name, data, _ := strings.Cut(strings.TrimPrefix(ev, "event: "), "\ndata: ")
			_, state, err := d.Event(nil, []byte(name), []byte(data))
			if err != nil || (i == len(want)-1) != (state == dialect.End) {
				t.Errorf("%s: %v, %v", ev, state, err)
			}
		}
	}
	event := func(kind, data string) string { return "event: response." + kind + "\ndata: " + data + "\n\n" }

	const head = `"id":"r","model":"m","output":[]`
	f("{\"id\":\"r\",\n\"status\":\"completed\",\"model\":\"m\",\"big\":12345678901234567890}",
		event("created", `{"response":{"big":12345678901234567890,`+head+`,"status":"in_progress","usage":null},"sequence_number":0,"type":"response.created"}`),
		event("in_progress", `{"response":{"big":12345678901234567890,`+head+`,"status":"in_progress","usage":null},"sequence_number":1,"type":"response.in_progress"}`),
		event("completed", `{"response":{"id":"r","status":"completed","model":"m","big":12345678901234567890},"sequence_number":2,"type":"response.completed"}`))

	const message = `{"id":"i","type":"message","status":"completed","content":[{"type":"output_text","text":"he\u00e9","annotations":[]},{"type":"refusal","refusal":"no"},{"type":"new","x":1}]}`
	const call = `{"id":"c","type":"function_call","name":"f","call_id":"k","arguments":"{}"}`
	const whole = `{"id":"r","status":"incomplete","output":[` + message + `,{"type":"reasoning","id":"x","summary":[]},` + call + `]}`
	f(whole,
		event("created", `{"response":{"id":"r","output":[],"status":"in_progress","usage":null},"sequence_number":0,"type":"response.created"}`),
		event("in_progress", `{"response":{"id":"r","output":[],"status":"in_progress","usage":null},"sequence_number":1,"type":"response.in_progress"}`),
		event("output_item.added", `{"item":{"content":[],"id":"i","status":"in_progress","type":"message"},"output_index":0,"sequence_number":2,"type":"response.output_item.added"}`),
		event("content_part.added", `{"content_index":0,"item_id":"i","output_index":0,"part":{"annotations":[],"text":"","type":"output_text"},"sequence_number":3,"type":"response.content_part.added"}`),
		event("output_text.delta", `{"content_index":0,"delta":"he\u00e9","item_id":"i","logprobs":[],"output_index":0,"sequence_number":4,"type":"response.output_text.delta"}`),
		event("output_text.done", `{"content_index":0,"item_id":"i","logprobs":[],"output_index":0,"sequence_number":5,"text":"he\u00e9","type":"response.output_text.done"}`),
		event("content_part.done", `{"content_index":0,"item_id":"i","output_index":0,"part":{"annotations":[],"text":"he\u00e9","type":"output_text"},"sequence_number":6,"type":"response.content_part.done"}`),
		event("content_part.added", `{"content_index":1,"item_id":"i","output_index":0,"part":{"refusal":"","type":"refusal"},"sequence_number":7,"type":"response.content_part.added"}`),
		event("refusal.delta", `{"content_index":1,"delta":"no","item_id":"i","output_index":0,"sequence_number":8,"type":"response.refusal.delta"}`),
		event("refusal.done", `{"content_index":1,"item_id":"i","output_index":0,"refusal":"no","sequence_number":9,"type":"response.refusal.done"}`),
		event("content_part.done", `{"content_index":1,"item_id":"i","output_index":0,"part":{"refusal":"no","type":"refusal"},"sequence_number":10,"type":"response.content_part.done"}`),
		event("content_part.added", `{"content_index":2,"item_id":"i","output_index":0,"part":{"type":"new","x":1},"sequence_number":11,"type":"response.content_part.added"}`),
		event("content_part.done", `{"content_index":2,"item_id":"i","output_index":0,"part":{"type":"new","x":1},"sequence_number":12,"type":"response.content_part.done"}`),
		event("output_item.done", `{"item":{"content":[{"type":"output_text","text":"he\u00e9","annotations":[]},{"type":"refusal","refusal":"no"},{"type":"new","x":1}],"id":"i","status":"completed","type":"message"},"output_index":0,"sequence_number":13,"type":"response.output_item.done"}`),
		event("output_item.added", `{"item":{"id":"x","summary":[],"type":"reasoning"},"output_index":1,"sequence_number":14,"type":"response.output_item.added"}`),
		event("output_item.done", `{"item":{"id":"x","summary":[],"type":"reasoning"},"output_index":1,"sequence_number":15,"type":"response.output_item.done"}`),
		event("output_item.added", `{"item":{"arguments":"","call_id":"k","id":"c","name":"f","type":"function_call"},"output_index":2,"sequence_number":16,"type":"response.output_item.added"}`),
		event("function_call_arguments.delta", `{"delta":"{}","item_id":"c","output_index":2,"sequence_number":17,"type":"response.function_call_arguments.delta"}`),
		event("function_call_arguments.done", `{"arguments":"{}","item_id":"c","name":"f","output_index":2,"sequence_number":18,"type":"response.function_call_arguments.done"}`),
		event("output_item.done", `{"item":{"arguments":"{}","call_id":"k","id":"c","name":"f","type":"function_call"},"output_index":2,"sequence_number":19,"type":"response.output_item.done"}`),
		event("incomplete", `{"response":`+whole+`,"sequence_number":20,"type":"response.incomplete"}`))

	for _, in := range []string{"", "[]", `{"id":"r"}`, `{"id":"r","status":"queued"}`, `{"id":"r","status":"completed","output":1}`, `{"id":"r","status":"completed","output":[{"type":"message","content":1}]}`} {
		if out, err := AppendChunks(nil, []byte(in), &dialect.Meta{Endpoint: dialect.Responses}); err == nil {
			t.Errorf("%s: %s", in, out)
		}
	}
}
