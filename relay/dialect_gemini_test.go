package relay_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
	"github.com/PPKunOfficial/berry-api/relay/probe"
)

// toGemini makes both providers speak Gemini.
func toGemini(_ string, p *config.Provider) {
	p.BackendType = config.TypeGemini
	p.BaseURL = strings.TrimSuffix(p.BaseURL, "/v1")
}

const geminiModels = `
[models.gemini-x]
backends = [{ provider = "u1", model = "gemini-3-flash" }]

[models.pool]
strategy = "failover"
backends = [
	{ provider = "u1", model = "gemini-3-flash", priority = 1 },
	{ provider = "u2", model = "gemini-2.5-flash", priority = 2 },
]

[users.test]
token = "sk-test-1-long-enough"
`

func startGemini(t *testing.T, u1, u2 mockllm.Script) *berry {
	t.Helper()
	return start(t, setup{toml: geminiModels, provider: toGemini, scripts: two(u1, u2)})
}

const p36 = `{"model":"gemini-x","messages":[{"role":"system","content":"be brief"},
	{"role":"user","content":[{"type":"text","text":"look"},{"type":"image_url","image_url":{"url":"data:image/jpeg;base64,/9j/4AAQ"}}]},
	{"role":"assistant","content":null,"tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},
	{"role":"tool","tool_call_id":"t1","content":"22"}],
	"tools":[{"type":"function","function":{"name":"f","parameters":{"$schema":"x","type":"object","additionalProperties":false,
		"$defs":{"d":{"type":"object","properties":{"again":{"$ref":"#/$defs/d"}}}},
		"properties":{"a":{"$ref":"#/$defs/d","description":"x"},"b":{"const":1},"c":{"type":"integer","exclusiveMinimum":0},
		"d":{"type":["object","null"],"properties":{"x":{"type":"string","pattern":"^a"}}},"e":{"type":"array"},"f":{"type":"integer","enum":[1,2]}}}}}],
	"tool_choice":{"type":"function","function":{"name":"f"}},"max_tokens":9,"stop":"X","reasoning_effort":"low","user":"u","logit_bias":{}}`

func TestP36RequestMapping(t *testing.T) {
	f := func(model string, thinking map[string]any) {
		t.Helper()
		b := start(t, setup{
			toml: strings.ReplaceAll(geminiModels, "gemini-3-flash", model), provider: toGemini,
			scripts: one(mockllm.StrictGemini(always(mockllm.JSON(200, nil, mockllm.GeminiFinish("STOP", 3, 1))))),
		})
		a := b.post(p36)
		if a.Status != 200 {
			t.Fatalf("%s: %d %s", model, a.Status, a.Body)
		}
		want := "logit_bias,user"
		if thinking == nil {
			want = "logit_bias,reasoning_effort,user"
		}
		if got := a.Header.Get("X-Berry-Dropped-Params"); got != want {
			t.Errorf("%s: dropped %q, want %q", model, got, want)
		}
		seen := b.u["u1"].Requests()[0]
		if seen.Path != "/v1beta/models/"+model+":generateContent" || seen.Query != "" || seen.Header.Get("X-Goog-Api-Key") != "provider-key-of-u1" || seen.Header.Get("Authorization") != "" {
			t.Errorf("%s: %s?%s %v", model, seen.Path, seen.Query, seen.Header)
		}
		var got struct {
			Contents []struct {
				Role  string
				Parts []map[string]any
			}
			SystemInstruction map[string]any
			ToolConfig        map[string]any
			GenerationConfig  map[string]any
		}
		if err := json.Unmarshal(seen.Body, &got); err != nil {
			t.Fatal(err)
		}
		roles := ""
		for _, c := range got.Contents {
			roles += c.Role + " "
		}
		if roles != "user model user " {
			t.Errorf("%s: roles %s", model, roles)
		}
		type m = map[string]any
		if d := cmp.Diff(m{"functionResponse": m{"name": "f", "response": m{"result": "22"}}}, got.Contents[2].Parts[0]); d != "" {
			t.Errorf("%s: %s", model, d)
		}
		if d := cmp.Diff(m{"parts": []any{m{"text": "be brief"}}}, got.SystemInstruction); d != "" {
			t.Errorf("%s: %s", model, d)
		}
		if d := cmp.Diff(m{"functionCallingConfig": m{"mode": "ANY", "allowedFunctionNames": []any{"f"}}}, got.ToolConfig); d != "" {
			t.Errorf("%s: %s", model, d)
		}
		config := m{"maxOutputTokens": 9.0, "stopSequences": []any{"X"}}
		if thinking != nil {
			config["thinkingConfig"] = thinking
		}
		if d := cmp.Diff(config, got.GenerationConfig); d != "" {
			t.Errorf("%s: %s", model, d)
		}
	}
	f("gemini-3-flash", map[string]any{"includeThoughts": true, "thinkingLevel": "LOW"})
	f("gemini-2.5-flash", map[string]any{"includeThoughts": true, "thinkingBudget": 1024.0})
	f("gemini-2.0-flash", nil)
}

