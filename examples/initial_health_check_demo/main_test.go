package main

import (
	"bytes"
	"regexp"
	"testing"
)

// The story is told whole and in order, whoever the dice pick.
func TestDemo(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	rest := out.String()
	for _, pattern := range []string{
		`absent: health healthy -> unhealthy, a check saw network \(no answer\)`,
		`absent  unhealthy  breaker closed`,
		`main    healthy    breaker closed`,
		`spare   healthy    breaker closed`,
		`60 requests: main [1-9]\d*, spare [1-9]\d*, absent 0, unanswered 0`,
		`main breaks`,
		`main: health healthy -> unhealthy, a request saw server \(status 503\)`,
		`60 requests: main 0, spare 60, absent 0, unanswered 0`,
		`main: health unhealthy -> healthy, a check saw it; it counts 30 % of its weight`,
		`main counts 50 % of its weight`,
		`main counts 100 % of its weight`,
		`60 requests: main [1-9]\d*, spare [1-9]\d*, absent 0, unanswered 0`,
		`End`,
		`main    healthy    breaker closed`,
	} {
		found := regexp.MustCompile(pattern).FindStringIndex(rest)
		if found == nil {
			t.Fatalf("nothing like %q where it should be:\n%s", pattern, out.String())
		}
		rest = rest[found[1]:]
	}
}
