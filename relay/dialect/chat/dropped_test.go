package chat

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDropped(t *testing.T) {
	f := func(in, want []string) {
		t.Helper()
		if d := cmp.Diff(want, Dropped(in)); d != "" {
			t.Error(d)
		}
	}
	f(nil, nil)
	f([]string{"seed", "logit_bias", "seed"}, []string{"logit_bias", "seed"})
	f([]string{"a\r\nX-Admin: 1", "é,b"}, []string{"a??X-Admin:?1", "??b"})
	f([]string{strings.Repeat("x", 100)}, []string{strings.Repeat("x", 64)})
	var many []string
	for i := range 1000 {
		many = append(many, fmt.Sprintf("name%04d", i))
	}
	got := Dropped(many)
	if n := len(strings.Join(got, ",")); n > maxDropped+len(",...") || got[len(got)-1] != "..." || got[0] != "name0000" || len(got) < 200 {
		t.Errorf("%d names, %d bytes, the last is %q", len(got), n, got[len(got)-1])
	}
}
