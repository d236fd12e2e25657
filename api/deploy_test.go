package api_test

import (
	"encoding/json"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The rules and the dashboard under deploy/ name only metrics and labels that a
// running server has, and docs/OPERATIONS.md describes every metric.

const deploy = "../deploy/"

// everything is a page on which every family has a series: one request of each
// kind of fate was made.
func everything(t *testing.T) (b *berry, p page) {
	t.Helper()
	b = start(t, setup{one: breaking, two: failing, config: "[providers.finder]\nbase_url = \"%[2]s\"\ndiscover = true\n" + usual})
	res := b.open(`{"model":"pool","stream":true,"messages":[{"role":"user","content":"Hello"}]}`)
	if _, err := io.ReadAll(res.Body); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		b.chat(narrowTok, hello("pool"))
	}
	b.chat(badToken, hello("pool"))
	return b, b.scrape()
}

// labelled maps the names of the page's samples to the names of their labels.
func (p page) labelled() map[string][]string {
	out := map[string][]string{}
	label := regexp.MustCompile(`([a-z_]+)="`)
	for sample := range p.samples {
		name, rest, _ := strings.Cut(sample, "{")
		var labels []string
		for _, m := range label.FindAllStringSubmatch(rest, -1) {
			labels = append(labels, m[1])
		}
		slices.Sort(labels)
		out[name] = labels
	}
	return out
}

var (
	quoted    = regexp.MustCompile(`"[^"]*"`)
	selectors = regexp.MustCompile(`([a-zA-Z_:][a-zA-Z0-9_:]*)\{([^}]*)\}`)
	grouping  = regexp.MustCompile(`\bby \(([^)]*)\)`)
	ranges    = regexp.MustCompile(`\[[^\]]*\]`)
	words     = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*`)
)

// used are the metrics and labels that a PromQL expression names.
func used(expr string) (metrics []string, labels []string) {
	expr = quoted.ReplaceAllString(expr, `""`)
	for _, m := range selectors.FindAllStringSubmatch(expr, -1) {
		labels = append(labels, words.FindAllString(m[2], -1)...)
	}
	expr = selectors.ReplaceAllString(expr, "$1")
	for _, m := range grouping.FindAllStringSubmatch(expr, -1) {
		labels = append(labels, words.FindAllString(m[1], -1)...)
	}
	expr = ranges.ReplaceAllString(grouping.ReplaceAllString(expr, ""), "")
	for _, w := range words.FindAllString(expr, -1) {
		switch w {
		case "rate", "sum", "histogram_quantile": // what our expressions use of PromQL
		default:
			metrics = append(metrics, w)
		}
	}
	return metrics, labels
}

// expressions are those of the alert rules and of the dashboard's panels.
func expressions(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, m := range regexp.MustCompile(`(?m)^ +expr: (.*)$`).FindAllStringSubmatch(fileText(t, deploy+"prometheus/alerts.yml"), -1) {
		out = append(out, m[1])
	}
	if len(out) != 9 {
		t.Errorf("%d alert rules", len(out))
	}
	var dashboard struct {
		Panels []struct {
			Type    string
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(fileText(t, deploy+"grafana/dashboards/berry-api.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, p := range dashboard.Panels {
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("the panel %q shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			out = append(out, target.Expr)
		}
	}
	return out
}

func fileText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestRulesAndDashboardNameWhatIsThere(t *testing.T) {
	_, p := everything(t)
	there := p.labelled()
	for _, expr := range expressions(t) {
		metrics, labels := used(expr)
		if len(metrics) == 0 {
			t.Errorf("no metric in %q", expr)
		}
		for _, m := range metrics {
			if _, ok := there[m]; !ok {
				t.Errorf("%s, of %q, does not exist", m, expr)
			}
			for _, l := range labels {
				if !slices.Contains(there[m], l) {
					t.Errorf("%s has no label %s, in %q", m, l, expr)
				}
			}
		}
	}
	// The series that the rules are tested with are such as Berry has.
	series := regexp.MustCompile(`(?m)- series: '([a-z_]+)(\{.*\})?'$`)
	found := series.FindAllStringSubmatch(fileText(t, deploy+"prometheus/alerts_test.yml"), -1)
	if len(found) < 20 {
		t.Errorf("%d series in alerts_test.yml", len(found))
	}
	for _, m := range found {
		_, labels := used(m[1] + m[2])
		slices.Sort(labels)
		if want, ok := there[m[1]]; !ok || !slices.Equal(labels, want) {
			t.Errorf("alerts_test.yml: %s%s: the labels are %v (there: %t)", m[1], m[2], want, ok)
		}
	}
}

func TestUsed(t *testing.T) {
	metrics, labels := used(`sum by (le, model) (rate(a_b{x=~"y.z",q="by (n)"}[5m])) / 3 > histogram_quantile(0.9, c)`)
	if got := strings.Join(metrics, " ") + "|" + strings.Join(labels, " "); got != "a_b c|x q le model" {
		t.Errorf("%s", got)
	}
}

// Every family on the page has its row in the documentation, with its labels,
// and there is no row of one that does not exist.
func TestMetricsAreDocumented(t *testing.T) {
	_, p := everything(t)
	there := p.labelled()
	row := regexp.MustCompile("(?m)^\\| `([a-z_]+)(?:\\{([a-z_,]*)\\})?` \\| ([a-z]+) \\|")
	documented := map[string]bool{}
	for _, m := range row.FindAllStringSubmatch(fileText(t, "../docs/OPERATIONS.md"), -1) {
		name, kind := m[1], m[3]
		documented[name] = true
		if p.types[name] != kind {
			t.Errorf("%s is documented as a %s, it is a %q", name, kind, p.types[name])
		}
		labels := there[name]
		if kind == "histogram" {
			labels = there[name+"_sum"]
		}
		want := strings.Split(m[2], ",")
		slices.Sort(want)
		if got := strings.Join(labels, ","); got != strings.Join(want, ",") {
			t.Errorf("%s has the labels %s, documented as %s", name, got, m[2])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.types)) {
		foreign := strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_")
		if !foreign && !documented[name] {
			t.Errorf("docs/OPERATIONS.md has no row of %s", name)
		}
	}
}

var alertNames = regexp.MustCompile(`(?m)^ +- alert: (\w+)$`)

// Every alert is explained.
func TestAlertsAreDocumented(t *testing.T) {
	text := fileText(t, "../docs/OPERATIONS.md")
	for _, m := range alertNames.FindAllStringSubmatch(fileText(t, deploy+"prometheus/alerts.yml"), -1) {
		if !strings.Contains(text, "| `"+m[1]+"` |") {
			t.Errorf("docs/OPERATIONS.md has no row of %s", m[1])
		}
		if !strings.Contains(fileText(t, deploy+"prometheus/alerts_test.yml"), "alertname: "+m[1]+"\n") {
			t.Errorf("alerts_test.yml does not show when %s fires", m[1])
		}
	}
}
