package config

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// update makes the tests write the files that they otherwise compare:
//
//	go test ./config -update
var update = flag.Bool("update", false, "write the golden files, the examples, CONFIGURATION.md and config.schema.json anew")

// golden compares got with the file at path, or writes it.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s is not what it should be (-file +now); go test ./config -update writes it anew:\n%s", path, d)
	}
}

func rootSection() *section { return describe(reflect.TypeFor[Config]()) }

// repository returns the path of a file outside this module, for the checkout
// that has both.
func repository(t *testing.T, name string) string {
	t.Helper()
	root := filepath.Join("..", "..")
	if _, err := os.Stat(filepath.Join(root, "go.work")); err != nil {
		t.Skip("the module stands alone: no repository around it")
	}
	return filepath.Join(root, filepath.FromSlash(name))
}

// mustLoad loads a text that has no problems, with an empty environment, and
// returns the warnings as text.
func mustLoad(t *testing.T, name string, data []byte) (*Config, []string) {
	t.Helper()
	got, err := Parse(name, data, fakeEnv(nil, nil))
	if err != nil {
		t.Fatalf("%s does not load:\n%v", name, err)
	}
	var warnings []string
	for _, w := range got.Warnings {
		warnings = append(warnings, w.String())
	}
	return got.Config, warnings
}

func TestTemplatesLoad(t *testing.T) {
	if _, warnings := mustLoad(t, "basic.toml", Basic()); len(warnings) > 0 {
		t.Errorf("the basic template warns: %q", warnings)
	}
	cfg, warnings := mustLoad(t, "advanced.toml", Advanced())
	if len(warnings) > 0 {
		t.Errorf("the advanced template warns: %q", warnings)
	}
	used := make(map[string]bool)
	for _, m := range cfg.Models {
		used[m.Strategy] = true
	}
	if len(used) != 8 {
		t.Errorf("the advanced template shows %d strategies, want 8: %v", len(used), used)
	}
	if d := cmp.Diff(Default(), cfg.Settings); d != "" {
		t.Errorf("the advanced template's settings are not the defaults (-default +template):\n%s", d)
	}
}

// TestAdvancedMentionsEveryKey walks the schema: each key must stand at the
// start of a line, commented out or not, below its table's header.
func TestAdvancedMentionsEveryKey(t *testing.T) {
	text := make(map[string]bool) // header + key
	header := ""
	for line := range strings.Lines(string(Advanced())) {
		line = strings.TrimLeft(strings.TrimSpace(line), "# ")
		if strings.HasPrefix(line, "[") {
			header = strings.Trim(line, "[]")
		}
		if key, _, ok := strings.Cut(line, " = "); ok {
			text[header+" "+key] = true
		}
	}
	var walk func(prefix string, s *section)
	walk = func(prefix string, s *section) {
		for _, f := range s.fields {
			if f.sub == nil {
				if !text[prefix+" "+f.key] {
					t.Errorf("the advanced template does not mention %s in [%s]", f.key, prefix)
				}
				continue
			}
			below := strings.TrimPrefix(prefix+"."+f.key, ".")
			if f.shape == shapeTables {
				below += ".example"
			}
			walk(below, f.sub)
		}
	}
	walk("", rootSection())
}

func TestExampleFiles(t *testing.T) {
	// The first line is for editors, and relative to the file: generate-config leaves it out.
	golden(t, repository(t, "config-example.toml"), append([]byte("#:schema docs/config.schema.json\n\n"), Advanced()...))

	smart, err := os.ReadFile(repository(t, "smart_ai_example.toml"))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, repository(t, "config/smart_ai_example.toml"), bytes.Replace(smart, []byte("docs/"), []byte("../docs/"), 1))
	cfg, warnings := mustLoad(t, "smart_ai_example.toml", smart)
	if len(warnings) > 0 {
		t.Errorf("smart_ai_example.toml warns: %q", warnings)
	}
	for id, m := range cfg.Models {
		if m.Strategy != "smart_ai" {
			t.Errorf("model %s of smart_ai_example.toml has the strategy %s", id, m.Strategy)
		}
	}
}
