package relay_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// vectors are those of an answer, in order, in whichever form they came.
func vectors(t *testing.T, body string) (all [][]float32, encoded bool) {
	t.Helper()
	var in struct {
		Object string
		Model  string
		Data   []struct {
			Object    string
			Index     int
			Embedding json.RawMessage
		}
		Usage map[string]int
	}
	if err := json.Unmarshal([]byte(body), &in); err != nil || in.Object != "list" || in.Usage["prompt_tokens"] == 0 || in.Usage["total_tokens"] == 0 {
		t.Fatalf("%v: %s", err, body)
	}
	for i, d := range in.Data {
		if d.Index != i || d.Object != "embedding" {
			t.Errorf("vector %d: %+v", i, d)
		}
		var text string
		var v []float32
		if encoded = json.Unmarshal(d.Embedding, &text) == nil; !encoded {
			if err := json.Unmarshal(d.Embedding, &v); err != nil {
				t.Fatal(err)
			}
			all = append(all, v)
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		for b := range slices.Chunk(raw, 4) {
			v = append(v, math.Float32frombits(binary.LittleEndian.Uint32(b)))
		}
		all = append(all, v)
	}
	return all, encoded
}

func TestP20Embeddings(t *testing.T) {
	three := always(mockllm.JSON(200, nil, `{"embeddings":[{"values":[0.5,-1,2]},{"values":[0.25, 1e1, 0]}]}`))
	want := [][]float32{{0.5, -1, 2}, {0.25, 10, 0}}
	b := startFormats(t, map[string]mockllm.Script{"g": three})
	f := func(model, more string, base64 bool) {
		t.Helper()
		a := b.postTo(dialect.Embeddings, `{"model":"`+model+`","input":["a","b"]`+more+`}`)
		if a.Status != 200 || a.Header.Get("Content-Type") != "application/json" || !strings.Contains(a.Body, `"model":"`+model+`"`) {
			t.Fatalf("%s: %d %s", more, a.Status, a.Body)
		}
		got, encoded := vectors(t, a.Body)
		if d := cmp.Diff(want, got); d != "" || encoded != base64 {
			t.Errorf("%s: base64 %v (-want +got):\n%s", more, encoded, d)
		}
	}
	f("emb-g", ``, false)
	f("emb-g", `,"encoding_format":"float"`, false)
	f("emb-g", `,"encoding_format":"base64"`, true)
	seen := b.u["g"].Requests()[2]
	if seen.Path != "/v1beta/models/gemini-embedding-001:batchEmbedContents" || seen.Query != "" ||
		seen.Header.Get("X-Goog-Api-Key") != "provider-key-of-g" {
		t.Errorf("%s?%s %v", seen.Path, seen.Query, seen.Header)
	}
	const sent = `{"requests":[{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"a"}]}},` +
		`{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"b"}]}}]}` + "\n"
	if string(seen.Body) != sent {
		t.Errorf("sent %s", seen.Body)
	}

	// A provider in the client's own format gets the client's own words.
	answer := func(first, second string) mockllm.Script {
		return always(mockllm.JSON(200, nil, `{"object":"list","data":[{"object":"embedding","index":0,"embedding":`+first+`},`+
			`{"object":"embedding","index":1,"embedding":`+second+`}],"model":"up","usage":{"prompt_tokens":2,"total_tokens":2},"zz":1}`))
	}
	numbers := answer("[0.5,-1,2]", "[0.25,10,0]")
	b.u["u1"].SetScript(numbers)
	f("gpt-a", ``, false)
	f("gpt-a", `,"encoding_format":"float","x_unknown":12345678901234567890`, false)
	// Not every provider heeds the form; the client's SDK reads no numbers then.
	f("gpt-a", `,"encoding_format":"base64"`, true)
	b.u["u1"].SetScript(answer(`"AAAAPwAAgL8AAABA"`, `"AACAPgAAIEEAAAAA"`))
	f("gpt-a", `,"encoding_format":"base64"`, true)
	for i, more := range []string{``, `,"encoding_format":"float","x_unknown":12345678901234567890`, `,"encoding_format":"base64"`} {
		r := b.u["u1"].Requests()[i]
		if want := `{"model":"gpt-a-up","input":["a","b"]` + more + `}`; r.Path != "/v1/embeddings" || string(r.Body) != want {
			t.Errorf("%s %s, want %s", r.Path, r.Body, want)
		}
	}
	rec := b.record(3)
	if rec.Endpoint != dialect.Embeddings || rec.Usage != (dialect.Usage{Input: 2}) || rec.Stream {
		t.Errorf("%+v", rec)
	}
	if rec := b.record(0); !rec.Usage.Estimated || rec.Usage.Input == 0 {
		t.Errorf("%+v", rec.Usage)
	}
}

// Google takes 100 texts at once: more go out one batch behind the other, and are
// one answer, or none.
func TestEmbeddingsInBatches(t *testing.T) {
	const models = endpointModels + `
[models.spare]
strategy = "failover"
backends = [{ provider = "g", model = "gemini-embedding-001", priority = 1 }, { provider = "u1", model = "gpt-a-up", priority = 2 }]
`
	b := startFormatsOf(t, models, nil)
	texts := make([]string, 250)
	want := make([][]float32, len(texts))
	for i := range texts {
		texts[i] = fmt.Sprintf(`"text %d"`, i)
		want[i] = mockllm.Vector(fmt.Sprintf("text %d", i), 4)
	}
	ask := func(model string, n int) answer {
		return b.postTo(dialect.Embeddings, `{"model":"`+model+`","dimensions":4,"input":[`+strings.Join(texts[:n], ",")+`]}`)
	}
	f := func(n, batches int) {
		t.Helper()
		before := len(b.u["g"].Requests())
		a := ask("emb-g", n)
		if a.Status != 200 {
			t.Fatalf("%d: %s", a.Status, a.Body)
		}
		if got, _ := vectors(t, a.Body); !cmp.Equal(got, want[:n]) {
			t.Errorf("%d texts: %d vectors, %s", n, len(got), cmp.Diff(want[:n], got))
		}
		if got := len(b.u["g"].Requests()) - before; got != batches || a.Header.Get("X-Berry-Attempts") != "1" {
			t.Errorf("%d texts: %d requests, %s attempts", n, got, a.Header.Get("X-Berry-Attempts"))
		}
	}
	f(100, 1)
	f(101, 2)
	f(200, 2)
	f(250, 3)

	// A batch that fails leaves no half answer: another backend gives all of it, and
	// where there is none, the client hears why.
	numbers := make([]string, len(texts))
	for i := range numbers {
		numbers[i] = fmt.Sprintf(`{"object":"embedding","index":%d,"embedding":[%d]}`, i, i)
	}
	b.u["u1"].SetScript(always(mockllm.JSON(200, nil, `{"object":"list","data":[`+strings.Join(numbers, ",")+`],"model":"up","usage":{"prompt_tokens":2,"total_tokens":2}}`)))
	second := func(steps ...mockllm.Step) mockllm.Script {
		return func(r *mockllm.Seen) []mockllm.Step {
			if strings.Contains(string(r.Body), `"text 100"`) {
				return steps
			}
			return nil
		}
	}
	for _, fault := range []mockllm.Step{
		mockllm.JSON(503, nil, mockllm.GeminiFault(503, "UNAVAILABLE", "later")), mockllm.Reset(), mockllm.JSON(200, nil, `{"embeddings":[]}`),
		mockllm.JSON(200, nil, mockllm.GeminiFault(500, "INTERNAL", "boom")),
	} {
		b.u["g"].SetScript(second(fault))
		a := ask("spare", 250)
		got, _ := vectors(t, a.Body)
		if a.Status != 200 || len(got) != 250 || got[249][0] != 249 || a.Header.Get("X-Berry-Provider") != "u1" {
			t.Errorf("%d, %d vectors of %s", a.Status, len(got), a.Header.Get("X-Berry-Provider"))
		}
	}
	b.u["g"].SetScript(second(mockllm.JSON(400, nil, mockllm.GeminiFault(400, "INVALID_ARGUMENT", "text 100 is odd"))))
	if a := ask("emb-g", 250); a.Status != 400 || !strings.Contains(a.Body, "text 100 is odd") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	many := `{"model":"emb-g","input":[` + strings.Repeat(`"a",`, 2048) + `"a"]}`
	if a := b.postTo(dialect.Embeddings, many); a.Status != 400 || deref(b.fault(a).Param) != "input" || !strings.Contains(a.Body, "2048") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// What Gemini's form cannot say is refused in the client's, or left out by name.
func TestEmbeddingsForGemini(t *testing.T) {
	b := startFormats(t, nil)
	f := func(input, more string, status int, dropped, param string) {
		t.Helper()
		a := b.postTo(dialect.Embeddings, `{"model":"emb-g","input":`+input+more+`}`)
		if a.Status != status || a.Header.Get("X-Berry-Dropped-Params") != dropped {
			t.Errorf("%s%s: %d, dropped %q: %s", input, more, a.Status, a.Header.Get("X-Berry-Dropped-Params"), a.Body)
		}
		if status != 200 && deref(b.fault(a).Param) != param {
			t.Errorf("%s%s: %s", input, more, a.Body)
		}
	}
	f(`"a"`, ``, 200, "", "")
	f(`"a"`, `,"dimensions":3,"user":"u","metadata":null,"zz":[]`, 200, "user,zz", "")
	f(`["a","é\n"]`, `,"encoding_format":null,"dimensions":null,"stream":"yes"`, 200, "stream", "")
	f(`[1,2]`, ``, 400, "", "input")
	f(`[[1,2],[3]]`, ``, 400, "", "input")
	f(`["a",1]`, ``, 400, "", "input")
	f(`[]`, ``, 400, "", "input")
	f(`null`, ``, 400, "", "input")
	f(`{"text":"a"}`, ``, 400, "", "input")
	f(`"a"`, `,"dimensions":0`, 400, "", "dimensions")
	f(`"a"`, `,"dimensions":1.5`, 400, "", "dimensions")
	f(`"a"`, `,"encoding_format":"hex"`, 400, "", "encoding_format")
	f(`""`, ``, 400, "", "null") // the provider's own word
	a := b.postTo(dialect.Embeddings, `{"model":"emb-g","input":"a","dimensions":3}`)
	if got, _ := vectors(t, a.Body); !cmp.Equal(got, [][]float32{mockllm.Vector("a", 3)}) {
		t.Errorf("%v", got)
	}
	b.u["g"].SetScript(always(mockllm.JSON(200, nil, `{"embeddings":[{"values":[1]}],"usageMetadata":{"promptTokenCount":7}}`)))
	if a := b.postTo(dialect.Embeddings, `{"model":"emb-g","input":"a"}`); !strings.Contains(a.Body, `"usage":{"prompt_tokens":7,"total_tokens":7}`) {
		t.Error(a.Body)
	}
	for _, unreadable := range []string{`{}`, `{"embeddings":[]}`, `{"embeddings":[{}]}`, `{"embeddings":[{"values":"x"}]}`, `{"embeddings":[1]}`, `[`, `{"embeddings":[{"values":[1]}]`, `{"embeddings":[{"values":[1]},{"values":[2]}]}`} {
		b.u["g"].SetScript(always(mockllm.JSON(200, nil, unreadable)))
		if a := b.postTo(dialect.Embeddings, `{"model":"emb-g","input":"a"}`); a.Status != 502 && a.Status != 503 {
			t.Errorf("%s: %d %s", unreadable, a.Status, a.Body)
		}
	}
}
