package config

import (
	"bytes"
	"fmt"
	"os"
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
			fmt.Fprintf(out, "| `%s` | %s | %s | %s |\n", f.key, absence(f), domain(f), strings.TrimSpace(stars.Replace(f.doc)+" "+notes(f)))
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

func notes(f *field) string {
	if f.env == "" {
		return ""
	}
	return "The variable `" + f.env + "` goes first."
}
