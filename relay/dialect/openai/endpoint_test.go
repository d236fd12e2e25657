package openai

import (
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

func endpointDialect(t testing.TB) *Dialect {
	t.Helper()
	base, err := url.Parse("https://o.example/v1")
	if err != nil {
		t.Fatal(err)
	}
	up := dialect.Upstream{Base: base}
	up.Provider.StreamUsage, up.Provider.TokenLimit = true, newerLimit
	return New(up)
}

func TestEncodeByEndpoint(t *testing.T) {
	d := endpointDialect(t)
	f := func(e dialect.Endpoint, in string, scan dialect.Scan, want string) {
		t.Helper()
		body := dialect.NewBody(len(in))
		defer body.Release()
		body.Set([]byte(in))
		req, err := d.Encode(t.Context(), &dialect.Request{Endpoint: e, Body: body, Scan: scan, Model: []byte(`"up"`)})
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(req.Body)
		if err != nil || string(got) != want || int64(len(got)) != req.ContentLength || !json.Valid(got) {
			t.Errorf("%v %s: %s, %v, want %s", e, in, got, err, want)
		}
		if at := "https://o.example/v1/" + e.Path(); req.URL.String() != at {
			t.Errorf("%s, want %s", req.URL, at)
		}
	}
	m := dialect.Scan{Open: 1, ModelValue: dialect.Span{Start: 9, End: 12}}
	streamed := m
	streamed.Stream = true
	// The bound is renamed, and usage asked for, where there is such a thing.
	f(dialect.Chat, `{"model":"m","max_tokens":1}`, streamed, `{"stream_options":{"include_usage":true},"model":"up","max_completion_tokens":1}`)
	f(dialect.Completions, `{"model":"m","max_tokens":1}`, streamed, `{"stream_options":{"include_usage":true},"model":"up","max_tokens":1}`)
	f(dialect.Embeddings, `{"model":"m","max_tokens":1}`, m, `{"model":"up","max_tokens":1}`)
	// A model that the client left out.
	none := dialect.Scan{Open: 1}
	f(dialect.Moderations, `{"input":"a"}`, none, `{"model":"up","input":"a"}`)
	f(dialect.Moderations, `{}`, none, `{"model":"up"}`)
	f(dialect.Moderations, `{ }`, none, `{"model":"up" }`)
	backend := func(from, to int) dialect.Scan {
		return dialect.Scan{Open: 1, BackendMember: dialect.Span{Start: from, End: to}}
	}
	f(dialect.Moderations, `{"backend":"b"}`, backend(1, 14), `{"model":"up"}`)
	f(dialect.Moderations, `{"backend":"b","input":1}`, backend(1, 14), `{"model":"up","input":1}`)
	f(dialect.Moderations, `{"input":1 , "backend":"b" }`, backend(10, 26), `{"input":1,"model":"up" }`)
}

func TestDecodeLists(t *testing.T) {
	d := endpointDialect(t)
	f := func(m dialect.Meta, in, want string, usage dialect.Usage) {
		t.Helper()
		m.Model = []byte(`"asked"`)
		out, u, err := d.Decode([]byte(in), &m)
		if err != nil || string(out) != want || u != usage {
			t.Errorf("%s: %s, %+v, %v, want %s", in, out, u, err, want)
		}
	}
	vectors, verdicts := dialect.Meta{Endpoint: dialect.Embeddings}, dialect.Meta{Endpoint: dialect.Moderations}
	base64 := dialect.Meta{Endpoint: dialect.Embeddings, Base64: true}
	const list = `"data":[{"embedding":[0.5,-1,2],"index":0,"x":[1]},{"embedding":"AAAA"},{"embedding":null},{}]`
	used := dialect.Usage{Input: 3}
	f(vectors, `{"model":"up",`+list+`,"usage":{"prompt_tokens":3,"total_tokens":3},"zz":1.0}`,
		`{"model":"asked",`+list+`,"usage":{"prompt_tokens":3,"total_tokens":3},"zz":1.0}`, used)
	f(base64, `{"model":"up",`+list+`,"usage":{"prompt_tokens":3}}`,
		`{"model":"asked",`+strings.Replace(list, `[0.5,-1,2]`, `"AAAAPwAAgL8AAABA"`, 1)+`,"usage":{"prompt_tokens":3}}`, used)
	// Many of them are put together in one go.
	many := strings.TrimSuffix(strings.Repeat(`{"embedding":[0.5,-1,2]},`, 50), ",")
	f(base64, `{"data":[`+many+`],"model":"up"}`, `{"data":[`+strings.ReplaceAll(many, `[0.5,-1,2]`, `"AAAAPwAAgL8AAABA"`)+`],"model":"asked"}`, dialect.Usage{})
	f(verdicts, `{"error":null,"results":[]}`, `{"results":[]}`, dialect.Usage{})

	bad := func(m dialect.Meta, in string, fault bool) {
		t.Helper()
		out, _, err := d.Decode([]byte(in), &m)
		if _, is := errors.AsType[*apierror.Error](err); err == nil || is != fault {
			t.Errorf("%s: %s, %v", in, out, err)
		}
	}
	for _, in := range []string{``, `{`, `[]`, `{}`, `{"data":1}`, `{"choices":[{}]}`, `{"data":[]} x`, "{\"data\":[],\"x\":\"\xff\"}"} {
		bad(vectors, in, false)
	}
	bad(base64, `{"data":[1]}`, false)
	bad(base64, `{"data":[{"embedding":["a"]}]}`, false)
	bad(verdicts, `{"data":[]}`, false)
	bad(vectors, `{"error":{"message":"full","code":"rate_limit_exceeded"}}`, true)
}

// FuzzDecodeList: what comes out is the JSON that went in, but for the model's
// name and the form of vectors.
func FuzzDecodeList(f *testing.F) {
	f.Add(`{"data":[{"embedding":[0.5,-1,2]}],"model":"up","usage":{"prompt_tokens":3}}`, true)
	f.Add(`{"data":[],"error":null}`, false)
	d := endpointDialect(f)
	f.Fuzz(func(t *testing.T, in string, base64 bool) {
		out, _, err := d.Decode([]byte(in), &dialect.Meta{Endpoint: dialect.Embeddings, Base64: base64, Model: []byte(`"asked"`)})
		if err != nil {
			return
		}
		var before, after map[string]json.RawMessage
		if err := json.Unmarshal(out, &after); err != nil {
			t.Fatalf("%q became %q: %v", in, out, err)
		}
		if err := json.Unmarshal([]byte(in), &before); err != nil {
			t.Fatalf("%q passed: %v", in, err)
		}
		for name, v := range before {
			if got, ok := after[name]; name != "model" && name != "data" && name != "error" && (!ok || string(got) != string(v)) {
				t.Fatalf("%q: %s became %s", in, name, got)
			}
		}
		if _, ok := after["model"]; ok && string(after["model"]) != `"asked"` {
			t.Fatalf("%q: model is %s", in, after["model"])
		}
	})
}
