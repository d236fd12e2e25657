package relay

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/loadbalance"
)

// unofferedBy reports whether the answer to a request of another endpoint than
// chat says that the provider does not have it, or not for this model. A backend
// that answers chats must not suffer for that.
func unofferedBy(fault *apierror.Error) bool {
	switch fault.Status {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return true
	case http.StatusInternalServerError: // gateways that have no translation of their own
		return strings.HasPrefix(strings.ToLower(fault.Message), "not implemented")
	case http.StatusBadRequest:
		return fault.Param == "" && withoutResponses.MatchString(fault.Message)
	}
	return false
}

// withoutResponses is how a 400 says that a model, or a version of an API, has no
// responses. One that speaks of a parameter names it.
var withoutResponses = regexp.MustCompile(`(?i)responses api is (enabled only|not )|(not support(ed)?|unavailable)\b.{0,20}\bresponses api`)

// brokenKind is the verdict on an attempt that ended in an error of the
// connection, before or while the answer was read. ctx is the attempt's.
func brokenKind(ctx context.Context) loadbalance.Kind {
	switch cause := context.Cause(ctx); {
	case cause == nil:
		return loadbalance.Network
	case errors.Is(cause, errFirstContent), errors.Is(cause, errIdle), errors.Is(cause, errTotal):
		return loadbalance.Timeout
	default: // the client's own context, or errGone
		return loadbalance.Cancelled
	}
}

// clientError is what the client is told of an attempt that failed, if no
// other attempt succeeds. fault is the upstream's own error, nil if there was none.
func clientError(kind loadbalance.Kind, fault *apierror.Error, wait time.Duration) *apierror.Error {
	switch kind {
	case loadbalance.Network:
		return apierror.New(apierror.Unreachable, "the provider could not be reached or broke the connection; try again")
	case loadbalance.Timeout:
		return apierror.New(apierror.UpstreamTimeout, "the provider did not answer in time; try again")
	case loadbalance.Auth:
		return authError(fault)
	case loadbalance.RateLimit:
		return rateLimitError(fault, wait)
	case loadbalance.Model, loadbalance.Caller:
		return fault
	case loadbalance.Cancelled:
		return apierror.New(apierror.ClientClosed, "the client closed the request")
	default:
		return serverError(fault)
	}
}

// authError hides an upstream's 401, 402 or 403: the client's own key is good.
func authError(fault *apierror.Error) *apierror.Error {
	if fault != nil && fault.Status == http.StatusPaymentRequired {
		return quotaError("the provider's account has no credit left")
	}
	return apierror.New(apierror.UpstreamAuth, "the provider refused this gateway's own credential; tell the gateway's operator")
}

const insufficientQuota = "insufficient_quota"

func quotaError(message string) *apierror.Error {
	e := apierror.New(apierror.UpstreamRateLimit, "%s; tell the gateway's operator", message).WithNoRetry()
	e.Type, e.Code = insufficientQuota, insufficientQuota
	return e
}

func rateLimitError(fault *apierror.Error, wait time.Duration) *apierror.Error {
	if fault != nil && (fault.Code == insufficientQuota || fault.Type == insufficientQuota) {
		return quotaError("the provider's quota is used up")
	}
	return apierror.New(apierror.UpstreamRateLimit, "every provider of this model is over its rate limit; try again later").
		WithRetryAfter(max(wait, time.Second))
}

// serverError is a 503 for what the upstream itself called temporary, else a 502.
func serverError(fault *apierror.Error) *apierror.Error {
	e := apierror.New(apierror.UpstreamError, "the provider failed to answer; try again")
	if fault == nil {
		return e
	}
	switch fault.Status {
	case http.StatusServiceUnavailable, 529:
		e.Status = http.StatusServiceUnavailable
	case http.StatusGatewayTimeout, 524:
		e.Status = http.StatusGatewayTimeout
	}
	return e
}

// noBackend is what the client is told when there is nothing to pick.
func noBackend(u *loadbalance.Unavailable) *apierror.Error {
	switch u.Reason {
	case loadbalance.ReasonTags:
		return apierror.New(apierror.NoBackendForTags, "your tags leave no backend of this model; ask the gateway's operator for access")
	case loadbalance.ReasonPinned:
		return apierror.New(apierror.InvalidValue, "backend must be a provider that serves this model").WithParam("backend")
	case loadbalance.ReasonRateLimited:
		return rateLimitError(nil, u.RetryAfter)
	default:
		return apierror.New(apierror.NoBackendAvailable, "no backend of this model is available now; try again later").
			WithRetryAfter(max(u.RetryAfter, time.Second))
	}
}

// tooLong reports whether an upstream refused a prompt for its length: by the
// code that OpenAI uses, or by the words of servers that give none.
func tooLong(fault *apierror.Error) bool {
	if fault.Code == "context_length_exceeded" {
		return true
	}
	message := strings.ToLower(fault.Message)
	for _, words := range []string{"context length", "context window", "prompt is too long", "input is too long"} {
		if strings.Contains(message, words) {
			return true
		}
	}
	return false
}