func TestP37StreamMapping(t *testing.T) {
	with := func(usage, chunk string) string {
		return strings.TrimSuffix(chunk, "}") + `,"usageMetadata":` + usage + "}"
	}
	b := startGemini(t, mockllm.StrictGemini(always(mockllm.SSE(
		with(`{"promptTokenCount":10,"thoughtsTokenCount":7}`, mockllm.GeminiChunk("", `{"text":"hm","thought":true}`)),
		with(`{"promptTokenCount":10,"candidatesTokenCount":2,"thoughtsTokenCount":7}`, mockllm.GeminiChunk("", mockllm.GeminiText("text"))),
		mockllm.GeminiChunk("", mockllm.GeminiCall("f", `{"a":1}`, "c2ln")),
		mockllm.GeminiChunk("", mockllm.GeminiCall("g", `{}`, "")),
		with(`{"promptTokenCount":10,"candidatesTokenCount":5,"thoughtsTokenCount":7,"totalTokenCount":22}`, mockllm.GeminiChunk("STOP", mockllm.GeminiText(""))),
	))), nil)
	s := b.stream(ask("gemini-x", `,"stream":true,"stream_options":{"include_usage":true}`))
	if s.Text != "text" || cmp.Diff([]string{"0:tool_calls"}, s.Finish) != "" || s.Error != nil {
		t.Errorf("%+v", s)
	}
	if seen := b.u["u1"].Requests()[0]; seen.Query != "alt=sse" || !strings.HasSuffix(seen.Path, ":streamGenerateContent") {
		t.Errorf("%s?%s", seen.Path, seen.Query)
	}
	all := strings.Join(s.Frames, "\n")
	for _, want := range []string{
		`"reasoning_content":"hm"`, `"index":0,"id":"call_`, `"index":1,"id":"call_`, `"extra_content":{"google":{"thought_signature":"c2ln"}}`,
		`"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":12,"total_tokens":22,`, `"reasoning_tokens":7`,
	} {
		if strings.Count(all, want) != 1 {
			t.Errorf("%d times %s in\n%s", strings.Count(all, want), want, all)
		}
	}
	if d := cmp.Diff(relay.Usage{Input: 10, Output: 12, Reasoning: 7}, b.record(0).Usage); d != "" {
		t.Error(d)
	}

	f := func(want string, frames ...string) {
		t.Helper()
		b.u["u1"].SetScript(always(mockllm.SSE(frames...)))
		if s := b.stream(ask("gemini-x", askStream)); cmp.Diff([]string{"0:" + want}, s.Finish) != "" || s.Error != nil {
			t.Errorf("finish %v, want %s: %+v", s.Finish, want, s.Error)
		}
	}
	text := mockllm.GeminiText
	f("length", mockllm.GeminiChunk("MAX_TOKENS", text("a")))
	f("content_filter", mockllm.GeminiChunk("", text("a")), mockllm.GeminiChunk("SAFETY"))
	f("stop", mockllm.GeminiChunk("STOP", text("a")), mockllm.GeminiChunk("STOP", text("b")), mockllm.GeminiFinish("STOP", 1, 2))
	f("content_filter", `{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"}}`)

	// A server that does not know alt=sse answers with a list.
	b.u["u1"].SetScript(nil)
	b.u["u1"].SetScript(always(mockllm.JSON(200, nil, "["+mockllm.GeminiChunk("", text("a"))+",\r\n"+mockllm.GeminiFinish("STOP", 1, 2)+"]")))
	if s := b.stream(ask("gemini-x", askStream)); s.Text != "a" || cmp.Diff([]string{"0:stop"}, s.Finish) != "" {
		t.Errorf("%+v", s)
	}
}

