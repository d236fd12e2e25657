package relay

import (
	"time"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/core/auth"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

// Usage is what one answer consumed, in tokens.
type Usage = dialect.Usage

// Record is what happened to one request. The caller of Serve makes it, sets
// the first group of fields and may read the rest when Serve has returned; an
// Observer may read it during its calls and must not keep it.
type Record struct {
	RequestID string           // the id that x-request-id shows
	User      *auth.User       // who asks; never nil
	Start     time.Time        // when the request arrived
	Endpoint  dialect.Endpoint // what is asked for; the zero value is a chat
	// Stored is the response that is asked for; see Gateway.ServeStored.
	Stored Stored
	// Decision is where the request's first pick is recorded; nil: nowhere. The
	// attempts tell the later ones.
	Decision *loadbalance.Decision

	Model    *Model    // nil until the body named one that exists
	Stream   bool      // the client asked for a stream
	Attempts []Attempt // in order; empty when the request was refused before balancing

	// Status is what the client got, or 499 when it left before an answer began.
	Status int
	// Error is what the client was told, as a status or as a frame inside the
	// stream; nil after a good answer, and when the client left.
	Error *apierror.Error
	// Committed is set once content was written to the client.
	Committed bool
	// Disconnected is set when the client left before its answer was complete.
	Disconnected bool
	// Malformed counts upstream stream frames that were dropped as unreadable.
	Malformed int

	FirstContent time.Duration // from Start to the first content written; 0 if there was none
	Duration     time.Duration // from Start to the end of Serve
	Usage        Usage         // of all attempts together
	Cost         float64       // of all attempts together

	inline [4]Attempt
}

// Last returns the attempt whose answer the client got, the last one; nil if
// there was none.
func (r *Record) Last() *Attempt {
	if len(r.Attempts) == 0 {
		return nil
	}
	return &r.Attempts[len(r.Attempts)-1]
}

// Reset empties r for another request; it keeps the attempts' storage.
func (r *Record) Reset() {
	*r = Record{}
}

// Attempt is one upstream call of a request.
type Attempt struct {
	Backend  string // backend id, provider:model
	Provider string // provider id
	Model    string // the upstream's name of the model

	Why    Reason        // why this attempt was made
	Pause  time.Duration // waited before it
	Start  time.Time
	Kind   loadbalance.Kind // its outcome
	Status int              // the upstream's HTTP status; 0 if none came

	FirstContent time.Duration // from Start to the first content; 0 if none came
	Duration     time.Duration // from Start to its end

	Usage Usage   // of the answer that this attempt brought, whole or in part
	Cost  float64 // in USD by the listing's prices; 0 without prices

	target     *target
	upstreamID string
}

// Reason says why an attempt was made. Its values are metric labels.
type Reason string

// The reasons.
const (
	ReasonFirst       Reason = "first"        // the request's first attempt
	ReasonSameBackend Reason = "same_backend" // again on a backend that failed
	ReasonFailover    Reason = "failover"     // on another backend
	ReasonWaited      Reason = "rate_limit"   // again after the wait that the backend asked for
	ReasonContext     Reason = "context"      // on the model's context_fallback: the prompt was too long
	ReasonResume      Reason = "resume"       // on another backend, to go on with a stream that broke
)

// Observer is told what relay does; berry-api's metrics and log are one. Its
// methods are called on the request's goroutine (BackendChanged: on any), must
// not block and must not keep the Record.
type Observer interface {
	// Selected: a backend was picked; the attempt is about to be made.
	Selected(r *Record, a *Attempt)
	// Attempted: the attempt has ended and its outcome is reported.
	Attempted(r *Record, a *Attempt)
	// Finished: the request is over, whatever came of it. Called exactly once
	// for each Serve.
	Finished(r *Record)
	// BackendChanged: a backend's health, breaker or recovery stage changed.
	BackendChanged(e loadbalance.Event)
}

type noObserver struct{}

func (noObserver) Selected(*Record, *Attempt)       {}
func (noObserver) Attempted(*Record, *Attempt)      {}
func (noObserver) Finished(*Record)                 {}
func (noObserver) BackendChanged(loadbalance.Event) {}
