package probe

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

// Models are the upstream's names of the models that a provider is used for.
type Models struct {
	Listed  []string // those that its model list must name
	Chatted []string // those that may be tried with a chat, none that is billed per request
}

// Check asks the provider for what kind says, within the settings'
// health_check_timeout_seconds. It blocks until that is done or ctx ends.
func (p *Probe) Check(ctx context.Context, kind loadbalance.CheckKind, m Models) Report {
	ctx, cancel := p.limited(ctx)
	defer cancel()
	switch kind {
	case loadbalance.CheckNone:
		return Report{
			Provider: p.up.Provider.ID, Check: CheckedNothing, OK: true,
			Message: `its health_check is "off"; try one of its backends with a chat instead`,
		}
	case loadbalance.CheckConnect:
		return p.connect(ctx).Report
	case loadbalance.CheckChat:
		return p.chats(ctx, m.Chatted).Report
	case loadbalance.CheckList:
		r := p.list(ctx)
		return p.named(r, namesOf(r), m.Listed...).Report
	default:
		r := p.list(ctx)
		if !r.noEndpoint() {
			return p.named(r, namesOf(r), m.Listed...).Report
		}
		status := r.Status
		r = p.connect(ctx)
		if r.OK {
			r.Message = fmt.Sprintf("it has no model list (status %d), so that only the connection was checked", status)
		}
		return r.Report
	}
}

// limited is ctx with the limit of a check.
func (p *Probe) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	limit := p.settings.HealthCheckTimeoutSeconds.Duration()
	return context.WithTimeoutCause(ctx, limit, &patience{limit, "settings.health_check_timeout_seconds"})
}

// Test sends one short chat to a backend in the provider's own format, or what else
// t asks for; t.Provider is the probe's. The first content must come within the
// provider's timeout_seconds, and a stream must not be silent for longer than
// stream_idle_timeout_seconds. It blocks until the answer is complete or ctx ends.
func (p *Probe) Test(ctx context.Context, t Test) Report {
	if refusal := p.untested(t); refusal != "" {
		return Report{Provider: p.up.Provider.ID, Model: t.Model, Kind: loadbalance.Caller, Message: refusal}
	}
	return p.chat(ctx, question{
		endpoint: t.Endpoint, model: t.Model, stream: t.Stream, tokens: testTokens,
		first: patience{p.up.FirstContent, "providers." + p.up.Provider.ID + ".timeout_seconds"},
		idle:  patience{p.settings.StreamIdleTimeoutSeconds.Duration(), "settings.stream_idle_timeout_seconds"},
	}).Report
}

// untested is why a test cannot be made; "" if it can.
func (p *Probe) untested(t Test) string {
	switch {
	case !slices.Contains(probed[:], t.Endpoint):
		return fmt.Sprintf("a test of %v would cost too much; send a request to the server instead", t.Endpoint)
	case !p.up.Dialect.Serves(t.Endpoint):
		return fmt.Sprintf("backend_type %q does not offer %v", p.up.Provider.BackendType, t.Endpoint)
	case t.Stream && t.Endpoint != dialect.Chat:
		return "only a chat can be tested with a streamed answer"
	}
	return ""
}

// Outcomes makes one check of the fleet's; ctx is its limit. They are parallel to
// c.IDs, and nil where there is nothing that could be asked, be it that the provider
// has no model list. use tells what is known of a backend, and takes in what is
// learnt.
func (p *Probe) Outcomes(ctx context.Context, c loadbalance.Check, use func(backend string) *Use) []loadbalance.Outcome {
	out := make([]loadbalance.Outcome, len(c.IDs))
	switch c.Kind {
	case loadbalance.CheckChat:
		for i, id := range c.IDs {
			r, ok := p.prove(ctx, modelOf(c.Group, id), use(id))
			if !ok {
				return nil
			}
			out[i] = r.outcome()
		}
	case loadbalance.CheckConnect:
		r := p.connect(ctx)
		for i := range out {
			out[i] = r.outcome()
		}
	default:
		r := p.list(ctx)
		if r.noEndpoint() {
			return nil
		}
		all := namesOf(r)
		for i, id := range c.IDs {
			one := p.named(r, all, modelOf(c.Group, id))
			out[i] = one.outcome()
		}
	}
	return out
}

// modelOf is the model's part of a backend id.
func modelOf(provider, backend string) string {
	return strings.TrimPrefix(backend, provider+":")
}
