package loadbalance

import (
	"strconv"
	"time"
)

// Kind says what became of an attempt on a backend.
type Kind uint8

// The kinds of outcomes. What each does to its backend stands beside it;
// Failure and Elsewhere answer the same questions to a program.
const (
	Success   Kind = iota // a whole answer: recovers the backend at once
	Network               // dial, TLS, reset, broken body: a failure, marks unhealthy
	Timeout               // nothing came in time: a failure, marks unhealthy
	Server                // the backend broke (5xx, unreadable): a failure; two in a row mark unhealthy
	RateLimit             // too many requests: the backend cools down; not a failure
	Auth                  // our credential was refused: a failure, marks unhealthy
	Model                 // the backend does not have what was asked for: a failure, marks unhealthy
	Caller                // the caller's own mistake: says nothing about the backend
	Cancelled             // the caller left: says nothing about the backend
)

// String returns the kind's name as logs and metrics write it, such as
// "success" or "rate_limit".
func (k Kind) String() string {
	switch k {
	case Success:
		return "success"
	case Network:
		return "network"
	case Timeout:
		return "timeout"
	case Server:
		return "server"
	case RateLimit:
		return "rate_limit"
	case Auth:
		return "auth"
	case Model:
		return "model"
	case Caller:
		return "caller"
	case Cancelled:
		return "cancelled"
	}
	return "kind(" + strconv.Itoa(int(k)) + ")"
}

// Failure reports whether k counts against the backend: towards its breaker
// and its health. A rate limit does not, it only makes the backend rest.
func (k Kind) Failure() bool {
	switch k {
	case Network, Timeout, Server, Auth, Model:
		return true
	}
	return false
}

// Elsewhere reports whether the same request may succeed on another backend.
func (k Kind) Elsewhere() bool { return k == RateLimit || k.Failure() }

// Outcome is what came of a lease. Only Kind is required; what is not known
// stays zero.
type Outcome struct {
	Kind   Kind
	Status int // the backend's own status code, for display; 0 if it sent none

	// FirstContent is the time from the pick to the first content, which is
	// what latency means in this package. If it is zero Duration is taken.
	FirstContent time.Duration
	// Duration is the time from the pick to the end. Of a Timeout it says how
	// long was waited in vain, which counts as a latency of that length.
	Duration time.Duration

	// RetryAfter is how long the backend asked to be left alone, for
	// RateLimit; zero if it did not say.
	RetryAfter time.Duration

	// Tokens of a success, for the expected price of the next request.
	InputTokens, OutputTokens int
}
