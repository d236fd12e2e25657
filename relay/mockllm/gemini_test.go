package mockllm_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

func geminiPost(t *testing.T, s *mockllm.Server, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/v1beta/models/"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Goog-Api-Key", "k")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	out, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(out)
}

// What the real API refuses is refused, with words that name it.
func TestGeminiIsStrict(t *testing.T) {
	s := mockllm.Start(t, nil)
	if err := s.SetBehaviour(mockllm.Behaviour{Format: mockllm.Gemini, Key: "k"}); err != nil {
		t.Fatal(err)
	}
	f := func(body, want string) {
		t.Helper()
		status, out := geminiPost(t, s, "gemini-3-pro:generateContent", body)
		if want == "" && status != 200 || want != "" && (status != 400 || !strings.Contains(out, want) || !strings.Contains(out, "INVALID_ARGUMENT")) {
			t.Errorf("%s: %d %s, want %q", body, status, out, want)
		}
	}
	with := func(more string) string { return `{"contents":[{"role":"user","parts":[{"text":"a"}]}],` + more + `}` }
	said := func(parts string) string { return `{"contents":[{"role":"user","parts":[` + parts + `]}]}` }
	tool := func(schema string) string {
		return with(`"tools":[{"functionDeclarations":[{"name":"f","parameters":` + schema + `}]}]`)
	}
	jsonTool := func(schema string) string {
		return with(`"tools":[{"functionDeclarations":[{"name":"f","parametersJsonSchema":` + schema + `}]}]`)
	}
	calls := func(model, user string) string {
		return `{"contents":[{"role":"user","parts":[{"text":"a"}]},{"role":"model","parts":[` + model + `]},{"role":"user","parts":[` + user + `]}]}`
	}
	f(said(`{"text":"a"}`), "")
	f(`{`, "Invalid JSON payload")
	f(`{"contents":[]}`, "contents")
	f(with(`"model":"x"`), "unknown field")
	f(with(`"n":1`), "unknown field")
	f(said(``), "must not be empty")
	f(said(`{"text":""}`), "must not be empty")
	f(said(`{}`), "oneof")
	f(said(`{"text":"a","inlineData":{"mimeType":"a/b","data":"YQ=="}}`), "oneof")
	f(said(`{"inlineData":{"data":"YQ=="}}`), "mimeType")
	f(said(`{"inlineData":{"mimeType":"a/b","data":"???"}}`), "base64")
	f(`{"contents":[{"role":"assistant","parts":[{"text":"a"}]}]}`, "role")
	f(`{"contents":[{"role":"model","parts":[{"text":"a"}]}]}`, "first content")
	f(`{"contents":[{"role":"user","parts":[{"text":"a"}]},{"role":"model","parts":[{"text":"b"}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":{}}}]}]}`,
		"immediately after a user turn")
	f(with(`"generationConfig":{"thinkingConfig":{"thinkingBudget":0,"thinkingLevel":"LOW"}}`), "only one of")
	f(with(`"generationConfig":{"thinkingConfig":{"thinkingLevel":"low"}}`), "thinkingLevel")
	f(with(`"generationConfig":{"stopSequences":["1","2","3","4","5","6"]}`), "stopSequences")
	f(with(`"generationConfig":{"responseJsonSchema":{"type":"object"}}`), "responseMimeType")
	f(with(`"generationConfig":{"maxOutputTokens":0}`), "maxOutputTokens")
	f(with(`"toolConfig":{"functionCallingConfig":{"mode":"ANY"}}`), "without function_declarations")
	for _, key := range []string{"$schema", "$ref", "$defs", "additionalProperties", "const", "oneOf", "allOf", "exclusiveMinimum", "propertyNames", "examples"} {
		f(tool(`{"type":"OBJECT","`+key+`":null}`), "unknown field")
	}
	for _, key := range []string{"$schema", "const", "allOf", "exclusiveMinimum", "propertyNames", "examples", "pattern", "definitions"} {
		f(jsonTool(`{"type":"object","properties":{"a":{"`+key+`":null}}}`), "unknown key")
	}
	f(jsonTool(`{"$ref":"#","type":"object"}`), "beside a $ref")
	f(jsonTool(`{"type":"object","additionalProperties":false,"$defs":{"a":{"$ref":"#"}}}`), "")
	f(tool(`{"type":"ARRAY"}`), "items: missing")
	f(tool(`{"type":"INTEGER","enum":["1"]}`), "enum")
	f(tool(`{"type":"STRING","enum":[1]}`), "Invalid JSON")
	f(tool(`{"type":"OBJECT","required":["x"]}`), "not defined")
	f(tool(`{"type":"OBJECT","properties":{"a":{"type":"STRING","nullable":true}},"required":["a"]}`), "")

	const call, result = `{"functionCall":{"name":"f","args":{}},"thoughtSignature":"c2ln"}`, `{"functionResponse":{"name":"f","response":{}}}`
	f(calls(call, result), "")
	f(calls(call, `{"text":"no result"}`), "must be those of")
	f(calls(call+","+call, result), "must be those of")
	f(calls(`{"functionCall":{"name":"f","args":{}}}`, result), "thought_signature")
	f(calls(`{"functionCall":{"name":"f","args":{}}}`, result+`]},{"role":"user","parts":[{"text":"next"}`), "") // of an older turn
	f(calls(call+`,{"functionCall":{"name":"f","args":{}}}`, result+","+result), "")
	f(calls(`{"functionCall":{"name":"f","args":{}},"thoughtSignature":"skip_thought_signature_validator"}`, result), "")
}

