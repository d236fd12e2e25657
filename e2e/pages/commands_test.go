package pages

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// build builds both programs and returns their folder.
func build(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	c := exec.Command("go", "build", "-o", dir+"/", "./api/cmd/berry-api", "./cli/cmd/berry-cli")
	c.Dir = root
	for _, v := range os.Environ() {
		// This module runs outside the workspace; the programs are built inside it.
		if !strings.HasPrefix(v, "GOWORK=") {
			c.Env = append(c.Env, v)
		}
	}
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return dir
}

// help is what a program prints of itself.
func help(t *testing.T, program string, args ...string) string {
	t.Helper()
	out, err := exec.Command(program, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", program, args, err, out)
	}
	return string(out)
}

var (
	flagLine = regexp.MustCompile(`(?m)^\s+(?:(-\w), )?(--[a-z-]+)`)
	listed   = regexp.MustCompile(`(?m)^  ([a-z-]+) +`)
	flagWord = regexp.MustCompile(`^(--?[a-zA-Z][a-z-]*)(=.*)?$`)
	// parts of a command line that are commands themselves
	partsOf = regexp.MustCompile(`\|\||&&|[|;&]|\$\(|<\(|\)`)
	// what may stand before the program: variables, sudo
	leading = regexp.MustCompile(`^(sudo |[A-Z_]+=(\$\([^)]*\)|"[^"]*"|\S*) |while |do |if )+`)
	quoted  = regexp.MustCompile(`'[^']*'|"[^"]*"`)
)

// flags are those that a help text explains.
func flags(text string) []string {
	out := []string{"-h", "--help"}
	for _, m := range flagLine.FindAllStringSubmatch(text, -1) {
		out = append(out, m[1], m[2])
	}
	return out
}

// calls are the command lines on a page that call a program, as words after its name.
func (p page) calls(program string) []block {
	name := regexp.MustCompile(`^(?:\./)?(?:bin/|/usr/local/bin/|/usr/bin/|go run \./(?:api|cli)/cmd/)?` + program + `(?: (.*))?$`)
	var out []block
	add := func(b block) {
		text := quoted.ReplaceAllString(b.text, "QUOTED")
		for _, part := range partsOf.Split(text, -1) {
			part = leading.ReplaceAllString(strings.TrimSpace(part)+" ", "")
			if m := name.FindStringSubmatch(strings.TrimSpace(part)); m != nil {
				out = append(out, block{page: b.page, line: b.line, text: m[1]})
			}
		}
	}
	for _, b := range p.blocks {
		if slices.Contains([]string{"", "sh", "bash", "console"}, b.lang) {
			for _, c := range b.commands() {
				add(c)
			}
		}
	}
	for _, s := range p.spans {
		add(s)
	}
	return out
}

// Each call of berry-cli and berry-api on any page names a command and flags that
// there are.
func TestCommandsExist(t *testing.T) {
	dir := build(t)
	cli, api := filepath.Join(dir, "berry-cli"), filepath.Join(dir, "berry-api")
	var commands []string
	for _, m := range listed.FindAllStringSubmatch(help(t, cli, "--help"), -1) {
		commands = append(commands, m[1])
	}
	known := map[string][]string{"": flags(help(t, cli, "--help"))}
	check := func(c block, program string, words, have []string) {
		t.Helper()
		for _, word := range words {
			if m := flagWord.FindStringSubmatch(word); m != nil && !slices.Contains(have, m[1]) {
				t.Errorf("%s:%d: %s has no flag %s: %s", c.page, c.line, program, m[1], c.text)
			}
		}
	}
	apiFlags := append(flags(help(t, api, "--help")), "--")
	calls := 0
	for _, p := range allPages(t) {
		for _, c := range p.calls("berry-cli") {
			calls++
			words := strings.Fields(c.text)
			command := ""
			if len(words) > 0 && !strings.HasPrefix(words[0], "-") {
				command = words[0]
			}
			if command == strings.ToUpper(command) { // none, or a placeholder
				check(c, "berry-cli", words, known[""])
				continue
			}
			if !slices.Contains(commands, command) {
				t.Errorf("%s:%d: berry-cli has no command %s", c.page, c.line, command)
				continue
			}
			if known[command] == nil {
				known[command] = flags(help(t, cli, command, "--help"))
				if command == "completion" { // its flags are those of the shells' commands
					known[command] = append(known[command], flags(help(t, cli, command, "bash", "--help"))...)
				}
			}
			check(c, "berry-cli "+command, words[1:], known[command])
		}
		for _, c := range p.calls("berry-api") {
			calls++
			check(c, "berry-api", strings.Fields(c.text), apiFlags)
		}
	}
	if calls < 60 {
		t.Errorf("only %d calls were looked at", calls)
	}
}

// Each block of TOML on a page has keys that the loader knows, with values that
// it takes. What a piece of a file refers to need not be there.
func TestConfigurationsLoad(t *testing.T) {
	cli := filepath.Join(build(t), "berry-cli")
	wrong := regexp.MustCompile(`unknown key|must be|is not one of|belongs in|twice|duplicate|too large|expected|invalid`)
	blocks := 0
	for _, p := range allPages(t) {
		for _, b := range p.blocks {
			if b.lang != "toml" || strings.Contains(b.text, "weighted_fallover") { // CONFIGURATION.md shows mistakes
				continue
			}
			blocks++
			file := filepath.Join(t.TempDir(), "config.toml")
			if err := os.WriteFile(file, []byte(b.text), 0o600); err != nil {
				t.Fatal(err)
			}
			var got struct {
				Valid    bool
				Problems []struct {
					Line    int
					Message string
				}
			}
			out, _ := exec.Command(cli, "validate-config", "--json", "-c", file).Output() // its status is in the answer
			if err := json.Unmarshal(out, &got); err != nil {
				t.Fatalf("%s:%d: %v: %s", b.page, b.line, err, out)
			}
			for _, problem := range got.Problems {
				if wrong.MatchString(problem.Message) {
					t.Errorf("%s:%d: %s", b.page, b.line+problem.Line-1, problem.Message)
				}
			}
		}
	}
	if blocks < 7 {
		t.Errorf("only %d blocks were looked at", blocks)
	}
}
