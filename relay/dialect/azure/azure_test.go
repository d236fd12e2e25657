package azure

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/sse"
)

func bound(t testing.TB, base string, p config.Provider) *Dialect {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	p.StreamUsage = true
	return New(dialect.Upstream{Base: u, Provider: p, UserAgent: "berry"})
}

func TestAddresses(t *testing.T) {
	f := func(base, version, chat, list string) {
		t.Helper()
		d := bound(t, base, config.Provider{APIVersion: version})
		body := dialect.NewBody(0)
		body.Set([]byte(`{"model":"m"}`))
		req, err := d.Encode(t.Context(), &dialect.Request{Body: body, Model: []byte(`"d"`), Scan: dialect.Scan{ModelValue: dialect.Span{Start: 9, End: 12}}})
		if err != nil {
			t.Fatal(err)
		}
		lister, err := d.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := req.URL.RequestURI(); got != chat || req.Host != "r.openai.azure.com" {
			t.Errorf("%s %s: chat at %s, want %s", base, version, got, chat)
		}
		if got := lister.URL.RequestURI(); got != list {
			t.Errorf("%s %s: list at %s, want %s", base, version, got, list)
		}
	}
	for _, base := range []string{"https://r.openai.azure.com", "https://r.openai.azure.com/openai", "https://r.openai.azure.com/openai/v1"} {
		f(base, "", "/openai/v1/chat/completions", "/openai/v1/models")
		f(base, "2024-10-21", "/openai/deployments/d/chat/completions?api-version=2024-10-21", "/openai/models?api-version=2024-10-21")
		f(base, "preview", "/openai/v1/chat/completions?api-version=preview", "/openai/v1/models?api-version=preview")
	}
	f("https://r.openai.azure.com/team%2Fa/x", "", "/team/a/x/openai/v1/chat/completions", "/team/a/x/openai/v1/models")
}

// Each endpoint has its place at the older addresses: below the deployment, or
// beside all of them.
func TestAddressesOfEndpoints(t *testing.T) {
	f := func(e dialect.Endpoint, classic, v1 string) {
		t.Helper()
		for version, want := range map[string]string{"2024-10-21": classic, "": v1} {
			d := bound(t, "https://r.openai.azure.com", config.Provider{APIVersion: version})
			if d.Serves(e) != (want != "") {
				t.Errorf("%v at %q: served %v", e, version, d.Serves(e))
			}
			if want == "" {
				continue
			}
			body := dialect.NewBody(0)
			body.Set([]byte(`{"model":"m"}`))
			req, err := d.Encode(t.Context(), &dialect.Request{
				Endpoint: e, Body: body, Model: []byte(`"d/1"`), Scan: dialect.Scan{Open: 1, ModelValue: dialect.Span{Start: 9, End: 12}},
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := req.URL.RequestURI(); got != want {
				t.Errorf("%v at %q: %s, want %s", e, version, got, want)
			}
		}
	}
	const deployment, query = "/openai/deployments/d%2F1/", "?api-version=2024-10-21"
	for _, e := range []dialect.Endpoint{
		dialect.Chat, dialect.Completions, dialect.Embeddings, dialect.Transcriptions, dialect.Translations, dialect.Speech,
		dialect.ImageGenerations, dialect.ImageEdits,
	} {
		f(e, deployment+e.Path()+query, "/openai/v1/"+e.Path())
	}
	f(dialect.Responses, "/openai/responses"+query, "/openai/v1/responses")
	for _, e := range []dialect.Endpoint{dialect.Moderations, dialect.ImageVariations, dialect.Messages, dialect.CountTokens} {
		f(e, "", "")
	}
}

// What mends chunks of chats leaves those of completions their form.
func TestCompletionsOfAzure(t *testing.T) {
	d := bound(t, "https://r.openai.azure.com", config.Provider{})
	dec := d.Stream(&dialect.Meta{Endpoint: dialect.Completions, Model: []byte(`"asked"`)})
	const in = `{"id":"","object":"","created":0,"model":"m","choices":[{"text":"a","index":0,"finish_reason":null}]}`
	out, state, err := dec.Event(nil, nil, []byte(in))
	if err != nil || state != dialect.Content {
		t.Fatalf("%v %v", state, err)
	}
	var got struct {
		ID, Object, Model string
		Created           int
		Choices           []map[string]any
	}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(string(out), "data: ")), &got); err != nil {
		t.Fatal(err)
	}
	if got.ID == "" || got.Created == 0 || got.Object != "text_completion" || got.Model != "asked" ||
		!cmp.Equal(got.Choices, []map[string]any{{"text": "a", "index": 0.0, "finish_reason": nil}}) {
		t.Errorf("%s", out)
	}
}

