package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// made makes a response and returns its id.
func (b *berry) made(token, body string) string {
	b.t.Helper()
	a := b.ask("POST", "/v1/responses", token, withBody(body))
	var r struct{ ID string }
	if err := json.Unmarshal([]byte(a.body), &r); err != nil || a.status != 200 || r.ID == "" {
		b.t.Fatalf("%d %s", a.status, a.body)
	}
	return r.ID
}

const helloResponse = `{"model":"pool","input":"Hello"}`

// describedResponses tries what docs/openapi.yaml says of responses.
func (b *berry) describedResponses(f func(operation, target, token string, status int, edits ...func(*http.Request)), prefix string) {
	b.t.Helper()
	at := prefix + "/responses"
	f("POST "+at, at, annToken, 200, withBody(helloResponse))
	f("POST "+at, at, annToken, 200, withBody(`{"model":"pool","input":"Hello","stream":true}`))
	f("POST "+at, at, annToken, 400, withBody("{"))
	f("POST "+at, at, annToken, 404, withBody(`{"model":"nope"}`))
	f("POST "+at+"/input_tokens", at+"/input_tokens", annToken, 200, withBody(helloResponse))
	f("POST "+at+"/compact", at+"/compact", annToken, 200, withBody(helloResponse))
	id := b.made(annToken, helloResponse)
	of := func(operation, more, token string, status int) {
		b.t.Helper()
		method, action, _ := strings.Cut(operation, " ")
		f(method+" "+at+"/{id}"+action, at+"/"+id+action+more, token, status)
	}
	of("GET ", "", annToken, 200)
	of("GET ", "?stream=true", annToken, 200)
	of("GET ", "", adminToken, 404)
	of("GET ", "", "", 401)
	of("GET /input_items", "", annToken, 200)
	of("GET /input_items", "", adminToken, 404)
	of("POST /cancel", "", annToken, 400)
	of("POST /cancel", "", adminToken, 404)
	of("DELETE ", "", annToken, 200)
	of("DELETE ", "", annToken, 404)
	id = b.made(annToken, `{"model":"pool","input":"Hello","background":true}`)
	of("POST /cancel", "", annToken, 200)
}

// What is kept is read by the user who made it, wherever it is asked for, and
// the log says what was asked of whom.
func TestStoredResponses(t *testing.T) {
	b := start(t, setup{one: mockllm.Leave, two: mockllm.Leave})
	id := b.made(annToken, helloResponse)
	for _, path := range []string{"/v1/responses/" + id, "/responses/" + id} {
		a := b.ask("GET", path, annToken)
		if a.status != 200 || !strings.Contains(a.body, `"model":"pool"`) || a.header.Get("X-Berry-Provider") != "one" {
			t.Errorf("%d %v %s", a.status, a.header, a.body)
		}
		// Whoever asks for it, an administrator too, finds what does not exist.
		for _, token := range []string{adminToken, narrowTok} {
			if a := b.ask("GET", path, token); a.status != 404 || !strings.Contains(a.body, `"not_found"`) {
				t.Errorf("%d %s", a.status, a.body)
			}
		}
	}
	for _, route := range []string{"PUT /v1/responses/" + id, "GET /v1/responses", "GET /v1/responses/" + id + "/cancel", "POST /v1/responses/" + id} {
		method, path, _ := strings.Cut(route, " ")
		if a := b.ask(method, path, annToken); a.status != 405 {
			t.Errorf("%s: %d %s", route, a.status, a.body)
		}
	}
	for _, path := range []string{"/v1/responses/", "/v1/responses//", "/v1/responses/" + id + "/", "/v1/responses/" + id + "/nothing", "/v1/responses/..%2fmodels", "/v1/responses/%00"} {
		if a := b.ask("GET", path, annToken); a.status != 404 || !strings.Contains(a.body, `"not_found"`) {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if a := b.ask("GET", "/prometheus", adminToken); !strings.Contains(a.body, `http_requests_total{method="GET",path="/v1/responses/{id}",status="200"} 1`) || strings.Contains(a.body, id) {
		t.Error("the metrics lack the route, or have the id")
	}
	lines := b.lines("Backend selected")
	if len(lines) != 3 || !strings.Contains(lines[1].raw, `"endpoint":"responses"`) || !strings.Contains(lines[1].raw, `"provider":"one"`) {
		t.Errorf("%v", lines)
	}
	if lines := b.lines("Request completed"); len(lines) == 0 || !strings.Contains(lines[0].raw, `"path":"/v1/responses/{id}"`) {
		t.Errorf("%v", lines)
	}
}

// Bodies are logged where the configuration asks for it, of what is kept too.
func TestStoredResponsesAreLogged(t *testing.T) {
	b := start(t, setup{settings: "log_response_body = true\n", one: mockllm.Leave})
	id := b.made(annToken, helloResponse)
	if a := b.ask("GET", "/v1/responses/"+id, annToken); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	lines := b.lines("Bodies")
	if len(lines) != 2 || !strings.Contains(lines[1].raw, id) || !strings.Contains(lines[1].raw, "Hello") {
		t.Errorf("%v", lines)
	}
}
