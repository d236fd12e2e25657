package api_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/api"
	"github.com/PPKunOfficial/berry-api/core/auth"
	"github.com/PPKunOfficial/berry-api/relay"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// hashedToken is the token of a user of whom the configuration has the digest only.
const hashedToken = "berry-canary-14-hashed"

// echoing is a provider that shows in all its errors what it was sent, keys
// included: in whole, spelled with escapes, and broken off in the middle. What
// the client says decides the form.
func echoing(r *mockllm.Seen) []mockllm.Step {
	var head bytes.Buffer
	_ = r.Header.Write(&head)
	said := head.String()
	text, _ := json.Marshal(said)
	asked := string(r.Body)
	envelope := func(message string) string {
		return `{"error":{"message":` + message + `,"type":` + string(text) + `,"param":` + string(text) + `,"code":` + string(text) + `}}`
	}
	spelled := &strings.Builder{}
	for _, c := range said {
		fmt.Fprintf(spelled, `\u%04x`, c)
	}
	for _, status := range []int{400, 401, 403, 404, 422, 429, 500, 503} {
		switch {
		case strings.Contains(asked, fmt.Sprint("whole ", status)):
			return []mockllm.Step{mockllm.JSON(status, nil, envelope(string(text)))}
		case strings.Contains(asked, fmt.Sprint("message ", status)):
			return []mockllm.Step{mockllm.JSON(status, nil, `{"error":{"message":`+string(text)+`,"type":"t","param":null,"code":null}}`)}
		case strings.Contains(asked, fmt.Sprint("spelled ", status)):
			return []mockllm.Step{mockllm.JSON(status, nil, `{"error":{"message":"m","type":"t","param":null,"code":null,"more":["`+spelled.String()+`"]}}`)}
		case strings.Contains(asked, fmt.Sprint("page ", status)):
			return []mockllm.Step{mockllm.JSON(status, http.Header{"Content-Type": {"text/html"}}, "<html>"+said+"</html>")}
		case strings.Contains(asked, fmt.Sprint("long ", status)):
			// The key begins where what is shown of a message ends.
			from := strings.Index(said, "sk-canary")
			long, _ := json.Marshal(strings.Repeat("x", 4<<10-len("sk-canary-06")) + said[from:])
			return []mockllm.Step{mockllm.JSON(status, nil, envelope(string(long)))}
		}
	}
	frame := `{"error":{"message":` + string(text) + `,"type":` + string(text) + `,"code":` + string(text) + `}}`
	switch {
	case strings.Contains(asked, "first frame"):
		return []mockllm.Step{mockllm.SSE(frame), mockllm.EOF()}
	case strings.Contains(asked, "later frame"):
		return []mockllm.Step{mockllm.SSE(chunk("first"), frame), mockllm.EOF()}
	case strings.Contains(asked, "broken frame"):
		return []mockllm.Step{mockllm.SSE(chunk("first"), "not JSON "+said, finish, "[DONE]"), mockllm.EOF()}
	case strings.Contains(asked, "no answer"):
		return []mockllm.Step{mockllm.JSON(200, nil, "no JSON "+said)}
	case strings.Contains(asked, "headers"):
		return []mockllm.Step{mockllm.JSON(500, http.Header{"X-Echo": {r.Header.Get("Authorization")}, "Set-Cookie": {r.Header.Get("Authorization")}, "Www-Authenticate": {r.Header.Get("Authorization")}}, "{}")}
	}
	return nil
}

// tattling is an authenticator and an observer that panic with what they know.
type tattling struct{ recorder }

func (tattling) Authenticate(r *http.Request, keys *auth.Keyring) (*auth.User, error) {
	token, _ := auth.Token(r.Header)
	if r.Header.Get("X-Panic") != "" {
		panic("no user for " + token + " of " + adminToken + " at " + keyOne)
	}
	u, ok := keys.Lookup(token)
	if !ok {
		return nil, fmt.Errorf("no user for %s", token)
	}
	return u, nil
}

func (tattling) Finished(r *relay.Record) {
	if r.RequestID == "panic" {
		panic("finished with " + hashedToken + " and " + keyTwo)
	}
}

