package probe_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
	"github.com/PPKunOfficial/berry-api/relay/probe"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// probeKey must be in no report.
const probeKey = "sk-canary-provider-key"

// probing is a gateway with one provider, "up", of which only probes are asked.
type probing struct {
	url      string // base URL of up
	provider string // more lines for [providers.up]
	settings string // lines for [settings]
	models   string // [models]; "" for one that lists up:m1 and, per request, up:m2
}

const probedModels = `
[models.one]
backends = [
	{ provider = "up", model = "m1" },
	{ provider = "up", model = "m2", billing_mode = "per_request" },
]
`

func (p probing) open(t *testing.T) *relay.Gateway {
	t.Helper()
	if p.models == "" {
		p.models = probedModels
	}
	toml := fmt.Sprintf("[settings]\nhealth_check_interval_seconds = 0\n%s\n[providers.up]\nbase_url = %q\n%s\n%s\n"+
		"[users.u]\ntoken = \"a-token-of-a-user-1\"\n", p.settings, p.url, p.provider, p.models)
	loaded, err := config.Parse("probe.toml", []byte(toml), config.Env{})
	if err != nil {
		t.Fatal(err)
	}
	gw, err := relay.New(loaded.Config, relay.Options{Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // Run with a context that is over only closes idle connections
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = gw.Run(ctx)
	})
	return gw
}

const withKey = "api_key = \"" + probeKey + "\"\n"

// settled compares a report but for its times, which it checks to make sense,
// and for the key, which it must not hold.
func settled(t *testing.T, got, want probe.Report) {
	t.Helper()
	if text := fmt.Sprintf("%+v", got); strings.Contains(text, probeKey) {
		t.Error("the report holds the provider's key")
	}
	if got.FirstContent > got.Duration || got.Duration < 0 {
		t.Errorf("first content after %v of %v", got.FirstContent, got.Duration)
	}
	answered := got.OK && got.Check == probe.CheckedChat
	if answered != (got.FirstContent > 0) && got.OK {
		t.Errorf("first content after %v of a check that is OK", got.FirstContent)
	}
	got.FirstContent, got.Duration = 0, 0
	want.Provider = "up"
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("report (-want +got):\n%s", d)
	}
}

func list(ids ...string) mockllm.Step { return mockllm.JSON(200, nil, mockllm.ModelList(ids...)) }

