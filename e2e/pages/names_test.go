package pages

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func text(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// An operation is a method and the pattern of its path.
type operation struct {
	method  string
	pattern *regexp.Regexp
}

// operations are those of docs/openapi.yaml, which a test in api keeps true.
func operations(t *testing.T) []operation {
	t.Helper()
	var out []operation
	var pattern *regexp.Regexp
	for line := range strings.Lines(text(t, "docs/openapi.yaml")) {
		if m := regexp.MustCompile(`^  (/\S*):\s*$`).FindStringSubmatch(line); m != nil {
			part := regexp.MustCompile(`\\\{[a-z_]+\\\}`).ReplaceAllString(regexp.QuoteMeta(m[1]), `\S+`)
			pattern = regexp.MustCompile(`^` + part + `$`)
		}
		if m := regexp.MustCompile(`^    (get|post):`).FindStringSubmatch(line); m != nil && pattern != nil {
			out = append(out, operation{strings.ToUpper(m[1]), pattern})
		}
	}
	if len(out) < 25 {
		t.Fatalf("only %d operations", len(out))
	}
	return out
}

var (
	asked  = regexp.MustCompile(`https?://(?:localhost|127\.0\.0\.1|gateway|berry-api)(?::300\d|:3000)?(/[^\s'"` + "`" + `?#)]*)`)
	posted = regexp.MustCompile(`(?:-X|--request) ?POST|(?:^| )(?:-d|-F|--form|--data(?:-binary|-raw)?) `)
	spoken = regexp.MustCompile(`^(GET|POST) (/[^\s?]*)(\?\S*)?$`)
)

// What pages ask of the server with curl, and what they call by method and path,
// are routes that there are.
func TestRoutesExist(t *testing.T) {
	all := operations(t)
	seen := 0
	check := func(b block, method, path string) {
		t.Helper()
		seen++
		if !slices.ContainsFunc(all, func(o operation) bool { return o.method == method && o.pattern.MatchString(path) }) {
			t.Errorf("%s:%d: there is no %s %s", b.page, b.line, method, path)
		}
	}
	for _, p := range allPages(t) {
		if p.name == "CHANGELOG.md" {
			continue // it tells of the past
		}
		for _, b := range p.blocks {
			for _, c := range b.commands() {
				if !strings.Contains(c.text, "curl ") {
					continue
				}
				for _, one := range strings.Split(c.text, "curl ")[1:] {
					for _, m := range asked.FindAllStringSubmatch(one, -1) {
						method := "GET"
						if posted.MatchString(one) {
							method = "POST"
						}
						check(c, method, m[1])
					}
				}
			}
		}
		for _, s := range p.spans {
			if m := spoken.FindStringSubmatch(s.text); m != nil && !strings.Contains(m[2], "*") && p.name != "docs/PROVIDERS.md" {
				check(s, m[1], m[2])
			}
		}
	}
	if seen < 30 {
		t.Errorf("only %d routes were looked at", seen)
	}
}

// Each route that docs/openapi.yaml describes is in docs/API_REFERENCE.md.
func TestReferenceHasEveryRoute(t *testing.T) {
	reference := text(t, "docs/API_REFERENCE.md")
	path := ""
	described := text(t, "docs/openapi.yaml")
	for line := range strings.Lines(described) {
		if m := regexp.MustCompile(`^  (/\S*):\s*$`).FindStringSubmatch(line); m != nil {
			path = m[1]
		}
		m := regexp.MustCompile(`^    (get|post):`).FindStringSubmatch(line)
		without := strings.Contains(described, "\n  /v1"+path+":\n") // said in words
		if m == nil || path == "" || without || path == "/status/{asset}" {
			continue
		}
		want := strings.ToUpper(m[1]) + " " + path
		if row := regexp.MustCompile("(?m)^\\| [^|]*`" + regexp.QuoteMeta(want) + "`"); !row.MatchString(reference) {
			t.Errorf("docs/API_REFERENCE.md has no %s in a table", want)
		}
	}
}

// What a page sets in passing, as in "public_status = false", is a key.
func TestKeysExist(t *testing.T) {
	keys := configurationKeys(t)
	set := regexp.MustCompile(`^(?:[a-z_<>*]+\.)*([a-z_]+) = `)
	seen := 0
	for _, p := range allPages(t) {
		for _, s := range p.spans {
			if m := set.FindStringSubmatch(s.text); m != nil {
				seen++
				if !slices.Contains(keys, m[1]) {
					t.Errorf("%s:%d: %s is no key of the configuration", s.page, s.line, m[1])
				}
			}
		}
	}
	if seen < 30 {
		t.Errorf("only %d keys were looked at", seen)
	}
}

// What looks like a metric on a page is one, or a key of the configuration. The
// metrics are those of the table in docs/OPERATIONS.md, which a test in api
// compares with a running server.
func TestMetricsExist(t *testing.T) {
	known := configurationKeys(t)
	_, table, _ := strings.Cut(text(t, "docs/OPERATIONS.md"), "\n## Metrics\n")
	table, _, _ = strings.Cut(table, "\n## ")
	metrics := 0
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)").FindAllStringSubmatch(table, -1) {
		metrics++
		known = append(known, m[1])
	}
	if metrics < 25 {
		t.Fatalf("only %d metrics", metrics)
	}
	name := regexp.MustCompile(`\b(?:http_[a-z_]+|backend_[a-z_]+|load_balance_[a-z_]+|smart_ai_[a-z_]+|circuit_breaker_[a-z_]+|berry_[a-z_]+)\b`)
	// Words that begin like a metric: log targets, an example file, the code of an error.
	known = append(known, "berry_api", "berry_loadbalance", "berry_relay", "smart_ai_example", "backend_pin_not_allowed")
	suffix := regexp.MustCompile(`_(bucket|sum|count)$`)
	for _, p := range allPages(t) {
		for _, b := range slices.Concat(p.blocks, p.spans) {
			for _, found := range name.FindAllString(b.text, -1) {
				if !slices.Contains(known, found) && !slices.Contains(known, suffix.ReplaceAllString(found, "")) {
					t.Errorf("%s:%d: %s is no metric and no key of the configuration", b.page, b.line, found)
				}
			}
		}
	}
}

// configurationKeys are the keys of docs/config.schema.json.
func configurationKeys(t *testing.T) []string {
	t.Helper()
	var schema any
	if err := json.Unmarshal([]byte(text(t, "docs/config.schema.json")), &schema); err != nil {
		t.Fatal(err)
	}
	var keys []string
	var walk func(any)
	walk = func(v any) {
		object, _ := v.(map[string]any)
		properties, _ := object["properties"].(map[string]any)
		for key, below := range properties {
			keys = append(keys, key)
			walk(below)
		}
		for _, inner := range []string{"additionalProperties", "items"} {
			if below, there := object[inner]; there {
				walk(below)
			}
		}
	}
	walk(schema)
	return keys
}
