package gemini

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

var update = flag.Bool("update", false, "write the golden files anew")

func upstream(t testing.TB, base string, change func(p *config.Provider)) dialect.Upstream {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	p := config.Provider{ID: "g", APIKey: config.NewSecret("key-of-the-provider"), Reasoning: true}
	if change != nil {
		change(&p)
	}
	return dialect.Upstream{Provider: p, Base: u, UserAgent: "berry-api/test"}
}

func dialectFor(t testing.TB) *Dialect {
	return New(upstream(t, "https://g.example", nil), &Signatures{})
}

// encode sends body, which relay would have scanned.
func encode(d *Dialect, model, body string) (*http.Request, []string, error) {
	return encodeFor(dialect.Chat, d, model, body)
}

// encodeFor is encode for one of the endpoints that take a chat request.
func encodeFor(e dialect.Endpoint, d *Dialect, model, body string) (*http.Request, []string, error) {
	b := dialect.NewBody(len(body))
	defer b.Release()
	b.Set([]byte(body))
	quoted, _ := json.Marshal(model)
	in := &dialect.Request{Endpoint: e, Body: b, Model: quoted, Header: http.Header{"Traceparent": {"t"}, "Cookie": {"c"}}}
	in.Scan.Stream = strings.Contains(body, `"stream":true`)
	req, err := d.Encode(context.Background(), in)
	return req, in.Dropped, err
}

func indented(t *testing.T, data []byte) string {
	t.Helper()
	var out bytes.Buffer
	if err := json.Indent(&out, data, "", "  "); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	return strings.TrimSpace(out.String()) + "\n"
}

// golden compares got with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", name, d)
	}
}

// Each file request_NAME.json holds the model and what the client sent,
// request_NAME.up.json what the upstream got.
func TestEncodeGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/request_*.json")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, f := range files {
		if strings.HasSuffix(f, ".up.json") {
			continue
		}
		n++
		t.Run(strings.TrimSuffix(filepath.Base(f), ".json"), func(t *testing.T) {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			var in struct {
				Model   string          `json:"model"`
				Request json.RawMessage `json:"request"`
			}
			if err := json.Unmarshal(data, &in); err != nil {
				t.Fatal(err)
			}
			var body bytes.Buffer
			if err := json.Compact(&body, in.Request); err != nil {
				t.Fatal(err)
			}
			req, dropped, err := encode(dialectFor(t), in.Model, body.String())
			if err != nil {
				t.Fatal(err)
			}
			sent, err := io.ReadAll(req.Body)
			if err != nil {
				t.Fatal(err)
			}
			head, _ := json.Marshal(map[string]any{"path": req.URL.RequestURI(), "dropped": dropped})
			golden(t, strings.TrimSuffix(filepath.Base(f), ".json")+".up.json", indented(t, head)+indented(t, sent))
		})
	}
	if n < 10 {
		t.Errorf("only %d golden requests were found", n)
	}
}

func TestEncodeAddress(t *testing.T) {
	f := func(base, model, body, want string) {
		t.Helper()
		req, _, err := encode(New(upstream(t, base, nil), &Signatures{}), model, body)
		if err != nil {
			t.Fatal(err)
		}
		if got := req.URL.String(); got != want || !strings.HasPrefix(req.URL.RequestURI(), "/") || req.Method != http.MethodPost {
			t.Errorf("%s %s, want POST %s", req.Method, got, want)
		}
	}
	const plain, stream = `{"messages":[{"role":"user","content":"a"}]}`, `{"messages":[{"role":"user","content":"a"}],"stream":true}`
	f("https://g.example", "gemini-2.5-pro", plain, "https://g.example/v1beta/models/gemini-2.5-pro:generateContent")
	f("https://g.example", "gemini-2.5-pro", stream, "https://g.example/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse")
	f("https://g.example/v1beta", "m", plain, "https://g.example/v1beta/models/m:generateContent")
	f("https://g.example/v1", "m", plain, "https://g.example/v1/models/m:generateContent")
	f("https://g.example/proxy/gemini", "m", plain, "https://g.example/proxy/gemini/v1beta/models/m:generateContent")
	f("https://a.example/v1beta1/projects/p/locations/l/publishers/google", "m", plain,
		"https://a.example/v1beta1/projects/p/locations/l/publishers/google/models/m:generateContent")
	f("https://g.example", "models/m", plain, "https://g.example/v1beta/models/m:generateContent")
	f("https://g.example", "tunedModels/m-1", plain, "https://g.example/v1beta/tunedModels/m-1:generateContent")
	f("https://g.example", "a/b c?", plain, "https://g.example/v1beta/models/a%2Fb%20c%3F:generateContent")
}

