package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/PPKunOfficial/berry-api/loadbalance"
)

// errHandshake is the cause with which a TLS handshake ends that takes too long.
var errHandshake = errors.New("no handshake in time")

// connect opens a connection to the provider and closes it again.
func (p *Probe) connect(ctx context.Context) result {
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
		limited, cancel := context.WithTimeoutCause(ctx, handshakeTime(t), errHandshake)
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
func (p *Probe) head(ctx context.Context) result {
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
