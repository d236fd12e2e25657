package config

import (
	"fmt"
	"reflect"
	"strings"
)

// pendingKey is a key that is read and checked but has no effect in this
// version.
type pendingKey struct {
	key   string // path with * for an id or a number
	value string // the value that has no effect yet; "": every value but the default
	note  string // what happens instead
}

// pending lists them all. A file that sets one gets a warning, and the
// documentation marks it. A key that comes into effect is deleted here.
func pending() []pendingKey {
	return []pendingKey{
		{"providers.*.discover", "true", "only the models of the file are served"},
	}
}

func (l *loader) warnPending(cfg *Config, table []pendingKey) {
	for _, p := range table {
		l.walkPending(l.schema, reflect.ValueOf(cfg).Elem(), nil, pendingStep{p, strings.Split(p.key, ".")})
	}
}

// pendingStep is an entry of the table and the part of its path that is still
// to be walked.
type pendingStep struct {
	entry pendingKey
	rest  []string
}

func (l *loader) walkPending(s *section, v reflect.Value, path []any, step pendingStep) {
	f := s.lookup(step.rest[0])
	fv := v.Field(f.index)
	path = extend(path, f.key)
	step.rest = step.rest[1:]
	switch f.shape {
	case shapeTable:
		l.walkPending(f.sub, fv, path, step)
	case shapeTables:
		for _, id := range l.ids(f.key) {
			if one := fv.MapIndex(reflect.ValueOf(id)); one.IsValid() {
				l.walkPending(f.sub, one, extend(path, id), pendingStep{step.entry, step.rest[1:]})
			}
		}
	case shapeList:
		for i := range fv.Len() {
			l.walkPending(f.sub, fv.Index(i), extend(path, i), pendingStep{step.entry, step.rest[1:]})
		}
	default:
		value, want := fmt.Sprint(fv.Interface()), step.entry.value
		switch {
		case want == "" && value != f.def:
			l.warn(path, "this key is not yet in effect in this version: %s", step.entry.note)
		case want != "" && value == want:
			l.warn(path, "%s is not yet in effect in this version: %s", want, step.entry.note)
		}
	}
}
