package openai

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"testing"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

// Google's own layer of OpenAI's format makes extra_content and wants it back;
// everybody else refuses it.
func TestExtensionsStayWithGoogle(t *testing.T) {
	f := func(base, want string) {
		t.Helper()
		u, err := url.Parse(base)
		if err != nil {
			t.Fatal(err)
		}
		const in = `{"model":"m","messages":[{"role":"a","extra_content":1}]}`
		body := dialect.NewBody(len(in))
		defer body.Release()
		body.Set([]byte(in))
		scan := dialect.Scan{
			Model: "m", Open: 1, ModelValue: dialect.Span{Start: 9, End: 12},
			Extensions: []dialect.Extended{{Open: 26, Members: []dialect.Span{{Start: 36, End: 54}}}},
		}
		req, err := New(dialect.Upstream{Base: u}).Encode(context.Background(), &dialect.Request{Body: body, Scan: scan, Model: []byte(`"m"`), Header: http.Header{}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(req.Body)
		_ = req.Body.Close()
		if err != nil || string(got) != want || req.ContentLength != int64(len(want)) {
			t.Errorf("%s: %s, %v, want %s", base, got, err, want)
		}
	}
	f("https://api.openai.com/v1", `{"model":"m","messages":[{"role":"a"}]}`)
	f("https://googleapis.com.example/v1", `{"model":"m","messages":[{"role":"a"}]}`)
	f("https://generativelanguage.googleapis.com/v1beta/openai", `{"model":"m","messages":[{"role":"a","extra_content":1}]}`)
}
