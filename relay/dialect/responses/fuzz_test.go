package responses_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
	"github.com/PPKunOfficial/berry-api/relay/dialect/golden"
	"github.com/PPKunOfficial/berry-api/relay/dialect/hub"
	"github.com/PPKunOfficial/berry-api/relay/dialect/responses"
)

// item is an item of a response, as far as its order goes.
type item struct {
	ID, Type  string
	Arguments string
	Input     string
	Content   []struct{ Text, Refusal string }
	Summary   []struct{ Text string }
}

// text is all that the item says.
func (it item) text() string {
	all := it.Arguments + it.Input
	for _, p := range it.Content {
		all += p.Text + p.Refusal
	}
	for _, p := range it.Summary {
		all += p.Text
	}
	return all
}

// event is an event of a response, as far as its order goes.
type event struct {
	Type     string
	Sequence int `json:"sequence_number"`
	Output   int `json:"output_index"`
	Delta    string
	Item     item
	Response struct {
		ID, Object, Status string
		Output             []item
		Usage              *struct {
			Total int `json:"total_tokens"`
		}
	}
}

// follower follows events as clients do, which throw when one is not where it
// belongs: https://github.com/openai/openai-node does.
type follower struct {
	n     int
	id    string
	last  string
	open  bool // an item
	part  bool // a part of it
	said  string
	items []item
}

func (f *follower) take(ev event) error {
	if ev.Sequence != f.n {
		return fmt.Errorf("number %d instead of %d", ev.Sequence, f.n)
	}
	f.n++
	switch name := strings.TrimPrefix(ev.Type, "response."); {
	case f.last == "completed" || f.last == "incomplete" || f.last == "failed":
		return errors.New("something after the end")
	case f.n == 1 != (name == "created"), f.n == 2 != (name == "in_progress"):
		return errors.New("a beginning that is none")
	case name == "created", name == "in_progress":
		f.id = ev.Response.ID
		if ev.Response.Status != "in_progress" || ev.Response.Object != "response" || ev.Response.Usage != nil || ev.Response.Output == nil {
			return errors.New("an odd response")
		}
	case name == "output_item.added":
		if f.open || ev.Output != len(f.items) || ev.Item.ID == "" || ev.Item.text() != "" {
			return errors.New("an item out of order")
		}
		f.open, f.said = true, ""
		f.items = append(f.items, ev.Item)
	case name == "output_item.done":
		if !f.open || f.part || ev.Output != len(f.items)-1 || ev.Item.ID != f.items[ev.Output].ID || ev.Item.text() != f.said {
			return errors.New("the end of another item")
		}
		f.open, f.items[ev.Output] = false, ev.Item
	case strings.HasSuffix(name, "part.added"):
		if !f.open || f.part {
			return errors.New("a part out of order")
		}
		f.part = true
	case strings.HasSuffix(name, "part.done"):
		f.part = false
	case strings.HasSuffix(name, ".delta"):
		calls := strings.Contains(name, "call")
		if !f.open || ev.Output != len(f.items)-1 || f.part == calls {
			return errors.New("a piece of nothing")
		}
		f.said += ev.Delta
	case strings.HasSuffix(name, ".done"):
	case name == "completed", name == "incomplete", name == "failed":
		r := ev.Response
		if r.ID != f.id || r.Status != name || name != "failed" && (f.open || r.Usage == nil || len(r.Output) != len(f.items)) {
			return errors.New("an odd end")
		}
		for i, it := range r.Output {
			if it.ID != f.items[i].ID || it.text() != f.items[i].text() {
				return fmt.Errorf("item %d is another one at the end", i)
			}
		}
	default:
		return errors.New("an event that is not known")
	}
	f.last = strings.TrimPrefix(ev.Type, "response.")
	return nil
}

// checkOrder returns the event after which all is said.
func checkOrder(events string) (last string, err error) {
	var f follower
	for frame := range strings.SplitSeq(strings.TrimSuffix(events, "\n\n"), "\n\n") {
		name, data, ok := strings.Cut(strings.TrimPrefix(frame, "event: "), "\ndata: ")
		var ev event
		if !ok || strings.Contains(data, "\n") || json.Unmarshal([]byte(data), &ev) != nil || ev.Type != name {
			return f.last, fmt.Errorf("not an event: %q", frame)
		}
		if err := f.take(ev); err != nil {
			return f.last, fmt.Errorf("%w: %s", err, frame)
		}
	}
	return f.last, nil
}

// TestStreamsCut cuts every stream in many places: what comes out is a beginning
// of the whole, and has an end only where it counts as whole.
func TestStreamsCut(t *testing.T) {
	for _, g := range golden.Streams(t) {
		if strings.Contains(g.In, `\ud`) {
			continue // halves of a pair are read as something else than the whole
		}
		full, _, _ := run(t, g.In)
		full = steady(full)
		for i := 0; i < len(g.In); i += 17 {
			out, whole, err := run(t, g.In[:i])
			if out == "" || err != nil {
				continue
			}
			last, order := checkOrder(out)
			if ended := last == "completed" || last == "incomplete"; order != nil || ended != whole {
				t.Fatalf("%s cut at %d: whole %v, last event %s, %v", g.Name, i, whole, last, order)
			}
			if !whole && !strings.HasPrefix(full, steady(out)) {
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
		if strings.Contains(strings.ToLower(string(in)), `\ud`) {
			return // halves of a pair are read as something else than the whole
		}
		out, whole, err := run(t, string(in))
		if out == "" {
			return
		}
		last, order := checkOrder(out)
		switch {
		case order != nil:
			t.Fatal(order)
		case err != nil && (last == "completed" || last == "incomplete"):
			t.Fatalf("a good end before %v", err)
		case err == nil && whole && last != "completed" && last != "incomplete" && last != "failed":
			t.Fatalf("a whole answer ends with %s", last)
		}
		if len(out) > 2000*(len(in)+8) {
			t.Errorf("%d bytes became %d", len(in), len(out))
		}
	})
}

// FuzzRequest puts any body into the chat format: it is refused in words for
// the client, or what goes out is a chat request, and an answer repeats what is
// to be repeated.
func FuzzRequest(f *testing.F) {
	for _, c := range requests(f) {
		f.Add(string(c.In))
	}
	f.Fuzz(func(t *testing.T, body string) {
		r, err := responses.Parse([]byte(body))
		var c *responses.Chat
		if err == nil {
			c, err = r.Chat(hub.Target{Model: "m", Effort: r.Effort("gpt-5"), Bookkeeping: true, Reasoning: true})
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
		answer, err := c.Answer([]byte(`{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}]}`), []byte(`"m"`), dialect.Usage{})
		if err != nil || !json.Valid(answer) || strings.Contains(string(answer), "\n") {
			t.Fatalf("%v: %s", err, answer)
		}
	})
}
