package messages

import (
	"github.com/go-json-experiment/json/jsontext"
	"github.com/tidwall/gjson"

	"github.com/PPKunOfficial/berry-api/relay/dialect/chat"
)

// schemaName is the name of an answer's schema: the chat format wants one, the
// Messages format has none.
const schemaName = "answer"

// format asks for an answer that fits a JSON Schema.
func (e *encoding) format() error {
	f, at := e.in.OutputFormat, "output_format"
	if c := e.in.OutputConfig; c != nil && c.Format != nil {
		f, at = c.Format, "output_config.format"
	}
	if f == nil {
		return nil
	}
	if f.Type != "json_schema" {
		return chat.Refuse(at+".type", "%s.type must be json_schema, not %.40q", at, f.Type)
	}
	if len(f.Schema) == 0 || f.Schema.Kind() != '{' {
		return chat.Refuse(at+".schema", "%s.schema must be a JSON Schema, an object", at)
	}
	e.out.ResponseFormat = &responseFormat{"json_schema", namedSchema{schemaName, f.Schema, closed(f.Schema)}}
	return nil
}

// closed reports whether OpenAI can bind a model strictly to a schema: each
// object in it must say that it has no other properties, and demand all that it
// has. A strict one that does not is refused.
func closed(schema jsontext.Value) bool {
	return len(schema) > 0 && closedValue(gjson.ParseBytes(schema))
}

func closedValue(v gjson.Result) bool {
	ok := true
	switch {
	case v.IsArray():
		v.ForEach(func(_, item gjson.Result) bool {
			ok = closedValue(item)
			return ok
		})
	case v.IsObject():
		properties, required := v.Get("properties"), v.Get("required")
		if properties.IsObject() {
			demanded := map[string]bool{}
			for _, name := range required.Array() {
				demanded[name.Str] = true
			}
			ok = v.Get("additionalProperties").Type == gjson.False
			properties.ForEach(func(name, item gjson.Result) bool {
				ok = ok && demanded[name.Str] && closedValue(item)
				return ok
			})
		}
		v.ForEach(func(name, item gjson.Result) bool {
			if name.Str != "properties" {
				ok = ok && closedValue(item)
			}
			return ok
		})
	}
	return ok
}
