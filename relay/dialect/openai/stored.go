package openai

import (
	"context"
	"maps"
	"net/http"
	"net/url"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

var _ dialect.Keeper = (*Dialect)(nil)

// Stored implements dialect.Keeper.
func (d *Dialect) Stored(ctx context.Context, in *dialect.Stored) (*http.Request, error) {
	req := d.blank[dialect.Responses].WithContext(ctx)
	req.Method = in.Method
	req.URL = StoredURL(req.URL, in)
	h := d.plain
	if in.Stream {
		h = d.stream
	}
	h = maps.Clone(h)
	delete(h, "Content-Type") // there is no body
	for _, name := range forwarded {
		if v, ok := in.Header[name]; ok {
			h[name] = v
		}
	}
	req.Header = h
	return req, nil
}

// StoredURL is where a response is found below the address that makes them.
func StoredURL(responses *url.URL, in *dialect.Stored) *url.URL {
	u := responses.JoinPath(url.PathEscape(in.ID))
	if in.Action != "" {
		u = u.JoinPath(in.Action)
	}
	u.RawQuery = in.Query.Encode()
	return u
}
