package apierror_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/core/apierror"
)

// answer is all that a client sees of an error.
type answer struct {
	Status int
	Header http.Header
	Body   string
}

func answerOf(e *apierror.Error) answer {
	w := httptest.NewRecorder()
	w.Header().Set("X-Request-Id", "r1")     // what the caller set before stays,
	w.Header().Set("Content-Length", "1234") // except what was meant for another body
	w.Header().Set("Content-Type", "text/event-stream")
	e.Write(w)
	res := w.Result()
	return answer{res.StatusCode, res.Header, w.Body.String()}
}

// causes is every cause with its status and type.
var causes = map[apierror.Code]struct {
	status int
	typ    string
}{
	"missing_api_key":             {401, "invalid_request_error"},
	"invalid_api_key":             {401, "invalid_request_error"},
	"user_disabled":               {403, "permission_error"},
	"model_not_allowed":           {403, "permission_error"},
	"no_backend_for_tags":         {403, "permission_error"},
	"backend_pin_not_allowed":     {403, "permission_error"},
	"admin_required":              {403, "permission_error"},
	"invalid_json":                {400, "invalid_request_error"},
	"invalid_form":                {400, "invalid_request_error"},
	"invalid_value":               {400, "invalid_request_error"},
	"unsupported_media_type":      {415, "invalid_request_error"},
	"request_too_large":           {413, "invalid_request_error"},
	"request_timeout":             {408, "invalid_request_error"},
	"model_not_found":             {404, "invalid_request_error"},
	"previous_response_not_found": {400, "invalid_request_error"},
	"not_found":                   {404, "invalid_request_error"},
	"method_not_allowed":          {405, "invalid_request_error"},
	"unsupported_endpoint":        {404, "invalid_request_error"},
	"rate_limit_exceeded":         {429, "rate_limit_error"},
	"no_backend_available":        {503, "server_error"},
	"upstream_unreachable":        {502, "server_error"},
	"upstream_timeout":            {504, "server_error"},
	"upstream_auth_failed":        {502, "server_error"},
	"upstream_rate_limited":       {429, "rate_limit_error"},
	"upstream_error":              {502, "server_error"},
	"stream_interrupted":          {502, "server_error"},
	"client_closed_request":       {499, "server_error"},
	"internal_error":              {500, "server_error"},
}

func TestEveryCause(t *testing.T) {
	for code, want := range causes {
		header := http.Header{
			"Content-Type":           {"application/json"},
			"X-Content-Type-Options": {"nosniff"},
			"X-Request-Id":           {"r1"},
		}
		if want.status == 401 {
			header.Set("WWW-Authenticate", "Bearer")
		}
		got := answerOf(apierror.New(code, "no %s for %q", "tea", "two"))
		if d := cmp.Diff(answer{
			Status: want.status,
			Header: header,
			Body: fmt.Sprintf(`{"error":{"message":"no tea for \"two\"","type":%q,"param":null,"code":%q}}`,
				want.typ, code),
		}, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", code, d)
		}
	}
}

// A cause that is declared and has no row would answer 500: the constants in the
// source and the causes above are the same set.
func TestNoCauseIsForgotten(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "error.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var declared []apierror.Code
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if typ, ok := spec.Type.(*ast.Ident); ok && typ.Name == "Code" {
			code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			declared = append(declared, apierror.Code(code))
		}
		return true
	})
	slices.Sort(declared)
	if d := cmp.Diff(slices.Sorted(maps.Keys(causes)), declared); d != "" {
		t.Errorf("causes (-in this test +in error.go):\n%s", d)
	}
}

func TestUnknownCauseIsInternal(t *testing.T) {
	got := apierror.New("no_such_cause", "x")
	want := &apierror.Error{Status: 500, Type: "server_error", Code: "no_such_cause", Message: "x"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestHeaders(t *testing.T) {
	f := func(e *apierror.Error, retryAfter, shouldRetry string) {
		t.Helper()
		h := answerOf(e).Header
		if got := h.Get("Retry-After"); got != retryAfter {
			t.Errorf("Retry-After %q, want %q", got, retryAfter)
		}
		if got := h.Get("X-Should-Retry"); got != shouldRetry {
			t.Errorf("x-should-retry %q, want %q", got, shouldRetry)
		}
	}
	limited := func(d time.Duration) *apierror.Error {
		return apierror.New(apierror.RateLimitExceeded, "slow down").WithRetryAfter(d)
	}
	f(limited(0), "", "")
	f(limited(-time.Second), "", "")
	f(limited(1), "1", "") // never 0, which asks for a retry at once
	f(limited(time.Second), "1", "")
	f(limited(time.Second+1), "2", "")
	f(limited(time.Hour), "3600", "")
	f(limited(time.Second).WithNoRetry(), "1", "false")
}

func TestBody(t *testing.T) {
	f := func(e *apierror.Error, want string) {
		t.Helper()
		if got := string(e.Body()); got != want {
			t.Errorf("body %s, want %s", got, want)
		}
	}
	f(apierror.New(apierror.InvalidValue, "bad").WithParam("messages[0].role"),
		`{"error":{"message":"bad","type":"invalid_request_error","param":"messages[0].role","code":"invalid_value"}}`)
	// What a client wrote cannot end the frame that carries it.
	f(apierror.New(apierror.InvalidValue, "%s", "a\n\ndata: x\r\u2028\xff\""),
		`{"error":{"message":"a\n\ndata: x\r\u2028\ufffd\"","type":"invalid_request_error","param":null,"code":"invalid_value"}}`)
	f(&apierror.Error{Status: 422, Type: "custom", Message: "as the upstream said"},
		`{"error":{"message":"as the upstream said","type":"custom","param":null,"code":null}}`)
}

// An upstream's own error goes out as it came; the rest of the answer is ours.
func TestRaw(t *testing.T) {
	got := answerOf(&apierror.Error{Status: 422, Type: "t", Code: "c", Message: "m", Raw: []byte(`{"error": "theirs"}`)})
	want := answer{422, http.Header{
		"Content-Type":           {"application/json"},
		"X-Content-Type-Options": {"nosniff"},
		"X-Request-Id":           {"r1"},
	}, `{"error": "theirs"}`}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestWithStatus(t *testing.T) {
	e := apierror.New(apierror.UpstreamError, "overloaded").WithStatus(503)
	if got := answerOf(e).Status; got != 503 {
		t.Errorf("status %d, want 503", got)
	}
	err := fmt.Errorf("attempt 2: %w", e)
	if found, ok := errors.AsType[*apierror.Error](err); !ok || found != e || err.Error() != "attempt 2: 503 upstream_error: overloaded" {
		t.Errorf("as a Go error: %v", err)
	}
}
