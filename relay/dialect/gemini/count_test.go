package gemini

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

// What is counted is what would be asked: each request, with its model.
func TestCountWhatIsAsked(t *testing.T) {
	files, err := filepath.Glob("testdata/request_*.up.json")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	sent := func(model, body string, e dialect.Endpoint) (string, string, []string) {
		t.Helper()
		req, dropped, err := encodeFor(e, dialectFor(t), model, body)
		if err != nil {
			t.Fatal(err)
		}
		out, err := io.ReadAll(req.Body)
		if err != nil {
			t.Fatal(err)
		}
		return req.URL.RequestURI(), string(out), dropped
	}
	for _, f := range files {
		data, err := os.ReadFile(strings.TrimSuffix(f, ".up.json") + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var in struct {
			Model   string
			Request json.RawMessage
		}
		if err := json.Unmarshal(data, &in); err != nil {
			t.Fatal(err)
		}
		// A field stream is nothing to a count.
		body := strings.Replace(string(in.Request), "{", `{"stream":true,`, 1)
		if strings.Contains(string(in.Request), `"stream"`) {
			body = string(in.Request)
		}
		_, asked, wantDropped := sent(in.Model, string(in.Request), dialect.Chat)
		path, counted, dropped := sent(in.Model, body, dialect.ChatTokens)
		want := `{"generateContentRequest":{"model":"models/` + in.Model + `",` + strings.TrimSuffix(asked, "\n")[1:] + "}\n"
		if counted != want || path != "/v1beta/models/"+in.Model+":countTokens" {
			t.Errorf("%s: at %s %s\nwant %s", f, path, counted, want)
		}
		if d := cmp.Diff(wantDropped, dropped); d != "" {
			t.Errorf("%s: %s", f, d)
		}
	}
	// Names with their collection stay as they are.
	path, out, _ := sent("tunedModels/t 1", `{"messages":[{"role":"user","content":"a"}]}`, dialect.ChatTokens)
	const want = `{"generateContentRequest":{"model":"tunedModels/t 1","contents":[{"role":"user","parts":[{"text":"a"}]}]}}` + "\n"
	if out != want || path != "/v1beta/tunedModels/t%201:countTokens" {
		t.Errorf("%s %s", path, out)
	}
}

// A total is a count; nothing else in the answer is.
func TestDecodeCount(t *testing.T) {
	decode := func(in string) (string, error) {
		t.Helper()
		out, u, err := dialectFor(t).Decode([]byte(in), &dialect.Meta{Endpoint: dialect.ChatTokens})
		if u != (dialect.Usage{}) {
			t.Errorf("%s costs %+v", in, u)
		}
		return string(out), err
	}
	f := func(in, want string) {
		t.Helper()
		if got, err := decode(in); got != want || err != nil {
			t.Errorf("%s: %s, %v", in, got, err)
		}
	}
	none := func(in string) {
		t.Helper()
		if got, err := decode(in); !errors.Is(err, errNoCount) {
			t.Errorf("%s: %s, %v", in, got, err)
		}
	}
	f(`{"totalTokens":31}`, `{"input_tokens":31}`)
	f(` {"promptTokensDetails":[{"modality":"TEXT","tokenCount":30}],"cachedContentTokenCount":9,"totalTokens": 31.0 ,"totalBillableCharacters":99}`, `{"input_tokens":31}`)
	none(`{"totalBillableCharacters":99,"promptTokenCount":3,"input_tokens":4,"total_tokens":5,"usageMetadata":{"totalTokens":6}}`)
	for _, total := range []string{`"31"`, `null`, `true`, `{"totalTokens":3}`, `[3]`, `0`, `-3`, `3.5`, `1e30`} {
		none(`{"totalTokens":` + total + `}`)
	}
	none(`[{"totalTokens":3}]`)
	none(`{"totalTokens":3`)
	none(`<html>`)
	none(``)
	_, err := decode(`{"error":{"code":429,"message":"slow down","status":"RESOURCE_EXHAUSTED"},"totalTokens":3}`)
	if e, ok := errors.AsType[*apierror.Error](err); !ok || e.Status != 429 || e.Message != "slow down" {
		t.Errorf("%v", err)
	}
}

// FuzzDecodeCount: an answer is a count above 0, or none.
func FuzzDecodeCount(f *testing.F) {
	f.Add(`{"totalTokens":31,"promptTokensDetails":[{"modality":"TEXT","tokenCount":30}]}`)
	f.Add(`{"totalTokens":"31"}`)
	f.Add(`{"error":{"code":429}}`)
	f.Fuzz(func(t *testing.T, in string) {
		out, _, err := decodeCount([]byte(in))
		if err != nil {
			return
		}
		var got map[string]int
		if err := json.Unmarshal(out, &got); err != nil || len(got) != 1 || got["input_tokens"] < 1 {
			t.Fatalf("%q: %s, %v", in, out, err)
		}
	})
}
