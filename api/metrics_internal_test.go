package api

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// An authenticator's users are not the configuration's, and may be any number.
func TestUserSeriesAreBounded(t *testing.T) {
	m := newMetrics()
	for i := range mostUserSeries + 50 {
		m.rateLimited(fmt.Sprintf("user-%05d", i)).Inc()
	}
	m.rateLimited("user-00007").Inc() // one that has its series keeps it
	var page bytes.Buffer
	m.set.WritePrometheus(&page)
	if n := strings.Count(page.String(), "berry_rate_limited_total{"); n != mostUserSeries+1 {
		t.Errorf("%d series", n)
	}
	for _, want := range []string{`{user="other"} 50`, `{user="user-00007"} 2`} {
		if !strings.Contains(page.String(), "berry_rate_limited_total"+want+"\n") {
			t.Errorf("no sample %s", want)
		}
	}
}
