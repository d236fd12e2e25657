package config

import (
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// table decodes table n, described by s, into the struct v. Keys that s does
// not know and values of the wrong type or range are noted; v keeps its
// default there.
func (l *loader) table(s *section, n *node, path []any, v reflect.Value) {
	for _, name := range n.names {
		c := n.fields[name]
		f := s.lookup(name)
		if f == nil {
			n.slip(l.unknown(s, c, extend(path, name)))
			continue
		}
		l.show(f, c)
		l.field(f, c, extend(path, f.step), v.Field(f.index))
	}
	for _, f := range s.fields {
		if f.required && n.fields[f.key] == nil && !n.slips[f.key] {
			l.problemAt(n.key, extend(path, f.key), "this key is missing")
		}
	}
}

// show marks the scalars of c as fit for an excerpt, unless f is a secret.
func (l *loader) show(f *field, c *node) {
	if f.secret || f.sub != nil {
		return
	}
	c.shown = true
	for _, item := range c.items {
		item.shown = true
	}
	for _, twin := range c.copies {
		l.show(f, twin)
	}
}

// unknown notes a key that s does not have. It returns the key of s that was
// probably meant, or "".
func (l *loader) unknown(s *section, c *node, path []any) (meant string) {
	name := path[len(path)-1].(string)
	message := "unknown key"
	if near, ok := nearest(name, s.keys()); ok {
		meant = near
		if f := s.lookup(near); !soundsSecret(name) {
			l.show(f, c)
		}
		message += "; did you mean " + strconv.Quote(near) + "?"
	} else if near, tables := elsewhere(l.schema, name); near != "" {
		message += "; " + near + " belongs in " + strings.Join(tables, " or ")
	} else if keys := s.keys(); len(keys) <= 15 {
		message += "; there is " + strings.Join(keys, ", ")
	}
	l.problemAt(c.key, path, message)
	return meant
}

// field decodes c into v as f says.
func (l *loader) field(f *field, c *node, path []any, v reflect.Value) {
	if !l.fits(f, c, path) {
		return
	}
	switch f.shape {
	case shapeString:
		l.text(f, c, path, v)
	case shapeBool:
		v.SetBool(c.text == "true")
	case shapeInteger:
		l.integer(f, c, path, v)
	case shapeNumber:
		l.number(f, c, path, v)
	case shapeStrings:
		l.strings(c, path, v)
	case shapeHeaders:
		l.headers(c, path, v)
	case shapeTable:
		l.table(f.sub, c, path, v)
	case shapeTables:
		l.tables(f, c, path, v)
	case shapeList:
		l.list(f, c, path, v)
	}
}

// wants says what a field takes, and whether k is that.
func (s shape) wants(k kind) (what string, ok bool) {
	switch s {
	case shapeString:
		return "a string", k == kindString
	case shapeBool:
		return "true or false", k == kindBool
	case shapeInteger:
		return "a whole number", k == kindInteger
	case shapeNumber:
		return "a number", k == kindInteger || k == kindFloat
	case shapeStrings:
		return "an array of strings", k == kindArray
	case shapeHeaders:
		return "a table of strings", k == kindTable
	case shapeList:
		return "an array of tables", k == kindArray
	default:
		return "a table", k == kindTable
	}
}

// fits notes a value of the wrong type.
func (l *loader) fits(f *field, c *node, path []any) bool {
	what, ok := f.shape.wants(c.kind)
	if ok {
		return true
	}
	hint := ""
	switch _, err := strconv.ParseFloat(c.text, 64); {
	case f.secret:
	case c.kind == kindString && (f.shape == shapeInteger || f.shape == shapeNumber) && err == nil,
		c.kind == kindString && f.shape == shapeBool && (c.text == "true" || c.text == "false"):
		hint = "; write " + c.text + " without quotes"
	case c.kind == kindString && f.shape == shapeStrings:
		hint = "; put [ ] around it"
	case c.kind == kindTable && f.shape == shapeList:
		hint = "; write [[" + pathString(path) + "]]"
	case f.shape == shapeString && c.kind >= kindInteger:
		hint = "; put quotes around it"
	}
	l.problem(c, path, "must be %s, not %s%s", what, c.kind, hint)
	return false
}

func (l *loader) text(f *field, c *node, path []any, v reflect.Value) {
	value, ok := l.expand(c, path)
	if !ok {
		return
	}
	if f.required && value == "" {
		l.problem(c, path, "must not be empty")
		return
	}
	if f.typ == reflect.TypeFor[Secret]() {
		v.Set(reflect.ValueOf(NewSecret(value)))
		return
	}
	if f.enum != nil && !slices.Contains(f.enum, value) {
		l.problem(c, path, "%s is not one of %s%s", l.quote(path, value), strings.Join(f.enum, ", "), didYouMean(value, f.enum))
		return
	}
	v.SetString(value)
}

func (l *loader) integer(f *field, c *node, path []any, v reflect.Value) {
	value, err := strconv.ParseInt(plain(c.text), 0, 64)
	if err != nil {
		l.problem(c, path, "the number is too large")
		return
	}
	if l.inRange(f, c, path, float64(value)) {
		v.SetInt(value)
	}
}

func (l *loader) number(f *field, c *node, path []any, v reflect.Value) {
	var value float64
	var err error
	if c.kind == kindInteger {
		var whole int64
		whole, err = strconv.ParseInt(plain(c.text), 0, 64)
		value = float64(whole)
	} else {
		value, err = strconv.ParseFloat(plain(c.text), 64)
	}
	switch {
	case err != nil:
		l.problem(c, path, "the number is too large")
	case math.IsNaN(value) || math.IsInf(value, 0):
		l.problem(c, path, "must be a finite number")
	case l.inRange(f, c, path, value):
		v.SetFloat(value)
	}
}

// plain takes the underscores and the plus sign off a number, which strconv
// would refuse in places.
func plain(text string) string {
	return strings.TrimPrefix(strings.ReplaceAll(text, "_", ""), "+")
}

func (l *loader) inRange(f *field, c *node, path []any, value float64) bool {
	if f.min == nil || (value > *f.min || value == *f.min && !f.above) && value <= *f.max {
		return true
	}
	l.problem(c, path, "must be %s, not %s", f.bounds(), clip(c.text))
	return false
}

// bounds says the range of a number, "" if it has none.
func (f *field) bounds() string {
	number := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	switch {
	case f.min == nil:
		return ""
	case f.above:
		return "above " + number(*f.min) + " and at most " + number(*f.max)
	default:
		return "from " + number(*f.min) + " to " + number(*f.max)
	}
}

func (l *loader) strings(c *node, path []any, v reflect.Value) {
	out := make([]string, 0, len(c.items))
	for i, item := range c.items {
		below := extend(path, i)
		if item.kind != kindString {
			l.problem(item, below, "must be a string, not %s", item.kind)
			continue
		}
		if value, ok := l.expand(item, below); ok {
			out = append(out, value)
		}
	}
	v.Set(reflect.ValueOf(out))
}

func (l *loader) headers(c *node, path []any, v reflect.Value) {
	out := make(Headers, len(c.names))
	for _, name := range c.names {
		item, below := c.fields[name], extend(path, name)
		if item.kind != kindString {
			l.problem(item, below, "must be a string, not %s", item.kind)
			continue
		}
		if value, ok := l.expand(item, below); ok {
			out[name] = value
		}
	}
	v.Set(reflect.ValueOf(out).Convert(v.Type()))
}

// tables decodes a table of tables by id; every one starts from the defaults.
func (l *loader) tables(f *field, c *node, path []any, v reflect.Value) {
	out := reflect.MakeMapWithSize(f.typ, len(c.names))
	for _, id := range c.names {
		item, below := c.fields[id], extend(path, id)
		if item.kind != kindTable {
			l.problem(item, below, "must be a table, not %s", item.kind)
			continue
		}
		one := reflect.New(f.sub.typ).Elem()
		f.sub.fill(one)
		l.table(f.sub, item, below, one)
		one.FieldByName("ID").SetString(id)
		out.SetMapIndex(reflect.ValueOf(id), one)
	}
	v.Set(out)
}

// list decodes an array of tables. A member that is no table leaves an empty
// place, so that positions stay those of the file.
func (l *loader) list(f *field, c *node, path []any, v reflect.Value) {
	out := reflect.MakeSlice(f.typ, len(c.items), len(c.items))
	for i, item := range c.items {
		below := extend(path, i)
		if item.kind != kindTable {
			l.problem(item, below, "must be a table, not %s", item.kind)
			continue
		}
		f.sub.fill(out.Index(i))
		l.table(f.sub, item, below, out.Index(i))
	}
	v.Set(out)
}