// No output holds a secret, however it is asked for: answers, pages, metrics,
// decisions, and the log at its most talkative. That they do not is checked on
// each answer by the harness, and on the log when the server has stopped.
func TestAttackSecretsInEveryOutput(t *testing.T) {
	digest := sha256.Sum256([]byte(hashedToken))
	b := start(t, setup{
		settings: "log_level = \"trace\"\nlog_request_body = true\nlog_response_body = true\nmax_retries = 1\nretry_budget_ratio = 1.0\n",
		config:   usual + "[users.hashed]\ntoken_sha256 = \"" + hex.EncodeToString(digest[:]) + "\"\ntags = [\"admin\"]\n",
		one:      echoing, two: echoing,
		options: func(o *api.Options) { o.Authenticator, o.Observer = tattling{}, &tattling{} },
	})
	host := strings.TrimPrefix(b.one.URL, "http://")

	chat := func(content string, stream bool) answer {
		t.Helper()
		// The user puts secrets into the text, too: those of the configuration and the user's own.
		text, _ := json.Marshal(content + " and my keys are " + strings.Join([]string{keyOne, keyTwo, annToken, hashedToken, "secret-canary-08-header"}, ", "))
		return b.chat(hashedToken, fmt.Sprintf(`{"model":"pool","stream":%v,"messages":[{"role":"user","content":%s}]}`, stream, text))
	}
	for _, status := range []int{400, 401, 403, 404, 422, 429, 500, 503} {
		for _, form := range []string{"whole", "message", "spelled", "page", "long"} {
			for _, stream := range []bool{false, true} {
				a := chat(fmt.Sprint(form, " ", status), stream)
				if a.status == 200 {
					t.Fatalf("%s %d: %s", form, status, a.body)
				}
				if strings.Contains(a.body, host) {
					t.Errorf("%s %d: the provider's address: %s", form, status, a.body)
				}
				for _, backend := range []string{"one/up-1", "two/up-2"} { // or they would soon be left alone
					b.ask("POST", "/admin/backends/"+backend+"/enable", hashedToken)
				}
			}
		}
	}
	b.one.SetScript(echoing)
	for _, form := range []string{"first frame", "later frame", "broken frame", "no answer", "headers"} {
		chat(form, false)
		chat(form, true)
	}
	b.chat(hashedToken, `{"model":"pool","messages":[],"`+keyOne)
	b.ask("GET", "/v1/models", badToken)
	b.ask("GET", "/v1/models", annToken, withHeader("X-Panic", "1"))
	b.ask("GET", "/nothing/"+keyOne+"/"+annToken, annToken)
	b.ask("GET", "/nothing/"+hashedToken+"?key="+hashedToken, hashedToken)
	r, _ := http.NewRequest(http.MethodPost, b.url+"/v1/chat/completions", strings.NewReader(hello("pool")))
	r.Header.Set("Authorization", "Bearer "+hashedToken)
	r.Header.Set("X-Request-Id", "panic")
	if res, err := http.DefaultClient.Do(r); err == nil {
		_ = res.Body.Close()
	}

	pages := append(append(append([]string{}, openRoutes...), statusRoutes...), adminRoutes...)
	pages = append(pages, "GET /admin/decisions", "GET /admin/decisions?limit=1000", "GET /v1/models", "GET /admin/rate-limit-usage?user=hashed", "POST /admin/reload-config")
	for _, page := range pages {
		method, path, _ := strings.Cut(page, " ")
		for _, accept := range []string{"application/json", "text/html", "text/plain", "application/openmetrics-text"} {
			a := b.ask(method, path, hashedToken, withHeader("Accept", accept))
			if a.status >= 500 && path != "/health" && path != "/v1/health" {
				t.Errorf("%s: %d %s", page, a.status, a.body)
			}
			if strings.Contains(a.body, host) && path != "/admin/config" {
				t.Errorf("%s: the provider's address: %s", page, a.body)
			}
		}
	}
	var decisions struct{ Decisions []struct{ ID string } }
	if err := json.Unmarshal([]byte(b.ask("GET", "/admin/decisions", hashedToken).body), &decisions); err != nil || len(decisions.Decisions) == 0 {
		t.Errorf("no decisions: %v", err)
	}
	for _, d := range decisions.Decisions {
		b.ask("GET", "/admin/decisions/"+d.ID, hashedToken)
	}

	// The test looks where there is something to be found.
	if panics := b.lines("Request handler panicked"); len(panics) != 2 {
		t.Errorf("%d panics", len(panics))
	}
	log := b.log.String()
	for _, part := range []string{"no user for *** of *** at ***", "finished with *** and ***", "/nothing/***/***", "my keys are ***, ***, ***, ***, ***"} {
		if !strings.Contains(log, part) {
			t.Errorf("the log has no %q", part)
		}
	}
}
