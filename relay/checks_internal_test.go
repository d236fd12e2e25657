package relay

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
	"github.com/PPKunOfficial/berry-api/relay/probe"
)

// openProber is that of a gateway whose provider "up" serves m1 and m2.
func openProber(t *testing.T, base string) prober {
	t.Helper()
	return prober{gatewayOf(t, fmt.Sprintf(`
[providers.up]
base_url = %q
[models.m]
backends = [{ provider = "up", model = "m1" }, { provider = "up", model = "m2:free" }]
`, base))}
}

func TestProbe(t *testing.T) {
	both := []string{"up:m1", "up:m2:free"}
	f := func(script mockllm.Script, c loadbalance.Check, want []loadbalance.Outcome) {
		t.Helper()
		up := mockllm.Start(t, script)
		if c.Group == "" {
			c.Group = "up"
		}
		if c.IDs == nil {
			c.IDs = both
		}
		got := openProber(t, up.URL).Probe(t.Context(), c)
		for i := range got {
			got[i].Duration, got[i].FirstContent = 0, 0
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("outcomes (-want +got):\n%s", d)
		}
	}
	list := loadbalance.Check{Kind: loadbalance.CheckList}
	models := func(ids string) mockllm.Script { return mockllm.Always(mockllm.JSON(200, nil, `{"data":[`+ids+`]}`)) }
	ok := loadbalance.Outcome{Status: 200}
	missing := loadbalance.Outcome{Kind: loadbalance.Model, Status: 200}
	f(models(`{"id":"m1"},{"id":"m2:free"}`), list, []loadbalance.Outcome{ok, ok})
	f(models(`{"id":"m1"}`), list, []loadbalance.Outcome{ok, missing})
	f(models(`{"id":"m2:free"}`), list, []loadbalance.Outcome{missing, ok})
	f(models(``), list, []loadbalance.Outcome{ok, ok})
	f(models(`{"id":"m1"}`), loadbalance.Check{Kind: loadbalance.CheckList, Group: "gone"}, []loadbalance.Outcome{
		{Kind: loadbalance.Cancelled}, {Kind: loadbalance.Cancelled},
	})
	answer := func(status int) mockllm.Script {
		return mockllm.Always(mockllm.JSON(status, http.Header{"Retry-After": {"7"}}, `{}`))
	}
	for _, status := range []int{404, 405, 501} { // no such endpoint
		f(answer(status), list, nil)
	}
	refused := func(kind loadbalance.Kind, status int) loadbalance.Outcome {
		return loadbalance.Outcome{Kind: kind, Status: status, RetryAfter: 7 * time.Second}
	}
	f(answer(401), list, []loadbalance.Outcome{refused(loadbalance.Auth, 401), refused(loadbalance.Auth, 401)})
	f(answer(429), list, []loadbalance.Outcome{refused(loadbalance.RateLimit, 429), refused(loadbalance.RateLimit, 429)})
	f(answer(503), list, []loadbalance.Outcome{refused(loadbalance.Server, 503), refused(loadbalance.Server, 503)})
	network := loadbalance.Outcome{Kind: loadbalance.Network}
	f(mockllm.Always(mockllm.Reset()), list, []loadbalance.Outcome{network, network})

	f(mockllm.Always(mockllm.Reset()), loadbalance.Check{Kind: loadbalance.CheckConnect}, []loadbalance.Outcome{{}, {}})

	chat := loadbalance.Check{Kind: loadbalance.CheckChat, IDs: []string{"up:m2:free"}}
	f(nil, chat, []loadbalance.Outcome{{Status: 200, InputTokens: 2, OutputTokens: 1}})
	f(answer(404), chat, []loadbalance.Outcome{refused(loadbalance.Model, 404)})
	f(answer(400), chat, []loadbalance.Outcome{refused(loadbalance.Caller, 400)})
	f(func(r *mockllm.Seen) []mockllm.Step {
		if strings.Contains(string(r.Body), `"model":"m2:free"`) {
			return nil
		}
		return []mockllm.Step{mockllm.Reset()}
	}, chat, []loadbalance.Outcome{{Status: 200, InputTokens: 2, OutputTokens: 1}})
}

