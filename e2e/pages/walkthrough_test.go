package pages

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// elsewhere are commands of the pages that .ci/run runs itself, each with the
// words of .ci/run that do: running them here again would take minutes, or
// never end. BERRY_WALKTHROUGH=all runs go test work here too.
func elsewhere() map[string]string {
	return map[string]string{
		"go test work": "step test go test -count=1 work",
		"make quick":   "step lint lint", // its parts are steps of their own
		"make check":   "set -euo pipefail",
	}
}

// A walk is one page, walked through from its top.
type walk struct {
	page  string
	start string            // where the user is: "" in an empty folder, else in a clone
	want  map[string]string // what a command must print, by a part of the command
	fakes map[string]string // addresses of real providers, and the model of the fake one in its place
}

func walks() []walk {
	return []walk{
		{
			page: "README.md", start: "clone",
			want: map[string]string{
				"--demo":          `(?s)Base URL.*curl `,
				"validate-config": `Configuration is valid\n  - 2 providers configured\n  - 1 models? configured\n  - 1 users? configured`,
				"curl":            `(?s)"content".*data: \[DONE\]`,
				"make":            `make check`,
			},
			fakes: map[string]string{"https://api.openai.com": "gpt-4o", "https://llm.example.com": "gpt-4o-2024-11-20"},
		},
		{
			page: "docs/QUICKSTART.md",
			want: map[string]string{
				"--version":       `berry-api `,
				"validate-config": `Configuration is valid`,
				"health-check":    `Health check completed`,
				"/health":         `"status":"healthy"`,
				"/v1/models":      `"id":"gpt-4o"`,
				`"stream": true`:  `data: \[DONE\]`,
				"decisions":       `✅ success`,
				"metrics":         `steady`,
				"/smart-ai/":      `"confidence":`,
				"explain":         `(?s)Candidates.*Attempts`,
				"reload-config":   `"status":"(reloaded|unchanged)"`,
			},
		},
	}
}

// TestWalkthrough does what README.md and docs/QUICKSTART.md say, in their order,
// in a fresh clone of what is committed. Providers that would need a key are
// fake; ports are free ones; curl fails where a status says so.
func TestWalkthrough(t *testing.T) {
	for _, tool := range []string{"git", "make", "curl", "bash"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is missing: the pages are not walked through", tool)
		}
	}
	for _, w := range walks() {
		t.Run(filepath.Base(w.page), w.walk)
	}
}

func (w walk) walk(t *testing.T) {
	repository, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	clone := exec.Command("git", "clone", "-q", repository, filepath.Join(dir, "clone"))
	if out, err := clone.CombinedOutput(); err != nil {
		t.Fatalf("git clone: %v: %s", err, out)
	}
	source := filepath.Join(dir, "clone") // the page as a new user has it
	folder := source
	if w.start == "" {
		folder = t.TempDir()
	}
	port := free(t)
	replace := []string{"127.0.0.1:3000", "127.0.0.1:" + port, "127.0.0.1:4010", "127.0.0.1:" + free(t), "127.0.0.1:4011", "127.0.0.1:" + free(t)}
	for address, model := range w.fakes {
		replace = append(replace, address, provider(t, model))
	}
	s := open(t, folder, port, strings.NewReplacer(replace...), w.environment(t, repository, port))
	ci, err := os.ReadFile(filepath.Join(root, ".ci", "run"))
	if err != nil {
		t.Fatal(err)
	}
	met := map[string]bool{}
	for _, b := range read(t, source, w.page).blocks {
		switch b.lang {
		case "toml":
			w.file(t, s, b)
		case "python":
			w.python(t, s, b)
		case "sh":
			for _, c := range b.commands() {
				if words, there := elsewhere()[c.text]; there && (c.text != "go test work" || os.Getenv("BERRY_WALKTHROUGH") != "all") {
					if !strings.Contains(string(ci), words) {
						t.Errorf("%s:%d: %s is left to .ci/run, which does not have %q", c.page, c.line, c.text, words)
					}
					continue
				}
				w.check(t, c, s.do(c.text), met)
			}
		}
	}
	s.stopGateway()
	for part := range w.want {
		if !met[part] {
			t.Errorf("%s has no command with %q any more", w.page, part)
		}
	}
}

// check compares what a command printed with what it must print.
func (w walk) check(t *testing.T, c block, out string, met map[string]bool) {
	t.Helper()
	for part, want := range w.want {
		if !strings.Contains(c.text, part) {
			continue
		}
		met[part] = true
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("%s:%d: %s does not print %s, but\n%s", c.page, c.line, c.text, want, out)
		}
	}
}

// file writes the file that a block of TOML names in its first line. The port is
// the only thing that the page does not say.
func (w walk) file(t *testing.T, s *session, b block) {
	t.Helper()
	name, ok := strings.CutPrefix(strings.SplitN(b.text, "\n", 2)[0], "# ")
	if !ok || filepath.Ext(name) != ".toml" {
		t.Fatalf("%s:%d: the file's name is not in the first line of the block", b.page, b.line)
	}
	text := s.places.Replace(b.text) + "\n[settings]\nbind_address = \"127.0.0.1:" + s.port + "\"\n"
	where, _ := s.run("pwd")
	if err := os.WriteFile(filepath.Join(where, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// environment is what differs from a user's: this folder instead of GitHub, a
// free port for the demo, and curl fails on a status that is an error.
func (w walk) environment(t *testing.T, repository, port string) []string {
	t.Helper()
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, ".curlrc"), []byte("fail-with-body\nno-progress-meter\nmax-time = 60\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{
		"CURL_HOME=" + home, "BIND_ADDRESS=127.0.0.1:" + port, "GOWORK=", "GOFLAGS=",
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=url." + repository + ".insteadOf",
		"GIT_CONFIG_VALUE_0=https://github.com/PPKunOfficial/berry-api.git",
	}
}

// provider starts a fake one and returns its address.
func provider(t *testing.T, models ...string) string {
	t.Helper()
	s, err := mockllm.Open(mockllm.Options{Behaviour: mockllm.Behaviour{Models: slices.Clone(models)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return strings.TrimSuffix(s.URL, "/v1")
}

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
