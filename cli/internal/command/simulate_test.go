package command

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/loadbalance/simulate"
	"github.com/PPKunOfficial/berry-api/relay"
)

var update = flag.Bool("update", false, "write the output of the simulations into the pages that show it")

// The tables that the pages show are what the commands above them print. After
// a change of the rules: go test ./cli/internal/command -run Pages -update
func TestPagesShowWhatSimulatePrints(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("floating-point numbers may differ in the last bit elsewhere, and with them what is drawn")
	}
	t.Chdir("../../..")
	for page, want := range map[string]int{"docs/STRATEGIES.md": 1, "docs/CLI.md": 1} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		fresh, n := refreshed(t, string(text))
		if n != want {
			t.Errorf("%s shows %d simulations, want %d", page, n, want)
		}
		if fresh == string(text) {
			continue
		}
		if *update {
			if err := os.WriteFile(page, []byte(fresh), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		t.Errorf("%s does not show what its commands print; if that is meant, run this test with -update. It would be:\n%s", page, fresh)
	}
}

// refreshed puts the output of each simulation below its command, and returns
// how many there are.
func refreshed(t *testing.T, page string) (string, int) {
	t.Helper()
	const indent, prompt = "    ", "    $ berry-cli simulate "
	var out []string
	n := 0
	lines := strings.Split(page, "\n")
	for i := 0; i < len(lines); i++ {
		out = append(out, lines[i])
		args, ok := strings.CutPrefix(lines[i], prompt)
		if !ok {
			continue
		}
		n++
		for i+1 < len(lines) && (lines[i+1] == "" || strings.HasPrefix(lines[i+1], indent)) {
			i++
		}
		for line := range strings.Lines(simulateOutput(t, strings.Fields(args)...)) {
			out = append(out, strings.TrimRight(indent+line, " \n"))
		}
		out = append(out, "")
	}
	return strings.Join(out, "\n"), n
}

func simulateOutput(t *testing.T, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := Run(context.Background(), Process{
		Args: append([]string{"simulate"}, args...), In: strings.NewReader(""), Out: &stdout, Err: &stderr,
		Getenv: func(string) string { return "" },
	})
	if code != 0 || stderr.Len() > 0 {
		t.Fatalf("simulate %s: exit code %d: %s", strings.Join(args, " "), code, stderr.String())
	}
	return stdout.String()
}

// The picture is one well-formed document whatever the names are, and says in
// words what it shows.
func TestPicture(t *testing.T) {
	st := &study{
		model:    &relay.Model{ID: `a<b>&"c"`},
		listings: []loadbalance.Listing{{ID: "<script>:x"}, {ID: strings.Repeat("very-long-name", 10) + ":y", RequestPrice: 1}},
		policy:   loadbalance.DefaultPolicy(), rules: simulate.DefaultRules(),
		scenario: scenario{strategies: []string{"failover", "smart_ai"}},
	}
	st.policy.CheckInterval = time.Hour // few checks: the longest takes days
	for _, name := range simulate.WorldNames() {
		for _, d := range []time.Duration{time.Second, 7 * time.Minute, time.Hour, 4 * time.Hour, 80 * time.Hour} {
			w, err := simulate.BuiltIn(name)
			if err != nil {
				t.Fatal(err)
			}
			w.Duration, w.About = simulate.Duration(d), "<&>"
			w.Traffic.Rate = 600 / d.Seconds()
			st.worlds = []simulate.World{w}
			results, err := st.run(context.Background(), &session{Process: Process{Err: io.Discard}})
			if err != nil {
				t.Fatal(err)
			}
			texts := textsOf(t, st.draw(results[0]))
			for _, want := range []string{"failover", "smart_ai", "<script>:x", "not answered", "requests", "0", "<&>"} {
				if !slices.Contains(texts, want) {
					t.Errorf("%s for %v: no text %q in %q", name, d, want, texts)
				}
			}
		}
	}
}

// textsOf returns the texts of a picture, which must be well-formed XML with
// numbers that are some.
func textsOf(t *testing.T, picture string) []string {
	t.Helper()
	if strings.Contains(picture, "NaN") || strings.Contains(picture, "Inf") || strings.Contains(picture, "%!") {
		t.Errorf("not a number in %s", picture)
	}
	var texts []string
	d := xml.NewDecoder(strings.NewReader(picture))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return texts
		}
		if err != nil {
			t.Fatalf("%v in %s", err, picture)
		}
		if text, ok := token.(xml.CharData); ok && len(bytes.TrimSpace(text)) > 0 {
			texts = append(texts, string(text))
		}
	}
}

func TestFiguresForPeople(t *testing.T) {
	f := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(percent(1, 2), "100.00 %")
	f(percent(0.99999, 2), "<100.00 %")
	f(percent(0.8333, 2), "83.33 %")
	f(percent(0.996, 0), "100 %")
	f(plain(time.Hour), "1h")
	f(plain(90*time.Minute), "1h30m")
	f(plain(10*time.Second), "10s")
	f(plain(24*time.Hour+time.Second), "24h0m1s")
}
