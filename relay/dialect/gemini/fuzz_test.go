package gemini

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/core/apierror"
)

// FuzzEncode puts any body into the format: it is refused in words for the
// client, or what goes out has what the API insists on.
func FuzzEncode(f *testing.F) {
	files, err := filepath.Glob("testdata/request_*.json")
	if err != nil || len(files) < 10 {
		f.Fatalf("%d golden requests: %v", len(files), err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, ".up.json") {
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		var in struct{ Request json.RawMessage }
		if err := json.Unmarshal(data, &in); err != nil {
			f.Fatal(err)
		}
		f.Add(string(in.Request))
	}
	d := dialectFor(f)
	f.Fuzz(func(t *testing.T, body string) {
		for _, model := range []string{"gemini-3-pro", "gemini-2.0-flash"} {
			req, _, err := encode(d, model, body)
			if err != nil {
				if e, ok := errors.AsType[*apierror.Error](err); !ok || e.Status != 400 || e.Message == "" {
					t.Fatalf("not an answer for the client: %v", err)
				}
				continue
			}
			sent, err := io.ReadAll(req.Body)
			if err != nil {
				t.Fatal(err)
			}
			checkSent(t, sent)
		}
	})
}

// checkSent looks for what the API refuses.
func checkSent(t *testing.T, sent []byte) {
	t.Helper()
	var out struct {
		Contents []struct {
			Role  string
			Parts []map[string]json.RawMessage
		}
	}
	if err := json.Unmarshal(sent, &out); err != nil || len(out.Contents) == 0 {
		t.Fatalf("%v in %s", err, sent)
	}
	open := 0 // calls that wait for as many results
	for i, c := range out.Contents {
		calls, results := 0, 0
		for _, p := range c.Parts {
			if text, ok := p["text"]; len(p) == 0 || ok && string(text) == `""` {
				t.Fatalf("an empty part in content %d: %s", i, sent)
			}
			if _, ok := p["functionCall"]; ok {
				calls++
			}
			if _, ok := p["functionResponse"]; ok {
				results++
			}
		}
		switch {
		case len(c.Parts) == 0:
			t.Fatalf("content %d is empty: %s", i, sent)
		case i == 0 && c.Role != "user":
			t.Fatalf("it begins with the %s's: %s", c.Role, sent)
		case calls > 0 && out.Contents[i-1].Role == "model":
			t.Fatalf("calls in content %d right after another of the model's: %s", i, sent)
		case open > 0 && results != open:
			t.Fatalf("%d results of %d calls in content %d: %s", results, open, i, sent)
		}
		open = calls
	}
}
