package config_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/core/config"
)

const before = `
[settings]
log_level = "info"
max_retries = 2
[settings.smart_ai.confidence_adjustments]
success_boost = 0.1
[providers.one]
base_url = "http://127.0.0.1:1"
api_key = "canary-key-1"
[providers.two]
base_url = "http://127.0.0.1:2"
[providers."three.x"]
base_url = "http://127.0.0.1:3"
[models.m]
[[models.m.backends]]
provider = "one"
model = "x"
[users.ann]
token = "canary-token-of-ann"
[users.bob]
token = "canary-token-of-bob"
`

func parsed(t *testing.T, text string) *config.Config {
	t.Helper()
	cfg, err := config.Parse("c.toml", []byte(text), config.Env{Lookup: func(string) (string, bool) { return "", false }})
	if err != nil {
		t.Fatal(err)
	}
	return cfg.Config
}

func TestDiff(t *testing.T) {
	none := func(edit func(*config.Changes)) config.Changes {
		empty := func() config.Changed {
			return config.Changed{Added: []string{}, Removed: []string{}, Changed: []string{}}
		}
		c := config.Changes{Providers: empty(), Models: empty(), Users: empty(), Settings: []string{}}
		edit(&c)
		return c
	}
	f := func(want config.Changes, replacements ...string) {
		t.Helper()
		after := strings.NewReplacer(replacements...).Replace(before)
		got := config.Diff(parsed(t, before), parsed(t, after))
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%q (-want +got):\n%s", replacements, d)
		}
		if empty := cmp.Equal(want, none(func(*config.Changes) {})); got.IsEmpty() != empty {
			t.Errorf("%q: IsEmpty is %v", replacements, got.IsEmpty())
		}
		if text, err := json.Marshal(got); err != nil || strings.Contains(string(text), "canary") {
			t.Errorf("%q: %v %s", replacements, err, text)
		}
	}
	f(none(func(*config.Changes) {}))
	f(none(func(*config.Changes) {}), "[providers.two]", "# a comment\n[providers.two]")
	f(none(func(c *config.Changes) { c.Providers.Changed = []string{"one"} }), "canary-key-1", "canary-key-2")
	f(none(func(c *config.Changes) { c.Users.Changed = []string{"ann", "bob"} }), "token-of-", "token-of-old-")
	f(none(func(c *config.Changes) { c.Models.Changed = []string{"m"} }), `model = "x"`, `model = "y"`)
	f(none(func(c *config.Changes) {
		c.Providers.Added, c.Providers.Removed = []string{"four"}, []string{"two"}
		c.Users.Added = []string{"eve"}
	}), "providers.two", "providers.four", "[users.ann]", "[users.eve]\ntoken = \"canary-token-of-eve\"\n[users.ann]")
	f(none(func(c *config.Changes) {
		c.Settings = []string{"log_level", "smart_ai.confidence_adjustments.success_boost", "tls.cert_file", "tls.key_file", "trusted_proxies"}
		c.Settings = append(c.Settings, "hsts", "security_headers")
		slices.Sort(c.Settings)
	}), `"info"`, "\"debug\"\ntrusted_proxies = [\"10.0.0.1\"]\ntls.cert_file = \"a\"\ntls.key_file = \"b\"", "boost = 0.1", "boost = 0.2")
	// A setting that is written out with its default is no change.
	f(none(func(*config.Changes) {}), "max_retries = 2", "max_retries = 2\nmax_internal_retries = 2")
}

func TestChangesByPath(t *testing.T) {
	after := strings.NewReplacer(`providers."three.x"`, `providers."four.x"`, "canary-token-of-ann", "canary-token-of-eve", "max_retries = 2", "").Replace(before)
	c := config.Diff(parsed(t, before), parsed(t, after))
	f := func(want string, got []string) {
		t.Helper()
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s, want %s", s, want)
		}
	}
	f(`providers."four.x"`, c.Added())
	f(`providers."three.x"`, c.Removed())
	f(`users.ann settings.max_retries`, c.Altered())
}

// Whoever reloads takes an empty difference for an unchanged configuration, so
// that no setting may escape it.
func TestDiffSeesEverySetting(t *testing.T) {
	n := 0
	var f func(path string, v reflect.Value, of *config.Config)
	f = func(path string, v reflect.Value, of *config.Config) {
		for i := range v.NumField() {
			field, name := v.Field(i), path+"."+v.Type().Field(i).Name
			old := reflect.New(field.Type()).Elem()
			old.Set(field)
			switch field.Kind() {
			case reflect.Struct:
				f(name, field, of)
				continue
			case reflect.String:
				field.SetString("another")
			case reflect.Bool:
				field.SetBool(!field.Bool())
			case reflect.Int, reflect.Int64:
				field.SetInt(field.Int() + 1)
			case reflect.Float64:
				field.SetFloat(field.Float() + 1)
			case reflect.Slice:
				field.Set(reflect.ValueOf([]string{"another"}))
			default:
				t.Fatalf("%s is of the kind %s, which this test does not know", name, field.Kind())
			}
			if c := config.Diff(parsed(t, before), of); len(c.Settings) != 1 || c.IsEmpty() {
				t.Errorf("%s changed, and the difference is %+v", name, c)
			}
			field.Set(old)
			n++
		}
	}
	cfg := parsed(t, before)
	f("Settings", reflect.ValueOf(&cfg.Settings).Elem(), cfg)
	if n < 40 {
		t.Errorf("only %d settings", n)
	}
}
