package openai

import (
	"bytes"
	"net/http"
	"unicode/utf8"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/cursor"
	"github.com/PPKunOfficial/berry-api/relay/dialect/vector"
)

// Serves implements dialect.Dialect: all that OpenAI has.
func (d *Dialect) Serves(e dialect.Endpoint) bool {
	switch e {
	case dialect.Messages, dialect.CountTokens, dialect.ChatTokens:
		return false
	}
	return true
}

// blanks are what the requests of each endpoint have in common.
func blanks(up dialect.Upstream) (all [dialect.Endpoints]*http.Request) {
	for e := range all {
		to := up.Base.JoinPath(dialect.Endpoint(e).Path())
		all[e] = &http.Request{Method: http.MethodPost, URL: to, Host: to.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	}
	return all
}

// generates reports whether an endpoint's answers are made of choices, which
// come as chunks in a stream.
func generates(e dialect.Endpoint) bool { return e == dialect.Chat || e == dialect.Completions }

// nameModel appends what gives a request that names no model its upstream's. The
// member backend, which must go anyway, makes room for it if it is there.
func nameModel(edits []dialect.Edit, in *dialect.Request) []dialect.Edit {
	s, at := &in.Scan, in.Scan.BackendMember
	member := append([]byte(`,"model":`), in.Model...)
	switch rest := bytes.TrimLeft(in.Body.Bytes()[s.Open:], " \t\r\n"); {
	case at.IsZero():
		at = dialect.Span{Start: s.Open, End: s.Open}
		if member = member[1:]; len(rest) > 0 && rest[0] != '}' {
			member = append(member, ',')
		}
	case at.Start == s.Open:
		member = member[1:]
	}
	return append(edits, dialect.Edit{Span: at, Text: member})
}

// list is the member that an endpoint's whole answer has its results in.
func list(e dialect.Endpoint) string {
	switch e {
	case dialect.Moderations:
		return "results"
	default:
		return "data"
	}
}

// decodeList is Decode for an answer that is a list of results: all of it passes
// as it is, but for the model's name.
func decodeList(body []byte, m *dialect.Meta) ([]byte, dialect.Usage, error) {
	var a answer
	found := false
	c := cursor.New(body)
	ok := utf8.Valid(body) && c.ObjectDropping(func(key []byte) bool {
		if string(key) == list(m.Endpoint) && c.Peek() == '[' {
			found = true
			if m.Base64 {
				return a.vectors(c)
			}
			_, ok := c.Value()
			return ok
		}
		return string(key) != "choices" && a.member(c, key, keep{usage: true})
	}, a.remove) && c.Done()
	switch {
	case !ok:
		return nil, dialect.Usage{}, errNoAnswer
	case !a.fault.IsZero():
		return nil, dialect.Usage{}, faultInBand(body)
	case !found:
		return nil, dialect.Usage{}, errNoAnswer
	}
	if !a.model.IsZero() {
		a.edits = append(a.edits, dialect.Edit{Span: a.model, Text: m.Model})
	}
	if len(a.edits) > fewEdits {
		return rewrite(body, a.edits), a.usage, nil
	}
	return apply(body, a.edits), a.usage, nil
}

// vectors passes the list of vectors. One that came as numbers is to go out as
// base64, for the client asked for it: not every provider heeds that.
func (a *answer) vectors(c *cursor.Cursor) bool {
	return c.Array(func() bool {
		if c.Peek() != '{' {
			return false
		}
		return c.Object(func(key []byte) bool {
			span, ok := c.Value()
			if raw := c.Bytes(span); ok && string(key) == "embedding" && raw[0] == '[' {
				var text []byte
				text, ok = vector.AppendBase64(nil, raw)
				a.edits = append(a.edits, dialect.Edit{Span: span, Text: text})
			}
			return ok
		})
	})
}

// fewEdits are made in place.
const fewEdits = 8

// rewrite is apply for many edits: a copy, made in one go.
func rewrite(body []byte, edits []dialect.Edit) []byte {
	dialect.SortEdits(edits)
	out := make([]byte, 0, len(body))
	pos := 0
	for _, e := range edits {
		out = append(append(out, body[pos:e.Start]...), e.Text...)
		pos = e.End
	}
	return append(out, body[pos:]...)
}
