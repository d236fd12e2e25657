package gemini

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
)

// openAPIKeys are the keys of the OpenAPI form that are taken over as they
// are. The others of the form are type, nullable, enum, format, properties,
// required, items and anyOf, which are made.
var openAPIKeys = []struct {
	name string
	kind gjson.Type
}{
	{"title", gjson.String},
	{"description", gjson.String},
	{"pattern", gjson.String},
	{"minimum", gjson.Number},
	{"maximum", gjson.Number},
	{"minLength", gjson.Number},
	{"maxLength", gjson.Number},
	{"minItems", gjson.Number},
	{"maxItems", gjson.Number},
	{"minProperties", gjson.Number},
	{"maxProperties", gjson.Number},
	{"propertyOrdering", gjson.JSON},
}

// formats are those that a type may have.
var formats = map[string][]string{
	"STRING": {"enum", "date-time"}, "NUMBER": {"float", "double"}, "INTEGER": {"int32", "int64"},
}

// openAPISchema is a JSON Schema in the subset of OpenAPI's schema that Gemini
// takes: references are followed and cycles cut.
func openAPISchema(in []byte) json.RawMessage {
	t := &schemas{root: gjson.ParseBytes(in)}
	return t.openAPI(nil, t.root)
}

// takesNothing reports whether a function's parameters describe an object
// without members, which has no form at Gemini: it is left out.
func takesNothing(in []byte) bool {
	t := &schemas{root: gjson.ParseBytes(in)}
	s := t.read(t.root, true)
	for _, key := range []string{"anyOf", "oneOf", "$ref", "patternProperties"} {
		if s.get(key).Exists() {
			return false
		}
	}
	more := s.get("additionalProperties")
	if more.Type == gjson.True || more.IsObject() {
		return false
	}
	for _, p := range s.values["properties"] {
		if p.IsObject() && len(p.Map()) > 0 {
			return false
		}
	}
	return true
}

// openAPI writes one schema. A reference that leads back into itself becomes
// an object that says no more.
func (t *schemas) openAPI(dst []byte, in gjson.Result) []byte {
	if ref := member(in, "$ref"); ref.Type == gjson.String {
		if slices.Contains(t.open, ref.Str) {
			return append(dst, `{"type":"OBJECT"}`...)
		}
		t.open = append(t.open, ref.Str)
		defer func() { t.open = t.open[:len(t.open)-1] }()
	}
	if t.nodes > maxNodes {
		return append(dst, `{"type":"OBJECT"}`...)
	}
	s := t.read(in, true)
	types, nullable := s.types()
	branches, null := s.branches()
	nullable = nullable || null
	if len(branches) == 1 { // the rest of it is a union with null
		for _, key := range []string{"anyOf", "oneOf"} {
			delete(s.values, key)
		}
		t.collect(s, branches[0], true)
		more, null := s.types()
		types, nullable, branches = more, nullable || null, nil
	}
	o := newMembers(dst)
	switch {
	case len(branches) > 1:
		t.shared(o, s, "description")
		o.open("anyOf")
		o.b = t.list(o.b, branches, t.openAPI)
	case len(types) > 1:
		t.shared(o, s, "description")
		o.open("anyOf")
		o.b = append(o.b, '[')
		for i, typ := range types {
			if i > 0 {
				o.b = append(o.b, ',')
			}
			one := newMembers(o.b)
			t.typed(one, s, typ)
			o.b = one.end()
		}
		o.b = append(o.b, ']')
	default:
		for _, k := range openAPIKeys {
			t.shared(o, s, k.name)
		}
		s.bounds(o)
		if v := s.get("default"); v.Exists() {
			o.raw("default", v.Raw)
		}
		t.typed(o, s, types[0])
	}
	if nullable {
		o.raw("nullable", "true")
	}
	return o.end()
}

// shared writes a key that is taken over as it is.
func (t *schemas) shared(o *members, s *schema, name string) {
	for _, k := range openAPIKeys {
		if v := s.get(name); k.name == name && v.Exists() && v.Type == k.kind {
			o.raw(name, v.Raw)
		}
	}
}

// types are the schema's types but null, at least one.
func (s *schema) types() (types []string, nullable bool) {
	v := s.get("type")
	all := []gjson.Result{v}
	if v.IsArray() {
		all = v.Array()
	}
	for _, t := range all {
		if t.Str == "null" {
			nullable = true
		} else if t.Str != "" {
			types = append(types, strings.ToUpper(t.Str))
		}
	}
	nullable = nullable || s.get("nullable").Type == gjson.True
	if len(types) > 0 {
		return types, nullable
	}
	switch {
	case s.get("properties").Exists():
		return []string{"OBJECT"}, nullable
	case s.get("items").Exists(), s.get("prefixItems").Exists():
		return []string{"ARRAY"}, nullable
	}
	return []string{"STRING"}, nullable
}

// branches are the schemas of a union but null.
func (s *schema) branches() (all []gjson.Result, nullable bool) {
	for _, key := range []string{"anyOf", "oneOf"} {
		for _, list := range s.values[key] {
			for _, b := range list.Array() {
				if member(b, "type").Str == "null" {
					nullable = true
					continue
				}
				all = append(all, b)
			}
		}
	}
	return all, nullable
}

// typed writes a type and what belongs to it.
func (t *schemas) typed(o *members, s *schema, typ string) {
	if enum := s.get("enum"); enum.IsArray() && typ != "OBJECT" && typ != "ARRAY" {
		o.text("type", "STRING") // the only type with an enum
		o.open("enum")
		o.b = append(o.b, enumTexts(enum)...)
		return
	}
	o.text("type", typ)
	if f := s.get("format"); slices.Contains(formats[typ], f.Str) {
		o.raw("format", f.Raw)
	}
	switch typ {
	case "ARRAY":
		items := s.get("items")
		if items.IsArray() || !items.Exists() {
			items = gjson.GetBytes([]byte(`[`+firstRaw(items, s.get("prefixItems"))+`]`), "0")
		}
		o.open("items")
		o.b = t.openAPI(o.b, items)
	case "OBJECT":
		props := s.values["properties"]
		if !slices.ContainsFunc(props, func(p gjson.Result) bool { return len(p.Map()) > 0 }) {
			return // an object whose members are not named
		}
		o.open("properties")
		o.b = t.byName(o.b, props, t.openAPI)
		if names := required(s); len(names) > len("[]") {
			o.raw("required", string(names))
		}
	}
}

// firstRaw is the first element of the first list that has one; a schema of
// texts where there is none.
func firstRaw(lists ...gjson.Result) string {
	for _, l := range lists {
		if all := l.Array(); l.IsArray() && len(all) > 0 {
			return all[0].Raw
		}
	}
	return `{"type":"string"}`
}

// enumTexts are an enum's values as texts; null is none of them.
func enumTexts(enum gjson.Result) []byte {
	out := []byte{'['}
	for _, v := range enum.Array() {
		if v.Type == gjson.Null {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		if v.Type == gjson.String {
			out = append(out, v.Raw...)
		} else {
			out = chat.AppendText(out, v.Raw)
		}
	}
	return append(out, ']')
}
