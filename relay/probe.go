package relay

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/upstream"
)

// Report is what one check of a provider, or one test of a backend, found.
type Report struct {
	Provider string // provider id
	Model    string // the upstream's name of the model; "" when the provider as a whole was checked
	// Check is what was done: CheckedModels, CheckedChat, CheckedConnection,
	// CheckedNothing; "" when nothing could be done.
	Check        string
	OK           bool
	Kind         loadbalance.Kind // Success when OK, or when nothing was asked
	Status       int              // the provider's HTTP status; 0 if none came
	FirstContent time.Duration    // from the start to the first content of an answer; 0 if there was none
	Duration     time.Duration    // from the start to the end
	Usage        Usage            // of an answer
	Models       []string         // what the provider's model list names, in its order
	// Message says what is wrong and what to do about it; with OK it is a
	// remark or "". It never holds a credential.
	Message string
}

// What a Report's check was.
const (
	CheckedModels     = "models" // the provider's model list was read
	CheckedChat       = "chat"   // a chat of one short message, or what else a Test asks for
	CheckedConnection = "tcp"    // a connection, with TLS where the URL is https
	CheckedNothing    = "off"    // nothing: the provider's health_check is off
)

// Test says which backend TestBackend tries, and how.
type Test struct {
	Provider string           // provider id
	Model    string           // the upstream's name of the model
	Endpoint dialect.Endpoint // what is asked for, one of TestedEndpoints
	Stream   bool             // ask for a streamed answer; chats only
}

// TestedEndpoints are what TestBackend can ask a backend for, because that costs
// next to nothing. The slice is the caller's.
func TestedEndpoints() []dialect.Endpoint { return slices.Clone(probed[:]) }

// CheckProvider checks a provider as its health_check says, within the
// settings' health_check_timeout_seconds. It blocks until the check is done or
// ctx ends. Neither counters nor the states of backends change.
func (rt *Runtime) CheckProvider(ctx context.Context, id string) Report {
	up, refusal := rt.probed(id)
	if up == nil {
		return Report{Provider: id, Kind: loadbalance.Caller, Message: refusal}
	}
	limit := rt.Config.Settings.HealthCheckTimeoutSeconds.Duration()
	ctx, cancel := context.WithTimeoutCause(ctx, limit, &patience{limit, "settings.health_check_timeout_seconds"})
	defer cancel()
	p := &probe{up: up, start: time.Now()}
	switch checkKind(up.Provider.HealthCheck) {
	case loadbalance.CheckNone:
		return Report{
			Provider: id, Check: CheckedNothing, OK: true,
			Message: `its health_check is "off"; try one of its backends with a chat instead`,
		}
	case loadbalance.CheckConnect:
		return p.connect(ctx).Report
	case loadbalance.CheckChat:
		return p.chats(ctx, rt.chatted(id)).Report
	case loadbalance.CheckList:
		r := p.list(ctx)
		return p.named(r, namesOf(r), rt.listed(id)...).Report
	default:
		r := p.list(ctx)
		if !r.noEndpoint() {
			return p.named(r, namesOf(r), rt.listed(id)...).Report
		}
		status := r.Status
		r = p.connect(ctx)
		if r.OK {
			r.Message = fmt.Sprintf("it has no model list (status %d), so that only the connection was checked", status)
		}
		return r.Report
	}
}

// TestBackend sends one short chat to a backend in the provider's own format, or
// what else the test asks for.
// The first content must come within the provider's timeout_seconds, and a
// stream must not be silent for longer than stream_idle_timeout_seconds. It
// blocks until the answer is complete or ctx ends. The backend need not be
// listed by a model. Neither counters nor the states of backends change.
func (rt *Runtime) TestBackend(ctx context.Context, t Test) Report {
	up, refusal := rt.probed(t.Provider)
	if up == nil {
		return Report{Provider: t.Provider, Model: t.Model, Kind: loadbalance.Caller, Message: refusal}
	}
	if refusal := untested(up, t); refusal != "" {
		return Report{Provider: t.Provider, Model: t.Model, Kind: loadbalance.Caller, Message: refusal}
	}
	p := &probe{up: up, start: time.Now()}
	return p.chat(ctx, question{
		endpoint: t.Endpoint, model: t.Model, stream: t.Stream, tokens: testTokens,
		first: patience{up.FirstContent, "providers." + t.Provider + ".timeout_seconds"},
		idle:  patience{rt.limits.idle, "settings.stream_idle_timeout_seconds"},
	}).Report
}

