package openai

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/PPKunOfficial/berry-api/core/apierror"
)

// maxMessage bounds how much of an upstream's message reaches a client.
const maxMessage = 4 << 10

// Fault implements dialect.Dialect.
func (d *Dialect) Fault(status int, _ http.Header, body []byte) *apierror.Error {
	e := fault(status, body)
	if isEnvelope(body) {
		e.Raw = body
	}
	return e
}

// isEnvelope reports whether body is OpenAI's error envelope in a form that
// every client reads: texts where texts belong, and no message beyond the bound.
func isEnvelope(body []byte) bool {
	if !json.Valid(body) || !utf8.Valid(body) {
		return false
	}
	in := gjson.GetBytes(body, "error")
	message := in.Get("message")
	if !in.IsObject() || message.Type != gjson.String || message.Str == "" || len(message.Str) > maxMessage {
		return false
	}
	for _, name := range []string{"type", "param", "code"} {
		v := in.Get(name)
		if !v.Exists() || v.Type != gjson.String && v.Type != gjson.Null {
			return false
		}
	}
	return true
}

// fault reads what the many servers that claim OpenAI's format send for an
// error: the envelope, the envelope in an array, a bare error string, or
// "message" or "detail" at the top.
func fault(status int, body []byte) *apierror.Error {
	e := &apierror.Error{Status: status}
	if json.Valid(body) {
		root := gjson.ParseBytes(body)
		if root.IsArray() {
			root = root.Get("0")
		}
		in := root.Get("error")
		switch {
		case in.IsObject():
		case in.Type == gjson.String:
			e.Message = in.Str
			in = root
		default:
			in = root
		}
		if e.Message == "" {
			e.Message = firstText(in.Get("message"), in.Get("detail"))
		}
		e.Type, e.Param, e.Code = text(in.Get("type")), text(in.Get("param")), text(in.Get("code"))
	}
	if e.Message == "" {
		e.Message = fmt.Sprintf("the provider answered with status %d and no readable error", status)
	}
	e.Message = cut(e.Message, maxMessage)
	e.Param, e.Code = cut(e.Param, maxName), cut(e.Code, maxName)
	if e.Type = cut(e.Type, maxName); e.Type == "" {
		e.Type = apierror.TypeServer
		if status < 500 {
			e.Type = apierror.TypeInvalidRequest
		}
	}
	return e
}

// maxName bounds type, param and code.
const maxName = 200

// text is a string's text or a number's digits; "" for anything else.
func text(v gjson.Result) string {
	switch v.Type {
	case gjson.String:
		return v.Str
	case gjson.Number:
		return v.Raw
	}
	return ""
}

func firstText(vs ...gjson.Result) string {
	for _, v := range vs {
		if v.Type == gjson.String && v.Str != "" {
			return v.Str
		}
		if v.IsObject() || v.IsArray() {
			return v.Raw
		}
	}
	return ""
}

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// faultInBand reads an error that came inside a 2xx. The status that it should
// have had is guessed from its code and type; a 500 where they say nothing.
func faultInBand(data []byte) *apierror.Error {
	e := fault(http.StatusInternalServerError, data)
	if strings.HasPrefix(e.Message, "Unexpected endpoint") { // servers that answer 200 to any path
		return fault(http.StatusNotFound, data)
	}
	switch e.Status = statusOf(e.Code, e.Type); e.Status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity:
		return fault(e.Status, data) // where the upstream names no type, it is the request's that was bad
	}
	return e
}

// statusOf guesses an HTTP status from an error's code and type.
func statusOf(code, typ string) int {
	for _, s := range []string{code, typ} {
		if n, err := strconv.Atoi(s); err == nil && n >= 400 && n < 600 {
			return n
		}
	}
	both := strings.ToLower(code + " " + typ)
	for _, row := range statusWords {
		if strings.Contains(both, row.word) {
			return row.status
		}
	}
	return http.StatusInternalServerError
}

// statusWords are looked for in this order: the code says more than the type,
// and "invalid_request_error" is the type of many a code above it.
var statusWords = [...]struct {
	word   string
	status int
}{
	{"rate_limit", http.StatusTooManyRequests},
	{"insufficient_quota", http.StatusTooManyRequests},
	{"invalid_api_key", http.StatusUnauthorized},
	{"authentication", http.StatusUnauthorized},
	{"permission", http.StatusForbidden},
	{"model_not_found", http.StatusNotFound},
	{"overloaded", http.StatusServiceUnavailable},
	{"content_filter", http.StatusBadRequest},
	{"content_policy", http.StatusBadRequest},
	{"context_length", http.StatusBadRequest},
	{"invalid_request", http.StatusBadRequest},
}