func TestCheckProviderByItsModelList(t *testing.T) {
	f := func(script mockllm.Script, provider string, want probe.Report) {
		t.Helper()
		up := mockllm.Start(t, script)
		if !strings.Contains(provider, probeKey) {
			provider += withKey
		}
		gw := probing{url: up.URL, provider: provider}.open(t)
		before := gw.Fleet().Backends()
		settled(t, gw.Current().CheckProvider(t.Context(), "up"), want)
		if d := cmp.Diff(before, gw.Fleet().Backends()); d != "" {
			t.Errorf("a check changed the backends' states:\n%s", d)
		}
	}
	good := probe.Report{Check: probe.CheckedModels, OK: true, Status: 200, Models: []string{"m1", "m2", "m3"}}
	f(mockllm.Always(list("m1", "m2", "m3")), "", good)
	f(mockllm.Always(mockllm.JSON(200, nil, `[{"id":"m1"},{"id":"m2"},{"id":"m3"},{"id":7},{}]`)), "", good)
	f(mockllm.Always(list("m1:latest", "m2")), "",
		probe.Report{Check: probe.CheckedModels, OK: true, Status: 200, Models: []string{"m1:latest", "m2"}})
	f(mockllm.Always(list()), "", probe.Report{Check: probe.CheckedModels, OK: true, Status: 200, Models: []string{}})
	f(mockllm.Always(list("m2", "m3")), "", probe.Report{
		Check: probe.CheckedModels, Kind: loadbalance.Model, Status: 200, Models: []string{"m2", "m3"},
		Message: `the provider's model list does not name "m1"; correct the model in the backends that list it, or disable them`,
	})
	f(mockllm.Always(mockllm.JSON(200, http.Header{"Content-Encoding": {"gzip"}}, zipped(`{"data":[{"id":"m1"},{"id":"m2"},{"id":"m3"}]}`))), "", good)

	for _, status := range []int{404, 405, 501} {
		f(mockllm.Always(mockllm.JSON(status, nil, `{"error":"no"}`)), "", probe.Report{
			Check: probe.CheckedConnection, OK: true,
			Message: fmt.Sprintf("it has no model list (status %d), so that only the connection was checked", status),
		})
	}
	f(mockllm.Always(mockllm.JSON(404, nil, `{"error":"no"}`)), "health_check = \"models\"\n", probe.Report{
		Check: probe.CheckedModels, Kind: loadbalance.Model, Status: 404,
		Message: `the provider answered with status 404: no; check providers.up.base_url, or set its health_check to "tcp"`,
	})
	f(mockllm.Always(mockllm.JSON(401, nil, `{"error":{"message":"Incorrect key `+probeKey+`."}}`)), "", probe.Report{
		Check: probe.CheckedModels, Kind: loadbalance.Auth, Status: 401,
		Message: "the provider answered with status 401: Incorrect key ***; check providers.up.api_key",
	})
	f(mockllm.Always(mockllm.JSON(403, nil, `{"error":"no access with `+probeKey+`"}`)), "headers = { X-Key = \"Token "+probeKey+"\" }\n", probe.Report{
		Check: probe.CheckedModels, Kind: loadbalance.Auth, Status: 403,
		Message: "the provider answered with status 403: no access with ***; providers.up has no api_key",
	})
	f(mockllm.Always(mockllm.JSON(402, nil, `{"error":"no credit"}`)), "", probe.Report{
		Check: probe.CheckedModels, Kind: loadbalance.Auth, Status: 402,
		Message: "the provider answered with status 402: no credit; top up the provider's account",
	})
	f(mockllm.Always(mockllm.JSON(429, nil, `{"error":"slow down"}`)), "", probe.Report{
		Check: probe.CheckedModels, Kind: loadbalance.RateLimit, Status: 429,
		Message: "the provider answered with status 429: slow down; the limit or quota of the provider's account is used up for now",
	})
	f(mockllm.Always(mockllm.JSON(500, nil, "{\"error\":\"on\\u001b[31m fire\\nnow\"}")), "", probe.Report{
		Check: probe.CheckedModels, Kind: loadbalance.Server, Status: 500,
		Message: "the provider answered with status 500: on [31m fire now; the trouble is on the provider's side",
	})
	f(mockllm.Always(mockllm.JSON(301, http.Header{"Location": {"https://elsewhere.invalid/"}}, ``)), "", probe.Report{
		Check: probe.CheckedModels, Kind: loadbalance.Server, Status: 301,
		Message: "the provider answered with status 301: the provider answered with status 301 and no readable error; " +
			"redirects are not followed: write the address that it leads to as providers.up.base_url",
	})
	unreadable := probe.Report{
		Check: probe.CheckedModels, Kind: loadbalance.Server, Status: 200,
		Message: `GET /v1/models answered with something other than a model list; is base_url right? If it is, set health_check to "tcp"`,
	}
	f(mockllm.Always(mockllm.JSON(200, http.Header{"Content-Type": {"text/html"}}, "<html>")), "", unreadable)
	f(mockllm.Always(mockllm.JSON(200, nil, `{"data":"m1"}`)), "", unreadable)
	f(mockllm.Always(mockllm.JSON(200, nil, `{"data":[{"id":"`+strings.Repeat("m", 8<<20)+`"}]}`)), "", probe.Report{
		Check: probe.CheckedModels, Kind: loadbalance.Server,
		Message: `the model list has more than 8388608 bytes; set health_check to "tcp"`,
	})
	f(mockllm.Always(mockllm.Header(200, http.Header{"Content-Length": {"100"}}), mockllm.Body("{"), mockllm.Cut()), "", probe.Report{
		Check: probe.CheckedModels, Kind: loadbalance.Network,
		Message: "the provider broke the connection off in the middle of the answer",
	})
}

func zipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	return b.String()
}

func TestCheckProviderSendsTheCredential(t *testing.T) {
	up := mockllm.Start(t, mockllm.Always(list("m1", "m2")))
	gw := probing{url: up.URL + "/base", provider: withKey + "headers = { X-Team = \"search\" }\n"}.open(t)
	if r := gw.Current().CheckProvider(t.Context(), "up"); !r.OK {
		t.Fatal(r.Message)
	}
	seen := up.Requests()[0]
	type request struct {
		Line   string
		Header http.Header
		Body   int
	}
	seen.Header.Del("User-Agent")
	want := request{
		Line:   "GET /base/models",
		Header: http.Header{"Authorization": {"Bearer " + probeKey}, "Accept": {"application/json"}, "X-Team": {"search"}},
	}
	if d := cmp.Diff(want, request{seen.Method + " " + seen.Path, seen.Header, len(seen.Body)}); d != "" {
		t.Errorf("the request (-want +got):\n%s", d)
	}
}

func TestCheckProviderOtherwise(t *testing.T) {
	f := func(p probing, want probe.Report) {
		t.Helper()
		p.provider += withKey
		settled(t, p.open(t).Current().CheckProvider(t.Context(), "up"), want)
	}
	healthy := mockllm.Start(t, nil)
	f(probing{url: healthy.URL, provider: "health_check = \"tcp\"\n"}, probe.Report{Check: probe.CheckedConnection, OK: true})
	f(probing{url: healthy.URL, provider: "health_check = \"off\"\n"}, probe.Report{
		Check: probe.CheckedNothing, OK: true,
		Message: `its health_check is "off"; try one of its backends with a chat instead`,
	})
	f(probing{url: healthy.URL, provider: "enabled = false\n"}, probe.Report{
		Kind: loadbalance.Caller, Message: "the provider is disabled: set providers.up.enabled to true",
	})
	if n := healthy.Count(); n != 0 {
		t.Errorf("%d requests were sent", n)
	}

	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := closed.Addr().String()
	_ = closed.Close()
	for _, check := range []string{probe.CheckedModels, probe.CheckedConnection, probe.CheckedChat} {
		f(probing{url: "http://" + address, provider: fmt.Sprintf("health_check = %q\n", check)}, probe.Report{
			Check: check, Kind: loadbalance.Network, Model: map[string]string{probe.CheckedChat: "m1"}[check],
			Message: "nothing listens on " + address + "; is base_url right, and is the provider running?",
		})
	}
	// .invalid never resolves (RFC 6761). What the resolver says differs by machine.
	gw := probing{url: "http://provider.invalid"}.open(t)
	r := gw.Current().CheckProvider(t.Context(), "up")
	if r.OK || r.Kind != loadbalance.Network || !strings.Contains(r.Message, "provider.invalid") {
		t.Errorf("a name that does not resolve: %+v", r)
	}

	reset := mockllm.Start(t, mockllm.Always(mockllm.Reset()))
	host := strings.TrimPrefix(reset.URL, "http://")
	f(probing{url: reset.URL}, probe.Report{
		Check: probe.CheckedModels, Kind: loadbalance.Network, Message: host + " closed the connection without an answer",
	})
	f(probing{url: "https://" + host, provider: "health_check = \"tcp\"\n"}, probe.Report{
		Check: probe.CheckedConnection, Kind: loadbalance.Network,
		Message: host + " does not speak TLS; should base_url begin with http:// ?",
	})
	if r := gw.Current().CheckProvider(t.Context(), "other"); r.OK || r.Message != `the configuration has no provider "other"; it has: up` {
		t.Errorf("an unknown provider: %+v", r)
	}
}

