// Package azure is the dialect of Azure OpenAI: OpenAI's format at other
// addresses, with another header for the key, and with chunks that tell of
// content filters and that other clients stumble over.
//
// A deployment is a model under a name that the account's owner gave it; it is
// what a listing names as its model, and it says nothing of what the model can.
//
// relay binds one Dialect to each such provider and calls it per request.
package azure

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/openai"
)

// Dialect is Azure OpenAI at one provider.
type Dialect struct {
	*openai.Dialect
	root  *url.URL // of the resource, without /openai
	query string   // api-version; "" for none
	// classic is set for the addresses by deployment, which a dated version has.
	classic bool
}

var _ dialect.Dialect = (*Dialect)(nil)

// New binds the dialect to a provider. Without an API version it uses the
// addresses under /openai/v1, which need none. The base URL is the resource's,
// with or without /openai or /openai/v1.
func New(up dialect.Upstream) *Dialect {
	root := *up.Base
	root.Path = strings.TrimSuffix(strings.TrimSuffix(root.Path, "/v1"), "/openai")
	// Without a slash to begin with, what JoinPath makes has none either.
	root.Path, root.RawPath = cmp.Or(root.Path, "/"), ""
	d := &Dialect{root: &root}
	if v := up.Provider.APIVersion; v != "" {
		d.query = url.Values{"api-version": {v}}.Encode()
		d.classic = v[0] >= '0' && v[0] <= '9' // not "preview" and "latest"
	}
	if key := up.Provider.APIKey.Reveal(); key != "" {
		h := maps.Clone(up.Provider.Headers)
		if h == nil {
			h = config.Headers{}
		}
		if !named(h, "api-key") {
			h["api-key"] = key
		}
		up.Provider.Headers, up.Provider.APIKey = h, config.Secret{}
	}
	up.Base = root.JoinPath("openai", "v1")
	d.Dialect = openai.New(up)
	return d
}

func named(h config.Headers, name string) bool {
	for n := range h {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// Serves implements dialect.Dialect.
func (d *Dialect) Serves(e dialect.Endpoint) bool {
	return byDeployment(e) || e.Continues()
}

// byDeployment reports whether the classic addresses name the deployment.
func byDeployment(e dialect.Endpoint) bool {
	switch e {
	case dialect.Chat, dialect.Completions, dialect.Embeddings,
		dialect.Transcriptions, dialect.Translations, dialect.Speech,
		dialect.ImageGenerations, dialect.ImageEdits:
		return true
	}
	return false
}

// Encode implements dialect.Dialect.
func (d *Dialect) Encode(ctx context.Context, in *dialect.Request) (*http.Request, error) {
	req, err := d.Dialect.Encode(ctx, in)
	if err != nil {
		return nil, err
	}
	switch {
	case d.classic:
		var deployment string
		if err := json.Unmarshal(in.Model, &deployment); err != nil {
			return nil, fmt.Errorf("cannot read the deployment's name: %w", err)
		}
		req.URL = d.root.JoinPath("openai", "deployments", url.PathEscape(deployment), in.Endpoint.Path())
		if !byDeployment(in.Endpoint) {
			req.URL = d.root.JoinPath("openai", in.Endpoint.Path())
		}
		req.URL.RawQuery = d.query
	case d.query != "":
		u := *req.URL
		u.RawQuery = d.query
		req.URL = &u
	}
	return req, nil
}

// List implements dialect.Dialect: the models that the resource could deploy,
// which shows that it is there and takes the key.
func (d *Dialect) List(ctx context.Context) (*http.Request, error) {
	req, err := d.Dialect.List(ctx)
	if err != nil {
		return nil, err
	}
	u := *req.URL
	if d.classic {
		u = *d.root.JoinPath("openai", "models")
	}
	u.RawQuery = d.query
	req.URL = &u
	return req, nil
}

// ReadList implements dialect.Dialect. The list does not name deployments, so
// that it says nothing of what can be called.
func (d *Dialect) ReadList(body []byte) ([]string, bool) {
	_, ok := d.Dialect.ReadList(body)
	return nil, ok
}

// Stream implements dialect.Dialect.
func (d *Dialect) Stream(m *dialect.Meta) dialect.StreamDecoder {
	if m.Endpoint.Media() || m.Endpoint == dialect.Responses {
		return d.Dialect.Stream(m)
	}
	return &decoder{Decoder: d.Dialect.Decoder(m), chat: m.Endpoint == dialect.Chat}
}
