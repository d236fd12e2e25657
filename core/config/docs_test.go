package config

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// sampleMistakes is the file whose report the documentation shows.
const sampleMistakes = `[settings]
request_timeout_secs = 30

[providers.openai]
base_url = "https://api.openai.com/v1"
api_key = "${OPENAI_API_KEY}"
models = ["gpt-4o", "gpt-4o-mini"]

[models.chat]
strategy = "weighted_fallover"

[[models.chat.backends]]
provider = "opnai"
model = "gpt-4o"

[[models.chat.backends]]
provider = "openai"
model = "gpt4o"
weight = -1

[users.ann]
api_key = "sk-this-is-not-shown"
`

// TestDocs keeps docs/CONFIGURATION.md what the schema says.
func TestDocs(t *testing.T) {
	golden(t, repository(t, "docs/CONFIGURATION.md"), documentation(t))
}

func documentation(t *testing.T) []byte {
	t.Helper()
	head, err := os.ReadFile("testdata/configuration-head.md")
	if err != nil {
		t.Fatal(err)
	}
	_, report := Parse("config.toml", []byte(sampleMistakes), fakeEnv(nil, nil))
	if report == nil {
		t.Fatal("the sample of mistakes has none")
	}
	out := bytes.NewBufferString(strings.NewReplacer("@MISTAKES@\n", sampleMistakes, "@REPORT@", report.Error()).Replace(string(head)))
	for _, f := range rootSection().fields {
		path := f.key
		if f.shape == shapeTables {
			path += ".<id>"
		}
		describeTable(out, documented{path, "[" + path + "]", f.doc, f.sub})
	}
	return out.Bytes()
}

// documented is one table of the file, for the documentation.
type documented struct {
	path, title, doc string
	section          *section
}

func describeTable(out *bytes.Buffer, d documented) {
	fmt.Fprintf(out, "\n### `%s`\n\n%s\n\n| key | default | range | meaning |\n|---|---|---|---|\n", d.title, d.doc)
	for _, f := range d.section.fields {
		if f.sub == nil {
			fmt.Fprintf(out, "| `%s` | %s | %s | %s |\n", f.key, absence(f), domain(f), strings.TrimSpace(stars.Replace(f.doc)+" "+notes(f, d.path)))
		}
	}
	for _, f := range d.section.fields {
		path := d.path + "." + f.key
		switch f.shape {
		case shapeTable:
			describeTable(out, documented{path, "[" + path + "]", f.doc, f.sub})
		case shapeList:
			describeTable(out, documented{path + ".<n>", "[[" + path + "]]", f.doc, f.sub})
		}
	}
}

// stars keeps Markdown from taking *** and /* for emphasis.
var stars = strings.NewReplacer("*", `\*`)

// absence says what holds when the key is not there.
func absence(f *field) string {
	switch {
	case f.required:
		return "required"
	case f.unset != "":
		return f.unset
	case f.def != "":
		return "`" + f.def + "`"
	case f.shape == shapeStrings:
		return "`[]`"
	case f.shape == shapeHeaders:
		return "`{}`"
	}
	return "none"
}

// domain says what values the key takes.
func domain(f *field) string {
	switch {
	case f.enum != nil:
		return "`" + strings.Join(f.enum, "`, `") + "`"
	case f.shape == shapeBool:
		return "`true`, `false`"
	case f.shape == shapeStrings:
		return "strings"
	case f.shape == shapeHeaders:
		return "names and values"
	case f.shape == shapeInteger:
		return strings.TrimSpace("whole, " + f.bounds())
	case f.shape == shapeNumber:
		return f.bounds()
	}
	return "text"
}

func notes(f *field, table string) string {
	var notes []string
	if f.env != "" {
		notes = append(notes, "The variable `"+f.env+"` goes first.")
	}
	key := strings.NewReplacer("<id>", "*", "<n>", "*").Replace(table + "." + f.key)
	values := make(map[string][]string) // note -> values
	for _, p := range pending() {
		if p.key != key {
			continue
		}
		if p.value == "" {
			notes = append(notes, "**Not yet in effect**: "+p.note+".")
			continue
		}
		values[p.note] = append(values[p.note], "`"+p.value+"`")
	}
	for _, note := range slices.Sorted(maps.Keys(values)) {
		notes = append(notes, strings.Join(values[note], ", ")+": **not yet in effect**, "+note+".")
	}
	return strings.Join(notes, " ")
}

// TestPending checks that the table of pending keys names keys and values that
// exist, and none that a file gets by default.
func TestPending(t *testing.T) {
	for _, p := range pending() {
		steps := strings.Split(p.key, ".")
		s, f := rootSection(), (*field)(nil)
		for _, step := range steps {
			if step == "*" {
				continue
			}
			if s == nil || s.lookup(step) == nil {
				t.Fatalf("%s: there is no key %s", p.key, step)
			}
			f = s.lookup(step)
			s = f.sub
		}
		switch {
		case s != nil:
			t.Errorf("%s is a table, not a key", p.key)
		case p.value != "" && p.value == f.def:
			t.Errorf("%s: %s is the default", p.key, p.value)
		case f.enum != nil && !slices.Contains(f.enum, p.value):
			t.Errorf("%s cannot be %q", p.key, p.value)
		case p.note == "":
			t.Errorf("%s: nothing says what happens instead", p.key)
		}
	}
}

// TestPendingEverywhere checks that the table may name any key, also one of a
// listing.
func TestPendingEverywhere(t *testing.T) {
	l := &loader{name: "c.toml", env: fakeEnv(nil, nil), schema: rootSection(), doc: parse([]byte(
		"[models.a]\nbackends = [{}, { tags = [\"x\"], weight = 2 }]\n[settings.tls]\ncert_file = \"c\"\n"))}
	cfg := l.read()
	l.warnings = nil
	l.warnPending(cfg, []pendingKey{
		{"models.*.backends.*.weight", "", "n1"},
		{"models.*.backends.*.weight", "2", "n2"},
		{"models.*.backends.*.weight", "3", "n3"},
		{"settings.tls.cert_file", "", "n4"},
		{"users.*.name", "", "n5"},
	})
	want := "c.toml:2:42: models.a.backends[1].weight: this key is not yet in effect in this version: n1\n" +
		"    backends = [{}, { tags = [\"x\"], weight = 2 }]\n" +
		"c.toml:2:42: models.a.backends[1].weight: 2 is not yet in effect in this version: n2\n" +
		"    backends = [{}, { tags = [\"x\"], weight = 2 }]\n" +
		"c.toml:4:13: settings.tls.cert_file: this key is not yet in effect in this version: n4\n" +
		"    cert_file = \"c\"\n"
	if got := report(l.finish(l.warnings)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestSchema checks the tags that nothing else would: every key is documented
// and has an example, and every default is one of the values it may have.
func TestSchema(t *testing.T) {
	var walk func(path string, s *section)
	walk = func(path string, s *section) {
		for _, f := range s.fields {
			at := path + "." + f.key
			if f.doc == "" || !strings.HasSuffix(f.doc, ".") {
				t.Errorf("%s: the doc tag must be a sentence", at)
			}
			if f.sub != nil {
				walk(at, f.sub)
				continue
			}
			if value, _ := f.example(); strings.Trim(value, `"[]`) == "" {
				t.Errorf("%s: there is neither a default nor a sample", at)
			}
			if f.enum != nil && !slices.Contains(f.enum, f.def) {
				t.Errorf("%s: the default %q is not one of %q", at, f.def, f.enum)
			}
		}
	}
	walk("", rootSection())
}
