package openai

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

// The two names of the bound on an answer's tokens. Where a request has both,
// the newer one counts.
const (
	olderLimit = "max_tokens"
	newerLimit = "max_completion_tokens"
)

// limitMember is where a bound stands in a body; the zero value is for one that
// is not there.
type limitMember struct {
	member dialect.Span // as a Scan describes members
	name   dialect.Span // quotes included
	null   bool
}

// renameLimit appends to edits what gives the bound in body the name want.
// drop is the member that must go because the request has both.
func renameLimit(edits []dialect.Edit, body []byte, want string) (_ []dialect.Edit, drop dialect.Span) {
	older, newer := limits(body)
	kept, name, other := newer, newerLimit, older
	if newer.member.IsZero() || newer.null {
		kept, name, other = older, olderLimit, newer
	}
	if kept.member.IsZero() || kept.null {
		return edits, drop
	}
	if name != want {
		edits = append(edits, dialect.Edit{Span: kept.name, Text: []byte(`"` + want + `"`)})
	}
	return edits, other.member
}

// limits finds both bounds in a request body that relay has scanned.
func limits(body []byte) (older, newer limitMember) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true))
	if _, err := dec.ReadToken(); err != nil {
		return older, newer
	}
	for end := int(dec.InputOffset()); dec.PeekKind() == '"'; end = int(dec.InputOffset()) {
		raw, err := dec.ReadValue()
		if err != nil {
			break
		}
		at := int(dec.InputOffset())
		name := dialect.Span{Start: at - len(raw), End: at}
		var to *limitMember
		switch text, _ := jsontext.AppendUnquote(nil, raw); string(text) {
		case olderLimit:
			to = &older
		case newerLimit:
			to = &newer
		}
		null := dec.PeekKind() == 'n'
		if err := dec.SkipValue(); err != nil {
			break
		}
		if to != nil {
			*to = limitMember{dialect.Span{Start: end, End: int(dec.InputOffset())}, name, null}
		}
	}
	return older, newer
}
