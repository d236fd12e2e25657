package relay_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// countModels mixes providers that count: g speaks Gemini's format, c Claude's; u1
// speaks OpenAI's, and counts nothing for clients of Anthropic's.
const countModels = `
[models.gem]
backends = [{ provider = "g", model = "gemini-3-flash", request_price = 1.0 }]
[models.gem-first]
strategy = "failover"
backends = [{ provider = "g", model = "gemini-3-flash", priority = 1 }, { provider = "c", model = "claude-up", priority = 2 }]
[models.claude-first]
strategy = "failover"
backends = [{ provider = "c", model = "claude-up", priority = 1 }, { provider = "g", model = "gemini-3-flash", priority = 2 }]
[models.gem-open]
strategy = "failover"
backends = [{ provider = "g", model = "gemini-3-flash", priority = 1, tags = ["g-only"] }, { provider = "u1", model = "gpt-up", priority = 2 }]
[models.open]
backends = [{ provider = "u1", model = "gpt-up" }]
[users.test]
token = "sk-test-1-long-enough"
tags = ["g-only", "admin"]
[users.tagged]
token = "sk-test-2-long-enough"
tags = ["others"]
`

// counting scripts g and c for counts; nil leaves one to its behaviour.
func counting(t *testing.T, g, c mockllm.Script) *berry {
	t.Helper()
	return start(t, setup{
		ids: []string{"u1", "g", "c"}, toml: countModels, scripts: map[string]mockllm.Script{"g": g, "c": c},
		behaviours: map[string]mockllm.Behaviour{"g": {Format: mockllm.Gemini}, "c": {Format: mockllm.Claude}},
		provider: func(id string, p *config.Provider) {
			p.MaxRetries = 0
			switch id {
			case "g":
				toGemini(id, p)
			case "c":
				p.BackendType = config.TypeClaude
			}
		},
		settings: func(s *config.Settings) { s.CircuitBreakerFailureThreshold = 1 },
	})
}

// calm fails the test if a backend was blamed for a count, or preferred.
func (b *berry) calm() {
	b.t.Helper()
	for _, s := range b.gw.Fleet().Backends() {
		if !s.Healthy || s.Breaker != loadbalance.BreakerClosed || !s.CoolDownUntil.IsZero() || s.Latency != 0 {
			b.t.Errorf("a count says something of its backend: %+v", s)
		}
	}
}

func isEstimate(a answer) bool {
	return a.Status == 200 && a.Header.Get("X-Berry-Estimated") == "input_tokens" && strings.HasPrefix(a.Body, `{"input_tokens":`) && a.Header.Get("X-Berry-Provider") == ""
}

// Gemini counts what it would be asked, all of it.
func TestGeminiCounts(t *testing.T) {
	b := counting(t, mockllm.StrictGemini(always(mockllm.JSON(200, http.Header{"X-Request-Id": {"up-1"}},
		`{"totalTokens":412,"cachedContentTokenCount":400,"promptTokensDetails":[{"modality":"TEXT","tokenCount":12}]}`))), nil)
	a := b.postTo(dialect.CountTokens, `{"model":"gem","stream":true,"system":"be brief","messages":[{"role":"user","content":[{"type":"text","text":"look"},`+
		`{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}}]},`+
		`{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"tool_use","id":"t1","name":"f","input":{"a":1}}]},`+
		`{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"22"}]}],`+
		`"tools":[{"name":"f","description":"d","input_schema":{"type":"object","properties":{"a":{"type":"integer"}}}}],"tool_choice":{"type":"any"},"top_k":5,"mcp_servers":[]}`)
	if a.Status != 200 || a.Body != `{"input_tokens":412}` || a.Header.Get("X-Berry-Estimated") != "" || a.Header.Get("Content-Type") != "application/json" ||
		a.Header.Get("X-Berry-Provider") != "g" || a.Header.Get("X-Berry-Attempts") != "1" || a.Header.Get("X-Berry-Dropped-Params") != "mcp_servers,top_k" {
		t.Fatalf("%d %s %v", a.Status, a.Body, a.Header)
	}
	seen := b.u["g"].Requests()
	const want = `{"generateContentRequest":{"model":"models/gemini-3-flash","contents":[` +
		`{"role":"user","parts":[{"text":"look"},{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="}}]},` +
		`{"role":"model","parts":[{"functionCall":{"name":"f","args":{"a":1}},"thoughtSignature":"skip_thought_signature_validator"}]},` +
		`{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"result":"22"}}}]}],` +
		`"systemInstruction":{"parts":[{"text":"be brief"}]},` +
		`"tools":[{"functionDeclarations":[{"name":"f","description":"d","parametersJsonSchema":{"type":"object","properties":{"a":{"type":"integer"}}}}]}],` +
		`"toolConfig":{"functionCallingConfig":{"mode":"ANY"}}}}` + "\n"
	if d := cmp.Diff(want, string(seen[0].Body)); d != "" || len(seen) != 1 {
		t.Errorf("%d requests; %s", len(seen), d)
	}
	if r := seen[0]; r.Method != http.MethodPost || r.Path != "/v1beta/models/gemini-3-flash:countTokens" || r.Query != "" || r.Header.Get("X-Goog-Api-Key") != "provider-key-of-g" || r.Header.Get("X-Api-Key") != "" {
		t.Errorf("%s %s?%s %v", r.Method, r.Path, r.Query, r.Header)
	}
	rec := b.record(0)
	if rec.Usage != (relay.Usage{}) || rec.Cost != 0 || len(rec.Attempts) != 1 || rec.Last().Kind != loadbalance.Success || rec.Endpoint != dialect.CountTokens || rec.Stream {
		t.Errorf("%+v", rec)
	}
	b.calm()
}

