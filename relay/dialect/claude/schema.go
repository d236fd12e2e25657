package claude

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
)

const onlyJSON = "Answer with one JSON object and nothing else."

// format asks for an answer in JSON. A model that cannot be bound to a schema
// is told of it in words; a tool that it must call would get in the way of
// thinking and of the client's own tools.
func (e *encoding) format(t *turns) error {
	f := e.in.ResponseFormat
	if f == nil {
		return nil
	}
	switch f.Type {
	case "text", "":
		return nil
	case "json_object":
		t.system = append(t.system, block{Type: "text", Text: onlyJSON})
		return nil
	case "json_schema":
	default:
		return chat.Refuse("response_format.type", "response_format.type must be text, json_object or json_schema, not %.40q", f.Type)
	}
	if f.JSONSchema == nil || f.JSONSchema.Schema.Kind() != '{' {
		return chat.Refuse("response_format.json_schema.schema", "response_format.json_schema.schema must be a JSON Schema, an object")
	}
	schema, err := closedSchema(f.JSONSchema.Schema)
	if err != nil {
		return chat.Refuse("response_format.json_schema.schema", "response_format.json_schema.schema cannot be read as a JSON Schema")
	}
	if !e.model.schemas() {
		t.system = append(t.system, block{Type: "text", Text: "Answer with one JSON value that fits this JSON Schema, and nothing else: " + string(schema)})
		return nil
	}
	e.config().Format = &format{Type: "json_schema", Schema: schema}
	return nil
}

// withMember puts a member before those that an object has.
func withMember(object jsontext.Value, member string) jsontext.Value {
	rest := bytes.TrimSpace(bytes.TrimSpace(object)[1:])
	out := append(append(make(jsontext.Value, 0, len(object)+len(member)+2), '{'), member...)
	if rest[0] != '}' {
		out = append(out, ',')
	}
	return append(out, rest...)
}

// closedSchema is a schema all of whose objects say that they have no other
// properties, which the format wants where it binds a model to one. Objects
// that say something of their own, and the order of everything, stay.
func closedSchema(schema jsontext.Value) (jsontext.Value, error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(schema))
	return appendClosed(nil, dec)
}

// appendClosed copies the next value and closes the objects in it. What is
// called a schema's properties is not itself an object schema; it has no type.
func appendClosed(dst jsontext.Value, dec *jsontext.Decoder) (jsontext.Value, error) {
	switch dec.PeekKind() {
	case '{':
		return appendClosedObject(dst, dec)
	case '[':
		if _, err := dec.ReadToken(); err != nil {
			return nil, err
		}
		dst = append(dst, '[')
		for i := 0; dec.PeekKind() != ']'; i++ {
			if i > 0 {
				dst = append(dst, ',')
			}
			var err error
			if dst, err = appendClosed(dst, dec); err != nil {
				return nil, err
			}
		}
		_, err := dec.ReadToken()
		return append(dst, ']'), err
	}
	v, err := dec.ReadValue()
	return append(dst, v...), err
}

func appendClosedObject(dst jsontext.Value, dec *jsontext.Decoder) (jsontext.Value, error) {
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	dst = append(dst, '{')
	isObject, says := false, false
	for i := 0; dec.PeekKind() != '}'; i++ {
		if i > 0 {
			dst = append(dst, ',')
		}
		name, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		text := string(name)
		dst = append(append(dst, name...), ':')
		from := len(dst)
		if text == `"enum"` || text == `"const"` || text == `"default"` || text == `"examples"` {
			v, err := dec.ReadValue() // data, not schemas
			if err != nil {
				return nil, err
			}
			dst = append(dst, v...)
			continue
		}
		if dst, err = appendClosed(dst, dec); err != nil {
			return nil, err
		}
		isObject = isObject || text == `"type"` && isObjectType(dst[from:])
		says = says || text == `"additionalProperties"`
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	if isObject && !says {
		dst = append(dst, `,"additionalProperties":false`...)
	}
	return append(dst, '}'), nil
}

// isObjectType reports whether the value of type is or holds "object". A
// property that is called type has a schema there, which is neither.
func isObjectType(v jsontext.Value) bool {
	return string(v) == `"object"` || v.Kind() == '[' && bytes.Contains(v, []byte(`"object"`))
}