func TestEncodeHeader(t *testing.T) {
	d := New(upstream(t, "https://g.example", func(p *config.Provider) { p.Headers = config.Headers{"X-Team": "search"} }), &Signatures{})
	req, _, err := encode(d, "m", `{"messages":[{"role":"user","content":"a"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	want := http.Header{
		"Content-Type": {"application/json"}, "User-Agent": {"berry-api/test"}, "X-Goog-Api-Key": {"key-of-the-provider"},
		"X-Team": {"search"}, "Traceparent": {"t"},
	}
	if d := cmp.Diff(want, req.Header); d != "" {
		t.Error(d)
	}
	// The body can be sent again on another connection.
	first, _ := io.ReadAll(req.Body)
	again, err := req.GetBody()
	if err != nil {
		t.Fatal(err)
	}
	second, _ := io.ReadAll(again)
	if len(first) == 0 || string(first) != string(second) || int64(len(first)) != req.ContentLength {
		t.Errorf("%q, then %q, length %d", first, second, req.ContentLength)
	}
}

func TestEncodeRefuses(t *testing.T) {
	f := func(body, param string) {
		t.Helper()
		_, _, err := encode(dialectFor(t), "gemini-2.0-flash", body)
		e, ok := errors.AsType[*apierror.Error](err)
		if !ok || e.Status != 400 || e.Param != param {
			t.Errorf("%s: %+v, want a 400 naming %q", body, err, param)
		}
	}
	with := func(more string) string { return `{"messages":[{"role":"user","content":"a"}],` + more + `}` }
	said := func(content string) string { return `{"messages":[{"role":"user","content":[` + content + `]}]}` }
	f(with(`"n":2`), "n")
	f(with(`"modalities":["text","audio"]`), "modalities")
	f(with(`"stop":["a","b","c","d","e","f"]`), "stop")
	f(with(`"reasoning_effort":"extreme"`), "reasoning_effort")
	f(with(`"response_format":{"type":"grammar"}`), "response_format.type")
	f(with(`"response_format":{"type":"json_schema"}`), "response_format.json_schema")
	f(with(`"tools":[{"type":"custom","custom":{"name":"c"}}]`), "tools[0].type")
	f(with(`"tool_choice":"required"`), "tool_choice")
	f(said(`{"type":"image_url","image_url":{"url":"http://a.example/x.png"}}`), "messages[0].content[0].image_url.url")
	f(said(`{"type":"image_url","image_url":{"url":"https://a.example/x.png"}}`), "messages[0].content[0].image_url.url") // 2.0 takes none
	f(said(`{"type":"image_url","image_url":{"url":"file:///etc/passwd"}}`), "messages[0].content[0].image_url.url")
	f(said(`{"type":"image_url","image_url":{"url":"data:image/png;base64,"}}`), "messages[0].content[0].image_url.url")
	f(said(`{"type":"input_audio","input_audio":{"data":"","format":"wav"}}`), "messages[0].content[0].input_audio")
	f(said(`{"type":"file","file":{"file_id":"file-1"}}`), "messages[0].content[0].file.file_id")
	f(said(`{"type":"file","file":{"file_data":"xx"}}`), "messages[0].content[0].file.file_data")
	f(`{"messages":[{"role":"system","content":[{"type":"image_url","image_url":{"url":"x"}}]}]}`, "messages[0].content[0].type")
	f(`{"messages":[{"role":"user","content":""}]}`, "messages")
	f(`{"messages":[{"role":"tool","tool_call_id":"t","content":"1"}]}`, "messages[0].tool_call_id")
	f(`{"messages":[{"role":"assistant","tool_calls":[{"id":"t","type":"function","function":{"name":"f","arguments":"{\"a\":"}}]}]}`,
		"messages[0].tool_calls[0].function.arguments")
	const call = `{"role":"assistant","tool_calls":[{"id":"t","type":"function","function":{"name":"f","arguments":"{}"}}]}`
	f(`{"messages":[{"role":"user","content":"a"},`+call+`,{"role":"tool","tool_call_id":"t","content":"1"},{"role":"tool","tool_call_id":"t","content":"2"}]}`,
		"messages[3].tool_call_id")
}

func TestThinking(t *testing.T) {
	f := func(model, effort, want string) {
		t.Helper()
		c, ok := generationOf(model).thinking(effort)
		got, _ := json.Marshal(c)
		if string(got) != want || !ok {
			t.Errorf("%s %s: %s, want %s", model, effort, got, want)
		}
	}
	budget := map[string]string{"none": "0", "minimal": "1024", "low": "1024", "medium": "8192", "high": "24576", "xhigh": "24576", "max": "24576"}
	for effort, n := range budget {
		f("gemini-2.5-flash", effort, `{"thinkingBudget":`+n+`}`)
		f("models/gemini-2.5-flash-lite", effort, `{"thinkingBudget":`+n+`}`)
		f("gemini-flash-latest", effort, `{"thinkingBudget":`+n+`}`)
		f("gemini-2.0-flash", effort, `null`)
		f("gemma-3-27b-it", effort, `null`)
	}
	f("gemini-2.5-pro", "none", `{"thinkingBudget":128}`)
	for effort, level := range map[string]string{"none": "MINIMAL", "minimal": "MINIMAL", "low": "LOW", "medium": "MEDIUM", "high": "HIGH", "xhigh": "HIGH", "max": "HIGH"} {
		f("gemini-3-flash-preview", effort, `{"thinkingLevel":"`+level+`"}`)
	}
	f("gemini-3.1-pro-preview", "none", `{"thinkingLevel":"LOW"}`)
	f("gemini-3.1-pro-preview", "medium", `{"thinkingLevel":"MEDIUM"}`)
	f("gemini-3-pro-preview", "medium", `{"thinkingLevel":"HIGH"}`)
	f("gemini-12.1-flash", "low", `{"thinkingLevel":"LOW"}`)
	if _, ok := generationOf("gemini-3-flash").thinking("extreme"); ok {
		t.Error("an effort that does not exist is taken")
	}
}

func TestReasoningOff(t *testing.T) {
	f := func(reasoning bool, effort string, want bool) {
		t.Helper()
		d := New(upstream(t, "https://g.example", func(p *config.Provider) { p.Reasoning = reasoning }), &Signatures{})
		req, _, err := encode(d, "gemini-3-flash", `{"messages":[{"role":"user","content":"a"}],"reasoning_effort":"`+effort+`"}`)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(req.Body)
		if got := bytes.Contains(body, []byte(`"includeThoughts":true`)); got != want {
			t.Errorf("reasoning %v, effort %s: %s", reasoning, effort, body)
		}
	}
	f(true, "low", true)
	f(true, "none", false)
	f(false, "low", false)
}

func TestSafetySettings(t *testing.T) {
	d := New(upstream(t, "https://g.example", func(p *config.Provider) {
		p.SafetySettings = config.Thresholds{"HARM_CATEGORY_HATE_SPEECH": "BLOCK_NONE", "HARM_CATEGORY_DANGEROUS_CONTENT": "OFF"}
	}), &Signatures{})
	req, _, err := encode(d, "m", `{"messages":[{"role":"user","content":"a"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(req.Body)
	want := `{"contents":[{"role":"user","parts":[{"text":"a"}]}],"safetySettings":[` +
		`{"category":"HARM_CATEGORY_DANGEROUS_CONTENT","threshold":"OFF"},{"category":"HARM_CATEGORY_HATE_SPEECH","threshold":"BLOCK_NONE"}]}` + "\n"
	if string(body) != want {
		t.Errorf("%s, want %s", body, want)
	}
}

func TestReadList(t *testing.T) {
	f := func(body string, want []string, ok bool) {
		t.Helper()
		d := New(upstream(t, "https://g.example", func(p *config.Provider) { p.Models = []string{"models/c"} }), &Signatures{})
		got, gotOK := d.ReadList([]byte(body))
		if diff := cmp.Diff(want, got); diff != "" || gotOK != ok {
			t.Errorf("%s: %v %v", body, got, gotOK)
		}
	}
	f(`{"models":[{"name":"models/a","displayName":"A"},{"name":"tunedModels/b"},{"name":"models/c"},{}]}`, []string{"a", "tunedModels/b", "models/c"}, true)
	f(`{"models":[]}`, []string{}, true)
	f(`{"models":[{"name":"models/a","supportedGenerationMethods":["embedContent"]},
		{"name":"models/b","supportedGenerationMethods":["countTokens","generateContent"]},
		{"name":"models/c","supportedGenerationMethods":["predict"]}]}`, []string{"a", "b"}, true)
	f(`{"models":[{"name":"models/a"}],"nextPageToken":"x"}`, nil, true)
	f(`{"data":[]}`, nil, false)
	f(`{`, nil, false)

	req, err := dialectFor(t).List(context.Background())
	if err != nil || req.URL.String() != "https://g.example/v1beta/models?pageSize=1000" || req.Header.Get("X-Goog-Api-Key") == "" || req.Method != http.MethodGet {
		t.Errorf("%+v, %v", req, err)
	}
}
