package config

import (
	"encoding/json"
	"strconv"
	"testing"
)

// TestJSONSchema keeps docs/config.schema.json, which editors read, what the
// schema says. Whether the examples agree with it is tested in examples/configs.
func TestJSONSchema(t *testing.T) {
	out, err := json.MarshalIndent(jsonSchema(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, repository(t, "docs/config.schema.json"), append(out, '\n'))
}

// object is a JSON object; encoding/json sorts its keys.
type object = map[string]any

// jsonSchema describes a whole file. The draft is the newest one that editors'
// TOML support knows.
func jsonSchema() object {
	root := objectSchema(rootSection())
	root["$schema"] = "http://json-schema.org/draft-07/schema#"
	root["title"] = "Berry API configuration"
	root["description"] = "What a configuration file of Berry API may say. Generated from core/config/schema.go; " +
		"berry-cli validate-config checks more than a schema can, such as names that refer to other parts of the file."
	return root
}

func objectSchema(s *section) object {
	properties, required := object{}, []string{}
	for _, f := range s.fields {
		properties[f.key] = fieldSchema(f)
		if f.required {
			required = append(required, f.key)
		}
	}
	out := object{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

func fieldSchema(f *field) object {
	out := shapeSchema(f)
	out["description"] = f.doc
	if f.sub != nil {
		return out
	}
	if notes := notes(f); notes != "" {
		out["description"] = f.doc + " " + notes
	}
	if f.def != "" {
		out["default"] = defaultOf(f)
	}
	if f.min != nil {
		out["minimum"], out["maximum"] = *f.min, *f.max
	}
	if f.above {
		delete(out, "minimum")
		out["exclusiveMinimum"] = *f.min
	}
	return out
}

// shapeSchema says what type a value has.
func shapeSchema(f *field) object {
	switch f.shape {
	case shapeBool:
		return object{"type": "boolean"}
	case shapeInteger:
		return object{"type": "integer"}
	case shapeNumber:
		return object{"type": "number"}
	case shapeStrings:
		return object{"type": "array", "items": object{"type": "string"}}
	case shapeHeaders:
		return object{"type": "object", "additionalProperties": object{"type": "string"}}
	case shapeTable:
		return objectSchema(f.sub)
	case shapeTables:
		return object{"type": "object", "additionalProperties": objectSchema(f.sub)}
	case shapeList:
		return object{"type": "array", "items": objectSchema(f.sub)}
	}
	out := object{"type": "string"}
	if f.required {
		out["minLength"] = 1
	}
	if f.enum != nil {
		// A variable may hold the value.
		out["anyOf"] = []object{{"enum": f.enum}, {"pattern": `\$\{.+\}`}}
	}
	return out
}

func defaultOf(f *field) any {
	switch f.shape {
	case shapeBool:
		return f.def == "true"
	case shapeInteger, shapeNumber:
		n, err := strconv.ParseFloat(f.def, 64)
		mustParse(f, err)
		return n
	}
	return f.def
}
