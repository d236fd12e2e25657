package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// shape is what kind of TOML value a field takes.
type shape uint8

const (
	shapeString shape = iota
	shapeBool
	shapeInteger
	shapeNumber  // integer or float
	shapeStrings // array of strings
	shapeHeaders // table of strings
	shapeTable   // table with known keys
	shapeTables  // table of such tables, by id
	shapeList    // array of such tables
)

// section describes the keys of one table of the file.
type section struct {
	typ    reflect.Type
	fields []*field
}

// field describes one key, from the tags of its struct field:
//
//	toml      the key
//	default   the value when the key is absent; without it, the zero value
//	unset     what absence means, for people, where it is not a plain default
//	min, max  range of a number, both ends included; always the two together
//	above     instead of min: this end excluded
//	enum      allowed values, separated by |
//	env       environment variable that goes before the file
//	sample    a value for the template where there is no default; | separates the members of an array
//	secret    the value must not be shown (fields of type Secret and Headers need no tag)
//	required  the key must be there and not empty
//	doc       what it means
type field struct {
	key      string
	step     any // key, as a step of a path
	index    int
	typ      reflect.Type
	shape    shape
	sub      *section // for shapeTable, shapeTables and shapeList
	def      string
	unset    string
	min, max *float64
	above    bool // min itself is too small
	enum     []string
	env      string
	sample   string
	secret   bool
	required bool
	doc      string
}

// lookup returns the field of a key, or nil.
func (s *section) lookup(key string) *field {
	for _, f := range s.fields {
		if f.key == key {
			return f
		}
	}
	return nil
}

// keys lists the keys, in the order of the struct.
func (s *section) keys() []string {
	out := make([]string, len(s.fields))
	for i, f := range s.fields {
		out[i] = f.key
	}
	return out
}

// describe reads the tags of t and of the structs below it. It panics on a
// malformed tag, which any test that loads a file finds.
func describe(t reflect.Type) *section {
	s := &section{typ: t}
	for i := range t.NumField() {
		sf := t.Field(i)
		key := sf.Tag.Get("toml")
		if key == "-" {
			continue
		}
		f := &field{
			key:      key,
			step:     key,
			index:    i,
			typ:      sf.Type,
			def:      sf.Tag.Get("default"),
			unset:    sf.Tag.Get("unset"),
			env:      sf.Tag.Get("env"),
			sample:   sf.Tag.Get("sample"),
			required: sf.Tag.Get("required") == "true",
			secret:   sf.Tag.Get("secret") == "true",
			doc:      sf.Tag.Get("doc"),
			min:      numberTag(sf.Tag, "min"),
			max:      numberTag(sf.Tag, "max"),
		}
		if above := numberTag(sf.Tag, "above"); above != nil {
			f.min, f.above = above, true
		}
		if (f.min == nil) != (f.max == nil) {
			panic("config: key " + key + " has half a range")
		}
		if enum := sf.Tag.Get("enum"); enum != "" {
			f.enum = strings.Split(enum, "|")
		}
		f.classify()
		s.fields = append(s.fields, f)
	}
	return s
}

func (f *field) classify() {
	switch f.typ {
	case reflect.TypeFor[Secret]():
		f.shape, f.secret = shapeString, true
		return
	case reflect.TypeFor[Headers]():
		f.shape, f.secret = shapeHeaders, true
		return
	case reflect.TypeFor[Thresholds]():
		f.shape = shapeHeaders
		return
	}
	switch f.typ.Kind() {
	case reflect.String:
		f.shape = shapeString
	case reflect.Bool:
		f.shape = shapeBool
	case reflect.Int, reflect.Int64:
		f.shape = shapeInteger
	case reflect.Float64:
		f.shape = shapeNumber
	case reflect.Struct:
		f.shape, f.sub = shapeTable, describe(f.typ)
	case reflect.Map:
		f.shape, f.sub = shapeTables, describe(f.typ.Elem())
	case reflect.Slice:
		if f.typ.Elem().Kind() == reflect.String {
			f.shape = shapeStrings
		} else {
			f.shape, f.sub = shapeList, describe(f.typ.Elem())
		}
	default:
		panic(fmt.Sprintf("config: key %s has the unsupported type %s", f.key, f.typ))
	}
}

func numberTag(tag reflect.StructTag, name string) *float64 {
	text, ok := tag.Lookup(name)
	if !ok {
		return nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		panic(fmt.Sprintf("config: tag %s:%q is not a number", name, text))
	}
	return &v
}

// fill sets v, a struct described by s, to the defaults.
func (s *section) fill(v reflect.Value) {
	for _, f := range s.fields {
		fv := v.Field(f.index)
		switch f.shape {
		case shapeTable:
			f.sub.fill(fv)
		case shapeString:
			if f.def != "" {
				fv.SetString(f.def)
			}
		case shapeBool:
			fv.SetBool(f.def == "true")
		case shapeInteger:
			if f.def != "" {
				n, err := strconv.ParseInt(f.def, 10, 64)
				mustParse(f, err)
				fv.SetInt(n)
			}
		case shapeNumber:
			if f.def != "" {
				n, err := strconv.ParseFloat(f.def, 64)
				mustParse(f, err)
				fv.SetFloat(n)
			}
		}
	}
}

func mustParse(f *field, err error) {
	if err != nil {
		panic(fmt.Sprintf("config: default of key %s: %v", f.key, err))
	}
}

// Default returns the settings of a file that sets nothing.
func Default() Settings {
	var s Settings
	describe(reflect.TypeFor[Settings]()).fill(reflect.ValueOf(&s).Elem())
	return s
}
