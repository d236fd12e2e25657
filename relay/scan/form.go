package scan

import (
	"errors"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/form"
)

// formScanner reads a form's fields that relay needs, wherever they stand: a
// client may well send the file before it names the model.
type formScanner struct {
	body    []byte
	streams bool // the field stream is read
	scan    dialect.Scan
	seen    []string
}

// Form does for a multipart form of endpoint e what JSON does for a JSON text.
// contentType is the request's header of that name, which must be there once: it
// says the form's boundary. Safe for concurrent use.
func Form(body []byte, contentType []string, e dialect.Endpoint) (dialect.Scan, *apierror.Error) {
	if len(contentType) != 1 {
		return dialect.Scan{}, invalidForm("it needs one header Content-Type")
	}
	boundary, err := form.Boundary(contentType[0])
	if err != nil {
		return dialect.Scan{}, invalidForm(err.Error())
	}
	s := &formScanner{body: body, streams: e.Streams(), scan: dialect.Scan{Form: true}}
	for r := form.NewReader(body, boundary); ; {
		p, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			if s.scan.Model == "" {
				return dialect.Scan{}, apierror.New(apierror.InvalidValue, "the form names no model: add the field model").WithParam("model")
			}
			return s.scan, nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			return dialect.Scan{}, invalidForm("it ends too early, without its closing boundary")
		case err != nil:
			return dialect.Scan{}, invalidForm(err.Error())
		}
		if e := s.part(p); e != nil {
			return dialect.Scan{}, e
		}
	}
}

func invalidForm(detail string) *apierror.Error {
	if len(detail) > maxDetail {
		detail = detail[:maxDetail]
	}
	return apierror.New(apierror.InvalidForm, "the form cannot be read: %s", strings.ToValidUTF8(detail, "?"))
}

// part takes one part. A field that relay reads must be in a form which every
// server reads alike: once, under its own name, as plain text.
func (s *formScanner) part(p form.Part) *apierror.Error {
	field := s.field(p.Name)
	if field == "" {
		return nil
	}
	if p.Name != field {
		return apierror.New(apierror.InvalidForm, "the form cannot be read: some servers take the field %.40q for %s", p.Name, field).WithParam(field)
	}
	if slices.Contains(s.seen, field) {
		return apierror.New(apierror.InvalidForm, "the form cannot be read: it has two fields %s", field).WithParam(field)
	}
	s.seen = append(s.seen, field)
	value := string(s.body[p.ValueStart:p.ValueEnd])
	if !p.Text || !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl) {
		return invalidField(field, "plain text in UTF-8, and no file")
	}
	switch field {
	case "model":
		if value == "" {
			return invalidField(field, "a model's name")
		}
		s.scan.Model, s.scan.ModelValue = value, dialect.Span{Start: p.ValueStart, End: p.ValueEnd}
	case "backend":
		s.scan.Backend, s.scan.BackendMember = value, dialect.Span{Start: p.Start, End: p.End}
	case "stream":
		switch value {
		case "true", "True": // the latter is how Python writes it
			s.scan.Stream = true
		case "false", "False":
		default:
			return invalidField(field, "true or false")
		}
	}
	return nil
}

// field is which of the fields that relay reads a part's name is or could be
// taken for; "" if none. Servers differ in case, in spaces at the ends, and in
// what a bracket means.
func (s *formScanner) field(name string) string {
	name, _, _ = strings.Cut(name, "[")
	name = strings.TrimFunc(name, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
	switch name = strings.ToLower(name); name {
	case "model", "backend":
		return name
	case "stream":
		if s.streams {
			return name
		}
	}
	return ""
}
