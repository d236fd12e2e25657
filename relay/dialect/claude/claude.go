// Package claude is the dialect of providers that speak Anthropic's Messages
// format.
//
// A turn is what one side says until the other speaks; a block is one piece of
// a turn: text, an image, a tool call (tool_use), its result (tool_result), or
// the model's reasoning (thinking), which carries a signature and must come
// back unchanged with the tool call that it led to.
//
// relay binds one Dialect to each such provider and calls it per request.
package claude

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/cursor"
)

// version is the API version that this package speaks. Later ones refuse
// parameters that earlier models know.
const version = "2023-06-01"

// noSampling is the API version from which on temperature, top_p and top_k are
// refused, whatever the model and the value.
const noSampling = "2026-10-21"

// Dialect is Anthropic's Messages format at one provider.
type Dialect struct {
	url, list *url.URL
	count     *url.URL    // for count_tokens
	header    http.Header // shared by all requests that add nothing
	maxTokens int64       // 0: by model
	sampling  bool        // the API version takes sampling parameters
	thoughts  memory
	now       func() time.Time
}

var _ dialect.Dialect = (*Dialect)(nil)

// New binds the dialect to a provider. A base URL may end in /v1 or not.
// Reasoning is remembered in t.
func New(up dialect.Upstream, t *Thoughts) *Dialect {
	base := *up.Base
	if !strings.HasSuffix(base.Path, "/v1") {
		// Without a slash to begin with, what JoinPath makes has none either.
		base.Path = cmp.Or(base.Path, "/")
		base = *base.JoinPath("v1")
	}
	list := base.JoinPath("models")
	list.RawQuery = "limit=1000"
	h := http.Header{
		"Content-Type":      {"application/json"},
		"Accept":            {"application/json"},
		"User-Agent":        {up.UserAgent},
		"Anthropic-Version": {version},
	}
	if v := up.Provider.APIVersion; v != "" {
		h.Set("Anthropic-Version", v)
	}
	if key := up.Provider.APIKey.Reveal(); key != "" {
		h.Set("X-Api-Key", key)
	}
	for name, value := range up.Provider.Headers {
		h.Set(name, value)
	}
	return &Dialect{
		url: base.JoinPath("messages"), list: list, count: base.JoinPath("messages", "count_tokens"), header: h, maxTokens: up.Provider.MaxTokens,
		sampling: h.Get("Anthropic-Version") < noSampling, // both are dates, year first
		thoughts: memory{all: t, provider: up.Provider.ID}, now: time.Now,
	}
}

// Serves implements dialect.Dialect.
func (d *Dialect) Serves(e dialect.Endpoint) bool {
	switch e {
	case dialect.Chat, dialect.ChatTokens, dialect.Messages, dialect.CountTokens:
		return true
	}
	return false
}

// forwarded are the client's headers that go upstream; no other does.
var forwarded = [...]string{"Anthropic-Beta", "Traceparent", "Tracestate"}

// Encode implements dialect.Dialect.
func (d *Dialect) Encode(ctx context.Context, in *dialect.Request) (*http.Request, error) {
	to := d.url
	switch in.Endpoint {
	case dialect.Chat:
	case dialect.ChatTokens:
		to = d.count
	default:
		return d.pass(ctx, in), nil
	}
	body, dropped, err := d.encode(in)
	if err != nil {
		return nil, err
	}
	in.Dropped = dropped
	h := d.requestHeader(in)
	req := &http.Request{
		Method: http.MethodPost, URL: to, Host: to.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
		// As long as nothing was written the transport may take another connection.
		GetBody: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil },
	}
	return req.WithContext(ctx), nil
}

func (d *Dialect) requestHeader(in *dialect.Request) http.Header {
	h := maps.Clone(d.header)
	for _, name := range forwarded {
		if v, ok := in.Header[name]; ok {
			h[name] = v
		}
	}
	if in.Scan.Stream && h.Get("Accept") == "application/json" {
		h.Set("Accept", "text/event-stream")
	}
	return h
}

// List implements dialect.Dialect.
func (d *Dialect) List(ctx context.Context) (*http.Request, error) {
	h := maps.Clone(d.header)
	delete(h, "Content-Type")
	req := &http.Request{
		Method: http.MethodGet, URL: d.list, Host: d.list.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h,
	}
	return req.WithContext(ctx), nil
}

// ReadList implements dialect.Dialect. A list with another page to follow says
// nothing: what it does not name may still be there.
func (d *Dialect) ReadList(body []byte) ([]string, bool) {
	if !cursor.Valid(body) {
		return nil, false
	}
	list := gjson.GetBytes(body, "data")
	if !list.IsArray() {
		return nil, false
	}
	if gjson.GetBytes(body, "has_more").Bool() {
		return nil, true
	}
	ids := []string{}
	for _, m := range list.Array() {
		if id := m.Get("id"); id.Type == gjson.String && id.Str != "" {
			ids = append(ids, id.Str)
		}
	}
	return ids, true
}

// Stream implements dialect.Dialect.
func (d *Dialect) Stream(m *dialect.Meta) dialect.StreamDecoder {
	if m.Endpoint == dialect.Messages {
		return &passing{m: m}
	}
	return &decoder{d: d, m: m}
}
