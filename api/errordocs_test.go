package api_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/core/apierror"
)

// Every code of the one table of errors is explained, with its status, in
// docs/TROUBLESHOOTING.md and listed in docs/API_REFERENCE.md, and neither names
// one that there is not.
func TestErrorsAreExplained(t *testing.T) {
	source, err := os.ReadFile("../core/apierror/error.go")
	if err != nil {
		t.Fatal(err)
	}
	statuses := map[string]int{"insufficient_quota": 429} // OpenAI's own code, passed on by relay
	for _, m := range regexp.MustCompile(`(?m)^\t[A-Za-z]+ +Code = "([a-z_]+)"`).FindAllStringSubmatch(string(source), -1) {
		statuses[m[1]] = apierror.New(apierror.Code(m[1]), "").Status
	}
	if len(statuses) < 25 {
		t.Fatalf("only %d codes", len(statuses))
	}
	statuses["stream_interrupted"] = 0 // it has none: the header is out by then

	pages := markdown(t)
	_, table, _ := strings.Cut(pages["docs/TROUBLESHOOTING.md"], "\n## Errors by code\n")
	table, _, _ = strings.Cut(table, "\n## ")
	row := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([^|]*) \\| ([^|]{10,}) \\| ([^|]{10,}) \\|$")
	explained := map[string]bool{}
	for _, m := range row.FindAllStringSubmatch(table, -1) {
		explained[m[1]] = true
		status, there := statuses[m[1]]
		if !there || status > 0 && !strings.Contains(m[2], fmt.Sprint(status)) {
			t.Errorf("docs/TROUBLESHOOTING.md: %s with %s; the table says %d", m[1], m[2], status)
		}
	}
	_, list, _ := strings.Cut(pages["docs/API_REFERENCE.md"], "\n## Errors\n")
	listed := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^\| ([^|]+) \| (.*) \|$`).FindAllStringSubmatch(list, -1) {
		for _, code := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(m[2], -1) {
			listed[code[1]] += m[1] + " " + m[2]
			if _, there := statuses[code[1]]; !there {
				t.Errorf("docs/API_REFERENCE.md names the error %s, which there is not", code[1])
			}
		}
	}
	for code, status := range statuses {
		if !explained[code] {
			t.Errorf("docs/TROUBLESHOOTING.md does not explain %s", code)
		}
		if where, there := listed[code]; !there || status > 0 && !strings.Contains(where, fmt.Sprint(status)) {
			t.Errorf("docs/API_REFERENCE.md lists %s with %q; the table says %d", code, where, status)
		}
	}
}