// Both kinds count exactly, and the strategy picks.
func TestCountsGoWhereTheStrategySays(t *testing.T) {
	b := counting(t, always(mockllm.JSON(200, nil, `{"totalTokens":41}`)), always(mockllm.JSON(200, nil, `{"input_tokens":52}`)))
	f := func(model, provider, body string) {
		t.Helper()
		if a := b.postTo(dialect.CountTokens, say(model, "")); a.Status != 200 || a.Body != body || a.Header.Get("X-Berry-Provider") != provider || a.Header.Get("X-Berry-Estimated") != "" {
			t.Errorf("%s: %d %s %v", model, a.Status, a.Body, a.Header)
		}
	}
	f("gem-first", "g", `{"input_tokens":41}`)
	f("claude-first", "c", `{"input_tokens":52}`)
	f("gem-open", "g", `{"input_tokens":41}`)
	if got := string(b.u["c"].Requests()[0].Body); got != `{"model":"claude-up","max_tokens":50,"messages":[{"role":"user","content":"hi"}]}` {
		t.Errorf("Claude's own count is asked as it came: %s", got)
	}
	b.calm()
}

// Where the provider does not count, or not this, the next one does, and else it is
// estimated; nobody is blamed for that.
func TestCountsThatAreRefused(t *testing.T) {
	f := func(step mockllm.Step) {
		t.Helper()
		b := counting(t, always(step), always(mockllm.JSON(200, nil, `{"input_tokens":52}`)))
		for range 3 {
			if a := b.postTo(dialect.CountTokens, say("gem", "")); !isEstimate(a) {
				t.Fatalf("%d %s %v", a.Status, a.Body, a.Header)
			}
		}
		rec := b.record(0)
		if n := b.u["g"].Count(); n != 3 || rec.Status != 200 || rec.Error != nil || rec.Last().Kind != loadbalance.Caller || rec.Cost != 0 {
			t.Errorf("%d requests, %+v", n, rec)
		}
		if a := b.postTo(dialect.CountTokens, say("gem-first", "")); a.Body != `{"input_tokens":52}` || a.Header.Get("X-Berry-Provider") != "c" || a.Header.Get("X-Berry-Estimated") != "" {
			t.Errorf("%d %s %v", a.Status, a.Body, a.Header)
		}
		if a := b.postTo(dialect.CountTokens, say("gem-open", "")); !isEstimate(a) {
			t.Errorf("%d %s %v", a.Status, a.Body, a.Header)
		}
		b.calm()
	}
	f(mockllm.JSON(400, nil, mockllm.GeminiFault(400, "INVALID_ARGUMENT", `Invalid JSON payload received. Unknown name "generateContentRequest": Cannot find field.`)))
	f(mockllm.JSON(400, nil, mockllm.GeminiFault(400, "INVALID_ARGUMENT", "The input token count (9) exceeds the maximum number of tokens allowed (8).")))
	f(mockllm.JSON(404, nil, mockllm.GeminiFault(404, "NOT_FOUND", "models/m is not found for API version v1beta, or is not supported for countTokens")))
	f(mockllm.JSON(404, nil, `<html>`))
	f(mockllm.JSON(405, nil, `{"error":{"message":"Method not allowed"}}`))
	f(mockllm.JSON(501, nil, mockllm.GeminiFault(501, "UNIMPLEMENTED", "no")))
	// What is no count is none.
	f(mockllm.JSON(200, nil, `{"totalBillableCharacters":9,"promptTokenCount":3}`))
	f(mockllm.JSON(200, nil, `{"totalTokens":"12"}`))
	f(mockllm.JSON(200, nil, `{"totalTokens":0}`))
	f(mockllm.JSON(200, http.Header{"Content-Type": {"text/html"}}, `<html>welcome</html>`))
	f(mockllm.JSON(200, nil, mockllm.GeminiFault(400, "INVALID_ARGUMENT", "no")))
}

