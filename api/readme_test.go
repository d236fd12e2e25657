package api_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/loadbalance"
)

// What the README shows has to work as it stands there.

func readme(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// quickStart returns the README's configuration.
func quickStart(t *testing.T) string {
	t.Helper()
	block := regexp.MustCompile("(?s)```toml\n(.*?)```").FindStringSubmatch(readme(t))
	if block == nil {
		t.Fatal("the README shows no configuration")
	}
	return regexp.MustCompile(`(?m)^   `).ReplaceAllString(block[1], "")
}

// parseConfig loads a configuration with a value for each variable that it names.
func parseConfig(t *testing.T, text string) *config.Loaded {
	t.Helper()
	loaded, err := config.Parse("config.toml", []byte(text), config.Env{
		Lookup: func(name string) (string, bool) {
			if !strings.Contains(text, "${"+name+"}") {
				return "", false
			}
			return "value-of-" + name, true
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

func TestReadmeConfigurationLoads(t *testing.T) {
	loaded := parseConfig(t, quickStart(t))
	if len(loaded.Warnings) > 0 {
		t.Errorf("warnings: %v", loaded.Warnings)
	}
	if got := loaded.Config.Users["alice"].Token.Reveal(); got != "value-of-ALICE_TOKEN" {
		t.Errorf("Alice's token is %q, want that of the variable", got)
	}
}

// The strategies stand in the balancer, in the configuration's schema and in the
// README; a new one has to be put in all three.
func TestStrategiesAreTheSameEverywhere(t *testing.T) {
	names := loadbalance.StrategyNames()
	table := section(t, "### Strategies")
	var listed []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|").FindAllStringSubmatch(table, -1) {
		listed = append(listed, row[1])
	}
	slices.Sort(listed)
	if d := cmp.Diff(names, listed); d != "" {
		t.Errorf("strategies (-loadbalance +README):\n%s", d)
	}
	text := quickStart(t)
	if strings.Count(text, `"weighted_failover"`) != 1 {
		t.Fatal("the README's configuration does not set a strategy")
	}
	for _, name := range names {
		if _, err := loadbalance.ParseStrategy(name); err != nil {
			t.Error(err)
		}
		parseConfig(t, strings.Replace(text, `"weighted_failover"`, `"`+name+`"`, 1))
	}
}

// section returns the part of the README under a heading, to the next one.
func section(t *testing.T, heading string) string {
	t.Helper()
	_, after, found := strings.Cut(readme(t), "\n"+heading+"\n")
	if !found {
		t.Fatalf("the README has no %q", heading)
	}
	text, _, _ := strings.Cut(after, "\n#")
	return text
}
