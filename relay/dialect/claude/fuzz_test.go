package claude

import (
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/PPKunOfficial/berry-api/core/apierror"
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
