package gemini

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
)

// Gemini takes schemas in two forms, and refuses a whole request for one key
// that a form does not have: JSON Schema with the keys of jsonKeys (2.5 and
// later) or a subset of OpenAPI's schema with those of openAPIKeys.

// jsonKeys are the JSON Schema keys that are kept; the value says how.
var jsonKeys = map[string]schemaKind{
	"$id": keepText, "$anchor": keepText, "$ref": keepRef, "$defs": keepSchemas,
	"type": keepAny, "format": keepText, "title": keepText, "description": keepText, "enum": keepAny,
	"items": keepSchema, "prefixItems": keepList, "minItems": keepNumber, "maxItems": keepNumber,
	"minimum": keepNumber, "maximum": keepNumber, "anyOf": keepList, "oneOf": keepList,
	"properties": keepSchemas, "additionalProperties": keepSchemaOrBool, "required": keepNames, "propertyOrdering": keepAny,
}

type schemaKind uint8

const (
	keepAny schemaKind = iota
	keepText
	keepNames // of required properties
	keepNumber
	keepRef          // a reference within the schema
	keepSchema       // one schema
	keepSchemaOrBool // one schema, or true or false
	keepSchemas      // schemas by name
	keepList         // a list of schemas
)

// schema is one schema object, its allOf merged in. A key has several values
// where several schemas were merged.
type schema struct {
	keys   []string
	values map[string][]gjson.Result
}

func (s *schema) add(key string, v gjson.Result) {
	if _, ok := s.values[key]; !ok {
		s.keys = append(s.keys, key)
	}
	s.values[key] = append(s.values[key], v)
}

// get is the first value of a key, which is the outermost schema's.
func (s *schema) get(key string) gjson.Result {
	if v := s.values[key]; len(v) > 0 {
		return v[0]
	}
	return gjson.Result{}
}

// schemas turns the schemas of one tree into another form.
type schemas struct {
	root  gjson.Result
	open  []string // the references that lead to where the walk is
	nodes int
}

// maxNodes bounds what a tree with references may grow to.
const maxNodes = 4096

// read takes a schema apart. inline follows references too.
func (t *schemas) read(in gjson.Result, inline bool) *schema {
	s := &schema{values: map[string][]gjson.Result{}}
	t.collect(s, in, inline)
	return s
}

func (t *schemas) collect(s *schema, in gjson.Result, inline bool) {
	if t.nodes++; t.nodes > maxNodes {
		return
	}
	var all []gjson.Result
	in.ForEach(func(key, v gjson.Result) bool {
		switch {
		case key.Str == "allOf" && v.IsArray():
			all = append(all, v.Array()...)
		case key.Str == "$ref" && inline && v.Type == gjson.String:
			all = append(all, t.follow(v.Str))
		case key.Str == "const":
			s.add("enum", gjson.Parse("["+v.Raw+"]"))
		case key.Str == "definitions": // the older name
			s.add("$defs", v)
		default:
			s.add(key.Str, v)
		}
		return true
	})
	for _, part := range all {
		t.collect(s, part, inline || len(all) > 1)
	}
}

// follow is the schema that a reference within the tree names.
func (t *schemas) follow(ref string) gjson.Result {
	path, ok := strings.CutPrefix(ref, "#")
	if !ok {
		return gjson.Result{}
	}
	at := t.root
	for name := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		if name == "" {
			continue
		}
		at = member(at, strings.NewReplacer("~1", "/", "~0", "~").Replace(name))
	}
	return at
}

// member is an object's member, or an array's element.
func member(in gjson.Result, name string) (found gjson.Result) {
	if n, err := strconv.Atoi(name); err == nil && in.IsArray() {
		if all := in.Array(); n >= 0 && n < len(all) {
			return all[n]
		}
		return found
	}
	in.ForEach(func(key, v gjson.Result) bool {
		if key.Str == name {
			found = v
		}
		return !found.Exists()
	})
	return found
}

// jsonSchema is a JSON Schema with only the keys that Gemini knows.
func jsonSchema(in []byte) json.RawMessage {
	t := &schemas{root: gjson.ParseBytes(in)}
	return t.json(nil, t.root)
}

func (t *schemas) json(dst []byte, in gjson.Result) []byte {
	if !in.IsObject() || t.nodes > maxNodes { // true and false are schemas as well
		return append(dst, "{}"...)
	}
	s := t.read(in, false)
	_, refers := s.values["$ref"]
	o := newMembers(dst)
	for _, key := range s.keys {
		kind, ok := jsonKeys[key]
		if !ok || refers && !strings.HasPrefix(key, "$") { // nothing may stand beside a reference
			continue
		}
		t.jsonMember(o, key, schemaMember{kind, s})
	}
	if !refers {
		s.bounds(o)
	}
	return o.end()
}

type schemaMember struct {
	kind schemaKind
	in   *schema
}

func (t *schemas) jsonMember(o *members, key string, m schemaMember) {
	v := m.in.get(key)
	switch m.kind {
	case keepText:
		if v.Type == gjson.String {
			o.raw(key, v.Raw)
		}
	case keepNumber:
		if v.Type == gjson.Number {
			o.raw(key, v.Raw)
		}
	case keepRef:
		o.text(key, strings.Replace(v.Str, "#/definitions/", "#/$defs/", 1))
	case keepSchema:
		if v.IsArray() { // an older way to write prefixItems
			o.open("prefixItems")
			o.b = t.list(o.b, v.Array(), t.json)
			return
		}
		o.open(key)
		o.b = t.json(o.b, v)
	case keepSchemaOrBool:
		if v.Type == gjson.True || v.Type == gjson.False {
			o.raw(key, v.Raw)
			return
		}
		o.open(key)
		o.b = t.json(o.b, v)
	case keepSchemas:
		o.open(key)
		o.b = t.byName(o.b, m.in.values[key], t.json)
	case keepList:
		o.open(key)
		o.b = t.list(o.b, v.Array(), t.json)
	case keepNames:
		o.raw(key, string(required(m.in)))
	default:
		o.raw(key, v.Raw)
	}
}

// required is the list of required names; where there are properties, of those
// among them: others are refused.
func required(s *schema) []byte {
	props := s.values["properties"]
	has := func(name string) bool {
		return len(props) == 0 || slices.ContainsFunc(props, func(p gjson.Result) bool { return member(p, name).Exists() })
	}
	var names []string
	for _, v := range s.values["required"] {
		for _, n := range v.Array() {
			if n.Type == gjson.String && has(n.Str) && !slices.Contains(names, n.Str) {
				names = append(names, n.Str)
			}
		}
	}
	out := []byte{'['}
	for i, n := range names {
		if i > 0 {
			out = append(out, ',')
		}
		out = chat.AppendText(out, n)
	}
	return append(out, ']')
}

// byName writes schemas by name, the first of each.
func (t *schemas) byName(dst []byte, all []gjson.Result, write func([]byte, gjson.Result) []byte) []byte {
	o := newMembers(dst)
	seen := map[string]bool{}
	for _, v := range all {
		v.ForEach(func(key, one gjson.Result) bool {
			if !seen[key.Str] {
				seen[key.Str] = true
				o.open(key.Str)
				o.b = write(o.b, one)
			}
			return true
		})
	}
	return o.end()
}

func (t *schemas) list(dst []byte, all []gjson.Result, write func([]byte, gjson.Result) []byte) []byte {
	dst = append(dst, '[')
	for i, v := range all {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = write(dst, v)
	}
	return append(dst, ']')
}
