package upstream

import (
	"testing"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay/direct"
)

// What the direct client does not do goes through net/http.
func TestWhoIsCalledDirectly(t *testing.T) {
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"} {
		t.Setenv(name, "")
	}
	f := func(base string, want bool) {
		t.Helper()
		up, err := New(config.Provider{ID: "p", BaseURL: base}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		Connections{}.Connect(Connections{}, up)
		if _, got := up.Transport.(*direct.Transport); got != want || up.Checks == nil {
			t.Errorf("%s: %T", base, up.Transport)
		}
	}
	f("http://models.example:8000/v1", true)
	f("http://[fe80::1%25eth0]:8000/v1", true)
	f("https://models.example/v1", false)
	f("http://modèles.example/v1", false)
}
