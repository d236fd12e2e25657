package api

import (
	"io"
	"net/http"

	"github.com/PPKunOfficial/berry-api/core/auth"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay"
)

// Options are what a program that embeds the server may set. The zero value is
// the plain server.
type Options struct {
	// Version is shown by the status views and to upstreams; "" means "dev".
	Version string
	// Stdout takes the log, besides settings.log_file; nil means no log there.
	// It is written to by one goroutine at a time.
	Stdout io.Writer
	// LogFilter goes before settings.log_level: levels for all of Berry and for
	// parts of it, as in "info,relay=debug". "" leaves it to the settings.
	LogFilter string
	// Strategy makes a strategy of the embedder's own for a name in the
	// configuration; false falls back to the built-in ones. It is called for each
	// model that is built, which in a reload are those that it changes, and again
	// for each part of its listings that alone serves some endpoint; nil means
	// built-in ones only.
	Strategy func(name string) (loadbalance.Strategy, bool)
	// Authenticator replaces the token list; nil means the token list.
	Authenticator Authenticator
	// Observer is told what relay does, beside the metrics and the log; nil
	// means nobody else is.
	Observer relay.Observer
	// Decisions is how many requests' decisions are kept for /admin/decisions,
	// at a few kilobytes each; 0 means 1000, a negative number none.
	Decisions int
}

// Authenticator finds out who makes a request, before its body is read. It is
// called on the request's goroutine, concurrently, and may block as long as the
// request's context lives.
//
// It returns a user of keys, which are the configuration's, or one that it got
// from a keyring of its own. Berry refuses disabled users and checks models,
// tags and limits itself. An error that is a *apierror.Error is the answer;
// any other is a 401, and its text is neither sent nor logged, since it may
// hold a credential.
type Authenticator interface {
	Authenticate(r *http.Request, keys *auth.Keyring) (*auth.User, error)
}