func TestGeminiBehaviour(t *testing.T) {
	s := mockllm.Start(t, nil)
	f := func(b mockllm.Behaviour, path string, status int, want ...string) {
		t.Helper()
		b.Format = mockllm.Gemini
		if err := s.SetBehaviour(b); err != nil {
			t.Fatal(err)
		}
		got, out := geminiPost(t, s, path, `{"contents":[{"role":"user","parts":[{"text":"a"}]}]}`)
		if got != status {
			t.Errorf("%s: status %d, want %d: %s", path, got, status, out)
		}
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("%s: no %s in %s", path, w, out)
			}
		}
	}
	two := mockllm.Behaviour{Answer: func(mockllm.Prompt) string { return "one two" }}
	f(two, "m:generateContent", 200, `"text":"one two"`, `"finishReason":"STOP"`, `"totalTokenCount":5`)
	f(two, "m:streamGenerateContent?alt=sse", 200, "data: {", `"text":"one"`, `"text":" two"`)
	f(two, "m:streamGenerateContent", 200, "[{", ",\r\n{", "}]")
	f(mockllm.Behaviour{Key: "other"}, "m:generateContent", 400, "API_KEY_INVALID")
	f(mockllm.Behaviour{Models: []string{"x"}}, "m:generateContent", 404, "NOT_FOUND")
	f(mockllm.Behaviour{}, "m:embedText", 404, "NOT_FOUND")
	f(mockllm.Behaviour{Outage: 429}, "m:generateContent", 429, "RESOURCE_EXHAUSTED", "retryDelay")
	f(mockllm.Behaviour{Outage: 503}, "m:generateContent", 503, "UNAVAILABLE")
	f(mockllm.Behaviour{Outage: 401}, "m:generateContent", 401, "UNAUTHENTICATED")
	f(mockllm.Behaviour{Outage: 500}, "m:generateContent", 500, "INTERNAL")
}

// What OpenAI refuses in a conversation is refused.
func TestStrictOpenAI(t *testing.T) {
	s := mockllm.Start(t, mockllm.StrictOpenAI(mockllm.Always(mockllm.JSON(200, nil, "{}"))))
	f := func(messages, want string) {
		t.Helper()
		status, out := geminiPost(t, s, "any", `{"messages":[`+messages+`]}`)
		if want == "" && status != 200 || want != "" && (status != 400 || !strings.Contains(out, want)) {
			t.Errorf("%s: %d %s, want %q", messages, status, out, want)
		}
	}
	const call, result = `{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{}}]}`, `{"role":"tool","tool_call_id":"a","content":""}`
	f(`{"role":"user","content":"a"}`, "")
	f(call+","+result, "")
	f(call, "no results")
	f(call+`,{"role":"user"}`, "no results")
	f(result, "must follow")
	f(`{"role":"assistant","thinking_blocks":[]}`, "thinking_blocks")
	f(strings.Replace(call, `"id"`, `"extra_content":1,"id"`, 1)+","+result, "extra_content")
	f(strings.ReplaceAll(call+","+result, `"a"`, `"`+strings.Repeat("a", 41)+`"`), "40 characters")
}

func TestGeminiCounts(t *testing.T) {
	s := mockllm.Start(t, nil)
	if err := s.SetBehaviour(mockllm.Behaviour{Format: mockllm.Gemini, Models: []string{"gemini-3-flash"}}); err != nil {
		t.Fatal(err)
	}
	f := func(body string, status int, want string) {
		t.Helper()
		if got, out := geminiPost(t, s, "gemini-3-flash:countTokens", body); got != status || !strings.Contains(out, want) {
			t.Errorf("%s: %d %s, want %q", body, got, out, want)
		}
	}
	const contents = `"contents":[{"role":"user","parts":[{"text":"one two three"}]}]`
	const four, ten = `{"totalTokens":4,"promptTokensDetails":[{"modality":"TEXT","tokenCount":4}]}`, `"totalTokens":10,`
	whole := func(more string) string { return `{"generateContentRequest":{` + contents + more + `}}` }
	const model = `,"model":"models/gemini-3-flash"`
	f(whole(model), 200, four)
	f(whole(model+`,"systemInstruction":{"parts":[{"text":"be very brief now"}]}`), 200, ten)
	f(`{`+contents+`}`, 200, four)
	f(`{}`, 400, "must be set")
	f(`{"generateContentRequest":{},`+contents+`}`, 400, "mutually exclusive")
	f(`{"contents":[]}`, 400, "contents are not specified")
	f(whole(``), 400, "generate_content_request.model")
	f(whole(`,"model":"gemini-3-flash"`), 400, "generate_content_request.model")
	f(whole(model+`,"max_tokens":1`), 400, "unknown field")
	f(`{"request":{}}`, 400, "unknown field")
	if got, out := geminiPost(t, s, "other:countTokens", whole(`,"model":"models/other"`)); got != 404 || !strings.Contains(out, "NOT_FOUND") {
		t.Errorf("%d %s", got, out)
	}
	// What is strict before a script is so for counts.
	s.SetScript(mockllm.StrictGemini(mockllm.Always(mockllm.JSON(200, nil, "{}"))))
	f(whole(``), 400, "generate_content_request.model")
	f(whole(model), 200, "{}")
}
