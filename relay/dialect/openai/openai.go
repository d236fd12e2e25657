// Package openai is the dialect of providers that speak OpenAI's format: the
// client's own, so that bytes pass through and only what must change does.
//
// relay binds one Dialect to each such provider and calls it per request.
package openai

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

// Dialect is OpenAI's format at one provider.
type Dialect struct {
	blank         [dialect.Endpoints]*http.Request // what an endpoint's requests have in common
	list          *url.URL
	plain, stream http.Header // shared by all requests that add nothing
	any           http.Header // for answers that may be no JSON
	askUsage      bool
	tokenLimit    string // the name of the bound on an answer; "" for the client's own
	google        bool   // it is Google's own layer of this format, which has ways of its own
	narrow        bool   // it is OpenAI itself or Azure, whose messages have no reasoning
}

var _ dialect.Dialect = (*Dialect)(nil)

// New binds the dialect to a provider.
func New(up dialect.Upstream) *Dialect {
	h := http.Header{
		"Content-Type": {"application/json"},
		"Accept":       {"application/json"},
		"User-Agent":   {up.UserAgent},
	}
	if key := up.Provider.APIKey.Reveal(); key != "" {
		h.Set("Authorization", "Bearer "+key)
	}
	for name, value := range up.Provider.Headers {
		h.Set(name, value)
	}
	stream, all := maps.Clone(h), maps.Clone(h)
	if _, own := up.Provider.Headers["Accept"]; !own {
		stream["Accept"] = []string{"text/event-stream"}
		all["Accept"] = []string{"*/*"}
	}
	limit := up.Provider.TokenLimit
	if limit == config.TokenLimitAsSent {
		limit = ""
	}
	host := up.Base.Hostname()
	return &Dialect{
		blank: blanks(up),
		list:  up.Base.JoinPath("models"),
		plain: h, stream: stream, any: all, askUsage: up.Provider.StreamUsage, tokenLimit: limit,
		google: strings.HasSuffix(host, ".googleapis.com"),
		narrow: up.Provider.BackendType == config.TypeAzure || host == "openai.com" || strings.HasSuffix(host, ".openai.com"),
	}
}

// forwarded are the client's headers that go upstream; no other does.
var forwarded = [...]string{"Openai-Beta", "Traceparent", "Tracestate"}

func (d *Dialect) header(in *dialect.Request) http.Header {
	h := d.plain
	switch {
	case in.Scan.Stream:
		h = d.stream
	case in.Endpoint.Media():
		h = d.any
	}
	own := in.Scan.Form
	if own { // with the boundary that the client chose
		h = maps.Clone(h)
		h["Content-Type"] = in.Header["Content-Type"]
	}
	for _, name := range forwarded {
		if v, ok := in.Header[name]; ok {
			if !own {
				h, own = maps.Clone(h), true
			}
			h[name] = v
		}
	}
	return h
}

// Encode implements dialect.Dialect.
func (d *Dialect) Encode(ctx context.Context, in *dialect.Request) (*http.Request, error) {
	edits, err := d.edits(in)
	if err != nil {
		return nil, err
	}
	body, n := in.Body.Splice(edits)
	req := d.blank[in.Endpoint].WithContext(ctx)
	req.Header, req.Body, req.ContentLength = d.header(in), body, n
	// A connection that the upstream closed while it was idle costs nothing:
	// the transport takes another one, as long as nothing was written.
	req.GetBody = func() (io.ReadCloser, error) {
		again, _ := in.Body.Splice(edits)
		return again, nil
	}
	return req, nil
}

const usageOption = `"include_usage":true`

// edits is what must change in the client's body.
func (d *Dialect) edits(in *dialect.Request) ([]dialect.Edit, error) {
	s := &in.Scan
	if s.Form {
		return formEdits(in)
	}
	edits := make([]dialect.Edit, 0, 4)
	out := [...]dialect.Span{s.BackendMember, {}, {}}
	if !s.ModelValue.IsZero() {
		edits = append(edits, dialect.Edit{Span: s.ModelValue, Text: in.Model})
	} else {
		edits, out[0] = nameModel(edits, in), dialect.Span{}
	}
	if s.Stream && generates(in.Endpoint) {
		edits, out[1] = d.usageEdits(edits, s)
	}
	if d.tokenLimit != "" && in.Endpoint == dialect.Chat {
		edits, out[2] = renameLimit(edits, in.Body.Bytes(), d.tokenLimit)
	}
	slices.SortFunc(out[:], func(a, b dialect.Span) int { return a.Start - b.Start })
	edits = dialect.RemoveMembers(edits, in.Body.Bytes(), s.Open, out[:]...)
	for _, id := range s.LongIDs {
		edits = append(edits, dialect.Edit{Span: id, Text: shortID(in.Body.Bytes()[id.Start:id.End])})
	}
	if !d.google { // who itself makes tool calls' extra_content, and wants it back
		for _, o := range s.Extensions {
			edits = dialect.RemoveMembers(edits, in.Body.Bytes(), o.Open, d.refused(o)...)
		}
	}
	dialect.SortEdits(edits)
	return edits, nil
}