func TestCheckProviderTimesOut(t *testing.T) {
	f := func(script mockllm.Script, check string) {
		t.Helper()
		up := mockllm.Start(t, script)
		want := probe.Report{
			Check: check, Kind: loadbalance.Timeout,
			Message: "nothing came within 50ms, the limit that settings.health_check_timeout_seconds sets",
		}
		if check == probe.CheckedChat {
			want.Model = "m1"
		}
		gw := probing{
			url: up.URL, provider: withKey + fmt.Sprintf("health_check = %q\n", check), settings: "health_check_timeout_seconds = 0.05",
		}.open(t)
		settled(t, gw.Current().CheckProvider(t.Context(), "up"), want)
	}
	f(mockllm.Always(mockllm.Hang()), probe.CheckedModels)
	f(mockllm.Always(mockllm.Header(200, nil), mockllm.Body(`{"data":[`), mockllm.Hang()), probe.CheckedModels)
	f(mockllm.Always(mockllm.Hang()), probe.CheckedChat)

	// A connection that is accepted and never speaks TLS.
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	gw := probing{
		url: "https://" + silent.Addr().String(), provider: "health_check = \"tcp\"\n", settings: "health_check_timeout_seconds = 0.05",
	}.open(t)
	settled(t, gw.Current().CheckProvider(t.Context(), "up"), probe.Report{
		Check: probe.CheckedConnection, Kind: loadbalance.Timeout,
		Message: "nothing came within 50ms, the limit that settings.health_check_timeout_seconds sets",
	})

	up := mockllm.Start(t, mockllm.Always(mockllm.Hang()))
	gw = probing{url: up.URL}.open(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		if _, err := up.Wait(t.Context(), 1); err == nil {
			cancel()
		}
	}()
	settled(t, gw.Current().CheckProvider(ctx, "up"), probe.Report{
		Check: probe.CheckedModels, Kind: loadbalance.Cancelled, Message: "the check was cancelled",
	})
}

func TestCheckProviderByChat(t *testing.T) {
	const chat = "health_check = \"chat\"\n"
	up := mockllm.Start(t, nil)
	if err := up.SetBehaviour(mockllm.Behaviour{Key: probeKey, Models: []string{"m1"}}); err != nil {
		t.Fatal(err)
	}
	gw := probing{url: up.URL, provider: withKey + chat}.open(t)
	settled(t, gw.Current().CheckProvider(t.Context(), "up"), probe.Report{
		Model: "m1", Check: probe.CheckedChat, OK: true, Status: 200, Usage: dialect.Usage{Input: 2, Output: 1},
	})
	// m2 is billed per request, so that one chat is all.
	want := []string{`POST /v1/chat/completions {"model":"m1","messages":[{"role":"user","content":"Hi"}],"max_tokens":1,"stream":false}`}
	var got []string
	for _, r := range up.Requests() {
		got = append(got, r.Method+" "+r.Path+" "+string(r.Body))
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("requests (-want +got):\n%s", d)
	}

	// A model that makes vectors refuses a chat, and is asked for what it makes.
	for _, status := range []int{400, 403, 404} {
		up.SetScript(mockllm.OnChat(mockllm.Always(mockllm.JSON(status, nil, mockllm.Fault("no chats", "invalid_request_error", "", "")))))
		gw = probing{url: up.URL, provider: withKey + chat}.open(t)
		settled(t, gw.Current().CheckProvider(t.Context(), "up"), probe.Report{
			Model: "m1", Check: probe.CheckedChat, OK: true, Status: 200, Usage: dialect.Usage{Input: 2, Output: 1},
		})
	}
	up.SetScript(mockllm.Always(mockllm.JSON(404, nil, mockllm.Fault("no such model", "invalid_request_error", "", ""))))
	settled(t, gw.Current().CheckProvider(t.Context(), "up"), probe.Report{
		Model: "m1", Check: probe.CheckedChat, Kind: loadbalance.Model, Status: 404,
		Message: "the provider answered with status 404: no such model; check the model's name and providers.up.base_url",
	})
	up.SetScript(nil)
	before := up.Count()

	perRequest := strings.Replace(probedModels, `model = "m1"`, `model = "m1", billing_mode = "per_request"`, 1)
	gw = probing{url: up.URL, provider: chat, models: perRequest}.open(t)
	settled(t, gw.Current().CheckProvider(t.Context(), "up"), probe.Report{
		Check: probe.CheckedConnection, OK: true,
		Message: "no backend of it may be tried with a chat, so that only the connection was checked",
	})
	if n := up.Count(); n != before {
		t.Errorf("%d requests after a check that must not cost anything, want %d", n, before)
	}
}

