package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// What every client must get. With question as the prompt it is usage in all.
const (
	answer   = "Grüße, 世界! One two  three. 🍓"
	question = "hi"

	promptTokens     = 2
	completionTokens = 8
)

// Two parallel tool calls and two choices, with their pieces interleaved.
const (
	toolID1, toolID2     = "call_a", "call_b"
	toolArgs1, toolArgs2 = `{"city":"Zürich"}`, `{"zone":"UTC"}`
	choice0, choice1     = "red green", "one two"
)

const (
	token        = "sk-berry-client-canary-1"
	limitedToken = "sk-berry-limited-canary-2"
	wrongToken   = "sk-berry-wrong-canary-3"
	scriptedKey  = "up-scripted-canary-4"
	backupKey    = "up-backup-canary-5"
	vectorKey    = "up-vectors-canary-6"
)

// vectorLength is how long a vector is of which the request does not say.
const vectorLength = 8

func secrets() []string {
	return []string{token, limitedToken, wrongToken, scriptedKey, backupKey, vectorKey}
}

// A world is what one client talks to: Berry in front of two providers, and a second Berry that never retries, so
// that what a provider says reaches the client.
type world struct {
	berry, strict    *server
	scripted, backup *mockllm.Server
	vectors          *mockllm.Server // speaks Gemini's format
}

// served are the public models, and the scripted provider's name of the model behind each.
func served() map[string]string {
	return map[string]string{
		"chat": "good", "org/chat": "good", "tools": "tools", "two": "two", "rejected": "rejected",
		"truncated": "truncated", "reset": "reset", "broken": "broken", "early": "early", "no-done": "no-done",
		"limited": "limited", "endless": "endless", "pool": "failing",
		"silent": "silent", "garbled": "garbled", "role-error": "role-error", "vectors": "vectors",
	}
}

// modelNames is what GET /v1/models must list, sorted.
func modelNames() []string {
	var names []string
	for name := range served() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		scripted: provider(t, mockllm.Behaviour{Name: "scripted", Key: scriptedKey}),
		backup:   provider(t, mockllm.Behaviour{Name: "backup", Key: backupKey}),
		vectors:  provider(t, mockllm.Behaviour{Name: "vectors", Key: vectorKey, Format: mockllm.Gemini}),
	}
	w.scripted.SetScript(scripted())
	w.berry = startServer(t, w.config(""), secrets())
	w.strict = startServer(t, w.config("max_retries = 0\nmax_internal_retries = 0\n"), secrets())
	return w
}

// provider starts a provider that has all the models and gives the answer.
func provider(t *testing.T, b mockllm.Behaviour) *mockllm.Server {
	t.Helper()
	b.Answer = func(mockllm.Prompt) string { return answer }
	for _, model := range served() {
		if !slices.Contains(b.Models, model) {
			b.Models = append(b.Models, model)
		}
	}
	s := mockllm.Start(t, nil)
	if err := s.SetBehaviour(b); err != nil {
		t.Fatal(err)
	}
	return s
}

func (w *world) config(settings string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `[settings]
bind_address = "127.0.0.1:0"
log_format = "json"
log_level = "debug"
stream_idle_timeout_seconds = 2
%s
[providers.scripted]
base_url = %q
api_key = %q

[providers.backup]
base_url = %q
api_key = %q

[providers.vectors]
backend_type = "gemini"
base_url = %q
api_key = %q

[users.client]
token = %q

[users.limited]
token = %q
rate_limit = { requests_per_minute = 1 }
`, settings, w.scripted.URL, scriptedKey, w.backup.URL+"/v1", backupKey, w.vectors.URL, vectorKey, token, limitedToken)
	for _, name := range modelNames() {
		fmt.Fprintf(&b, `
[models.%q]
name = %q
strategy = "failover"
[[models.%q.backends]]
provider = "scripted"
model = %q
priority = 0
`, name, name, name, served()[name])
	}
	for _, name := range []string{"pool", "role-error"} {
		fmt.Fprintf(&b, `
[[models.%q.backends]]
provider = "backup"
model = "good"
priority = 1
`, name)
	}
	b.WriteString(`
[[models.vectors.backends]]
provider = "vectors"
model = "vectors"
priority = 1
`)
	return b.String()
}

