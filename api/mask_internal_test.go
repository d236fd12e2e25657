package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/core/config"
)

func TestMasked(t *testing.T) {
	cfg := &config.Config{
		Providers: map[string]config.Provider{"p": {APIKey: config.NewSecret("sk-canary-31"), Headers: config.Headers{"X": "Basic sk-canary-31-longer"}}},
		Users:     map[string]config.User{"u": {Token: config.NewSecret("canary-32")}, "v": {Token: config.NewSecret("canary-32-long")}},
	}
	x := &exchange{r: &http.Request{Header: http.Header{}}, view: &view{secrets: func() *masker { return newMasker(cfg) }}}
	x.r.Header.Set("X-Api-Key", "own-canary-33")
	x.r.Header.Set("Authorization", "Bearer own-canary-33-too")
	f := func(in string, cut bool, want string) {
		t.Helper()
		if got := x.masked(in, cut); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	f("nothing", false, "nothing")
	f("a sk-canary-31 b", false, "a *** b")
	f("sk-canary-31-longer", false, "***")
	f("canary-32-longer", false, "***er")
	f("own-canary-33-too, own-canary-33", false, "***, ***")
	// The margin is the longest of them, "Basic sk-canary-31-longer".
	margin := strings.Repeat("-", len("Basic sk-canary-31-longer"))
	f("sk-canary-31 and "+margin, true, "*** and ... (cut)")
	f("ends in "+margin[len("sk-canary-31-longe"):]+"sk-canary-31-longe", true, "ends in ... (cut)")
	f("ääää"+margin[1:], true, "äää... (cut)")
	f("short", true, "... (cut)")

	// So it is for the request's own, where the configuration has only its digest.
	long := "own-canary-34-" + strings.Repeat("x", 40)
	x.r.Header.Set("Authorization", "Bearer "+long)
	f("ends in "+long[:len(long)-1], true, "ends in... (cut)")
}
