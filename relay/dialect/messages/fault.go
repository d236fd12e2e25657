package messages

import (
	"cmp"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/PPKunOfficial/berry-api/core/apierror"
)

// overloaded is the status that the format has for too much traffic at all.
const overloaded = 529

type envelope struct {
	Type      string `json:"type"`
	Error     fault  `json:"error"`
	RequestID string `json:"request_id,omitempty"`
}

type fault struct {
	Type    string `json:"type"`
	Message string `json:"message"`
	Code    string `json:"code,omitempty"` // Berry's own addition
}

// TooLong is the code of a prompt that is too long for the model.
const TooLong = "context_length_exceeded"

// tooLong are the words in which Anthropic says so: clients look for them, and
// shorten the conversation.
const tooLong = "prompt is too long"

// Fault is e as the body of an error answer, on one line. What an upstream
// wrote in its own form is not in it; its message is.
func Fault(e *apierror.Error, requestID string) []byte {
	message := cmp.Or(e.Message, http.StatusText(e.Status), "the request failed")
	if e.Code == TooLong && !strings.Contains(strings.ToLower(message), tooLong) {
		message = tooLong + ": " + message
	}
	b, err := json.Marshal(envelope{"error", fault{typeOf(e.Status), message, e.Code}, requestID}, json.Deterministic(true))
	if err != nil { // not UTF-8
		return []byte(`{"type":"error","error":{"type":"api_error","message":"the request failed"}}`)
	}
	return b
}

// typeOf is the type of an error by its status.
func typeOf(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "authentication_error"
	case http.StatusPaymentRequired:
		return "billing_error"
	case http.StatusForbidden:
		return "permission_error"
	case http.StatusNotFound:
		return "not_found_error"
	case http.StatusRequestEntityTooLarge:
		return "request_too_large"
	case http.StatusTooManyRequests:
		return "rate_limit_error"
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		return "timeout_error"
	case http.StatusServiceUnavailable, overloaded:
		return "overloaded_error"
	}
	if status >= 400 && status < 500 {
		return "invalid_request_error"
	}
	return "api_error"
}