// What cannot be put into Gemini's form is counted by a provider that takes it, else estimated.
func TestCountsThatCannotBeSaid(t *testing.T) {
	b := counting(t, nil, always(mockllm.JSON(200, nil, `{"input_tokens":52}`)))
	for _, content := range []string{
		`[{"type":"document","source":{"type":"url","url":"https://a.example/x.pdf"}}]`, // a chat cannot
		`[{"type":"image","source":{"type":"url","url":"http://a.example/x.png"}}]`,     // Gemini cannot
	} {
		body := func(model string) string {
			return `{"model":"` + model + `","messages":[{"role":"user","content":` + content + `}]}`
		}
		if a := b.postTo(dialect.CountTokens, body("gem")); !isEstimate(a) {
			t.Errorf("%s: %d %s %v", content, a.Status, a.Body, a.Header)
		}
		if a := b.postTo(dialect.CountTokens, body("gem-first")); a.Body != `{"input_tokens":52}` || a.Header.Get("X-Berry-Provider") != "c" {
			t.Errorf("%s: %d %s", content, a.Status, a.Body)
		}
	}
	if n := b.u["g"].Count(); n != 0 {
		t.Errorf("Gemini was asked %d times", n)
	}
	if e := readClaudeFault(t, b.postTo(dialect.CountTokens, `{"model":"gem","messages":7}`).Body).Error; e.Type != "invalid_request_error" || !strings.Contains(e.Message, "messages") {
		t.Errorf("%+v", e)
	}
	b.calm()
}