// scripted is what the scripted provider does besides its behaviour: it makes no vectors with the model of that name.
func scripted() mockllm.Script {
	chat := mockllm.OnChat(faults())
	return func(r *mockllm.Seen) []mockllm.Step {
		if r.Path == "/v1/embeddings" && asked(r) == "vectors" {
			return []mockllm.Step{mockllm.JSON(404, nil, mockllm.Fault("no such thing here", "invalid_request_error", "", "unknown_url"))}
		}
		return chat(r)
	}
}

// faults is how the scripted provider's models misbehave; "good" is left to its behaviour.
func faults() mockllm.Script {
	fault := func(status int, header http.Header, body string) mockllm.Script {
		return mockllm.Always(mockllm.JSON(status, header, body))
	}
	scripts := map[string]mockllm.Script{
		"tools":     mockllm.Always(mockllm.SSE(toolFrames()...)),
		"two":       mockllm.Always(mockllm.SSE(choiceFrames()...)),
		"rejected":  fault(400, nil, mockllm.Fault("bad temp", "invalid_request_error", "temperature", "x")),
		"truncated": mockllm.Always(mockllm.SSE(mockllm.Role(), mockllm.Text("he")), mockllm.Cut()),
		"reset":     mockllm.Always(mockllm.SSE(mockllm.Role(), mockllm.Text("he")), mockllm.Reset()),
		"broken":    mockllm.Always(mockllm.SSE(mockllm.Role(), mockllm.Text("he"), mockllm.Fault("boom", "server_error", "", "x"))),
		"early":     mockllm.Always(mockllm.SSE(mockllm.Fault("full", "rate_limit_error", "", "rate_limit_exceeded"))),
		"no-done":   mockllm.Always(mockllm.SSE(mockllm.Role(), mockllm.Text("hello"), mockllm.Finish("stop"))),
		"silent":    mockllm.Always(mockllm.SSE(mockllm.Role(), mockllm.Text("he")), mockllm.Hang()),
		"garbled": mockllm.Always(mockllm.SSE(mockllm.Role(), mockllm.Text("hel"), `{"choices":[{"delta"`, mockllm.Text("lo"),
			mockllm.Finish("stop"), mockllm.Done)),
		"role-error": mockllm.Always(mockllm.SSE(mockllm.Role(), mockllm.Fault("boom", "server_error", "", "x"))),
		"endless":    mockllm.Always(mockllm.SSE(mockllm.Role(), mockllm.Text("he")), mockllm.Hang()),
		"failing":    fault(500, nil, mockllm.Fault("no luck here", "server_error", "", "")),
		"limited": mockllm.Attempts(
			fault(429, http.Header{"Retry-After": {"1"}}, mockllm.Fault("slow down", "rate_limit_error", "", "rate_limit_exceeded")),
			mockllm.Leave,
		),
	}
	return func(r *mockllm.Seen) []mockllm.Step {
		if script := scripts[asked(r)]; script != nil {
			return script(r)
		}
		return nil
	}
}

// asked is the model that a chat request is for.
func asked(r *mockllm.Seen) string {
	var body struct{ Model string }
	if json.Unmarshal(r.Body, &body) != nil {
		return ""
	}
	return body.Model
}

func frame(choices string) string {
	return `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[` + choices + `]}`
}

func toolFrames() []string {
	quote := func(s string) string {
		b, _ := json.Marshal(s)
		return string(b)
	}
	begin := func(index int, id, name string) string {
		return fmt.Sprintf(`{"index":%d,"id":%q,"type":"function","function":{"name":%q,"arguments":""}}`, index, id, name)
	}
	more := func(index int, args string) string {
		return fmt.Sprintf(`{"index":%d,"function":{"arguments":%s}}`, index, quote(args))
	}
	chunk := func(call string) string {
		return frame(`{"index":0,"delta":{"tool_calls":[` + call + `]},"finish_reason":null}`)
	}
	return []string{
		frame(`{"index":0,"delta":{"role":"assistant","content":null},"finish_reason":null}`),
		chunk(begin(0, toolID1, "weather")), chunk(begin(1, toolID2, "clock")),
		chunk(more(0, toolArgs1[:8])), chunk(more(1, toolArgs2[:5])), chunk(more(0, toolArgs1[8:])), chunk(more(1, toolArgs2[5:])),
		frame(`{"index":0,"delta":{},"finish_reason":"tool_calls"}`),
		mockllm.Done,
	}
}

