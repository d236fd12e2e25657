// Package upstream is a provider made ready to be called: where it is, over which
// connections, in which dialect, what of it is secret, and what the answers that
// come from it say before a dialect reads them.
//
// relay makes one Upstream of each enabled provider when it builds a runtime, and
// takes it over for as long as a reload changes nothing of it. Users' requests go
// out with Send, those of checks with SendCheck (relay/probe).
package upstream

import (
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"time"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

// Upstream is one provider. It is immutable once it is in use, and safe for
// concurrent use.
type Upstream struct {
	dialect.Upstream
	Dialect      dialect.Dialect   // whoever calls New chooses it
	Transport    http.RoundTripper // for users' requests; see Connections.Connect
	Checks       *http.Transport   // for checks
	FirstContent time.Duration     // how long the first content of an answer may take
	Secrets      Secrets
	Hide         func(text string) string // Secrets.Hide, bound once

	made Options // what it was made with
}

// Options say how a provider is called, beside what its configuration says.
type Options struct {
	UserAgent string // names Berry to the provider
	// Connect bounds the TCP connect and the TLS handshake, each.
	Connect time.Duration
	// FirstContent bounds the time until the first content of an answer.
	FirstContent time.Duration
}

// New makes a provider ready, but for its Dialect and its connections. It fails
// where the provider's base URL is none.
func New(p config.Provider, o Options) (*Upstream, error) {
	base, err := url.Parse(p.BaseURL)
	if err != nil {
		return nil, errors.New("base_url is not a URL")
	}
	up := &Upstream{
		Upstream:     dialect.Upstream{Provider: p, Base: base, UserAgent: o.UserAgent},
		FirstContent: o.FirstContent, Secrets: secretsOf(&p), made: o,
	}
	up.Hide = up.Secrets.Hide
	return up, nil
}

// MadeOf reports whether New would make the same of p and o.
func (up *Upstream) MadeOf(p *config.Provider, o Options) bool {
	return up.made == o && reflect.DeepEqual(&up.Provider, p)
}

// Address is where to dial for the provider, host and port.
func (up *Upstream) Address() string { return address(up.Base) }

// Proxied reports whether checks go through a proxy; whether the provider is there
// is then the proxy's to say.
func (up *Upstream) Proxied() bool { return proxied(up.Checks, up.Base) }
