package mockllm

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// geminiSchema is the subset of OpenAPI's schema that Gemini takes. A key that it does not name is refused.
type geminiSchema struct {
	AnyOf            []*geminiSchema          `json:"anyOf"`
	Default          any                      `json:"default"`
	Description      string                   `json:"description"`
	Enum             []string                 `json:"enum"`
	Example          any                      `json:"example"`
	Format           string                   `json:"format"`
	Items            *geminiSchema            `json:"items"`
	MaxItems         json.Number              `json:"maxItems"`
	MaxLength        json.Number              `json:"maxLength"`
	MaxProperties    json.Number              `json:"maxProperties"`
	Maximum          *float64                 `json:"maximum"`
	MinItems         json.Number              `json:"minItems"`
	MinLength        json.Number              `json:"minLength"`
	MinProperties    json.Number              `json:"minProperties"`
	Minimum          *float64                 `json:"minimum"`
	Nullable         bool                     `json:"nullable"`
	Pattern          string                   `json:"pattern"`
	Properties       map[string]*geminiSchema `json:"properties"`
	PropertyOrdering []string                 `json:"propertyOrdering"`
	Required         []string                 `json:"required"`
	Title            string                   `json:"title"`
	Type             string                   `json:"type"`
}

func (s *geminiSchema) check() error {
	if s == nil {
		return nil
	}
	types := []string{"STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT"}
	switch {
	case s.Type == "" && len(s.AnyOf) == 0, s.Type != "" && !slices.Contains(types, s.Type):
		return fmt.Errorf("type %q", s.Type)
	case s.Type == "ARRAY" && s.Items == nil:
		return errors.New("items: missing field")
	case s.Enum != nil && s.Type != "STRING":
		return errors.New("enum: only allowed for STRING type")
	case s.Type == "STRING" && s.Format != "" && s.Format != "enum" && s.Format != "date-time":
		return errors.New("format: only 'enum' and 'date-time' are supported for STRING type")
	case s.Type == "OBJECT" && s.Properties != nil && len(s.Properties) == 0:
		return errors.New("properties: should be non-empty for OBJECT type")
	}
	for _, name := range s.Required {
		if s.Properties[name] == nil {
			return fmt.Errorf("required: property %q is not defined", name)
		}
	}
	for name, p := range s.Properties {
		if err := p.check(); err != nil {
			return fmt.Errorf("properties[%s].%w", name, err)
		}
	}
	for _, one := range append([]*geminiSchema{s.Items}, s.AnyOf...) {
		if err := one.check(); err != nil {
			return err
		}
	}
	return nil
}

// geminiJSONKeys are the JSON Schema keys that Gemini takes where it takes JSON Schema.
var geminiJSONKeys = []string{
	"$id", "$defs", "$ref", "$anchor", "type", "format", "title", "description", "enum", "items", "prefixItems", "minItems", "maxItems",
	"minimum", "maximum", "anyOf", "oneOf", "properties", "additionalProperties", "required", "propertyOrdering",
}

// checkJSONSchema refuses keys that are not Gemini's, wherever a schema stands.
func checkJSONSchema(raw json.RawMessage) error {
	if len(raw) == 0 || string(raw) == "true" || string(raw) == "false" {
		return nil
	}
	var s map[string]json.RawMessage
	if err := json.Unmarshal(raw, &s); err != nil {
		return fmt.Errorf("not a schema: %w", err)
	}
	_, refers := s["$ref"]
	for key, v := range s {
		if !slices.Contains(geminiJSONKeys, key) {
			return fmt.Errorf("unknown key %q", key)
		}
		if refers && key[0] != '$' {
			return fmt.Errorf("key %q beside a $ref", key)
		}
		var below []json.RawMessage
		switch key {
		case "items", "additionalProperties":
			below = append(below, v)
		case "anyOf", "oneOf", "prefixItems":
			if err := json.Unmarshal(v, &below); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
		case "properties", "$defs":
			var named map[string]json.RawMessage
			if err := json.Unmarshal(v, &named); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
			for _, one := range named {
				below = append(below, one)
			}
		}
		for _, one := range below {
			if err := checkJSONSchema(one); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
		}
	}
	return nil
}

func (in *geminiInput) checkTools() error {
	var names []string
	for _, set := range in.Tools {
		for i, f := range set.FunctionDeclarations {
			names = append(names, f.Name)
			switch {
			case f.Name == "":
				return fmt.Errorf("tools[0].functionDeclarations[%d].name: required", i)
			case f.Parameters != nil && f.ParametersJSONSchema != nil:
				return fmt.Errorf("tools[0].functionDeclarations[%d]: one of parameters and parametersJsonSchema", i)
			}
			if err := errors.Join(f.Parameters.check(), checkJSONSchema(f.ParametersJSONSchema)); err != nil {
				return fmt.Errorf("tools[0].functionDeclarations[%d].parameters: %w", i, err)
			}
		}
	}
	if in.ToolConfig == nil {
		return nil
	}
	config := in.ToolConfig.FunctionCallingConfig
	switch {
	case len(names) == 0:
		return errors.New("function calling config is set without function_declarations")
	case !slices.Contains([]string{"AUTO", "ANY", "NONE", "VALIDATED"}, config.Mode):
		return fmt.Errorf("toolConfig.functionCallingConfig.mode: %q", config.Mode)
	case len(config.AllowedFunctionNames) > 0 && config.Mode != "ANY":
		return errors.New("toolConfig.functionCallingConfig.allowedFunctionNames: only with mode ANY")
	}
	for _, name := range config.AllowedFunctionNames {
		if !slices.Contains(names, name) {
			return fmt.Errorf("toolConfig.functionCallingConfig.allowedFunctionNames: %q is not declared", name)
		}
	}
	return nil
}
