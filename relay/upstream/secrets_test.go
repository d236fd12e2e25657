package upstream

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/core/config"
)

func TestHide(t *testing.T) {
	const key = "sk-secret/0001-canary-21"
	p := config.Provider{APIKey: config.NewSecret(key), Headers: config.Headers{
		"X-Longer": key + "-and-more",
		"X-Proxy":  "Basic canary-22-proxy",
		"X-Short":  "key",
	}}
	f := func(in, want string) {
		t.Helper()
		if got := secretsOf(&p).Hide(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	f("bad key "+key+"!", "bad key ***!")
	f(key+key, "******")
	f("no key here", "no key here")
	f("the key of "+key+"-and-more", "the key of ***")
	f("canary-22-proxy is not known", "*** is not known")
	// Cut in the middle of the key, as long messages are.
	f("bad key sk-secret/0001", "bad key ***")
	f("bad key sk-secr", "bad key sk-secr")

	fault := func(raw string, want bool) {
		t.Helper()
		e := &apierror.Error{Message: "bad " + key, Type: key, Param: key, Code: key, Raw: []byte(raw)}
		secretsOf(&p).HideFault(e)
		if !want {
			raw = ""
		}
		if d := cmp.Diff(&apierror.Error{Message: "bad ***", Type: "***", Param: "***", Code: "***", Raw: []byte(raw)}, e, cmp.Transformer("text", func(b []byte) string { return string(b) })); d != "" {
			t.Errorf("%s (-want +got):\n%s", raw, d)
		}
	}
	fault(`{"error":{"message":"no key"}}`, true)
	fault(`{"error":{"message":"`+key+`"}}`, false)
	fault(`{"error":{"message":"sk-secret\/0001-canary-21"}}`, false)
	fault(`{"error":{"message":"\u0073k-secret/0001-canary-21"}}`, false)
	fault(`{"error":{"`+key+`":[{"deep":1}]}}`, false)
	fault(`{"error":{"deep":[{"er":"canary-22-proxy"}]}}`, false)
}
