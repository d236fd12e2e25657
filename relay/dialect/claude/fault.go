package claude

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/relay/dialect/cursor"
)

// maxMessage bounds how much of an upstream's message reaches a client.
const maxMessage = 4 << 10

// overloaded is the status that the format has for too much traffic at all.
const overloaded = 529

// Fault implements dialect.Dialect.
func (d *Dialect) Fault(status int, _ http.Header, body []byte) *apierror.Error {
	var in gjson.Result
	if cursor.Valid(body) {
		in = gjson.ParseBytes(body)
	}
	return fault(status, in)
}

// faultInBand reads an error that came inside a 2xx; its type says what status
// it should have had.
func faultInBand(in gjson.Result) *apierror.Error {
	return fault(statusOf(in.Get("error.type").String()), in)
}

func statusOf(kind string) int {
	switch kind {
	case "invalid_request_error":
		return http.StatusBadRequest
	case "authentication_error":
		return http.StatusUnauthorized
	case "billing_error":
		return http.StatusPaymentRequired
	case "permission_error":
		return http.StatusForbidden
	case "not_found_error":
		return http.StatusNotFound
	case "request_too_large":
		return http.StatusRequestEntityTooLarge
	case "rate_limit_error":
		return http.StatusTooManyRequests
	case "timeout_error":
		return http.StatusGatewayTimeout
	case "overloaded_error":
		return overloaded
	default:
		return http.StatusInternalServerError
	}
}

// fault puts an error into OpenAI's words.
func fault(status int, in gjson.Result) *apierror.Error {
	e := &apierror.Error{Status: status}
	what := in.Get("error")
	e.Message = what.Get("message").String()
	if !what.IsObject() { // a proxy on the way, or a server that only claims the format
		e.Message = cmp.Or(what.String(), in.Get("message").String(), in.Get("detail").String())
	}
	e.Message = cut(e.Message)
	if e.Message == "" {
		e.Message = fmt.Sprintf("the provider answered with status %d and no readable error", status)
	}
	switch {
	case status == http.StatusTooManyRequests:
		e.Type, e.Code = apierror.TypeRateLimit, string(apierror.RateLimitExceeded)
		if what.Get("details.error_code").String() == "enforced_spend_limit_reached" {
			e.Type, e.Code = "insufficient_quota", "insufficient_quota"
		}
	case status == http.StatusBadRequest && strings.Contains(strings.ToLower(e.Message), "credit balance is too low"):
		e.Status, e.Type = http.StatusPaymentRequired, "insufficient_quota"
	case status >= 500:
		e.Type = apierror.TypeServer
		e.Code = cmp.Or(upstreamCode(what.Get("type").String()), string(apierror.UpstreamError))
	default:
		e.Type, e.Code = apierror.TypeInvalidRequest, clientCode(e)
	}
	return e
}

func upstreamCode(kind string) string {
	switch kind {
	case "overloaded_error":
		return "upstream_overloaded"
	case "timeout_error":
		return string(apierror.UpstreamTimeout)
	}
	return ""
}

// clientCode is OpenAI's code for what is wrong with a request, "" if it has none.
func clientCode(e *apierror.Error) string {
	switch {
	case e.Status == http.StatusNotFound:
		return string(apierror.ModelNotFound)
	case e.Status == http.StatusRequestEntityTooLarge:
		return string(apierror.RequestTooLarge)
	case strings.HasPrefix(e.Message, "prompt is too long"):
		return "context_length_exceeded"
	}
	return ""
}

func cut(s string) string {
	n := len(s)
	if n <= maxMessage {
		return s
	}
	for n = maxMessage; n > 0 && !utf8.RuneStart(s[n]); n-- {
	}
	return s[:n]
}
