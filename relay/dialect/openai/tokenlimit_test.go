package openai_test

import (
	"encoding/json"
	"io"
	"net/url"
	"testing"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/openai"
)

func TestTokenLimit(t *testing.T) {
	base, err := url.Parse("https://o.example/v1")
	if err != nil {
		t.Fatal(err)
	}
	f := func(limit, in, want string) {
		t.Helper()
		d := openai.New(dialect.Upstream{Base: base, Provider: config.Provider{TokenLimit: limit}})
		body := dialect.NewBody(len(in))
		defer body.Release()
		body.Set([]byte(in))
		scan := dialect.Scan{Open: 1, ModelValue: dialect.Span{Start: 9, End: 12}}
		req, err := d.Encode(t.Context(), &dialect.Request{Body: body, Model: []byte(`"up"`), Scan: scan})
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(req.Body)
		if string(got) != want || err != nil || int64(len(got)) != req.ContentLength || !json.Valid(got) {
			t.Errorf("%s %s: %s (%d), %v, want %s", limit, in, got, req.ContentLength, err, want)
		}
	}
	const older, newer = "max_tokens", "max_completion_tokens"
	same := func(limit, rest string) {
		t.Helper()
		f(limit, `{"model":"m"`+rest, `{"model":"up"`+rest)
	}
	for _, limit := range []string{older, newer} {
		same(limit, `}`)
		same(limit, `,"messages":[{"max_tokens":1}],"metadata":{"max_completion_tokens":2}}`)
		same(limit, `,"max_tokens":null}`)
		same(limit, `,"max_completion_tokens":null,"max_tokens":null}`)
		same(limit, ` , "`+limit+`" : 5 }`)
	}
	for _, limit := range []string{"", config.TokenLimitAsSent} {
		same(limit, `,"max_tokens":1,"max_completion_tokens":2}`)
	}
	f(older, `{"model":"m" , "max_completion_tokens" : 5 , "x":1.0}`, `{"model":"up" , "max_tokens" : 5 , "x":1.0}`)
	f(newer, `{"model":"m","max_tokens":5}`, `{"model":"up","max_completion_tokens":5}`)
	f(newer, `{"model":"m","max\u005ftokens":5}`, `{"model":"up","max_completion_tokens":5}`)
	// The newer name counts where both are given.
	f(older, `{"model":"m","max_tokens":1,"max_completion_tokens":2}`, `{"model":"up","max_tokens":2}`)
	f(older, `{"model":"m","max_completion_tokens":2,"max_tokens":1,"x":0}`, `{"model":"up","max_tokens":2,"x":0}`)
	f(newer, `{"model":"m","max_tokens":1,"max_completion_tokens":2}`, `{"model":"up","max_completion_tokens":2}`)
	f(newer, `{"model":"m","max_tokens":1,"max_completion_tokens":null}`, `{"model":"up","max_completion_tokens":1}`)
	f(older, `{"model":"m","max_tokens":1,"max_completion_tokens":null}`, `{"model":"up","max_tokens":1}`)
}
