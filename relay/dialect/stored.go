package dialect

import (
	"context"
	"net/http"
	"net/url"
)

// Keeper is a Dialect whose provider keeps responses and can be asked for them.
type Keeper interface {
	Dialect
	// Stored makes the upstream request for a response that is kept.
	Stored(ctx context.Context, in *Stored) (*http.Request, error)
}

// Stored is one client request for a response that a provider keeps.
type Stored struct {
	Method string
	ID     string
	Action string // what follows the id in the path; "" for nothing
	Query  url.Values
	Stream bool        // the answer is to come as a stream
	Header http.Header // the client's; only what is allow-listed may be forwarded
}
