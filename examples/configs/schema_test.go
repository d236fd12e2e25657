package configs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// The schema that editors use says of a file what the loader says of it, as far
// as a schema can.

const root = "../.."

// schemaFile is the only one; a test in core keeps it what the loader knows.
var schemaFile = filepath.Join(root, "docs", "config.schema.json")

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	schema, err := jsonschema.NewCompiler().Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// against returns what the schema says of a file.
func against(t *testing.T, schema *jsonschema.Schema, path string) error {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var document map[string]any
	if err := toml.Unmarshal(text, &document); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return schema.Validate(document)
}

func files(t *testing.T, patterns ...string) []string {
	t.Helper()
	var out []string
	for _, pattern := range patterns {
		found, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(pattern)))
		if err != nil || len(found) == 0 {
			t.Fatalf("no files match %s: %v", pattern, err)
		}
		out = append(out, found...)
	}
	return out
}

// Each file that is meant to be looked at or copied names the schema in its
// first line, in the form that editors read, and agrees with it.
func TestExamplesNameTheSchema(t *testing.T) {
	schema := compiled(t)
	for _, path := range files(t, "*.toml", "config/*.toml", "deploy/compose/*.toml", "docs/*.toml", "examples/configs/*.toml") {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(string(text), "\n")
		named, ok := strings.CutPrefix(first, "#:schema ")
		if want := schemaFile; !ok || filepath.Join(filepath.Dir(path), named) != want {
			t.Errorf("%s begins with %q, which does not lead to %s", path, first, want)
		}
		if err := against(t, schema, path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// What the loader takes, the schema takes. The server in examples/server has a
// strategy of its own, which no schema can know, so its file is not here.
func TestSchemaTakesWhatLoads(t *testing.T) {
	schema := compiled(t)
	for _, path := range files(t, "core/config/testdata/good/*.toml", "deploy/package/*.toml") {
		if err := against(t, schema, path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// What the loader refuses, the schema refuses too, unless it takes more than a
// look at each value: names that must exist, addresses, variables, duplicates.
func TestSchemaRefusesWrongKeysAndTypes(t *testing.T) {
	beyond := []string{
		"address", "admin-address", "discover", "duplicates", "extend", "log-level", "secrets", "settings", "variables",
		"syntax", "syntax-bytes", "syntax-multiline", "syntax-unclosed", // no TOML at all
		"ranges", // has a number that no TOML reader takes; ranges are tried below
	}
	schema := compiled(t)
	refused := 0
	for _, path := range files(t, "core/config/testdata/bad/*.toml") {
		if slices.Contains(beyond, strings.TrimSuffix(filepath.Base(path), ".toml")) {
			continue
		}
		refused++
		if against(t, schema, path) == nil {
			t.Errorf("%s passes", path)
		}
	}
	if refused < 6 {
		t.Errorf("only %d files were looked at", refused)
	}
}

// One mistake at a time, each of which the schema has to see.
func TestSchemaSeesEachMistake(t *testing.T) {
	schema := compiled(t)
	const good = `
[providers.a]
base_url = "https://a.example"
[models.m]
strategy = "failover"
[[models.m.backends]]
provider = "a"
model = "x"
weight = 1.5
[users.u]
token = "0123456789abcdef"
rate_limit = { requests_per_minute = 1 }
`
	f := func(from, to string, fine bool) {
		t.Helper()
		if strings.Count(good, from) != 1 {
			t.Fatalf("%q is not in the file once", from)
		}
		var document map[string]any
		if err := toml.Unmarshal([]byte(strings.Replace(good, from, to, 1)), &document); err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(document); (err == nil) != fine {
			t.Errorf("%q for %q: %v", to, from, err)
		}
	}
	f(`weight = 1.5`, `weight = 100`, true)
	f(`"failover"`, `"${STRATEGY:-failover}"`, true)
	f(`weight = 1.5`, `weight = 0`, false)
	f(`weight = 1.5`, `weight = 100.1`, false)
	f(`weight = 1.5`, `weight = "1"`, false)
	f(`weight = 1.5`, `wieght = 1`, false)
	f(`"failover"`, `"fallover"`, false)
	f(`"https://a.example"`, `""`, false)
	f(`model = "x"`, ``, false)
	f(`requests_per_minute = 1`, `requests_per_minute = 0`, false)
	f(`requests_per_minute = 1`, `requests_per_minute = 1.5`, false)
	f(`[providers.a]`, `[provider.a]`, false)
	f(`[[models.m.backends]]`, `[models.m.backends]`, false)
}