// good2 is a good answer of the second provider.
var good2 = always(mockllm.SSE(mockllm.GeminiStream("from ", "u2")...))

// What fails before content fails over, what fails after it is one error frame.
func TestGeminiStreamFaults(t *testing.T) {
	busy := mockllm.GeminiFault(503, "UNAVAILABLE", "overloaded")
	he := mockllm.GeminiChunk("", mockllm.GeminiText("he"))
	f := func(name string, wantText, wantError string, u1 ...mockllm.Step) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			b := startGemini(t, always(u1...), good2)
			s := b.stream(ask("pool", askStream))
			got := ""
			if s.Error != nil {
				got = s.Error.Message
			}
			if s.Text != wantText || !strings.Contains(got, wantError) || (got == "") != (wantError == "") || (len(s.Finish) == 0) != (wantError != "") {
				t.Errorf("text %q, finish %v, error %q", s.Text, s.Finish, got)
			}
			wantU2 := 0
			if wantText == "from u2" {
				wantU2 = 1
			}
			if n := b.u["u2"].Count(); n != wantU2 {
				t.Errorf("%d requests at u2", n)
			}
		})
	}
	oneLine := strings.ReplaceAll(busy, "\n", "")
	header := mockllm.Header(200, http.Header{"Content-Type": {"text/event-stream"}})
	f("503", "from u2", "", mockllm.JSON(503, nil, busy))
	f("error first", "from u2", "", mockllm.SSE(oneLine))
	f("bare error first", "from u2", "", header, mockllm.Body(busy))
	f("bare list first", "from u2", "", header, mockllm.Body("["+busy+"]"))
	f("empty stream", "from u2", "", header)
	f("odd end without content", "from u2", "", mockllm.SSE(mockllm.GeminiChunk("MALFORMED_FUNCTION_CALL")))
	f("reset first", "from u2", "", mockllm.Reset())
	f("silence first", "from u2", "", mockllm.SSE(`{"usageMetadata":{"promptTokenCount":3}}`), mockllm.Hang())
	f("html", "from u2", "", mockllm.JSON(502, http.Header{"Content-Type": {"text/html"}}, "<html>"))
	f("cut", "he", "broke the stream off", mockllm.SSE(he))
	f("cut connection", "he", "broke the stream off", mockllm.SSE(he), mockllm.Cut())
	f("reset", "he", "broke the stream off", mockllm.SSE(he), mockllm.Reset())
	f("silence", "he", "fell silent", mockllm.SSE(he), mockllm.Hang())
	f("error", "he", "overloaded", mockllm.SSE(he, oneLine))
	f("bare error", "he", "overloaded", mockllm.SSE(he), mockllm.Body(busy))
	f("bare list", "he", "overloaded", mockllm.SSE(he), mockllm.Body("["+busy+"]"))
	f("half a bare error", "he", "broke the stream off", mockllm.SSE(he), mockllm.Body(busy[:30]))
	f("good", "he", "", mockllm.SSE(he, mockllm.GeminiFinish("STOP", 1, 1)))
}

