package claude

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

// FuzzEncode puts any body into the format: it is refused in words for the
// client, or what goes out is JSON whose turns begin with the user and alternate.
func FuzzEncode(f *testing.F) {
	raw, err := os.ReadFile("testdata/requests.json")
	if err != nil {
		f.Fatal(err)
	}
	var cases []struct{ In json.RawMessage }
	if err := json.Unmarshal(raw, &cases); err != nil {
		f.Fatal(err)
	}
	for _, c := range cases {
		f.Add(string(c.In))
	}
	d := bound(f, nil)
	f.Fuzz(func(t *testing.T, body string) {
		_, got, err := encoded(t, d, asked(t, body, "claude-sonnet-4-5", false))
		if err != nil {
			if e, ok := errors.AsType[*apierror.Error](err); !ok || e.Status != 400 || e.Message == "" {
				t.Fatalf("not an answer for the client: %v", err)
			}
			return
		}
		var out struct {
			Messages []struct {
				Role    string
				Content []struct{ Type, Text string }
			}
		}
		if err := json.Unmarshal([]byte(got), &out); err != nil || len(out.Messages) == 0 {
			t.Fatalf("%v in %s", err, got)
		}
		for i, m := range out.Messages {
			if want := [...]string{"user", "assistant"}[i%2]; m.Role != want || len(m.Content) == 0 {
				t.Fatalf("turn %d is the %s's with %d blocks: %s", i, m.Role, len(m.Content), got)
			}
			for _, b := range m.Content {
				if b.Type == "text" && b.Text == "" {
					t.Fatalf("an empty text in turn %d: %s", i, got)
				}
			}
		}
	})
}

// The shape is used where it fits, and only there.
func TestShape(t *testing.T) {
	dec := bound(t, nil).Stream(&dialect.Meta{Model: []byte(`"m"`)}).(*decoder)
	f := func(event string, want bool) {
		t.Helper()
		if _, fits := dec.shape.Match([]byte(event), nil); fits != want {
			t.Errorf("%s matches: %v", event, fits)
		}
		if _, _, err := dec.Event(nil, nil, []byte(event)); err != nil {
			t.Error(err)
		}
	}
	text := func(index int, s string) string {
		return fmt.Sprintf(`{"type":"content_block_delta","index":%d,"delta":{"type":"text_delta","text":%q}}`, index, s)
	}
	f(text(0, "a"), false)
	f(text(0, "b"), true)
	f(text(1, "c"), false)
	f(`{"type":"content_block_delta","index":1,"delta":{"type":"thinking_delta","thinking":"c"}}`, false)
	f(text(1, "d"), true)
	f(`{"type":"message_delta","delta":{"stop_reason":"end_turn"}}`, false)
	if out, state, err := dec.Event(nil, nil, []byte(text(1, "e"))); len(out) > 0 || state != dialect.Dropped || err != nil {
		t.Errorf("text after the end: %q, %d, %v", out, state, err)
	}
}