func choiceFrames() []string {
	chunk := func(index int, delta, finish string) string {
		return frame(fmt.Sprintf(`{"index":%d,"delta":%s,"finish_reason":%s}`, index, delta, finish))
	}
	return []string{
		chunk(0, `{"role":"assistant","content":""}`, "null"), chunk(1, `{"role":"assistant","content":""}`, "null"),
		chunk(1, `{"content":"one"}`, "null"), chunk(0, `{"content":"red"}`, "null"),
		chunk(0, `{"content":" green"}`, "null"), chunk(1, `{"content":" two"}`, "null"),
		chunk(1, `{}`, `"length"`), chunk(0, `{}`, `"stop"`),
		mockllm.Done,
	}
}

// verify looks at what reached the providers after a client ran all its cases.
func (w *world) verify(t *testing.T) {
	t.Helper()
	byModel := map[string][]mockllm.Seen{}
	for _, r := range w.scripted.Requests() {
		w.verifyRequest(t, &r, scriptedKey)
		byModel[asked(&r)] = append(byModel[asked(&r)], r)
	}
	backup := 0
	for _, r := range w.backup.Requests() {
		w.verifyRequest(t, &r, backupKey)
		if asked(&r) == "good" {
			backup++
		}
	}
	if len(byModel["failing"]) == 0 || backup == 0 {
		t.Errorf("failover: %d requests to the failing backend, %d to the other", len(byModel["failing"]), backup)
	}
	for _, r := range w.vectors.Requests() {
		if got := r.Header.Get("X-Goog-Api-Key"); got != vectorKey || r.Header.Get("Authorization") != "" {
			t.Errorf("%s %s came with another credential than the provider's", r.Method, r.Path)
		}
	}
	if n := len(byModel["rejected"]); n != 1 {
		t.Errorf("a request that the provider refuses was sent %d times", n)
	}
	if limited := byModel["limited"]; len(limited) != 2 {
		t.Errorf("%d requests to the limited backend, want 2", len(limited))
	} else if gap := limited[1].Arrived.Sub(limited[0].Arrived); gap < 900*time.Millisecond {
		t.Errorf("Retry-After of 1 s, but the second request came after %v", gap)
	}
	if len(byModel["endless"]) == 0 {
		t.Error("no request to the endless backend")
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, r := range byModel["endless"] {
		if _, err := r.WaitLeft(ctx); err != nil {
			t.Errorf("the client left, but the provider's connection stayed: %v", err)
		}
	}
}

// verifyRequest checks that nothing of the client but its request came through.
func (w *world) verifyRequest(t *testing.T, r *mockllm.Seen, key string) {
	t.Helper()
	if got := r.Header.Get("Authorization"); got != "Bearer "+key {
		t.Errorf("%s %s came with another credential than the provider's", r.Method, r.Path)
	}
	for name := range r.Header {
		if strings.HasPrefix(name, "X-Stainless-") || name == "Cookie" || strings.HasPrefix(name, "X-Berry-") {
			t.Errorf("%s %s came with the client's header %s", r.Method, r.Path, name)
		}
	}
}

// A report is what a client written in another language says about one case, as one line of JSON.
type report struct {
	Case  string
	Error string
}

// cases are what every SDK must run, no more and no fewer.
func cases() []string {
	return []string{
		"models", "retrieve", "chat", "stream", "stream_usage", "helper", "tools", "two_choices", "no_done",
		"wrong_key", "unknown_model", "bad_request", "truncated", "reset", "silent", "broken", "early_error", "garbled", "role_error",
		"failover", "failover_stream", "retry_after", "rate_limit", "leave",
		"completion", "completion_stream", "embeddings", "moderation", "unsupported",
	}
}
