package relay_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

const echoed = "provider-key-canary-41"

func echoingKey(_ string, p *config.Provider) { p.APIKey = config.NewSecret(echoed) }

// keeps fails the test when the answer holds what nobody may see.
func keeps(t *testing.T, name string, a answer, want string) {
	t.Helper()
	if strings.Contains(a.Body, "canary") || strings.Contains(fmt.Sprint(a.Header), "canary") {
		t.Errorf("%s: the credential went to the client", name)
		return
	}
	if !strings.Contains(a.Body, want) {
		t.Errorf("%s: %d %s, want %s", name, a.Status, a.Body, want)
	}
}

// A provider's credential does not come back in the errors that are part of a
// response, wherever in them it stands and however it is spelled.
func TestResponsesKeepTheCredential(t *testing.T) {
	f := func(name, more, want string, steps ...mockllm.Step) {
		t.Helper()
		r := startResponses(t, setup{provider: echoingKey, scripts: map[string]mockllm.Script{"u1": always(steps...)}})
		a := r.make(`{"model":"gpt-a","input":"x"` + more + `}`)
		keeps(t, name, a, want)
		if more != "" {
			r.events(a)
		}
	}
	ends := func(name, kind, members, want string) {
		t.Helper()
		f(name, `,"stream":true`, want, sse(), begins(), says(3, "he"), mockllm.Body(mockllm.ResponseEvent(4, kind, members)))
	}
	response := func(status, fault string) string {
		return `"response":{"id":"resp_1","status":"` + status + `","model":"up","error":` + fault + `,"output":[]}`
	}
	const failed = `"status":"failed","model":"gpt-a","error":{"code":"x",`
	ends("its message", "response.failed", response("failed", `{"code":"x","message":"bad `+echoed+`"}`), failed+`"message":"bad ***"`)
	ends("escaped", "response.failed", response("failed", `{"code":"x","message":"bad provider\u002dkey-canary-41"}`), failed+`"message":"bad ***"`)
	ends("beside it", "response.failed", response("failed", `{"code":"x","message":"m","details":["`+echoed+`"]}`), failed+`"message":"m"`)
	ends("its type", "error", `"error":{"type":"`+echoed+`","message":"m"}`, `"status":"failed"`)
	ends("beside an error event's", "error", `"code":"x","message":"m","param":null,"debug":"`+echoed+`"`, `"message":"m"`)
	ends("a name", "error", `"code":"x","message":"m","`+echoed+`":1`, `"message":"m"`)
	ends("incomplete", "response.incomplete", response("incomplete", `{"code":"x","message":"bad `+echoed+`"}`), `"status":"incomplete","model":"gpt-a","error":{"code":"x","message":"bad ***"},"output"`)
	ends("nothing", "error", `"code":"x","message":"m","param":null,"later":[1]`, `"sequence_number":4,"code":"x","message":"m","param":null,"later":[1]}`)
	f("whole", "", `{"model":"gpt-a","status":"incomplete","error":{"code":"x","message":"bad ***"},"id":"resp_1","output":[]}`,
		mockllm.JSON(200, nil, `{"model":"up","status":"incomplete","error":{"message":"bad `+echoed+`","code":"x","more":1},"id":"resp_1","output":[]}`))
	f("headers", "", `"resp_1"`, mockllm.JSON(200, http.Header{"X-Request-Id": {echoed}, "X-Ratelimit-Limit-Requests": {"of " + echoed}}, `{"id":"resp_1","status":"completed","output":[]}`))
	f("headers of an error", "", `"bad ***"`, mockllm.JSON(400, http.Header{"X-Request-Id": {echoed}}, mockllm.Fault("bad "+echoed, "invalid_request_error", "", "x")))
}

// Nor does it when a response that failed is asked for later.
func TestStoredResponsesKeepTheCredential(t *testing.T) {
	const failed = `{"id":"resp_1","status":"failed","error":{"code":"x","message":"bad ` + echoed + `"},"model":"up","output":[]}`
	r := startResponses(t, setup{provider: echoingKey, scripts: map[string]mockllm.Script{"u1": func(s *mockllm.Seen) []mockllm.Step {
		switch {
		case s.Method == http.MethodPost && !strings.HasSuffix(s.Path, "cancel"):
			return []mockllm.Step{mockllm.JSON(200, nil, `{"id":"resp_1","status":"queued","background":true,"output":[]}`)}
		case strings.Contains(s.Query, "stream"):
			return []mockllm.Step{sse(), begins(), says(3, "he"), mockllm.Body(mockllm.ResponseEvent(4, "response.failed", `"response":`+failed))}
		}
		return []mockllm.Step{mockllm.JSON(200, nil, failed)}
	}}})
	r.read(r.make(`{"model":"gpt-a","input":"x","background":true}`))
	const want = `{"id":"resp_1","status":"failed","error":{"code":"x","message":"bad ***"},"model":"gpt-a","output":[]}`
	for _, ask := range []string{"GET /resp_1", "GET /resp_1?stream=true", "POST /resp_1/cancel"} {
		method, path, _ := strings.Cut(ask, " ")
		keeps(t, ask, r.ask(userToken, method, path, ""), want)
	}
}

// What an upstream says of its own account in the middle of an answer is not the
// client's: a client of Anthropic's would ask its user to log in again. Nor is
// the client to blame for a request that was being answered.
func TestFaultsAfterContentBlameNobodyElse(t *testing.T) {
	f := func(kind, want, message string) {
		t.Helper()
		b := startFormats(t, map[string]mockllm.Script{
			"c":  always(mockllm.ClaudeEvents(mockllm.ClaudeStart(1), mockllm.ClaudeBlock(0, `{"type":"text","text":""}`), mockllm.ClaudeText("he"), mockllm.ClaudeFault(kind, "invalid x-api-key"))),
			"u1": always(mockllm.SSE(mockllm.Role(), mockllm.Text("he"), mockllm.Fault("invalid x-api-key", kind, "", ""))),
		})
		for _, model := range []string{"claude-x", "gpt-a"} {
			got := events(t, b.postTo(dialect.Messages, say(model, `,"stream":true`)))
			if fault := readClaudeFault(t, got[len(got)-1]); fault.Error.Type != want || !strings.Contains(fault.Error.Message, message) {
				t.Errorf("%s, %s: %s", model, kind, got[len(got)-1])
			}
		}
	}
	f("authentication_error", "api_error", "this gateway's own credential")
	f("permission_error", "api_error", "this gateway's own credential")
	f("invalid_request_error", "api_error", "invalid x-api-key")
	f("rate_limit_error", "rate_limit_error", "invalid x-api-key")
	f("overloaded_error", "overloaded_error", "invalid x-api-key")
}