func TestHeaders(t *testing.T) {
	f := func(p config.Provider, apiKey, authorization string) {
		t.Helper()
		req, err := bound(t, "https://r.example", p).List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := [2]string{req.Header.Get("Api-Key"), req.Header.Get("Authorization")}; got != [2]string{apiKey, authorization} {
			t.Errorf("api-key %q, authorization %q", got[0], got[1])
		}
	}
	f(config.Provider{APIKey: config.NewSecret("k")}, "k", "")
	f(config.Provider{Headers: config.Headers{"authorization": "Bearer t"}}, "", "Bearer t")
	f(config.Provider{APIKey: config.NewSecret("k"), Headers: config.Headers{"API-Key": "own"}}, "own", "")
	f(config.Provider{}, "", "")
}

// run decodes frames as relay does.
func run(d *Dialect, in string) (out string, finished bool) {
	dec := d.Stream(&dialect.Meta{Model: []byte(`"asked"`)})
	r := sse.NewReader(strings.NewReader(in), 1<<20)
	var dst []byte
	for {
		ev, err := r.Next()
		if err != nil {
			return string(dst), dec.Finished()
		}
		var state dialect.State
		if dst, state, err = dec.Event(dst, ev.Name, ev.Data); err != nil || state == dialect.End {
			return string(dst), dec.Finished() && err == nil
		}
	}
}

func frames(all ...string) string {
	var b strings.Builder
	for _, f := range all {
		b.WriteString("data: " + f + "\n\n")
	}
	return b.String()
}

const (
	promptFilter = `{"id":"","object":"","created":0,"model":"","choices":[],"prompt_filter_results":[]}`
	role         = `{"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{"role":"assistant"},"finish_reason":null}]}`
	text         = `{"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}`
	offsets      = `{"id":"","object":"","created":0,"model":"","choices":[{"index":0,"finish_reason":null,"content_filter_offsets":{}}]}`
	stop         = `{"id":"c1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`
)

func TestStream(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		out, _ := run(bound(t, "https://r.example", config.Provider{}), in)
		// What is made up for an answer without an id or a time is not fixed.
		out = regexp.MustCompile(`chatcmpl-[0-9a-f]{24}`).ReplaceAllString(out, "ID")
		out = regexp.MustCompile(`"created":[0-9]{9,}`).ReplaceAllString(out, `"created":NOW`)
		if d := cmp.Diff(want, out); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
	}
	asked := func(s string) string { return strings.ReplaceAll(s, `"model":"m"`, `"model":"asked"`) }
	mended := `{"id":"c1","object":"chat.completion.chunk","created":7,"model":"asked","choices":[{"delta":{},"index":0,"finish_reason":null,"content_filter_offsets":{}}]}`
	f(frames(promptFilter, role, text, offsets, stop, offsets, "[DONE]"), asked(frames(role, text))+frames(mended)+asked(frames(stop))+frames(mended))
	f(frames(offsets, role), frames(
		`{"id":"ID","object":"chat.completion.chunk","created":NOW,"model":"asked","choices":[{"delta":{},"index":0,"finish_reason":null,"content_filter_offsets":{}}]}`,
		`{"id":"ID","object":"chat.completion.chunk","created":NOW,"model":"asked","choices":[{"index":0,"delta":{"role":"assistant"},"finish_reason":null}]}`))
	f(frames(role, `{"choices":[{},{"index":1}]}`), asked(frames(role))+frames(`{"id":"c1","created":7,"choices":[{"delta":{}},{"delta":{},"index":1}]}`))
}

// TestStreamCut cuts a stream at every byte: it counts as whole only with its
// finish reason.
func TestStreamCut(t *testing.T) {
	d := bound(t, "https://r.example", config.Provider{})
	in := frames(promptFilter, role, text, offsets, stop, "[DONE]")
	for i := range len(in) {
		out, finished := run(d, in[:i])
		if finished != strings.Contains(out, `"finish_reason":"stop"`) {
			t.Fatalf("cut at %d: finished %v after %q", i, finished, out)
		}
	}
}

func FuzzStream(f *testing.F) {
	f.Add([]byte(frames(promptFilter, role, text, offsets, stop, "[DONE]")))
	f.Add([]byte(frames(`{"choices":[{},{"index":1}]}`, ` {"id":5,"choices":[ { } ]}`)))
	d := bound(f, "https://r.example", config.Provider{})
	f.Fuzz(func(t *testing.T, in []byte) {
		out, _ := run(d, string(in))
		for ev := range strings.SplitSeq(strings.TrimSuffix(out, "\n\n"), "\n\n") {
			data, ok := strings.CutPrefix(ev, "data: ")
			if out != "" && (!ok || strings.Contains(ev, "\n") || !json.Valid([]byte(data))) {
				t.Fatalf("not an event: %q", ev)
			}
		}
	})
}
