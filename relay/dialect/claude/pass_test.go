package claude

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/golden"
)

func passed() *dialect.Meta {
	return &dialect.Meta{Model: []byte(`"asked"`), Endpoint: dialect.Messages}
}

// frames takes a stream for its own clients apart; each is an event with its name and one line of JSON.
func frames(t *testing.T, out string) (names, data []string) {
	t.Helper()
	for frame := range strings.SplitSeq(strings.TrimSuffix(out, "\n\n"), "\n\n") {
		if out == "" {
			break
		}
		name, text, ok := strings.Cut(strings.TrimPrefix(frame, "event: "), "\ndata: ")
		if !ok || !json.Valid([]byte(text)) || strings.ContainsAny(text, "\r\n") || strings.ContainsAny(name, " \r\n") {
			t.Fatalf("not an event: %q", frame)
		}
		names, data = append(names, name), append(data, text)
	}
	return names, data
}

// Every stream of testdata reaches its own clients as it came: what is
// expected is what was sent, but for the model's name.
func TestPassing(t *testing.T) {
	for _, g := range golden.Streams(t) {
		out, whole, err := run(g.In, passed(), bound(t, nil))
		names, data := frames(t, out)
		sent := 0
		for _, d := range data {
			d = strings.Replace(d, `"model":"asked"`, `"model":"m"`, 1)
			if strings.Contains(g.In, "data: "+d+"\n") {
				sent++
			}
		}
		added := 0 // the end, where the provider left it out
		if n := len(names); whole && n > 0 && !strings.Contains(g.In, "message_stop") && names[n-1] == "message_stop" {
			added = 1
		}
		if sent+added < len(data) {
			t.Errorf("%s: %d of %d events were not sent so:\n%s", g.Name, len(data)-sent-added, len(data), out)
		}
		if whole && err == nil && (len(names) == 0 || names[len(names)-1] != "message_stop") {
			t.Errorf("%s is whole and ends with %v", g.Name, names)
		}
		if !whole && strings.Contains(out, "message_stop") {
			t.Errorf("%s is not whole and ends well", g.Name)
		}
	}
}

// A stream that is cut anywhere is a beginning of the whole one, and has an end
// only where the model said why it stopped.
func TestPassingCut(t *testing.T) {
	for _, g := range golden.Streams(t) {
		full, _, _ := run(g.In, passed(), bound(t, nil))
		for i := range len(g.In) {
			out, whole, err := run(g.In[:i], passed(), bound(t, nil))
			if err != nil {
				continue
			}
			if whole != strings.Contains(out, "message_stop") || whole && !strings.Contains(out, `"stop_reason":"`) {
				t.Fatalf("%s cut at %d: whole %v: %s", g.Name, i, whole, out)
			}
			if !whole && !strings.HasPrefix(full, out) {
				t.Fatalf("%s cut at %d is no beginning of the whole:\n%s", g.Name, i, out)
			}
		}
	}
}

// What would break a client of this format does not reach it: what comes before the
// beginning, a second one, content behind the reason why the model stopped.
func TestPassingInOrder(t *testing.T) {
	ev := func(kind, rest string) string {
		return "event: " + kind + "\ndata: {\"type\":\"" + kind + "\"" + rest + "}\n\n"
	}
	start := ev("message_start", `,"message":{"model":"m","usage":{"input_tokens":3}}`)
	block := ev("content_block_start", `,"index":0,"content_block":{"type":"text","text":""}`)
	text := ev("content_block_delta", `,"index":0,"delta":{"type":"text_delta","text":"a"}`)
	stop := ev("message_delta", `,"delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}`)
	total, end := ev("message_delta", `,"delta":{},"usage":{"output_tokens":3}`), ev("message_stop", "")
	out, whole, err := run(text+start+block+text+start+text+stop+text+block+total+end, passed(), bound(t, nil))
	want := strings.Replace(start, `"m"`, `"asked"`, 1) + block + text + text + stop + total + end
	if err != nil || !whole || out != want {
		t.Errorf("%v, whole %v, %q, want %q", err, whole, out, want)
	}
}

func FuzzPassing(f *testing.F) {
	for _, g := range golden.Streams(f) {
		f.Add([]byte(g.In))
	}
	d := bound(f, nil)
	f.Fuzz(func(t *testing.T, in []byte) {
		out, whole, err := run(string(in), passed(), d)
		names, _ := frames(t, out)
		starts, ends := 0, 0
		for _, name := range names {
			switch name {
			case "message_start":
				starts++
			case "message_stop":
				ends++
			}
		}
		if starts > 1 || ends > 1 || err == nil && whole != (ends == 1) {
			t.Errorf("%d starts, %d ends, whole %v: %q", starts, ends, whole, out)
		}
		if len(out) > 100*(len(in)+2) {
			t.Errorf("%d bytes became %d", len(in), len(out))
		}
	})
}
