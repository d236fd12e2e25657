package relay

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// The whole pipe in front of Google's own layer of OpenAI's format: what official
// SDKs need of a stream with tool calls reaches the client.
func TestGooglesLayer(t *testing.T) {
	g := gatewayOf(t, `
[providers.up]
base_url = "https://generativelanguage.googleapis.com/v1beta/openai"
[models.m]
backends = [ { provider = "up", model = "gemini" } ]
[users.ann]
token = "token-of-this-test-of-google"
`)
	const chunk = `{"id":"x","object":"chat.completion.chunk","created":1,"model":"gemini","choices":[`
	rt := g.Current()
	rt.upstreams["up"].Transport = canned{[]string{
		"data: " + chunk + `{"delta":{"role":"assistant","content":"Let "},"index":0}]}` + "\n\n",
		"data: " + chunk + `{"delta":{"role":"assistant","content":"me"},"index":0}]}` + "\n\n",
		"data: " + chunk + `{"delta":{"tool_calls":[{"function":{"arguments":"{}","name":"f"},"id":"a","type":"function"}]},"index":0}]}` + "\n\n",
		"data: " + chunk + `{"delta":{"tool_calls":[{"function":{"arguments":"{}","name":"g"},"id":"b","type":"function"}]},"index":0}]}` + "\n\n",
		"data: " + chunk + `{"delta":{"role":"assistant"},"finish_reason":"stop","index":0}]}` + "\n\ndata: [DONE]\n\n",
	}}
	user, _ := rt.Keys.Lookup("token-of-this-test-of-google")
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true}`))
	w := httptest.NewRecorder()
	g.Serve(w, r, rt, &Record{User: user, Start: time.Now()})

	mine := strings.ReplaceAll(chunk, "gemini", "m")
	want := "data: " + mine + `{"delta":{"role":"assistant","content":"Let "},"index":0}]}` + "\n\n" +
		"data: " + mine + `{"delta":{"role":"assistant","content":"me"},"index":0}]}` + "\n\n" +
		"data: " + mine + `{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{}","name":"f"},"id":"a","type":"function"}]},"index":0}]}` + "\n\n" +
		"data: " + mine + `{"delta":{"tool_calls":[{"index":1,"function":{"arguments":"{}","name":"g"},"id":"b","type":"function"}]},"index":0}]}` + "\n\n" +
		"data: " + mine + `{"delta":{"role":"assistant"},"finish_reason":"tool_calls","index":0}]}` + "\n\ndata: [DONE]\n\n"
	if got := w.Body.String(); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}
