package config

import (
	"bytes"
	"embed"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"text/template"
)

//go:embed templates/*.tmpl
var templates embed.FS

// Basic returns a commented configuration file with the least that is needed.
// It loads as it is, with or without the variables that it names.
func Basic() []byte { return render("basic.toml.tmpl") }

// Advanced returns a commented configuration file that explains every key and
// shows every strategy. It loads as it is, with or without the variables that
// it names.
func Advanced() []byte { return render("advanced.toml.tmpl") }

// render fills in a template: {{settings}} becomes the settings with their
// defaults, {{reference "providers"}} a comment with every key of a provider.
func render(name string) []byte {
	schema := describe(reflect.TypeFor[Config]())
	t := template.New(name).Funcs(template.FuncMap{
		"settings": func() string {
			var w templateWriter
			w.section("settings", schema.lookup("settings").sub)
			return strings.TrimSpace(w.String())
		},
		"reference": func(table string) string {
			w := templateWriter{prefix: "# "}
			w.section(table+".example", schema.lookup(table).sub)
			return strings.TrimSpace(w.String())
		},
	})
	var out bytes.Buffer
	if err := template.Must(t.ParseFS(templates, "templates/"+name)).Execute(&out, nil); err != nil {
		panic(err) // the templates are part of the program, and tests render them
	}
	return out.Bytes()
}

// templateWriter writes tables with a comment above each key.
type templateWriter struct {
	strings.Builder
	prefix string // before every line
}

func (w *templateWriter) line(text string) {
	w.WriteString(strings.TrimRight(w.prefix+text, " ") + "\n")
}

func (w *templateWriter) section(path string, s *section) {
	w.line("[" + path + "]")
	w.keys(s)
	for _, f := range s.fields {
		switch f.shape {
		case shapeTable:
			w.line("")
			w.comment(f.doc)
			w.section(path+"."+f.key, f.sub)
		case shapeList:
			w.line("")
			w.comment(f.doc)
			w.line("[[" + path + "." + f.key + "]]")
			w.keys(f.sub)
		}
	}
}

func (w *templateWriter) keys(s *section) {
	for i, f := range s.fields {
		if f.sub != nil {
			continue
		}
		if i > 0 {
			w.line("")
		}
		w.comment(strings.TrimSpace(f.doc + " " + f.choices()))
		if value, isDefault := f.example(); isDefault || f.required {
			w.line(f.key + " = " + value)
		} else {
			w.line("# " + f.key + " = " + value)
		}
	}
}

// comment wraps text at a readable width.
func (w *templateWriter) comment(text string) {
	const width = 96
	line := "#"
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > width && line != "#" {
			w.line(line)
			line = "#"
		}
		line += " " + word
	}
	w.line(line)
}

// choices says what values a key takes and what its absence means, in a
// sentence for a comment.
func (f *field) choices() string {
	var parts []string
	switch {
	case f.enum != nil:
		parts = append(parts, "One of "+strings.Join(f.enum, ", ")+".")
	case f.bounds() != "":
		bounds := f.bounds()
		parts = append(parts, strings.ToUpper(bounds[:1])+bounds[1:]+".")
	}
	if f.env != "" {
		parts = append(parts, "The variable "+f.env+" goes first.")
	}
	if f.unset != "" {
		parts = append(parts, "Unset: "+f.unset+".")
	}
	return strings.Join(parts, " ")
}

// example is a value for f in TOML, and whether it is f's default.
func (f *field) example() (value string, isDefault bool) {
	switch f.shape {
	case shapeStrings:
		members := strings.Split(f.sample, "|")
		for i, m := range members {
			members[i] = strconv.Quote(m)
		}
		return "[" + strings.Join(members, ", ") + "]", false
	case shapeHeaders:
		name, text, _ := strings.Cut(f.sample, "=")
		return fmt.Sprintf("{ %s = %q }", name, text), false
	case shapeString:
		if f.def != "" {
			return strconv.Quote(f.def), true
		}
		return strconv.Quote(f.sample), false
	case shapeBool:
		if f.unset != "" {
			return "true", false
		}
		return strconv.FormatBool(f.def == "true"), true
	default:
		if f.def != "" {
			return f.def, true
		}
		return f.sample, false
	}
}
