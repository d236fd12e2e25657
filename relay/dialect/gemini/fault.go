package gemini

import (
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/relay/dialect/cursor"
)

const (
	// maxMessage bounds how much of an upstream's message reaches a client.
	maxMessage = 4 << 10
	// maxName bounds the code.
	maxName = 200
)

// Fault implements dialect.Dialect. The delay that Google asks for stands in
// the body, not in a header.
func (d *Dialect) Fault(status int, _ http.Header, body []byte) *apierror.Error {
	return fault(status, body)
}

// inBand reads an error that came inside a 2xx.
func inBand(data []byte) *apierror.Error { return fault(0, data) }

// fault reads Google's error, alone or in a list. A status of 0 is found out
// from the error itself.
func fault(status int, body []byte) *apierror.Error {
	e := &apierror.Error{Status: status}
	if cursor.Valid(body) {
		root := gjson.ParseBytes(body)
		if root.IsArray() {
			root = root.Get("0")
		}
		in := root.Get("error")
		if in.Type == gjson.String {
			e.Message = in.Str
		}
		if in.IsObject() {
			readFault(e, in)
		}
	}
	if e.Status < 300 {
		e.Status = http.StatusInternalServerError
	}
	if e.Message == "" {
		e.Message = fmt.Sprintf("the provider answered with status %d and no readable error", e.Status)
	}
	e.Message, e.Code = cut(e.Message, maxMessage), cut(e.Code, maxName)
	switch {
	case e.Type != "":
	case e.Status < 500:
		e.Type = apierror.TypeInvalidRequest
	default:
		e.Type = apierror.TypeServer
	}
	return e
}

// readFault takes Google's error object.
func readFault(e *apierror.Error, in gjson.Result) {
	e.Message, e.Code = in.Get("message").Str, strings.ToLower(in.Get("status").Str)
	if s, ok := statuses[in.Get("status").Str]; ok {
		e.Status = s
	} else if n := in.Get("code").Int(); e.Status < 300 && n >= 400 && n < 600 {
		e.Status = int(n)
	}
	for _, detail := range in.Get("details").Array() {
		// A bad key is not the client's fault, though the status says so.
		if detail.Get("reason").Str == "API_KEY_INVALID" {
			e.Status = http.StatusUnauthorized
		}
		if wait, err := time.ParseDuration(detail.Get("retryDelay").Str); err == nil && wait > 0 {
			e.RetryAfter = wait
		}
	}
	switch {
	case tooLong(e.Message):
		e.Code = "context_length_exceeded"
	case e.Status == http.StatusNotFound: // a request names nothing but a model
		e.Code = string(apierror.ModelNotFound)
	}
}

// statuses are the HTTP statuses that Google's words stand for.
var statuses = map[string]int{
	"INVALID_ARGUMENT":    http.StatusBadRequest,
	"FAILED_PRECONDITION": http.StatusBadRequest,
	"OUT_OF_RANGE":        http.StatusBadRequest,
	"UNAUTHENTICATED":     http.StatusUnauthorized,
	"PERMISSION_DENIED":   http.StatusForbidden,
	"NOT_FOUND":           http.StatusNotFound,
	"ABORTED":             http.StatusServiceUnavailable,
	"RESOURCE_EXHAUSTED":  http.StatusTooManyRequests,
	"CANCELLED":           http.StatusServiceUnavailable,
	"INTERNAL":            http.StatusInternalServerError,
	"UNKNOWN":             http.StatusInternalServerError,
	"UNIMPLEMENTED":       http.StatusNotImplemented,
	"UNAVAILABLE":         http.StatusServiceUnavailable,
	"DEADLINE_EXCEEDED":   http.StatusGatewayTimeout,
}

// tooLong reports whether a message says that the prompt is too long, which
// Gemini says in words only.
func tooLong(message string) bool {
	message = strings.ToLower(message)
	return strings.Contains(message, "input token count") && strings.Contains(message, "exceed")
}

func cut(s string, n int) string {
	s = strings.ToValidUTF8(s, "?")
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