// What a backend was seen to answer is what it is asked from then on. A model
// nobody asked anything yet is asked for one thing after the other.
func TestProbeLearnsWhatABackendAnswers(t *testing.T) {
	refuses := func(r *mockllm.Seen) []mockllm.Step {
		if strings.HasSuffix(r.Path, "/embeddings") {
			return nil
		}
		return []mockllm.Step{mockllm.JSON(404, nil, `{}`)}
	}
	up := mockllm.Start(t, refuses)
	p := openProber(t, up.URL)
	f := func(want loadbalance.Kind, paths ...string) {
		t.Helper()
		n := up.Count()
		if got := p.Probe(t.Context(), loadbalance.Check{Kind: loadbalance.CheckChat, Group: "up", IDs: []string{"up:m1"}})[0]; got.Kind != want {
			t.Errorf("%+v, want %v", got, want)
		}
		var got []string
		for _, r := range up.Requests()[n:] {
			got = append(got, strings.TrimPrefix(r.Path, "/v1/"))
		}
		if d := cmp.Diff(paths, got); d != "" {
			t.Errorf("asked (-want +got):\n%s", d)
		}
	}
	f(loadbalance.Success, "chat/completions", "completions", "embeddings")
	f(loadbalance.Success, "embeddings")
	up.SetScript(mockllm.Always(mockllm.JSON(404, nil, `{}`)))
	f(loadbalance.Model, "embeddings")
	up.SetScript(mockllm.Always(mockllm.JSON(500, nil, `{}`)))
	f(loadbalance.Server, "embeddings")
	p.g.uses.retain(nil)
	f(loadbalance.Server, "chat/completions") // a failure is no refusal
	up.SetScript(mockllm.Always(mockllm.JSON(404, nil, `{}`)))
	f(loadbalance.Model, "chat/completions", "completions", "embeddings", "moderations", "responses")
}

// The fleet's limit is a plain deadline; a check that hits it says timeout, one
// that the fleet gives up says nothing.
func TestProbeEndsWithItsContext(t *testing.T) {
	for _, kind := range []loadbalance.CheckKind{loadbalance.CheckList, loadbalance.CheckChat} {
		up := mockllm.Start(t, mockllm.Always(mockllm.Hang()))
		p := openProber(t, up.URL)
		c := loadbalance.Check{Kind: kind, Group: "up", IDs: []string{"up:m1"}}
		limit, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if got := p.Probe(limit, c)[0].Kind; got != loadbalance.Timeout {
			t.Errorf("%v past its limit: %v", kind, got)
		}
		cancel()
		over, cancel := context.WithCancel(t.Context())
		cancel()
		if got := p.Probe(over, c)[0].Kind; got != loadbalance.Cancelled {
			t.Errorf("%v given up: %v", kind, got)
		}
	}
}

func TestConnectOverTLS(t *testing.T) {
	up, err := mockllm.Open(mockllm.Options{TLS: true})
	if err != nil {
		t.Fatal(err)
	}
	defer up.Close()
	p := openProber(t, up.URL)
	f := func(kind loadbalance.CheckKind, want loadbalance.Kind, message string) {
		t.Helper()
		one := probe.New(p.g.Current().upstreams["up"], &p.g.Current().Config.Settings)
		r := one.Check(t.Context(), kind, probe.Models{Listed: []string{"m1"}, Chatted: []string{"m1"}})
		if r.Kind != want || r.OK != (want == loadbalance.Success) || !strings.Contains(r.Message, message) {
			t.Errorf("%v: %+v", kind, r)
		}
	}
	host := strings.TrimPrefix(up.URL, "https://")
	for _, kind := range []loadbalance.CheckKind{loadbalance.CheckConnect, loadbalance.CheckList, loadbalance.CheckChat} {
		f(kind, loadbalance.Network, "the certificate of "+host+" is not trusted")
	}
	p.g.Current().upstreams["up"].Checks.TLSClientConfig = &tls.Config{RootCAs: up.Roots()}
	f(loadbalance.CheckConnect, loadbalance.Success, "")
	f(loadbalance.CheckChat, loadbalance.Success, "")
	f(loadbalance.CheckList, loadbalance.Model, "does not name")
}

// Behind a proxy a connection to the provider itself proves nothing.
func TestConnectByProxy(t *testing.T) {
	f := func(status int, want loadbalance.Outcome) {
		t.Helper()
		asked := make(chan string, 1)
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked <- r.Method + " " + r.URL.String()
			w.WriteHeader(status)
		}))
		defer proxy.Close()
		via, err := url.Parse(proxy.URL)
		if err != nil {
			t.Fatal(err)
		}
		p := openProber(t, "http://provider.invalid/v1")
		p.g.Current().upstreams["up"].Checks.Proxy = http.ProxyURL(via)
		got := p.Probe(t.Context(), loadbalance.Check{Kind: loadbalance.CheckConnect, Group: "up", IDs: []string{"up:m1"}})
		got[0].Duration = 0
		if d := cmp.Diff([]loadbalance.Outcome{want}, got); d != "" {
			t.Errorf("status %d (-want +got):\n%s", status, d)
		}
		if req := <-asked; req != "HEAD http://provider.invalid/v1" {
			t.Errorf("the proxy was asked to %s", req)
		}
	}
	f(404, loadbalance.Outcome{})
	f(502, loadbalance.Outcome{Kind: loadbalance.Network, Status: 502})
}
