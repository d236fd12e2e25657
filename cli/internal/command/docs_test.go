package command

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Every command has its section in the reference, with every one of its flags,
// and the reference has no section for a command that is not there.
func TestReferenceIsComplete(t *testing.T) {
	sections := reference(t)
	root := newRoot(&session{})
	names := map[string]bool{}
	for _, c := range root.Commands() {
		names[c.Name()] = true
		body, ok := sections[c.Name()]
		if !ok {
			t.Errorf("docs/CLI.md has no section `%s`", c.Name())
			continue
		}
		mentioned(t, c.Name(), body, c.LocalNonPersistentFlags())
		for _, sub := range c.Commands() {
			if !strings.Contains(body, sub.Name()) {
				t.Errorf("docs/CLI.md says nothing of %s", sub.CommandPath())
			}
			mentioned(t, c.Name(), body, sub.LocalNonPersistentFlags())
		}
	}
	mentioned(t, "flags of every command", sections["Flags of every command"], root.PersistentFlags())
	for title := range sections {
		looksLikeCommand := strings.ToLower(title) == title
		if looksLikeCommand && !names[title] {
			t.Errorf("docs/CLI.md describes `%s`, which is no command", title)
		}
	}
}

// Each field of each JSON result is in its command's section.
func TestReferenceNamesEveryField(t *testing.T) {
	sections := reference(t)
	f := func(command string, results ...any) {
		t.Helper()
		for _, result := range results {
			for field := range reflect.TypeOf(result).Fields() {
				name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
				if name != "" && !strings.Contains(sections[command], `"`+name+`"`) {
					t.Errorf("docs/CLI.md: %s: the field %q is missing", command, name)
				}
			}
		}
	}
	f("validate-config", validation{}, problem{})
	f("generate-config", generated{})
	f("health-check", checkup{}, checkResult{})
	f("test-backend", trial{}, trialUsage{})
	f("mock", mocked{})
	f("metrics", figures{}, providerFigures{}, modelFigures{})
	f("decisions", listed{})
	f("explain", decision{}, candidate{}, attemptMade{})
	f("simulate", simulated{}, simulatedWorld{}, simulatedStrategy{}, simulatedBackend{}, simulatedEpisode{}, simulatedSlice{})
	f("generate-token", hashed{})
	f("version", build{})
}

// reference is docs/CLI.md by section.
func reference(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../../docs/CLI.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for _, section := range strings.Split("\n"+string(text), "\n## ")[1:] {
		title, body, _ := strings.Cut(section, "\n")
		sections[strings.Trim(title, "`")] = body
	}
	return sections
}

func mentioned(t *testing.T, where, body string, flags *pflag.FlagSet) {
	t.Helper()
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Name == "help" {
			return
		}
		if !strings.Contains(body, "--"+f.Name) {
			t.Errorf("docs/CLI.md: %s: --%s is missing", where, f.Name)
		}
		if f.Shorthand != "" && !strings.Contains(body, "`-"+f.Shorthand) {
			t.Errorf("docs/CLI.md: %s: -%s is missing", where, f.Shorthand)
		}
	})
}

// Commands and flags explain themselves.
func TestEverythingHasHelp(t *testing.T) {
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		if c.Short == "" {
			t.Errorf("%s has no short description", c.CommandPath())
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s --%s has no description", c.CommandPath(), f.Name)
			}
		})
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(newRoot(&session{}))
}