// untested is why a test cannot be made; "" if it can.
func untested(up *upstream.Upstream, t Test) string {
	switch {
	case !slices.Contains(probed[:], t.Endpoint):
		return fmt.Sprintf("a test of %v would cost too much; send a request to the server instead", t.Endpoint)
	case !up.Dialect.Serves(t.Endpoint):
		return fmt.Sprintf("backend_type %q does not offer %v", up.Provider.BackendType, t.Endpoint)
	case t.Stream && t.Endpoint != dialect.Chat:
		return "only a chat can be tested with a streamed answer"
	}
	return ""
}

// probed returns the provider's upstream, or nil and why there is none.
func (rt *Runtime) probed(id string) (*upstream.Upstream, string) {
	if up, ok := rt.upstreams[id]; ok {
		return up, ""
	}
	p, ok := rt.Config.Providers[id]
	switch {
	case !ok:
		ids := slices.Sorted(maps.Keys(rt.Config.Providers))
		return nil, fmt.Sprintf("the configuration has no provider %q; it has: %s", id, strings.Join(ids, ", "))
	case !p.Enabled:
		return nil, fmt.Sprintf("the provider is disabled: set providers.%s.enabled to true", id)
	default:
		return nil, fmt.Sprintf("this version does not speak the format of backend_type %q", p.BackendType)
	}
}

// listed returns the upstream names of the models that enabled listings use at
// a provider, sorted.
func (rt *Runtime) listed(provider string) []string {
	return rt.names(provider, func(config.Listing) bool { return true })
}

// chatted is listed without what is billed per request: that is never probed
// with anything that costs.
func (rt *Runtime) chatted(provider string) []string {
	return rt.names(provider, func(l config.Listing) bool { return l.BillingMode != config.PerRequest })
}

func (rt *Runtime) names(provider string, want func(config.Listing) bool) []string {
	var names []string
	for _, m := range rt.models {
		for _, l := range m.Listings {
			if l.Provider == provider && want(l) {
				names = append(names, l.Model)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// prober makes the fleet's checks with the gateway's current runtime.
type prober struct{ g *Gateway }

var _ loadbalance.Prober = prober{}

// Probe implements loadbalance.Prober. The fleet's ctx is the check's limit.
func (p prober) Probe(ctx context.Context, c loadbalance.Check) []loadbalance.Outcome {
	out := make([]loadbalance.Outcome, len(c.IDs))
	up := p.g.Current().upstreams[c.Group]
	if up == nil { // a reload took the provider away while the check was on its way
		for i := range out {
			out[i].Kind = loadbalance.Cancelled
		}
		return out
	}
	one := &probe{up: up, start: time.Now()}
	if up.Provider.Discover {
		one.heard = func(r result) { p.g.discovery.take(one, r, checkReading) }
	}
	results := one.run(ctx, c, &p.g.uses)
	if len(results) == 0 {
		return nil
	}
	for i, r := range results {
		if r.noEndpoint() {
			return nil
		}
		out[i] = r.outcome()
		if r.Kind == loadbalance.Model && up.Provider.Discover && !p.g.Current().lists(c.IDs[i]) {
			// It was served because the list named it, and is no more.
			out[i] = loadbalance.Outcome{Kind: loadbalance.Cancelled}
		}
	}
	return out
}

// run makes one check; the results are parallel to c.IDs, and empty where there
// is nothing that could be asked.
func (p *probe) run(ctx context.Context, c loadbalance.Check, u *uses) []result {
	out := make([]result, len(c.IDs))
	switch c.Kind {
	case loadbalance.CheckChat:
		for i, id := range c.IDs {
			var ok bool
			if out[i], ok = p.prove(ctx, upstreamModel(c.Group, id), u.of(id)); !ok {
				return nil
			}
		}
	case loadbalance.CheckConnect:
		r := p.connect(ctx)
		for i := range out {
			out[i] = r
		}
	default:
		r := p.list(ctx)
		all := namesOf(r)
		for i, id := range c.IDs {
			out[i] = p.named(r, all, upstreamModel(c.Group, id))
		}
	}
	return out
}

// upstreamModel is the model's part of a backend id.
func upstreamModel(provider, backend string) string {
	return strings.TrimPrefix(backend, provider+":")
}
