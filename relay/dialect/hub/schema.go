package hub

import (
	"bytes"
	"errors"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// Closed reports whether OpenAI can bind a model strictly to a schema: each
// object in it must say that it has no other properties, and demand all that it
// has. A strict one that does not is refused.
func Closed(schema jsontext.Value) bool {
	if len(schema) == 0 {
		return false
	}
	w := walk{dec: jsontext.NewDecoder(bytes.NewBuffer(schema)), closed: true}
	return w.value() == nil && w.closed
}

// walk passes a schema once.
type walk struct {
	dec    *jsontext.Decoder
	closed bool // as far as it was seen
}

func (w *walk) value() error {
	switch w.dec.PeekKind() {
	case '{':
		return w.object()
	case '[':
		return w.each(']', func() error { return w.value() })
	}
	return w.dec.SkipValue()
}

// each passes an object or array; f passes what stands in it, an object's names too.
func (w *walk) each(end jsontext.Kind, f func() error) error {
	if _, err := w.dec.ReadToken(); err != nil {
		return err
	}
	for w.dec.PeekKind() != end {
		if err := f(); err != nil {
			return err
		}
	}
	_, err := w.dec.ReadToken()
	return err
}

// object passes a schema that is an object.
func (w *walk) object() error {
	var properties, required []string
	has, none := false, false // properties of its own; others
	err := w.each('}', func() error {
		name, err := w.text()
		if err != nil {
			return err
		}
		switch kind := w.dec.PeekKind(); {
		case name == "properties" && kind == '{':
			has = true
			return w.each('}', func() error {
				name, err := w.text()
				properties = append(properties, name)
				return errors.Join(err, w.value())
			})
		case name == "required" && kind == '[':
			return w.each(']', func() error {
				if w.dec.PeekKind() != '"' {
					return w.dec.SkipValue()
				}
				name, err := w.text()
				required = append(required, name)
				return err
			})
		case name == "additionalProperties":
			none = kind == 'f'
		}
		return w.value()
	})
	if has {
		slices.Sort(required)
		w.closed = w.closed && none && !slices.ContainsFunc(properties, func(name string) bool {
			_, found := slices.BinarySearch(required, name)
			return !found
		})
	}
	return err
}

func (w *walk) text() (string, error) {
	t, err := w.dec.ReadToken()
	if err != nil {
		return "", err
	}
	return t.String(), nil
}
