package gemini

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

// FuzzEncodeEmbeddings: a body is refused in words for the client, or becomes a
// batch with as many texts as it has.
func FuzzEncodeEmbeddings(f *testing.F) {
	f.Add(`{"model":"m","input":"a"}`)
	f.Add(`{"model":"m","input":["a","b"],"dimensions":3,"encoding_format":"base64","user":"u"}`)
	f.Add(`{"input":[[1,2],[3]]}`)
	f.Fuzz(func(t *testing.T, in string) {
		body := dialect.NewBody(len(in))
		defer body.Release()
		body.Set([]byte(in))
		r := dialect.Request{Body: body}
		sent, err := encodeEmbeddings(&r, "m")
		if err != nil {
			if e, ok := errors.AsType[*apierror.Error](err); !ok || e.Status != 400 || e.Message == "" {
				t.Fatalf("%q: not an answer for the client: %v", in, err)
			}
			return
		}
		var out struct {
			Requests []struct {
				Model   string
				Content struct{ Parts []struct{ Text *string } }
			}
		}
		if err := json.Unmarshal(sent, &out); err != nil || len(out.Requests) == 0 {
			t.Fatalf("%q: sent %s: %v", in, sent, err)
		}
		if len(out.Requests) != min(r.Vectors, batchTexts) || r.Parts != (r.Vectors+batchTexts-1)/batchTexts {
			t.Fatalf("%q: %d vectors and %d parts for %s", in, r.Vectors, r.Parts, sent)
		}
		for _, r := range out.Requests {
			if r.Model != "models/m" || len(r.Content.Parts) != 1 || r.Content.Parts[0].Text == nil {
				t.Fatalf("%q: sent %s", in, sent)
			}
		}
	})
}

func TestDecodeEmbeddings(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		out, _, err := decodeEmbeddings([]byte(in), &dialect.Meta{Model: []byte(`"m"`), InputBytes: 10})
		if got := string(out); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", in, got, err, want)
		}
	}
	const end = `],"model":"m","usage":{"prompt_tokens":7,"total_tokens":7}}`
	f(`{"other":[{"values":[9]}],"embeddings":[{"shape":[1],"values":[0.5]},{"values":[1e-3]}],"error":null,"usageMetadata":{"promptTokenCount":7,"more":[1]}}`,
		`{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5]},{"object":"embedding","index":1,"embedding":[1e-3]}`+end)

	// Batches stand one behind the other.
	f(`{"embeddings":[{"values":[1]}],"usageMetadata":{"promptTokenCount":3}}`+"\n"+`{"usageMetadata":{"promptTokenCount":4},"embeddings":[{"values":[2]}]}`,
		`{"object":"list","data":[{"object":"embedding","index":0,"embedding":[1]},{"object":"embedding","index":1,"embedding":[2]}`+end)

	bad := func(in string, vectors int) {
		t.Helper()
		if out, _, err := decodeEmbeddings([]byte(in), &dialect.Meta{Model: []byte(`"m"`), InputBytes: 10, Vectors: vectors}); err == nil {
			t.Errorf("%s: %s", in, out)
		}
	}
	bad(``, 0)
	bad(`{}`, 0)
	bad(`{"embeddings":[]}`, 0)
	bad(`{"embeddings":{"values":[1]}}`, 0)
	bad(`{"embeddings":[[1]]}`, 0)
	bad(`{"embeddings":[{"value":[1]}]}`, 0)
	bad(`{"embeddings":[{"values":"x"}]}`, 0)
	bad(`{"embeddings":[{"values":[1]},null]}`, 0)
	bad(`{"embeddings":[{"values":[1]}]} x`, 0)
	bad(`{"embeddings":[{"values":[1]}]} {"embeddings":[{"values":[1]}`, 0)
	bad(`{"embeddings":[{"values":[1]}]} {"error":{"code":500}}`, 0)
	bad(`{"embeddings":[{"values":[1]}]} {"embeddings":[]}`, 2)
	bad(`{"embeddings":[{"values":[1]}],"error":{"code":500}}`, 0)
	bad(`{"embeddings":[{"values":[1]}]}`, 2)
	bad(`{"embeddings":[{"values":[1]},{"values":[1]}]}`, 1)
}

// FuzzDecodeEmbeddings: an answer is refused, or becomes a list of valid JSON
// with vectors in the form that was asked for.
func FuzzDecodeEmbeddings(f *testing.F) {
	f.Add(`{"embeddings":[{"values":[0.5,-1]},{"values":[2]}],"usageMetadata":{"promptTokenCount":7}}`, true)
	f.Add(`{"embeddings":[{"values":[0.5]}]}`, false)
	f.Add(`{"error":{"code":400,"message":"a","status":"INVALID_ARGUMENT"}}`, false)
	f.Fuzz(func(t *testing.T, in string, base64 bool) {
		out, usage, err := decodeEmbeddings([]byte(in), &dialect.Meta{Model: []byte(`"m"`), Base64: base64, InputBytes: 10})
		if err != nil {
			return
		}
		var got struct {
			Data []struct {
				Index     *int
				Embedding json.RawMessage
			}
			Usage map[string]int
		}
		if err := json.Unmarshal(out, &got); err != nil || len(got.Data) == 0 || got.Usage["prompt_tokens"] != usage.Input || usage.Input == 0 {
			t.Fatalf("%q became %s: %v", in, out, err)
		}
		for i, d := range got.Data {
			if d.Index == nil || *d.Index != i || len(d.Embedding) == 0 || (d.Embedding[0] == '"') != base64 {
				t.Fatalf("%q became %s", in, out)
			}
		}
	})
}
