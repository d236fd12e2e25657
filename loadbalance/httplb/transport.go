package httplb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"

	"github.com/PPKunOfficial/berry-api/loadbalance"
)

// Transport is an http.RoundTripper over several targets. Build it with New.
type Transport struct {
	options  Options // without Targets
	fleet    *loadbalance.Fleet
	balancer *loadbalance.Balancer
	targets  []*target // in the order of the listings
	base     http.RoundTripper
}

// ErrRedirect is the error of a request by which an http.Client follows a
// redirect.
var ErrRedirect = errors.New("httplb: redirects are not followed: set Client.CheckRedirect to return http.ErrUseLastResponse")

// Fleet is Options.Fleet, or the Transport's own.
func (t *Transport) Fleet() *loadbalance.Fleet { return t.fleet }

// Balancer is what picks the targets. Its Snapshot shows how they stand.
func (t *Transport) Balancer() *loadbalance.Balancer { return t.balancer }

// CloseIdleConnections closes the connections that Base keeps for later, if it
// can. http.Client.CloseIdleConnections calls it.
func (t *Transport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

type tagsKey struct{}

// WithTags returns a context whose requests use only targets without tags and
// those that have one of these. Without tags, all targets are used.
func WithTags(ctx context.Context, tags ...string) context.Context {
	return context.WithValue(ctx, tagsKey{}, slices.Clone(tags))
}

// exchange is one request of the caller, with all its attempts.
type exchange struct {
	*Transport
	request *http.Request
	source  source
	pick    loadbalance.Request
}

// RoundTrip sends the request to one target after the other until one answers.
// It blocks until the first byte of the answer's body, see the package's
// documentation; the rest is read from the target as the caller reads it.
// Response.Request is the request as the caller made it, with the URL that
// answered.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := refuse(r); err != nil {
		closeBody(r.Body)
		return nil, err
	}
	source, err := newSource(r, t.options.MaxBufferedBody)
	if err != nil {
		return nil, err
	}
	x := &exchange{Transport: t, request: r, source: source}
	x.pick.Tags, _ = r.Context().Value(tagsKey{}).([]string)
	lease, err := t.balancer.Pick(&x.pick)
	if err != nil {
		closeBody(source.first)
		return nil, fmt.Errorf("httplb: %w", err)
	}
	body := source.first
	for n := 1; ; n++ {
		a := x.attempt(lease, body)
		if n >= t.options.MaxAttempts || !x.mayRetry(a) || !lease.MayRetry() {
			return a.resp, a.err
		}
		if lease, body = x.next(); lease == nil {
			return a.resp, a.err
		}
		a.discard()
	}
}

// refuse says what cannot be balanced.
func refuse(r *http.Request) error {
	switch {
	case r.URL == nil || r.URL.Opaque != "" || r.Method == http.MethodConnect:
		return errors.New("httplb: the request has no URL with a path")
	case r.Response != nil:
		return ErrRedirect
	}
	return nil
}

// mayRetry reports whether a failed attempt may be made again elsewhere.
func (x *exchange) mayRetry(a *attempt) bool {
	if !a.kind.Elsewhere() || x.source.again == nil || x.cancelled() {
		return false
	}
	return a.kind == loadbalance.RateLimit || notConnected(a.err) || x.options.Retry(x.request)
}

// notConnected reports whether an attempt ended before anything was sent.
func notConnected(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

// next returns the lease and the body of another attempt; nil: there can be none.
func (x *exchange) next() (*loadbalance.Lease, io.ReadCloser) {
	body, err := x.source.again()
	if err != nil {
		return nil, nil
	}
	lease, err := x.balancer.Pick(&x.pick)
	if err != nil {
		closeBody(body)
		return nil, nil
	}
	return lease, body
}
