package messages_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
	"github.com/PPKunOfficial/berry-api/relay/dialect/golden"
	"github.com/PPKunOfficial/berry-api/relay/dialect/hub"
	"github.com/PPKunOfficial/berry-api/relay/dialect/messages"
)

// event is an event of a message, as far as its order goes.
type event struct {
	Type    string
	Index   int
	Message struct {
		ID, Type, Role string
		Content        []any
	}
	Block struct{ Type string } `json:"content_block"`
	Delta struct {
		Type       string
		StopReason string `json:"stop_reason"`
	}
	Usage *struct {
		OutputTokens *int `json:"output_tokens"`
	}
}

// checkOrder follows the events as clients do, which lose text or throw when an
// event is not where it belongs. It returns the event after which all is said.
func checkOrder(events string) (last string, err error) {
	blocks, open := 0, ""
	for frame := range strings.SplitSeq(strings.TrimSuffix(events, "\n\n"), "\n\n") {
		name, data, ok := strings.Cut(strings.TrimPrefix(frame, "event: "), "\ndata: ")
		var ev event
		if !ok || strings.Contains(data, "\n") || json.Unmarshal([]byte(data), &ev) != nil || ev.Type != name {
			return last, fmt.Errorf("not an event: %q", frame)
		}
		switch {
		case last == "message_stop" || last == "error":
			err = errors.New("something after the end")
		case name == "message_start":
			if last != "" || ev.Message.ID == "" || ev.Message.Type != "message" || ev.Message.Role != "assistant" || ev.Message.Content == nil || len(ev.Message.Content) > 0 {
				err = errors.New("a second start, or an odd one")
			}
		case last == "":
			err = errors.New("no start")
		case name == "content_block_start":
			if open != "" || ev.Index != blocks || ev.Block.Type == "" {
				err = errors.New("a block out of order")
			}
			open = ev.Block.Type
			blocks++
		case name == "content_block_delta":
			want := map[string]string{"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "thinking", "citations_delta": "text", "input_json_delta": "tool_use"}
			if open == "" || want[ev.Delta.Type] != open || ev.Index != blocks-1 {
				err = errors.New("a piece of another block")
			}
		case name == "content_block_stop":
			if open == "" || ev.Index != blocks-1 {
				err = errors.New("the end of another block")
			}
			open = ""
		case name == "message_delta":
			if open != "" || ev.Usage == nil || ev.Usage.OutputTokens == nil {
				err = errors.New("an end with an open block or without usage")
			}
		case name == "message_stop" && last == "message_delta", name == "error":
		default:
			err = errors.New("an event that is not known, or out of order")
		}
		if err != nil {
			return last, fmt.Errorf("%w: %s", err, frame)
		}
		last = name
	}
	return last, nil
}

// TestStreamsCut cuts every stream at every byte: what comes out is a beginning
// of the whole, and has an end only where it counts as whole.
func TestStreamsCut(t *testing.T) {
	for _, g := range golden.Streams(t) {
		full, _, _ := run(t, g.In)
		for i := range len(g.In) {
			out, whole, err := run(t, g.In[:i])
			if out == "" || err != nil {
				continue
			}
			last, order := checkOrder(out)
			if ended := last == "message_stop"; order != nil || ended != whole {
				t.Fatalf("%s cut at %d: whole %v, last event %s, %v", g.Name, i, whole, last, order)
			}
			if !whole && !strings.HasPrefix(full, out) {
				t.Fatalf("%s cut at %d is no beginning of the whole:\n%s", g.Name, i, out)
			}
		}
	}
}

func FuzzStream(f *testing.F) {
	for _, g := range golden.Streams(f) {
		f.Add([]byte(g.In))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		out, whole, err := run(t, string(in))
		if out == "" {
			return
		}
		last, order := checkOrder(out)
		switch {
		case order != nil:
			t.Fatal(order)
		case err != nil && (last == "message_stop" || last == "message_delta"):
			t.Fatalf("a good end before %v", err)
		case err == nil && whole && last != "message_stop" && last != "error":
			t.Fatalf("a whole answer ends with %s", last)
		}
		if len(out) > 600*(len(in)+2) {
			t.Errorf("%d bytes became %d", len(in), len(out))
		}
	})
}

// FuzzRequest puts any body into the chat format: it is refused in words for
// the client, or what goes out is a chat request.
func FuzzRequest(f *testing.F) {
	for _, c := range requests(f) {
		f.Add(string(c.In))
	}
	f.Fuzz(func(t *testing.T, body string) {
		r, err := messages.Parse([]byte(body))
		var c *messages.Chat
		if err == nil {
			if n := r.Tokens(); n <= 0 || n > 4000*(len(body)+2) {
				t.Fatalf("%d tokens", n)
			}
			c, err = r.Chat(hub.Target{Model: "m", Effort: r.Effort("gpt-5"), Bookkeeping: true})
		}
		if err != nil {
			if e, ok := errors.AsType[*apierror.Error](err); !ok || e.Status != 400 || e.Message == "" {
				t.Fatalf("not an answer for the client: %v", err)
			}
			return
		}
		out, err := chat.Parse(c.Body)
		if err != nil {
			t.Fatalf("%v in %s", err, c.Body)
		}
		for _, tool := range out.Tools {
			if n := tool.Function.Name; len(n) > 64 || strings.Trim(n, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
				t.Fatalf("a tool named %q", n)
			}
		}
	})
}

// FuzzEvents makes a stream of any message.
func FuzzEvents(f *testing.F) {
	raw, err := os.ReadFile("testdata/answers.json")
	if err != nil {
		f.Fatal(err)
	}
	var cases []struct{ Out json.RawMessage }
	if err := json.Unmarshal(raw, &cases); err != nil {
		f.Fatal(err)
	}
	for _, c := range cases {
		f.Add([]byte(c.Out))
	}
	f.Add([]byte(`{"id":"m","type":"message","role":"assistant","content":[{"type":"text","text":"a","citations":[{"type":"x"}]},{"type":"server_tool_use","id":"s","name":"w","input":{}}],"stop_reason":"end_turn","stop_details":null,"usage":{"output_tokens":1}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		out, err := messages.AppendEvents(nil, body)
		if err != nil {
			return
		}
		for frame := range strings.SplitSeq(strings.TrimSuffix(string(out), "\n\n"), "\n\n") {
			_, data, ok := strings.Cut(frame, "\ndata: ")
			if !ok || strings.Contains(data, "\n") || !json.Valid([]byte(data)) {
				t.Fatalf("not an event: %q", frame)
			}
		}
	})
}
