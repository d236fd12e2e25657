package config

import (
	"fmt"
	"os"
	"strings"
)

// Location is where the configuration is.
type Location struct {
	Path    string
	Example bool // one of the example files, which is worth a warning
}

// pathVariable is the environment variable that names the file.
const pathVariable = "CONFIG_PATH"

// places are looked at, in this order, when nothing names a file.
var places = [...]Location{
	{Path: "config.toml"},
	{Path: "config-example.toml", Example: true},
	{Path: "config/smart_ai_example.toml", Example: true},
}

// Locate finds the configuration file: flag (the value of --config, "" if it
// was not given), else the variable CONFIG_PATH, else the usual places in the
// working directory. A file that was named must exist. The error says what was
// tried and what to do. A nil getenv means os.Getenv.
func Locate(flag string, getenv func(string) string) (Location, error) {
	if getenv == nil {
		getenv = os.Getenv
	}
	if flag != "" {
		return named(flag, "--config")
	}
	if path := getenv(pathVariable); path != "" {
		return named(path, "the variable "+pathVariable)
	}
	var tried []string
	for _, place := range places {
		complaint := unusable(place.Path)
		if complaint == "" {
			return place, nil
		}
		tried = append(tried, "  ./"+place.Path+": "+complaint)
	}
	return Location{}, fmt.Errorf("no configuration file found; tried\n%s\n"+
		"Name one with --config or %s, write one with `berry-cli generate-config -o config.toml`,\n"+
		"or try Berry without one: `berry-api --demo`", strings.Join(tried, "\n"), pathVariable)
}

func named(path, by string) (Location, error) {
	if complaint := unusable(path); complaint != "" {
		return Location{}, fmt.Errorf("cannot use the configuration file %q that %s names: %s\n"+
			"A new one is written by `berry-cli generate-config -o FILE`; `berry-api --demo` needs none", path, by, complaint)
	}
	return Location{Path: path}, nil
}

// unusable says why there is no file at path, or "".
func unusable(path string) string {
	switch info, err := os.Stat(path); {
	case err != nil:
		return reason(err)
	case info.IsDir():
		return "it is a folder"
	}
	return ""
}
