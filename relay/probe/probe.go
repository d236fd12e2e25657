// Package probe asks a provider for what costs next to nothing, to learn whether it
// works: for its model list, a connection, or one short chat.
//
// Such a check is made for the fleet (Outcomes), for an operator (Check, Test), or
// for whoever wants to know which models there are (Read). A Probe knows one
// upstream.Upstream and the settings that bound it, and nothing of models, balancers
// and the gateway: whoever makes it says which models count, and what becomes of
// what was found. No text that it returns holds a credential, and it changes nothing
// but a Use.
//
// relay makes the probes; berry-cli reads their Reports.
package probe

import (
	"fmt"
	"net/http"
	"time"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay/upstream"
)

// Probe is one check of a provider, whoever asked for it. It is used once, by one
// goroutine.
type Probe struct {
	// Heard is told of each model list that was asked for, before the check goes
	// on; nil: nobody is. Set it before the check.
	Heard func(Reading)

	up       *upstream.Upstream
	settings *config.Settings
	start    time.Time
	// answering is set while an answer is read: its header has come.
	answering bool
}

// New begins a check of a provider, whose times count from now. It keeps s, of
// which the limits are.
func New(up *upstream.Upstream, s *config.Settings) *Probe {
	return &Probe{up: up, settings: s, start: time.Now()}
}

// result is a Report and what only this package wants to know.
type result struct {
	Report
	wait  time.Duration // how long the provider asked to be left alone
	param string        // the parameter that the provider refused, if it said so
}

func (r *result) outcome() loadbalance.Outcome {
	return loadbalance.Outcome{
		Kind: r.Kind, Status: r.Status, FirstContent: r.FirstContent, Duration: r.Duration, RetryAfter: r.wait,
		InputTokens: r.Usage.Input, OutputTokens: r.Usage.Output,
	}
}

// noEndpoint reports whether the provider said that it has no model list,
// rather than that something is wrong.
func (r *result) noEndpoint() bool {
	if r.Check != CheckedModels {
		return false
	}
	switch r.Status {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return true
	}
	return false
}

// passed ends the probe well.
func (p *Probe) passed(check string) result {
	return result{Report: Report{Provider: p.up.Provider.ID, Check: check, OK: true, Duration: time.Since(p.start)}}
}

// failed ends the probe badly.
func (p *Probe) failed(check string, kind loadbalance.Kind, format string, args ...any) result {
	r := p.passed(check)
	r.OK, r.Kind, r.Message = false, kind, p.masked(fmt.Sprintf(format, args...))
	return r
}

// roundTrip sends a request; the caller closes the answer's body.
func (p *Probe) roundTrip(req *http.Request) (*http.Response, error) {
	p.answering = false
	resp, err := p.up.SendCheck(req)
	p.answering = err == nil
	return resp, err
}
