package relay

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay/upstream"
)

// probe is one check of an upstream, whoever asked for it.
type probe struct {
	up    *upstream.Upstream
	start time.Time
	// answering is set while an answer is read: its header has come.
	answering bool
	// heard is told of each model list that was asked for; may be nil.
	heard func(result)
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
func (p *probe) passed(check string) result {
	return result{Report: Report{Provider: p.up.Provider.ID, Check: check, OK: true, Duration: time.Since(p.start)}}
}

// failed ends the probe badly.
func (p *probe) failed(check string, kind loadbalance.Kind, format string, args ...any) result {
	r := p.passed(check)
	r.OK, r.Kind, r.Message = false, kind, p.masked(fmt.Sprintf(format, args...))
	return r
}

// roundTrip sends a request; the caller closes the answer's body.
func (p *probe) roundTrip(req *http.Request) (*http.Response, error) {
	p.answering = false
	resp, err := p.up.SendCheck(req)
	p.answering = err == nil
	return resp, err
}

// maxList bounds a model list that is held in memory.
const maxList = 8 << 20

// list reads the provider's model list.
func (p *probe) list(ctx context.Context) result {
	r := p.readList(ctx)
	if p.heard != nil {
		p.heard(r)
	}
	return r
}

func (p *probe) readList(ctx context.Context) result {
	req, err := p.up.Dialect.List(ctx)
	if err != nil {
		return p.failed(CheckedModels, loadbalance.Caller, "the request for the model list cannot be made: %v", err)
	}
	resp, err := p.roundTrip(req)
	if err != nil {
		return p.broken(ctx, CheckedModels, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return p.refused(CheckedModels, resp)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxList+1))
	switch {
	case err != nil:
		return p.broken(ctx, CheckedModels, err)
	case len(body) > maxList:
		return p.failed(CheckedModels, loadbalance.Server, `the model list has more than %d bytes; set health_check to "tcp"`, maxList)
	}
	models, ok := p.up.Dialect.ReadList(body)
	if !ok {
		r := p.failed(CheckedModels, loadbalance.Server,
			`GET %s answered with something other than a model list; is base_url right? If it is, set health_check to "tcp"`, req.URL.Path)
		r.Status = resp.StatusCode
		return r
	}
	r := p.passed(CheckedModels)
	r.Status, r.Models = resp.StatusCode, models
	return r
}

// names is a model list that many models are looked up in.
type names map[string]bool

func namesOf(r result) names {
	all := make(names, len(r.Models))
	for _, m := range r.Models {
		all[m] = true
	}
	return all
}

// has reports whether the list names a model. Ollama takes a name without a tag
// for the one tagged latest, but lists it with the tag.
func (n names) has(model string) bool { return n[model] || n[model+":latest"] }

// named turns a list that was read into a failure when it does not name a
// model that it should. An empty list says nothing.
func (p *probe) named(r result, all names, models ...string) result {
	if !r.OK || len(all) == 0 {
		return r
	}
	var missing []string
	for _, m := range models {
		if !all.has(m) {
			missing = append(missing, fmt.Sprintf("%q", m))
		}
	}
	if len(missing) == 0 {
		return r
	}
	r.OK, r.Kind = false, loadbalance.Model
	r.Message = p.masked(fmt.Sprintf("the provider's model list does not name %s; correct the model in the backends that list it, or disable them",
		strings.Join(missing, ", ")))
	return r
}

// connect opens a connection to the provider and closes it again.
func (p *probe) connect(ctx context.Context) result {
	t := p.up.Checks
	if p.up.Proxied() {
		return p.head(ctx)
	}
	dial := t.DialContext
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	conn, err := dial(ctx, "tcp", p.up.Address())
	if err != nil {
		return p.broken(ctx, CheckedConnection, err)
	}
	defer func() { _ = conn.Close() }()
	if p.up.Base.Scheme == "https" {
		c := &tls.Config{}
		if t.TLSClientConfig != nil {
			c = t.TLSClientConfig.Clone()
		}
		c.ServerName = p.up.Base.Hostname()
		limited, cancel := context.WithTimeoutCause(ctx, handshakeTime(t), errTotal)
		defer cancel()
		if err := tls.Client(conn, c).HandshakeContext(limited); err != nil {
			return p.broken(limited, CheckedConnection, err)
		}
	}
	return p.passed(CheckedConnection)
}

func handshakeTime(t *http.Transport) time.Duration {
	if t.TLSHandshakeTimeout > 0 {
		return t.TLSHandshakeTimeout
	}
	return 10 * time.Second
}

// head is connect by way of a proxy: any answer of the provider will do.
func (p *probe) head(ctx context.Context) result {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, p.up.Base.String(), nil)
	if err != nil {
		return p.failed(CheckedConnection, loadbalance.Caller, "base_url is not a URL")
	}
	req.Header.Set("User-Agent", p.up.UserAgent)
	resp, err := p.roundTrip(req)
	if err != nil {
		return p.broken(ctx, CheckedConnection, err)
	}
	_ = resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		r := p.failed(CheckedConnection, loadbalance.Network, "the proxy cannot reach the provider: it answered with status %d", resp.StatusCode)
		r.Status = resp.StatusCode
		return r
	}
	return p.passed(CheckedConnection)
}
