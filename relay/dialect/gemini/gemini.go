// Package gemini is the dialect of Google's Gemini API: generateContent and
// streamGenerateContent, with OpenAI's chat format on the client's side,
// countTokens of what they would be asked, and batchEmbedContents, with the
// format of embeddings.
//
// relay binds one Dialect to each such provider and calls it per request. The
// Signatures are the gateway's: they outlive the dialects.
//
// Words of the upstream: a content is one turn of the conversation and has
// parts; a candidate is a choice; a thought signature is an opaque text that
// belongs to a function call and must come back with it.
package gemini

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
	"github.com/PPKunOfficial/berry-api/relay/dialect/cursor"
)

// Dialect is Gemini's format at one provider.
type Dialect struct {
	base       *url.URL // up to and with the version
	header     http.Header
	signatures *Signatures
	safety     []safetySetting
	reasoning  bool     // the client may see the model's thoughts
	models     []string // as the configuration names them
}

var _ dialect.Dialect = (*Dialect)(nil)

// New binds the dialect to a provider. signatures may be shared by several.
func New(up dialect.Upstream, signatures *Signatures) *Dialect {
	h := http.Header{
		"Content-Type": {"application/json"},
		"User-Agent":   {up.UserAgent},
	}
	if key := up.Provider.APIKey.Reveal(); key != "" {
		h.Set("X-Goog-Api-Key", key)
	}
	for name, value := range up.Provider.Headers {
		h.Set(name, value)
	}
	d := &Dialect{
		base: versioned(up.Base), header: h, signatures: signatures,
		reasoning: up.Provider.Reasoning, models: up.Provider.Models,
	}
	for _, category := range slices.Sorted(maps.Keys(up.Provider.SafetySettings)) {
		d.safety = append(d.safety, safetySetting{category, up.Provider.SafetySettings[category]})
	}
	return d
}

var version = regexp.MustCompile(`/v[0-9]+(alpha|beta)?[0-9]*(/|$)`)

// versioned is the base URL with the API's version, which users leave out.
func versioned(base *url.URL) *url.URL {
	if version.MatchString(base.Path) {
		return base
	}
	at := *base
	at.Path = strings.TrimSuffix(at.Path, "/") + "/v1beta"
	return &at
}

// modelPath is where a model is found below the base. Names may be written
// with their collection, as tuned models must be.
func modelPath(model string) string {
	collection, name, _ := strings.Cut(qualified(model), "/")
	return collection + "/" + url.PathEscape(name)
}

// qualified is a model's name with its collection.
func qualified(model string) string {
	if strings.HasPrefix(model, "models/") || strings.HasPrefix(model, "tunedModels/") {
		return model
	}
	return "models/" + model
}

// Serves implements dialect.Dialect.
func (d *Dialect) Serves(e dialect.Endpoint) bool {
	return e == dialect.Chat || e == dialect.ChatTokens || e == dialect.Embeddings
}

// forwarded are the client's headers that go upstream; no other does.
var forwarded = [...]string{"Traceparent", "Tracestate"}

// Encode implements dialect.Dialect.
func (d *Dialect) Encode(ctx context.Context, in *dialect.Request) (*http.Request, error) {
	var model string
	if err := json.Unmarshal(in.Model, &model); err != nil {
		return nil, err
	}
	sent, method, err := d.body(in, model)
	if err != nil {
		return nil, err
	}
	u := d.base.JoinPath(modelPath(model) + ":" + method)
	if method == streaming {
		u.RawQuery = "alt=sse"
	}
	h := maps.Clone(d.header)
	for _, name := range forwarded {
		if v, ok := in.Header[name]; ok {
			h[name] = v
		}
	}
	req := &http.Request{
		Method: http.MethodPost, URL: u, Host: u.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: io.NopCloser(bytes.NewReader(sent)), ContentLength: int64(len(sent)),
		GetBody: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(sent)), nil },
	}
	return req.WithContext(ctx), nil
}

const streaming = "streamGenerateContent"

// body puts a request into Gemini's form, for the method that takes it.
func (d *Dialect) body(in *dialect.Request, model string) (sent []byte, method string, err error) {
	if in.Endpoint == dialect.Embeddings {
		sent, err = encodeEmbeddings(in, model)
		return sent, "batchEmbedContents", err
	}
	asked, err := chat.Parse(in.Body.Bytes())
	if err != nil {
		return nil, "", err
	}
	e := &encoder{d: d, in: asked, model: generationOf(model)}
	out, err := e.request()
	if err != nil {
		return nil, "", err
	}
	in.Dropped, in.OlderCalls = chat.Dropped(e.dropped), asked.OlderCalls()
	switch {
	case in.Endpoint == dialect.ChatTokens:
		sent, err = encoded(countRequest{countedRequest{qualified(model), out}})
		return sent, "countTokens", err
	case in.Scan.Stream:
		method = streaming
	default:
		method = "generateContent"
	}
	sent, err = encoded(out)
	return sent, method, err
}

// wholeList is the most models that one page of the list may have, more than
// there are.
const wholeList = "pageSize=1000"

// List implements dialect.Dialect.
func (d *Dialect) List(ctx context.Context) (*http.Request, error) {
	h := maps.Clone(d.header)
	delete(h, "Content-Type")
	u := d.base.JoinPath("models")
	u.RawQuery = wholeList
	req := &http.Request{
		Method: http.MethodGet, URL: u, Host: u.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h,
	}
	return req.WithContext(ctx), nil
}

// ReadList implements dialect.Dialect. Names come without their collection,
// but for those that the configuration writes with it. Models that neither
// generate content nor make vectors are left out. A list with another page
// to follow says nothing: what it does not name may still be there.
func (d *Dialect) ReadList(body []byte) ([]string, bool) {
	if !cursor.Valid(body) {
		return nil, false
	}
	list := gjson.GetBytes(body, "models")
	if !list.IsArray() {
		return nil, false
	}
	if gjson.GetBytes(body, "nextPageToken").Str != "" {
		return nil, true
	}
	names := []string{}
	for _, m := range list.Array() {
		name := m.Get("name").Str
		if methods := m.Get("supportedGenerationMethods"); methods.IsArray() && !generates(methods) {
			continue
		}
		if !slices.Contains(d.models, name) {
			name = strings.TrimPrefix(name, "models/")
		}
		if name != "" {
			names = append(names, name)
		}
	}
	return names, true
}

// generates reports whether a model answers what Berry asks.
func generates(methods gjson.Result) bool {
	return slices.ContainsFunc(methods.Array(), func(m gjson.Result) bool {
		switch m.Str {
		case "generateContent", "embedContent", "batchEmbedContents":
			return true
		}
		return false
	})
}

var errNoAnswer = errors.New("the answer is not generated content")

// Stream implements dialect.Dialect.
func (d *Dialect) Stream(m *dialect.Meta) dialect.StreamDecoder {
	return &decoder{meta: m, signatures: d.signatures}
}