// A provider that is out of order is another one's chance. Where all that count are, the
// client hears of it; but not where the model has others, which would answer the request.
func TestCountsOfTheDead(t *testing.T) {
	dead := func(steps ...mockllm.Step) *berry {
		return counting(t, always(steps...), always(mockllm.JSON(200, nil, `{"input_tokens":52}`)))
	}
	f := func(b *berry, errorType string, status int) {
		t.Helper()
		if a := b.postTo(dialect.CountTokens, say("gem-first", "")); a.Body != `{"input_tokens":52}` || a.Header.Get("X-Berry-Provider") != "c" || a.Header.Get("X-Berry-Attempts") != "2" {
			t.Errorf("%d %s %v", a.Status, a.Body, a.Header)
		}
		if a := b.postTo(dialect.CountTokens, say("gem-open", "")); !isEstimate(a) {
			t.Errorf("%d %s %v", a.Status, a.Body, a.Header)
		}
		if a := b.postTo(dialect.CountTokens, say("gem", "")); a.Status != status || readClaudeFault(t, a.Body).Error.Type != errorType {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	}
	b := dead(mockllm.JSON(500, nil, mockllm.GeminiFault(500, "INTERNAL", "no")))
	f(b, "api_error", 502)
	b.calm()
	b = dead(mockllm.JSON(429, nil, mockllm.GeminiFault(429, "RESOURCE_EXHAUSTED", "counts", `{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"60s"}`)))
	f(b, "rate_limit_error", 429)
	b.calm()
	b = dead(mockllm.Reset())
	f(b, "overloaded_error", 503) // the first one opened its breaker: a connection is one for chats too
	if s := b.gw.Fleet().Backends(); s[0].Breaker == loadbalance.BreakerClosed && s[1].Breaker == loadbalance.BreakerClosed && s[2].Breaker == loadbalance.BreakerClosed {
		t.Errorf("no connection, and nobody is to blame: %+v", s)
	}
	// Claude dead, Gemini alive.
	b = counting(t, always(mockllm.JSON(200, nil, `{"totalTokens":41}`)), always(mockllm.JSON(529, nil, mockllm.ClaudeFault("overloaded_error", "Overloaded"))))
	if a := b.postTo(dialect.CountTokens, say("claude-first", "")); a.Body != `{"input_tokens":41}` || a.Header.Get("X-Berry-Provider") != "g" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	b.calm()
}

// A count that the user's tags, or the choice of a provider, keep from those that
// count is estimated: the request itself would be answered.
func TestCountsOfOthers(t *testing.T) {
	b := counting(t, always(mockllm.JSON(200, nil, `{"totalTokens":41}`)), nil)
	status, body := b.postAs("sk-test-2-long-enough", dialect.CountTokens, say("gem-open", ""))
	if status != 200 || !strings.HasPrefix(body, `{"input_tokens":`) || b.u["g"].Count() != 0 {
		t.Errorf("%d %s", status, body)
	}
	if a := b.postTo(dialect.CountTokens, say("gem-open", `,"backend":"u1"`)); !isEstimate(a) || b.u["g"].Count() != 0 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if a := b.postTo(dialect.CountTokens, say("gem-open", `,"backend":"g"`)); a.Body != `{"input_tokens":41}` || b.u["g"].Count() != 1 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if a := b.postTo(dialect.CountTokens, say("gem-open", `,"backend":"nope"`)); a.Status != 400 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// Clients of OpenAI's responses are told the count of a provider that has none of them.
func TestInputTokensOfOthers(t *testing.T) {
	b := counting(t, mockllm.StrictGemini(always(mockllm.JSON(200, nil, `{"totalTokens":41}`))), always(mockllm.JSON(200, nil, ` {"input_tokens":52,"later":1}`)))
	const body = `"instructions":"be brief","input":[{"role":"user","content":"hi"}],"tools":[{"type":"function","name":"f","parameters":{"type":"object","properties":{}}}],"reasoning":{"effort":"low"},"max_output_tokens":50}`
	f := func(model, provider, want, sent string) {
		t.Helper()
		a := b.postTo(dialect.InputTokens, `{"model":"`+model+`",`+body)
		if a.Status != 200 || a.Body != want || a.Header.Get("X-Berry-Provider") != provider {
			t.Errorf("%d %s %v", a.Status, a.Body, a.Header)
		}
		if d := cmp.Diff(sent, strings.TrimSpace(string(b.u[provider].Requests()[0].Body))); d != "" {
			t.Error(d)
		}
	}
	f("gem", "g", `{"object":"response.input_tokens","input_tokens":41}`,
		`{"generateContentRequest":{"model":"models/gemini-3-flash","contents":[{"role":"user","parts":[{"text":"hi"}]}],"systemInstruction":{"parts":[{"text":"be brief"}]},`+
			`"tools":[{"functionDeclarations":[{"name":"f"}]}],"generationConfig":{"maxOutputTokens":50,"thinkingConfig":{"includeThoughts":true,"thinkingLevel":"LOW"}}}}`)
	f("claude-first", "c", `{"object":"response.input_tokens","input_tokens":52}`,
		`{"model":"claude-up","system":"be brief","messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"tools":[{"name":"f","input_schema":{"type":"object","properties":{}}}],`+
			`"thinking":{"type":"adaptive"},"output_config":{"effort":"low"}}`)
	if rec := b.record(1); rec.Usage != (relay.Usage{}) || rec.Cost != 0 {
		t.Errorf("%+v", rec)
	}
	// What goes on from a response that is kept elsewhere cannot be counted there.
	a := b.postTo(dialect.InputTokens, `{"model":"gem","input":"hi","previous_response_id":"resp_1"}`)
	if e := b.fault(a); a.Status != 400 || deref(e.Param) != "previous_response_id" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	b.u["g"].SetScript(always(mockllm.JSON(404, nil, mockllm.GeminiFault(404, "NOT_FOUND", "not supported for countTokens"))))
	if a := b.postTo(dialect.InputTokens, `{"model":"gem",`+body); a.Status != 404 || !strings.Contains(a.Body, "countTokens") || a.Header.Get("X-Berry-Estimated") != "" {
		t.Errorf("an estimate is not to be had here: %d %s", a.Status, a.Body)
	}
	b.calm()
}
