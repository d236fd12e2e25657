package openai

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"testing"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

// Google's own layer of OpenAI's format makes extra_content and wants it back;
// everybody else refuses it. Reasoning stays with those who may want it back.
func TestExtensionsStayWithGoogle(t *testing.T) {
	f := func(base, kind, want string) {
		t.Helper()
		u, err := url.Parse(base)
		if err != nil {
			t.Fatal(err)
		}
		const in = `{"model":"m","messages":[{"role":"a","extra_content":1},{"reasoning_content":"r","thinking_blocks":[],"role":"b"}]}`
		body := dialect.NewBody(len(in))
		defer body.Release()
		body.Set([]byte(in))
		scan := dialect.Scan{
			Model: "m", Open: 1, ModelValue: dialect.Span{Start: 9, End: 12},
			Extensions: []dialect.Extended{
				{Open: 26, Members: []dialect.Span{{Start: 36, End: 54}}},
				{Open: 57, Members: []dialect.Span{{Start: 57, End: 80}, {Start: 80, End: 101}}, Reasoning: dialect.Span{Start: 57, End: 80}},
			},
		}
		req, err := New(dialect.Upstream{Base: u, Provider: config.Provider{BackendType: kind}}).Encode(context.Background(), &dialect.Request{Body: body, Scan: scan, Model: []byte(`"m"`), Header: http.Header{}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(req.Body)
		_ = req.Body.Close()
		if err != nil || string(got) != want || req.ContentLength != int64(len(want)) {
			t.Errorf("%s: %s, %v, want %s", base, got, err, want)
		}
	}
	const narrow = `{"model":"m","messages":[{"role":"a"},{"role":"b"}]}`
	f("https://api.openai.com/v1", "", narrow)
	f("https://name.openai.azure.com/openai/v1", config.TypeAzure, narrow)
	f("http://127.0.0.1:1/openai/v1", config.TypeAzure, narrow)
	const reasoning = `{"model":"m","messages":[{"role":"a"},{"reasoning_content":"r","role":"b"}]}`
	f("https://googleapis.com.example/v1", "", reasoning)
	f("https://notopenai.com/v1", "", reasoning)
	f("https://generativelanguage.googleapis.com/v1beta/openai", "",
		`{"model":"m","messages":[{"role":"a","extra_content":1},{"reasoning_content":"r","thinking_blocks":[],"role":"b"}]}`)
}
