package openai

import (
	"errors"
	"strings"
	"unicode"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/strict"
)

var errFormModel = errors.New("the upstream's name of the model has characters that a form cannot carry")

// formEdits is what must change in a client's form: the value of model, and the
// part backend, which goes as a whole. Parts and their order stay as they are.
func formEdits(in *dialect.Request) ([]dialect.Edit, error) {
	model := strict.Unquote(in.Model)
	if strings.ContainsFunc(model, unicode.IsControl) { // a line end could begin a part
		return nil, errFormModel
	}
	s := &in.Scan
	edits := []dialect.Edit{{Span: s.ModelValue, Text: []byte(model)}}
	if !s.BackendMember.IsZero() {
		edits = append(edits, dialect.Edit{Span: s.BackendMember})
	}
	dialect.SortEdits(edits)
	return edits, nil
}