// refused are the extension members that the provider must not get. Reasoning is
// known to servers that want their own back, and passed over by most others.
func (d *Dialect) refused(o dialect.Extended) []dialect.Span {
	if d.narrow || o.Reasoning.IsZero() {
		return o.Members
	}
	return slices.DeleteFunc(slices.Clone(o.Members), func(m dialect.Span) bool { return m == o.Reasoning })
}

// usageEdits appends what makes a streamed answer tell its usage. drop is the
// member that must go where the provider is not to be asked.
func (d *Dialect) usageEdits(edits []dialect.Edit, s *dialect.Scan) (_ []dialect.Edit, drop dialect.Span) {
	switch {
	case s.IncludeUsage && d.askUsage:
	case !d.askUsage:
		drop = s.OptionsMember
	case s.OptionsMember.IsZero():
		edits = append(edits, insert(s.Open, `"stream_options":{`+usageOption+`},`))
	case s.OptionsNull:
		edits = append(edits, dialect.Edit{Span: s.OptionsValue, Text: []byte(`{` + usageOption + `}`)})
	case !s.UsageValue.IsZero():
		edits = append(edits, dialect.Edit{Span: s.UsageValue, Text: []byte("true")})
	case s.OptionsEmpty:
		edits = append(edits, insert(s.OptionsValue.Start+1, usageOption))
	default:
		edits = append(edits, insert(s.OptionsValue.Start+1, usageOption+","))
	}
	return edits, drop
}

func insert(at int, text string) dialect.Edit {
	return dialect.Edit{Span: dialect.Span{Start: at, End: at}, Text: []byte(text)}
}

// shortID is the id that stands for one that is too long: always the same for
// the same text, so that a call and its result still belong together.
func shortID(id []byte) []byte {
	sum := sha256.Sum256(id)
	out := append(make([]byte, 0, dialect.MaxToolCallID), `"call_`...)
	out = hex.AppendEncode(out, sum[:16])
	return append(out, '"')
}

var errNoAnswer = errors.New("the answer is not one of this endpoint")

// Decode implements dialect.Dialect.
func (d *Dialect) Decode(body []byte, m *dialect.Meta) ([]byte, dialect.Usage, error) {
	switch {
	case m.Endpoint.Media():
		return decodeMedia(body, m)
	case m.Endpoint.Continues():
		return decodeResponse(body, m)
	case !generates(m.Endpoint):
		return decodeList(body, m)
	}
	var a answer
	if !a.read(body, keep{usage: true, reasoning: !m.DropReasoning, google: d.mending()}) {
		return nil, dialect.Usage{}, errNoAnswer
	}
	if !a.fault.IsZero() {
		return nil, dialect.Usage{}, faultInBand(body)
	}
	if !a.choices || a.empty {
		return nil, dialect.Usage{}, errNoAnswer
	}
	if !a.model.IsZero() {
		a.edits = append(a.edits, dialect.Edit{Span: a.model, Text: m.Model})
	}
	return apply(body, a.edits), a.usage, nil
}

// apply makes edits in body, which it may change, from the last to the first,
// so that their places stay right.
func apply(body []byte, edits []dialect.Edit) []byte {
	dialect.SortEdits(edits)
	for _, e := range slices.Backward(edits) {
		body = slices.Replace(body, e.Start, e.End, e.Text...)
	}
	return body
}

// Stream implements dialect.Dialect.
func (d *Dialect) Stream(m *dialect.Meta) dialect.StreamDecoder {
	switch {
	case m.Endpoint.Media():
		return &mediaDecoder{a: media{modelName: m.Model}}
	case m.Endpoint == dialect.Responses:
		return NewResponses(m)
	}
	return d.Decoder(m)
}

// Decoder is Stream for a dialect that does something to the chunks first.
func (d *Dialect) Decoder(m *dialect.Meta) *Decoder {
	return &Decoder{keep: keep{usage: m.WantUsage, reasoning: !m.DropReasoning, google: d.mending()}, model: m.Model}
}