func TestTestBackend(t *testing.T) {
	f := func(script mockllm.Script, test probe.Test, want probe.Report) {
		t.Helper()
		up := mockllm.Start(t, script)
		if err := up.SetBehaviour(mockllm.Behaviour{Key: probeKey, Models: []string{"m1"}}); err != nil {
			t.Fatal(err)
		}
		test.Provider = "up"
		want.Model, want.Check = test.Model, probe.CheckedChat
		gw := probing{url: up.URL, provider: withKey, settings: "stream_idle_timeout_seconds = 0.05"}.open(t)
		before := gw.Fleet().Backends()
		settled(t, gw.Current().TestBackend(t.Context(), test), want)
		if d := cmp.Diff(before, gw.Fleet().Backends()); d != "" {
			t.Errorf("a test changed the backends' states:\n%s", d)
		}
	}
	plain := probe.Test{Model: "m1"}
	stream := probe.Test{Model: "m1", Stream: true}
	good := probe.Report{OK: true, Status: 200, Usage: dialect.Usage{Input: 2, Output: 16}}
	f(nil, plain, good)
	f(nil, stream, good)
	f(nil, probe.Test{Model: "m9"}, probe.Report{
		Kind: loadbalance.Model, Status: 404,
		Message: "the provider answered with status 404: The model `m9` does not exist or you do not have access to it; " +
			"check the model's name and providers.up.base_url",
	})
	f(mockllm.Always(mockllm.JSON(401, nil, `{"error":{"message":"no: `+probeKey+`"}}`)), plain, probe.Report{
		Kind: loadbalance.Auth, Status: 401, Message: "the provider answered with status 401: no: ***; check providers.up.api_key",
	})

	// A model that reasons takes the other name of the limit only.
	refusal := mockllm.JSON(400, nil, `{"error":{"message":"no","type":"invalid_request_error","param":"max_tokens","code":"unsupported_parameter"}}`)
	reasoning := func(r *mockllm.Seen) []mockllm.Step {
		if bytes.Contains(r.Body, []byte(`"max_completion_tokens":16`)) {
			return nil
		}
		return []mockllm.Step{refusal}
	}
	f(reasoning, plain, good)
	f(reasoning, stream, good)
	f(mockllm.Always(refusal), plain, probe.Report{
		Kind: loadbalance.Caller, Status: 400, Message: "the provider answered with status 400: no",
	})

	const word = `{"id":"x","choices":[{"index":0,"delta":{"content":"12345678"}}]}`
	const end = `{"id":"x","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`
	estimated := probe.Report{OK: true, Status: 200, Usage: dialect.Usage{Input: 1, Output: 2, Estimated: true}}
	f(mockllm.Always(mockllm.SSE(word, end, mockllm.Done)), stream, estimated)
	f(mockllm.Always(mockllm.SSE(word, end)), stream, estimated)
	f(mockllm.Always(mockllm.JSON(200, nil, `{"choices":[{"index":0,"message":{"content":"x"}}],"usage":{"prompt_tokens":3,"completion_tokens":4}}`)), stream,
		probe.Report{OK: true, Status: 200, Usage: dialect.Usage{Input: 3, Output: 4}})
	f(mockllm.Always(mockllm.SSE(word), mockllm.EOF()), stream, probe.Report{
		Kind: loadbalance.Server, Status: 200, Message: "the stream ended before the answer was complete",
	})
	f(mockllm.Always(mockllm.SSE(mockllm.Done)), stream, probe.Report{
		Kind: loadbalance.Server, Status: 200, Message: "the stream ended without an answer in it",
	})
	f(mockllm.Always(mockllm.SSE(word), mockllm.Hang()), stream, probe.Report{
		Kind: loadbalance.Timeout, Status: 200,
		Message: "nothing came within 50ms, the limit that settings.stream_idle_timeout_seconds sets",
	})
	f(mockllm.Always(mockllm.SSE(word), mockllm.Reset()), stream, probe.Report{
		Kind: loadbalance.Network, Status: 200, Message: "the provider broke the connection off in the middle of the answer",
	})
	f(mockllm.Always(mockllm.SSE(`{"error":{"message":"overloaded with `+probeKey+`","type":"overloaded_error"}}`)), stream, probe.Report{
		Kind: loadbalance.Server, Status: 503,
		Message: "the provider answered with status 503: overloaded with ***; the trouble is on the provider's side",
	})
	// What else a model may be for.
	f(nil, probe.Test{Model: "m1", Endpoint: dialect.Embeddings}, probe.Report{OK: true, Status: 200, Usage: dialect.Usage{Input: 2}})
	f(nil, probe.Test{Model: "m1", Endpoint: dialect.Completions}, probe.Report{OK: true, Status: 200, Usage: dialect.Usage{Input: 2, Output: 16}})
	f(nil, probe.Test{Model: "m1", Endpoint: dialect.Moderations}, probe.Report{OK: true, Status: 200})
	f(nil, probe.Test{Model: "m9", Endpoint: dialect.Embeddings}, probe.Report{
		Kind: loadbalance.Model, Status: 404,
		Message: "the provider answered with status 404: The model `m9` does not exist or you do not have access to it; " +
			"check the model's name and providers.up.base_url",
	})
	unreadable := probe.Report{
		Kind: loadbalance.Server, Status: 200,
		Message: "what came is no answer to that request; are providers.up.base_url and its backend_type right?",
	}
	f(mockllm.Always(mockllm.JSON(200, nil, `{"hello":"world"}`)), plain, unreadable)
	f(mockllm.Always(mockllm.JSON(200, http.Header{"Content-Type": {"text/html"}}, `<html>`)), plain, unreadable)
	f(mockllm.Always(mockllm.JSON(200, nil, `{"choices":[]}`)), probe.Test{Model: "m1", Endpoint: dialect.Embeddings}, unreadable)
}

