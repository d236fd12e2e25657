package config

import (
	"os"
	"path/filepath"
	"testing"
)

func TestLocate(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	f := func(flag, variable string, want Location, wantErr string) {
		t.Helper()
		got, err := Locate(flag, func(name string) string {
			if name == "CONFIG_PATH" {
				return variable
			}
			return ""
		})
		text := ""
		if err != nil {
			text = err.Error()
		}
		if got != want || text != wantErr {
			t.Errorf("flag %q, CONFIG_PATH %q:\ngot  %v, %q\nwant %v, %q", flag, variable, got, text, want, wantErr)
		}
	}
	write := func(name string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	hint := "\nA new one is written by `berry-cli generate-config -o FILE`; `berry-api --demo` needs none"

	f("", "", Location{}, "no configuration file found; tried\n"+
		"  ./config.toml: it does not exist\n"+
		"  ./config-example.toml: it does not exist\n"+
		"  ./config/smart_ai_example.toml: it does not exist\n"+
		"Name one with --config or CONFIG_PATH, write one with `berry-cli generate-config -o config.toml`,\n"+
		"or try Berry without one: `berry-api --demo`")

	write("config/smart_ai_example.toml")
	f("", "", Location{Path: "config/smart_ai_example.toml", Example: true}, "")
	write("config-example.toml")
	f("", "", Location{Path: "config-example.toml", Example: true}, "")
	write("config.toml")
	f("", "", Location{Path: "config.toml"}, "")
	write("other.toml")
	f("", "other.toml", Location{Path: "other.toml"}, "")
	f("other.toml", "nowhere.toml", Location{Path: "other.toml"}, "")

	// What is named must exist: config.toml, which does, is no substitute.
	f("", "nowhere.toml", Location{}, `cannot use the configuration file "nowhere.toml" that the variable CONFIG_PATH names: it does not exist`+hint)
	f("nowhere.toml", "other.toml", Location{}, `cannot use the configuration file "nowhere.toml" that --config names: it does not exist`+hint)
	f(dir, "", Location{}, `cannot use the configuration file "`+dir+`" that --config names: it is a folder`+hint)

	t.Setenv("CONFIG_PATH", "other.toml")
	if got, err := Locate("", nil); err != nil || got.Path != "other.toml" {
		t.Errorf("without a getenv: got %v, %v", got, err)
	}
}
