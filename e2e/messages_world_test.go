package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

const (
	openKey   = "up-open-canary-7"
	ownKey    = "up-own-canary-8"
	googleKey = "up-google-canary-9"
)

// longTool has a name that OpenAI does not take.
const longTool = "mcp__a_server_with_a_name__a_tool_with_a_name_that_is_longer_than_it_may_be"

// messagesWorld is what clients of Anthropic's talk to: Berry in front of a
// provider of OpenAI's format, one of Anthropic's own and one of Google's.
type messagesWorld struct {
	berry             *server
	open, own, google *mockllm.Server
}

// openModels are the models of the provider of OpenAI's format.
func openModels() []string {
	return []string{"open", "tools", "thinks", "truncated", "broken", "torn-call", "rejected", "endless", "failing"}
}

func newMessagesWorld(t *testing.T) *messagesWorld {
	t.Helper()
	start := func(b mockllm.Behaviour) *mockllm.Server {
		b.Answer = func(mockllm.Prompt) string { return answer }
		s := mockllm.Start(t, nil)
		if err := s.SetBehaviour(b); err != nil {
			t.Fatal(err)
		}
		return s
	}
	w := &messagesWorld{
		open:   start(mockllm.Behaviour{Name: "open", Key: openKey}),
		own:    start(mockllm.Behaviour{Name: "own", Key: ownKey, Format: mockllm.Claude}),
		google: start(mockllm.Behaviour{Name: "google", Key: googleKey, Format: mockllm.Gemini}),
	}
	w.open.SetScript(mockllm.OnChat(openFaults()))
	var b strings.Builder
	fmt.Fprintf(&b, `[settings]
bind_address = "127.0.0.1:0"
log_format = "json"
health_check_interval_seconds = 0
stream_idle_timeout_seconds = 2
[providers.open]
base_url = %q
api_key = %q
[providers.own]
backend_type = "claude"
base_url = %q
api_key = %q
[providers.google]
backend_type = "gemini"
base_url = %q
api_key = %q
[models.own]
aliases = ["claude-haiku-4-5"]
backends = [{ provider = "own", model = "claude-sonnet-4-5" }]
[models.google]
backends = [{ provider = "google", model = "gemini-3-flash" }]
[models.mixed]
strategy = "failover"
backends = [{ provider = "open", model = "failing", priority = 1 }, { provider = "own", model = "claude-sonnet-4-5", priority = 2 }]
[users.client]
token = %q
[users.limited]
token = %q
rate_limit = { requests_per_minute = 1 }
`, w.open.URL, openKey, w.own.URL, ownKey, w.google.URL, googleKey, token, limitedToken)
	for _, name := range openModels() {
		fmt.Fprintf(&b, "[models.%q]\nbackends = [{ provider = \"open\", model = %q }]\n", name, name)
	}
	w.berry = startServer(t, b.String(), []string{token, limitedToken, wrongToken, openKey, ownKey, googleKey})
	return w
}

// openFaults is what the models of the provider of OpenAI's format do that is
// no plain answer.
func openFaults() mockllm.Script {
	said := mockllm.SSE(mockllm.Role(), mockllm.Text("he"))
	call := frame(`{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"weather","arguments":"{\"city\":"}}]},"finish_reason":null}`)
	scripts := map[string]mockllm.Script{
		"tools": mockllm.Always(mockllm.SSE(toolFrames()...)),
		"thinks": mockllm.Always(mockllm.SSE(frame(`{"index":0,"delta":{"role":"assistant","reasoning_content":"th"},"finish_reason":null}`),
			frame(`{"index":0,"delta":{"reasoning_content":"ink"},"finish_reason":null}`), mockllm.Text("so"), mockllm.Finish("stop"), mockllm.Done)),
		"truncated": mockllm.Always(said, mockllm.Cut()),
		"broken":    mockllm.Always(said, mockllm.SSE(mockllm.Fault("boom", "server_error", "", "x"))),
		"torn-call": mockllm.Always(said, mockllm.SSE(call, mockllm.Finish("tool_calls"), mockllm.Done)),
		"rejected":  mockllm.Always(mockllm.JSON(400, nil, mockllm.Fault("bad temp", "invalid_request_error", "temperature", "x"))),
		"endless":   mockllm.Always(said, mockllm.Hang()),
		"failing":   mockllm.Always(mockllm.JSON(500, nil, mockllm.Fault("no luck here", "server_error", "", ""))),
	}
	return func(r *mockllm.Seen) []mockllm.Step {
		if script := scripts[asked(r)]; script != nil && !toolsAnswered(r) {
			return script(r)
		}
		return nil
	}
}

// toolsAnswered reports whether a request brings the result of a call.
func toolsAnswered(r *mockllm.Seen) bool { return strings.Contains(string(r.Body), `"role":"tool"`) }

// verify looks at what reached the providers after a client ran all its cases.
func (w *messagesWorld) verify(t *testing.T) {
	t.Helper()
	f := func(s *mockllm.Server, header, want string) {
		t.Helper()
		n := 0
		for _, r := range s.Requests() {
			n++
			if got := r.Header.Get(header); got != want {
				t.Errorf("%s: the key is not the provider's", r.Path)
			}
			for name := range r.Header {
				if strings.HasPrefix(name, "X-Stainless") {
					t.Errorf("the client's %s reached a provider", name)
				}
			}
		}
		if n == 0 {
			t.Errorf("no request with %s", header)
		}
	}
	f(w.open, "Authorization", "Bearer "+openKey)
	f(w.own, "X-Api-Key", ownKey)
	f(w.google, "X-Goog-Api-Key", googleKey)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	left := 0
	for _, r := range w.open.Requests() {
		if asked(&r) != "endless" {
			continue
		}
		left++
		if _, err := r.WaitLeft(ctx); err != nil {
			t.Errorf("the client left, but the provider's connection stayed: %v", err)
		}
	}
	if left == 0 {
		t.Error("no request to the endless backend")
	}
}

// messageCases are what every client of Anthropic's runs.
func messageCases() []string {
	return []string{
		"formats", "streams", "tools", "tool_loop", "forced_tool", "thinking", "conversation_moves", "image", "count_tokens", "models",
		"wrong_key", "unknown_model", "bad_request", "rate_limit", "truncated", "broken", "torn_call", "failover", "leave",
	}
}