func TestBackendTestsThatCannotBeMade(t *testing.T) {
	up := mockllm.Start(t, nil)
	rt := probing{url: up.URL}.open(t).Current()
	f := func(test probe.Test, want string) {
		t.Helper()
		test.Provider, test.Model = "up", "m1"
		if r := rt.TestBackend(t.Context(), test); r.OK || r.Kind != loadbalance.Caller || r.Message != want {
			t.Errorf("%+v", r)
		}
	}
	f(probe.Test{Endpoint: dialect.Speech}, "a test of audio/speech would cost too much; send a request to the server instead")
	f(probe.Test{Endpoint: dialect.Embeddings, Stream: true}, "only a chat can be tested with a streamed answer")
	if up.Count() != 0 {
		t.Error("the provider was asked")
	}
}

func TestTestBackendTimesOutBeforeContent(t *testing.T) {
	f := func(stream bool) {
		t.Helper()
		up := mockllm.Start(t, mockllm.Always(mockllm.Hang()))
		gw := probing{url: up.URL, provider: withKey, settings: "request_timeout_seconds = 0.5"}.open(t)
		r := gw.Current().TestBackend(t.Context(), probe.Test{Provider: "up", Model: "m1", Stream: stream})
		settled(t, r, probe.Report{
			Model: "m1", Check: probe.CheckedChat, Kind: loadbalance.Timeout,
			Message: "nothing came within 500ms, the limit that providers.up.timeout_seconds sets",
		})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := up.Requests()[0].WaitLeft(ctx); err != nil {
			t.Errorf("the provider was not left: %v", err)
		}
	}
	f(false)
	f(true)
}