func TestGeminiErrors(t *testing.T) {
	f := func(status int, fault string, wantStatus int, wantCode string) answer {
		t.Helper()
		b := startGemini(t, always(mockllm.JSON(status, nil, fault)), nil)
		a := b.post(ask("gemini-x", ""))
		if e := b.fault(a); a.Status != wantStatus || deref(e.Code) != wantCode {
			t.Errorf("%s: %d %+v, want %d %s", fault, a.Status, e, wantStatus, wantCode)
		}
		return a
	}
	f(400, mockllm.GeminiFault(400, "INVALID_ARGUMENT", "bad"), 400, "invalid_argument")
	f(400, mockllm.GeminiFault(400, "INVALID_ARGUMENT", "API key not valid", `{"reason":"API_KEY_INVALID"}`), 502, "upstream_auth_failed")
	f(403, mockllm.GeminiFault(403, "PERMISSION_DENIED", "no"), 502, "upstream_auth_failed")
	f(404, mockllm.GeminiFault(404, "NOT_FOUND", "gone"), 404, "model_not_found")
	f(503, mockllm.GeminiFault(503, "UNAVAILABLE", "busy"), 503, "upstream_error")
	f(504, mockllm.GeminiFault(504, "DEADLINE_EXCEEDED", "late"), 504, "upstream_error")
	f(500, mockllm.GeminiFault(500, "INTERNAL", "oh"), 502, "upstream_error")
	f(200, mockllm.GeminiChunk("OTHER"), 502, "upstream_error")
	a := f(429, mockllm.GeminiFault(429, "RESOURCE_EXHAUSTED", "slow", `{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"39s"}`), 429, "upstream_rate_limited")
	if got := a.Header.Get("Retry-After"); got != "39" {
		t.Errorf("Retry-After is %q", got)
	}

	// A request that cannot be said in the format never leaves.
	b := startGemini(t, nil, nil)
	a = b.post(ask("gemini-x", `,"n":2`))
	if e := b.fault(a); a.Status != 400 || deref(e.Param) != "n" || b.u["u1"].Count() != 0 {
		t.Errorf("%d %+v", a.Status, e)
	}
	if st, _ := b.gw.Fleet().Backend("u1:gemini-3-flash"); !st.Healthy || st.Failures != 0 {
		t.Errorf("the client's fault is the backend's: %+v", st)
	}
}

// The client leaves in the middle of a stream: the upstream call ends.
func TestGeminiDisconnect(t *testing.T) {
	b := startGemini(t, always(mockllm.SSE(mockllm.GeminiChunk("", mockllm.GeminiText("he"))), mockllm.Hang()), nil)
	resp := b.open(t.Context(), ask("pool", askStream))
	var all strings.Builder
	readUntil(t, resp, &all, `"he"`)
	resp.Body.Close()
	if _, err := b.u["u1"].Requests()[0].WaitLeft(t.Context()); err != nil {
		t.Error(err)
	}
	rec := b.record(0)
	if !rec.Disconnected || rec.Attempts[0].Kind != loadbalance.Cancelled || b.u["u2"].Count() != 0 {
		t.Errorf("%+v", rec)
	}
}

// The mock's behaviour is a whole provider: chats, streams and checks.
func TestGeminiChecks(t *testing.T) {
	b := startGemini(t, nil, nil)
	if err := b.u["u1"].SetBehaviour(mockllm.Behaviour{Format: mockllm.Gemini, Key: "provider-key-of-u1", Models: []string{"gemini-3-flash"}}); err != nil {
		t.Fatal(err)
	}
	rt := b.gw.Current()
	if r := rt.CheckProvider(t.Context(), "u1"); !r.OK || cmp.Diff([]string{"gemini-3-flash"}, r.Models) != "" {
		t.Errorf("%+v", r)
	}
	for _, stream := range []bool{false, true} {
		r := rt.TestBackend(t.Context(), probe.Test{Provider: "u1", Model: "gemini-3-flash", Stream: stream})
		if !r.OK || r.Usage.Output == 0 || r.Usage.Estimated || r.FirstContent <= 0 || r.FirstContent > time.Minute {
			t.Errorf("stream %v: %+v", stream, r)
		}
		r = rt.TestBackend(t.Context(), probe.Test{Provider: "u1", Model: "other", Stream: stream})
		if r.OK || r.Kind != loadbalance.Model {
			t.Errorf("stream %v: %+v", stream, r)
		}
	}
	if err := b.u["u1"].SetBehaviour(mockllm.Behaviour{Format: mockllm.Gemini, Key: "another"}); err != nil {
		t.Fatal(err)
	}
	if r := rt.CheckProvider(t.Context(), "u1"); r.OK || r.Kind != loadbalance.Auth || strings.Contains(r.Message, "provider-key") {
		t.Errorf("%+v", r)
	}
}
