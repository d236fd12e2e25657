package api_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// described loads docs/openapi.yaml, which must be valid.
func described(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile("../docs/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(context.Background()); err != nil {
		t.Fatal(err)
	}
	return doc
}

// checked reports whether bodies of a type are compared with their schema: those
// of streams and files have none that says anything.
func checked(contentType string) bool {
	return contentType == "application/json" || strings.HasPrefix(contentType, "text/plain")
}

// Real answers are what docs/openapi.yaml says, status, content type and body;
// and every operation in it is tried here.
func TestOpenAPI(t *testing.T) {
	doc := described(t)
	b, path := startFile(t, unwatched(), mockllm.OnChat(said("Hi")), mockllm.OnChat(failing))
	tried := map[string]bool{}
	// f asks and compares. The pattern is the path in the description.
	f := func(operation, target, token string, status int, edits ...func(*http.Request)) {
		t.Helper()
		method, pattern, _ := strings.Cut(operation, " ")
		item := doc.Paths.Value(pattern)
		if item == nil || item.GetOperation(method) == nil {
			t.Errorf("docs/openapi.yaml has no %s", operation)
			return
		}
		tried[operation] = true
		a := b.ask(method, target, token, edits...)
		if a.status != status {
			t.Errorf("%s: %d, want %d: %s", operation, a.status, status, a.body)
		}
		in := &openapi3filter.RequestValidationInput{
			Request: &http.Request{Method: method, URL: &url.URL{Path: target}},
			Route:   &routers.Route{Spec: doc, Path: pattern, PathItem: item, Method: method, Operation: item.GetOperation(method)},
		}
		err := openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
			RequestValidationInput: in, Status: a.status, Header: a.header, Body: io.NopCloser(bytes.NewReader([]byte(a.body))),
			Options: &openapi3filter.Options{
				IncludeResponseStatus: true, MultiError: true,
				ExcludeResponseBody: !checked(a.header.Get("Content-Type")),
			},
		})
		if err != nil {
			t.Errorf("%s: %v", operation, err)
		}
	}
	get := func(pattern, token string, status int) {
		t.Helper()
		f("GET "+pattern, pattern, token, status)
	}
	for _, pattern := range []string{"/", "/status", "/health", "/livez", "/readyz", "/v1/health", "/metrics", "/prometheus", "/smart-ai/weights"} {
		get(pattern, "", 200)
	}
	f("GET /metrics", "/metrics", "", 200, withHeader("Accept", "text/plain"))
	f("GET /", "/", "", 200, withHeader("Accept", "text/html"))
	f("GET /status/{asset}", "/status/app.js", "", 200)
	f("GET /status/{asset}", "/status/nothing", "", 404)
	for _, prefix := range []string{"", "/v1"} {
		chat := "POST " + prefix + "/chat/completions"
		f(chat, prefix+"/chat/completions", annToken, 200, withBody(hello("pool")))
		f(chat, prefix+"/chat/completions", annToken, 200, withBody(`{"model":"pool","stream":true,"messages":[{"role":"user","content":"Hello"}]}`))
		f(chat, prefix+"/chat/completions", annToken, 400, withBody("{"))
		f(chat, prefix+"/chat/completions", "", 401, withBody(hello("pool")))
		f(chat, prefix+"/chat/completions", narrowTok, 403, withBody(hello("org/m1")))
		f(chat, prefix+"/chat/completions", annToken, 404, withBody(hello("nope")))
		for _, e := range []string{"/completions", "/embeddings", "/moderations"} {
			f("POST "+prefix+e, prefix+e, annToken, 200, withBody(`{"model":"org/m1","prompt":"a","input":"a"}`))
			f("POST "+prefix+e, prefix+e, "", 401)
			f("POST "+prefix+e, prefix+e, narrowTok, 403, withBody(`{"model":"org/m1"}`))
		}
		for _, e := range []string{
			"/completions", "/embeddings", "/moderations", "/images/generations", "/images/edits", "/images/variations",
			"/audio/transcriptions", "/audio/translations", "/audio/speech",
		} {
			f("POST "+prefix+e, prefix+e, annToken, 400, withBody("{"))
			f("POST "+prefix+e, prefix+e, annToken, 404, withBody(`{"model":"nope"}`))
		}
		b.describedResponses(f, prefix)
		messages, version := "POST "+prefix+"/messages", withHeader("Anthropic-Version", "2023-06-01")
		f(messages, prefix+"/messages?beta=true", annToken, 200, withBody(hello("pool")))
		f(messages, prefix+"/messages", annToken, 400, withBody("{"))
		f(messages, prefix+"/messages", "", 401, withBody(hello("pool")))
		f(messages, prefix+"/messages", narrowTok, 403, withBody(hello("org/m1")))
		f(messages, prefix+"/messages", annToken, 404, withBody(hello("nope")))
		f(messages+"/count_tokens", prefix+"/messages/count_tokens", annToken, 200, withBody(hello("pool")))
		f(messages+"/count_tokens", prefix+"/messages/count_tokens", annToken, 404, withBody(hello("nope")))
		f("GET "+prefix+"/models", prefix+"/models", annToken, 200, version)
		f("GET "+prefix+"/models", prefix+"/models?limit=0", annToken, 400, version)
		f("GET "+prefix+"/models", prefix+"/models", badToken, 401, version)
		f("GET "+prefix+"/models/{id}", prefix+"/models/org%2Fm1", annToken, 200, version)
		f("GET "+prefix+"/models/{id}", prefix+"/models/nope", annToken, 404, version)
		get(prefix+"/models", annToken, 200)
		get(prefix+"/models", badToken, 401)
		f("GET "+prefix+"/models/{id}", prefix+"/models/org/m1", annToken, 200)
		f("GET "+prefix+"/models/{id}", prefix+"/models/nope", annToken, 404)
	}
	f("POST /v1/completions", "/v1/completions", annToken, 200, withBody(`{"model":"org/m1","prompt":"a","stream":true}`))
	f("POST /v1/embeddings", "/v1/embeddings", annToken, 200, withBody(`{"model":"org/m1","input":"a","encoding_format":"base64"}`))
	f("POST /v1/chat/completions", "/v1/chat/completions", adminToken, 200, withHeader("X-Request-Id", "known"), withBody(hello("pool")))
	f("POST /v1/chat/completions", "/v1/chat/completions", adminToken, 503, withBody(`{"model":"pool","backend":"two","messages":[]}`))
	f("GET /smart-ai/models/{model}/weights", "/smart-ai/models/org/m1/weights", "", 200)
	f("GET /smart-ai/models/{model}/weights", "/smart-ai/models/nope/weights", "", 404)

	for _, pattern := range []string{"/admin/model-weights", "/admin/backend-health", "/admin/system-stats", "/admin/rate-limit-usage", "/admin/history", "/admin/config", "/admin/decisions"} {
		get(pattern, adminToken, 200)
		get(pattern, annToken, 403)
		get(pattern, "", 401)
	}
	f("GET /admin/history", "/admin/history?points=361", adminToken, 400)
	f("GET /admin/decisions", "/admin/decisions?limit=0", adminToken, 400)
	f("GET /admin/decisions", "/admin/decisions?model=nope", adminToken, 404)
	f("GET /admin/decisions/{request_id}", "/admin/decisions/known", adminToken, 200)
	f("GET /admin/decisions/{request_id}", "/admin/decisions/nope", adminToken, 404)
	f("GET /admin/model-weights", "/admin/model-weights?model=nope", adminToken, 404)
	f("GET /admin/rate-limit-usage", "/admin/rate-limit-usage?user=nope", adminToken, 404)
	for _, action := range []string{"drain", "enable"} {
		f("POST /admin/backends/{provider}/{model}/"+action, "/admin/backends/two/up-2/"+action, adminToken, 200)
		f("POST /admin/backends/{provider}/{model}/"+action, "/admin/backends/two/nope/"+action, adminToken, 404)
	}
	f("POST /admin/reload-config", "/admin/reload-config", adminToken, 200)
	writeFile(t, path, b.text(usual)+"requests_per_hour = 9\n[users.short]\ntoken = \"canary-1\"\n")
	f("POST /admin/reload-config", "/admin/reload-config", adminToken, 200)
	writeFile(t, path, "nonsense")
	f("POST /admin/reload-config", "/admin/reload-config", adminToken, 400)
	get("/admin/system-stats", adminToken, 200) // with a reload in it
	f("POST /admin/reload-config", "/admin/reload-config", annToken, 403)

	for pattern, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			if !tried[method+" "+pattern] {
				t.Errorf("docs/openapi.yaml has %s %s, which nothing here tries", method, pattern)
			}
		}
	}
}
