// Package apierror is the one table of what Berry answers when something goes
// wrong: OpenAI's error envelope, with a status, type and code per cause.
//
// api and relay build every error answer from it, so that a client sees the
// same words for the same cause wherever it arose.
package apierror

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// Error types of OpenAI's envelope that Berry uses.
const (
	TypeInvalidRequest = "invalid_request_error"
	TypePermission     = "permission_error"
	TypeRateLimit      = "rate_limit_error"
	TypeServer         = "server_error"
)

// Code names a cause. It is what clients should switch on, and the key of the table.
type Code string

// The causes.
const (
	MissingAPIKey       Code = "missing_api_key"
	InvalidAPIKey       Code = "invalid_api_key"
	UserDisabled        Code = "user_disabled"
	ModelNotAllowed     Code = "model_not_allowed"
	NoBackendForTags    Code = "no_backend_for_tags"
	BackendPinDenied    Code = "backend_pin_not_allowed"
	AdminRequired       Code = "admin_required"
	InvalidJSON         Code = "invalid_json"
	InvalidForm         Code = "invalid_form"
	InvalidValue        Code = "invalid_value"
	UnsupportedMedia    Code = "unsupported_media_type"
	RequestTooLarge     Code = "request_too_large"
	RequestTimeout      Code = "request_timeout"
	ModelNotFound       Code = "model_not_found"
	PreviousNotFound    Code = "previous_response_not_found"
	NotFound            Code = "not_found"
	MethodNotAllowed    Code = "method_not_allowed"
	UnsupportedEndpoint Code = "unsupported_endpoint"
	RateLimitExceeded   Code = "rate_limit_exceeded"
	NoBackendAvailable  Code = "no_backend_available"
	Unreachable         Code = "upstream_unreachable"
	UpstreamTimeout     Code = "upstream_timeout"
	UpstreamAuth        Code = "upstream_auth_failed"
	UpstreamRateLimit   Code = "upstream_rate_limited"
	UpstreamError       Code = "upstream_error"
	StreamInterrupted   Code = "stream_interrupted"
	ClientClosed        Code = "client_closed_request"
	Internal            Code = "internal_error"
)

// StatusClientClosed is logged, never sent: the client has gone.
const StatusClientClosed = 499

type row struct {
	status int
	typ    string
}

// table says what each cause answers with. It is read only. An answer that an
// upstream gave and that is passed on has no row: it keeps what the upstream said.
var table = map[Code]row{
	MissingAPIKey:       {http.StatusUnauthorized, TypeInvalidRequest},
	InvalidAPIKey:       {http.StatusUnauthorized, TypeInvalidRequest},
	UserDisabled:        {http.StatusForbidden, TypePermission},
	ModelNotAllowed:     {http.StatusForbidden, TypePermission},
	NoBackendForTags:    {http.StatusForbidden, TypePermission},
	BackendPinDenied:    {http.StatusForbidden, TypePermission},
	AdminRequired:       {http.StatusForbidden, TypePermission},
	InvalidJSON:         {http.StatusBadRequest, TypeInvalidRequest},
	InvalidForm:         {http.StatusBadRequest, TypeInvalidRequest},
	InvalidValue:        {http.StatusBadRequest, TypeInvalidRequest},
	UnsupportedMedia:    {http.StatusUnsupportedMediaType, TypeInvalidRequest},
	RequestTooLarge:     {http.StatusRequestEntityTooLarge, TypeInvalidRequest},
	RequestTimeout:      {http.StatusRequestTimeout, TypeInvalidRequest},
	ModelNotFound:       {http.StatusNotFound, TypeInvalidRequest},
	PreviousNotFound:    {http.StatusBadRequest, TypeInvalidRequest}, // as OpenAI answers
	NotFound:            {http.StatusNotFound, TypeInvalidRequest},
	MethodNotAllowed:    {http.StatusMethodNotAllowed, TypeInvalidRequest},
	UnsupportedEndpoint: {http.StatusNotFound, TypeInvalidRequest},
	RateLimitExceeded:   {http.StatusTooManyRequests, TypeRateLimit},
	NoBackendAvailable:  {http.StatusServiceUnavailable, TypeServer},
	Unreachable:         {http.StatusBadGateway, TypeServer},
	UpstreamTimeout:     {http.StatusGatewayTimeout, TypeServer},
	UpstreamAuth:        {http.StatusBadGateway, TypeServer},
	UpstreamRateLimit:   {http.StatusTooManyRequests, TypeRateLimit},
	UpstreamError:       {http.StatusBadGateway, TypeServer},
	StreamInterrupted:   {http.StatusBadGateway, TypeServer}, // in-band only; the status is for the log
	ClientClosed:        {StatusClientClosed, TypeServer},
	Internal:            {http.StatusInternalServerError, TypeServer},
}

// Error is one error answer. It is a Go error too; its text is for logs.
type Error struct {
	Status  int    // HTTP status
	Type    string // envelope's type
	Code    string // envelope's code; "" goes out as null
	Param   string // envelope's param; "" goes out as null
	Message string // names the thing and the remedy; never a key, URL or host

	// Raw, where set, is the answer's body instead of the envelope made of the
	// fields above: an upstream's own error that is passed on as it is.
	Raw []byte

	// RetryAfter, where above 0, goes out as Retry-After in whole seconds, rounded up.
	RetryAfter time.Duration
	// NoRetry sends x-should-retry: false: the client's SDK would retry for nothing.
	NoRetry bool
}

// New makes the error for a cause in the table; format and args give its message.
// A code that is not in the table answers as Internal.
func New(c Code, format string, args ...any) *Error {
	r, ok := table[c]
	if !ok {
		r = table[Internal]
	}
	return &Error{Status: r.status, Type: r.typ, Code: string(c), Message: fmt.Sprintf(format, args...)}
}

// WithParam names the request field at fault and returns e.
func (e *Error) WithParam(p string) *Error { e.Param = p; return e }

// WithStatus overrides the table's status and returns e.
func (e *Error) WithStatus(status int) *Error { e.Status = status; return e }

// WithRetryAfter sets RetryAfter and returns e.
func (e *Error) WithRetryAfter(d time.Duration) *Error { e.RetryAfter = d; return e }

// WithNoRetry sets NoRetry and returns e.
func (e *Error) WithNoRetry() *Error { e.NoRetry = true; return e }

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("%d %s: %s", e.Status, e.Code, e.Message) }

type envelope struct {
	Error body `json:"error"`
}

type body struct {
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    *string `json:"code"`
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// Body returns the JSON envelope on one line, without a newline: an answer's
// body, and the data of an in-band error frame. All four keys are present.
func (e *Error) Body() []byte {
	b, err := json.Marshal(envelope{body{e.Message, e.Type, orNull(e.Param), orNull(e.Code)}})
	if err != nil { // strings always marshal
		return []byte(`{"error":{"message":"internal error","type":"server_error","param":null,"code":"internal_error"}}`)
	}
	return b
}

// Write answers with e: status, JSON body, Retry-After, x-should-retry. It does
// nothing to headers that are already set but Content-Type and Content-Length,
// and must be called before anything else was written.
func (e *Error) Write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Del("Content-Length")
	if e.RetryAfter > 0 {
		h.Set("Retry-After", fmt.Sprint(int64((e.RetryAfter+time.Second-1)/time.Second)))
	}
	if e.NoRetry {
		h.Set("X-Should-Retry", "false")
	}
	if e.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	w.WriteHeader(e.Status)
	body := e.Raw
	if body == nil {
		body = e.Body()
	}
	_, _ = w.Write(body)
}
