package relay

import (
	"net/url"
	"testing"
)

// What the direct client does not do goes through net/http.
func TestWhoIsCalledDirectly(t *testing.T) {
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"} {
		t.Setenv(name, "")
	}
	f := func(address string, want bool) {
		t.Helper()
		base, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		d := transports{}.reuse(transports{}, "p", base, transportKey{base: address})
		if got := d.direct != nil; got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
	f("http://models.example:8000/v1", true)
	f("http://[fe80::1%25eth0]:8000/v1", true)
	f("https://models.example/v1", false)
	f("http://modèles.example/v1", false)
}
