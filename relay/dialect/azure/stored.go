package azure

import (
	"context"
	"net/http"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/openai"
)

var _ dialect.Keeper = (*Dialect)(nil)

// Stored implements dialect.Keeper.
func (d *Dialect) Stored(ctx context.Context, in *dialect.Stored) (*http.Request, error) {
	req, err := d.Dialect.Stored(ctx, in)
	if err != nil {
		return nil, err
	}
	if d.classic {
		req.URL = openai.StoredURL(d.root.JoinPath("openai", dialect.Responses.Path()), in)
	}
	if d.query != "" {
		if req.URL.RawQuery != "" {
			req.URL.RawQuery += "&"
		}
		req.URL.RawQuery += d.query
	}
	return req, nil
}
