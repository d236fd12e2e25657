package relay_test

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// endpointModels has models of providers of several formats: u1 and u2 speak OpenAI's, g
// Gemini's, c Claude's.
const endpointModels = usual + `
[models.emb-g]
backends = [{ provider = "g", model = "gemini-embedding-001" }]
[models.claude-x]
backends = [{ provider = "c", model = "claude-up" }]
[models.both]
strategy = "failover"
backends = [
	{ provider = "c", model = "claude-up", priority = 1, tags = ["c-only"] },
	{ provider = "u2", model = "gpt-b-up", priority = 2, tags = ["u-only"] },
]
[models.reverse]
strategy = "failover"
backends = [{ provider = "u2", model = "gpt-b-up", priority = 1 }, { provider = "c", model = "claude-up", priority = 2 }]
[models.moderator]
name = "omni-moderation-latest"
backends = [{ provider = "u1", model = "mod-up" }]
[users.tagged]
token = "sk-test-2-long-enough"
tags = ["c-only"]
`

func startFormats(t *testing.T, scripts map[string]mockllm.Script) *berry {
	t.Helper()
	return startFormatsOf(t, endpointModels, scripts)
}

// startFormatsOf is startFormats with other models and users.
func startFormatsOf(t *testing.T, toml string, scripts map[string]mockllm.Script) *berry {
	t.Helper()
	return start(t, setup{
		ids: []string{"u1", "u2", "g", "c"}, toml: toml, scripts: scripts,
		behaviours: map[string]mockllm.Behaviour{"g": {Format: mockllm.Gemini}, "c": {Format: mockllm.Claude}},
		provider: func(id string, p *config.Provider) {
			switch id {
			case "g":
				toGemini(id, p)
			case "c":
				p.BackendType = config.TypeClaude
			}
		},
	})
}

func TestP21Completions(t *testing.T) {
	frames := []string{mockllm.TextChunk("he", ""), mockllm.TextChunk("llo", "stop"), mockllm.Done}
	b := startFormats(t, map[string]mockllm.Script{"u1": always(mockllm.SSE(frames...))})
	const body = `{"model":"gpt-a","prompt":"say","max_tokens":5,"stream":true}`
	a := b.postTo(dialect.Completions, body)
	want := "data: " + strings.Join(frames, "\n\ndata: ") + "\n\n"
	if want = strings.ReplaceAll(want, `"model":"m"`, `"model":"gpt-a"`); a.Body != want || a.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("%q, want %q", a.Body, want)
	}
	sent := b.u["u1"].Requests()[0]
	if got := string(sent.Body); sent.Path != "/v1/completions" || got != `{"stream_options":{"include_usage":true},"model":"gpt-a-up","prompt":"say","max_tokens":5,"stream":true}` {
		t.Errorf("%s %s", sent.Path, got)
	}

	// Whole; and as a stream that the upstream does not make.
	b.u["u1"].SetScript(always(mockllm.JSON(200, nil, mockllm.TextCompletion("hello", 7, 2))))
	if a := b.postTo(dialect.Completions, `{"model":"gpt-a","prompt":["say"]}`); a.Status != 200 || a.Body != strings.Replace(mockllm.TextCompletion("hello", 7, 2), `"m"`, `"gpt-a"`, 1) {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if rec := b.record(1); rec.Usage != (dialect.Usage{Input: 7, Output: 2}) {
		t.Errorf("%+v", rec.Usage)
	}
	a = b.postTo(dialect.Completions, body)
	want = `data: {"id":"c1","object":"text_completion","created":1,"model":"gpt-a","choices":[{"text":"hello","index":0,"logprobs":null,"finish_reason":null}]}

data: {"id":"c1","object":"text_completion","created":1,"model":"gpt-a","choices":[{"text":"","index":0,"logprobs":null,"finish_reason":"stop"}]}

data: [DONE]

`
	if a.Body != want {
		t.Errorf("%q, want %q", a.Body, want)
	}

	// Cut after content: the client is told, in chat's way.
	b.u["u1"].SetScript(always(mockllm.SSE(mockllm.TextChunk("he", "")), mockllm.EOF()))
	a = b.postTo(dialect.Completions, body)
	if !strings.Contains(a.Body, `"text":"he"`) || !strings.HasSuffix(a.Body, "data: [DONE]\n\n") || !strings.Contains(a.Body, `"code":"stream_interrupted"`) {
		t.Errorf("%q", a.Body)
	}
}

func TestP21Moderations(t *testing.T) {
	const answer = `{"id":"modr-1","model":"omni-2","results":[{"flagged":false,"categories":{"a/b":false},"category_scores":{"a/b":0.000012345678901234567}}]}`
	b := startFormats(t, map[string]mockllm.Script{"u1": always(mockllm.JSON(200, nil, answer))})
	f := func(in, sent, model string) {
		t.Helper()
		n := b.u["u1"].Count()
		a := b.postTo(dialect.Moderations, in)
		if want := strings.Replace(answer, "omni-2", model, 1); a.Status != 200 || a.Body != want {
			t.Errorf("%s: %d %s, want %s", in, a.Status, a.Body, want)
		}
		if r := b.u["u1"].Requests()[n]; r.Path != "/v1/moderations" || string(r.Body) != sent {
			t.Errorf("%s: sent %s %s", in, r.Path, r.Body)
		}
	}
	f(`{"model":"gpt-a","input":["x",{"y":1.0}]}`, `{"model":"gpt-a-up","input":["x",{"y":1.0}]}`, "gpt-a")
	const usual = "omni-moderation-latest"
	f(`{"input":"x"}`, `{"model":"mod-up","input":"x"}`, usual)
	f(`{ "input":"x" }`, `{"model":"mod-up", "input":"x" }`, usual)
	f(` { } `, ` {"model":"mod-up" } `, usual)
}

func TestEndpointsGoWhereTheyAreServed(t *testing.T) {
	b := startFormats(t, nil)
	f := func(e dialect.Endpoint, model string, status int, provider, code string) {
		t.Helper()
		a := b.postTo(e, `{"model":"`+model+`","input":"a","prompt":"a",`+hi+`}`)
		if a.Status != status || a.Header.Get("X-Berry-Provider") != provider {
			t.Errorf("%v %s: %d from %q: %s", e, model, a.Status, a.Header.Get("X-Berry-Provider"), a.Body)
		}
		if status != 200 && deref(b.fault(a).Code) != code {
			t.Errorf("%v %s: %s", e, model, a.Body)
		}
	}
	f(dialect.Chat, "both", 200, "c", "")
	f(dialect.Embeddings, "both", 200, "u2", "")
	f(dialect.Completions, "both", 200, "u2", "")
	f(dialect.Embeddings, "emb-g", 200, "g", "")
	for _, e := range []dialect.Endpoint{dialect.Completions, dialect.Embeddings, dialect.Moderations, dialect.Compact} {
		f(e, "claude-x", 404, "", "unsupported_endpoint")
		f(e, "nope", 404, "", "model_not_found")
	}
	f(dialect.Moderations, "emb-g", 404, "", "unsupported_endpoint")
	a := b.postTo(dialect.Embeddings, `{"model":"claude-x"}`)
	const want = `{"error":{"message":"the model \"claude-x\" cannot be used with /v1/embeddings: none of its providers offers that",` +
		`"type":"invalid_request_error","param":"model","code":"unsupported_endpoint"}}`
	if a.Body != want {
		t.Errorf("%s, want %s", a.Body, want)
	}
	for _, id := range []string{"c", "u1"} { // nobody was asked for what it does not have
		for _, r := range b.u[id].Requests() {
			if r.Path != "/v1/messages" {
				t.Errorf("%s was asked for %s", id, r.Path)
			}
		}
	}

	// Tags choose among those that serve the endpoint.
	for e, want := range map[dialect.Endpoint]int{dialect.Chat: 200, dialect.Embeddings: 403} {
		if status, body := b.postAs("sk-test-2-long-enough", e, `{"model":"both","input":"a",`+hi+`}`); status != want {
			t.Errorf("%v by tag: %d %s", e, status, body)
		}
	}

	// The states of backends are one, whatever they are asked for.
	if st, _ := b.gw.Fleet().Backend("u2:gpt-b-up"); st.Requests != 2 {
		t.Errorf("u2: %d requests", st.Requests)
	}
}

func (b *berry) postAs(token string, e dialect.Endpoint, body string) (int, string) {
	b.t.Helper()
	a := b.whole(b.do(b.t.Context(), request{token: token, path: "/v1/" + e.Path(), body: body}))
	return a.Status, a.Body
}

// A longer prompt goes to the model that is meant for it, if that one can be
// asked for the same.
func TestContextFallbackByEndpoint(t *testing.T) {
	const models = `
[models.texts]
context_fallback = "longer"
backends = [{ provider = "u1", model = "up" }]
[models.longer]
strategy = "failover"
backends = [
	{ provider = "c", model = "claude-up", priority = 1 },
	{ provider = "u2", model = "up", priority = 2 },
]
[models.short]
context_fallback = "chats"
backends = [{ provider = "u1", model = "up" }]
[models.chats]
backends = [{ provider = "c", model = "claude-up" }]
[users.test]
token = "sk-test-1-long-enough"
`
	tooLong := always(mockllm.JSON(400, nil, mockllm.Fault("too long", "invalid_request_error", "prompt", "context_length_exceeded")))
	b := start(t, setup{
		ids: []string{"u1", "u2", "c"}, toml: models, scripts: one(tooLong),
		behaviours: map[string]mockllm.Behaviour{"c": {Format: mockllm.Claude}},
		provider: func(id string, p *config.Provider) {
			if id == "c" {
				p.BackendType = config.TypeClaude
			}
		},
	})
	f := func(e dialect.Endpoint, model string, status int, provider string) {
		t.Helper()
		a := b.postTo(e, `{"model":"`+model+`","prompt":"a",`+hi+`}`)
		if a.Status != status || a.Header.Get("X-Berry-Provider") != provider {
			t.Errorf("%v %s: %d from %s: %s", e, model, a.Status, a.Header.Get("X-Berry-Provider"), a.Body)
		}
	}
	f(dialect.Chat, "texts", 200, "c")
	f(dialect.Completions, "texts", 200, "u2")
	f(dialect.Chat, "short", 200, "c")
	f(dialect.Completions, "short", 400, "u1")
}

// A provider without the endpoint is passed over and not blamed: it may answer
// chats all the while.
func TestUnofferedIsNobodysFault(t *testing.T) {
	refuses := func(status int) mockllm.Script {
		return func(r *mockllm.Seen) []mockllm.Step {
			if strings.HasSuffix(r.Path, "/chat/completions") {
				return nil
			}
			return []mockllm.Step{mockllm.JSON(status, nil, `{"error":{"message":"only chats here","type":"invalid_request_error","param":null,"code":"unknown_url"}}`)}
		}
	}
	for _, status := range []int{404, 405, 501} {
		b := startFormats(t, two(refuses(status), nil))
		for range 30 { // far more than the budget of retries holds
			a := b.postTo(dialect.Embeddings, `{"model":"pool","input":"a"}`)
			if a.Status != 200 || a.Header.Get("X-Berry-Provider") != "u2" || a.Header.Get("X-Berry-Attempts") != "2" {
				t.Fatalf("%d: %d %v %s", status, a.Status, a.Header, a.Body)
			}
		}
		st, _ := b.gw.Fleet().Backend("u1:gpt-a-up")
		if !st.Healthy || st.Breaker != loadbalance.BreakerClosed || st.LastError != loadbalance.Success {
			t.Errorf("%d: %+v", status, st)
		}
		if a := b.post(ask("pool", "")); a.Header.Get("X-Berry-Provider") != "u1" {
			t.Errorf("%d: a chat went to %s", status, a.Header.Get("X-Berry-Provider"))
		}
		// If nobody has it, the first word is the answer.
		b.u["u2"].SetScript(always(mockllm.JSON(404, nil, `{"error":{"message":"nor here"}}`)))
		a := b.postTo(dialect.Embeddings, `{"model":"pool","input":"a"}`)
		if e := b.fault(a); a.Status != status || e.Message != "only chats here" || deref(e.Code) != "unknown_url" {
			t.Errorf("%d: %d %s", status, a.Status, a.Body)
		}
		// One that has it and fails is another matter.
		b.u["u2"].SetScript(always(mockllm.JSON(500, nil, `{}`)))
		if a := b.postTo(dialect.Embeddings, `{"model":"pool","input":"a"}`); a.Status != 502 {
			t.Errorf("%d: %d %s", status, a.Status, a.Body)
		}
	}
}

// An endpoint's own turn outlives a reload that makes the model anew.
func TestReloadKeepsTheEndpointsTurn(t *testing.T) {
	b := startFormats(t, nil)
	turns := func(c *config.Config, price float64) {
		c.Models["pool"] = config.Model{
			ID: "pool", Name: "pool", Enabled: true, Strategy: "round_robin",
			Backends: []config.Listing{
				{Provider: "c", Model: "claude-up", Weight: 1, Enabled: true, Priority: 1},
				{Provider: "u1", Model: "a", Weight: 1, Enabled: true, Priority: 1, InputPrice: price},
				{Provider: "u2", Model: "a", Weight: 1, Enabled: true, Priority: 1},
			},
		}
	}
	b.reload(func(c *config.Config) { turns(c, 0) })
	var got []string
	for i := range 6 {
		a := b.postTo(dialect.Embeddings, `{"model":"pool","input":"a"}`)
		got = append(got, a.Header.Get("X-Berry-Provider"))
		b.reload(func(c *config.Config) { turns(c, float64(i+1)) })
	}
	if want := slices.Repeat(got[:2], 3); got[0] == got[1] || !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

// A model of three formats is seen in three ways.
func TestEachEndpointHasItsListings(t *testing.T) {
	b := startFormats(t, nil)
	b.reload(func(c *config.Config) {
		c.Models["pool"] = config.Model{
			ID: "pool", Name: "pool", Enabled: true, Strategy: "round_robin",
			Backends: []config.Listing{
				{Provider: "c", Model: "claude-up", Weight: 1, Enabled: true},
				{Provider: "g", Model: "gemini-embedding-001", Weight: 1, Enabled: true},
				{Provider: "u1", Model: "a", Weight: 1, Enabled: true},
			},
		}
	})
	f := func(e dialect.Endpoint, want ...string) {
		t.Helper()
		var got []string
		for range 6 {
			got = append(got, b.postTo(e, `{"model":"pool","input":"a","prompt":"a",`+hi+`}`).Header.Get("X-Berry-Provider"))
		}
		slices.Sort(got)
		if got = slices.Compact(got); !slices.Equal(got, want) {
			t.Errorf("%v went to %v, want %v", e, got, want)
		}
	}
	f(dialect.Chat, "c", "g", "u1")
	f(dialect.Embeddings, "g", "u1")
	f(dialect.Completions, "u1")
	f(dialect.Moderations, "u1")
}

// Where the only one that may have the endpoint is out of use for now, the client
// is told to come back, and not that nobody has it.
func TestUnofferedByTheOthers(t *testing.T) {
	embeddings := func(step mockllm.Step) mockllm.Script {
		return func(r *mockllm.Seen) []mockllm.Step {
			if strings.HasSuffix(r.Path, "/chat/completions") {
				return nil
			}
			return []mockllm.Step{step}
		}
	}
	none := embeddings(mockllm.JSON(404, nil, `{"error":{"message":"only chats here"}}`))
	f := func(failure mockllm.Step, status int, code, retryAfter string) {
		t.Helper()
		b := startFormats(t, two(none, embeddings(failure)))
		for range 20 { // until its breaker opens
			b.postTo(dialect.Embeddings, `{"model":"pool","input":"a"}`)
		}
		n := b.u["u2"].Count()
		a := b.postTo(dialect.Embeddings, `{"model":"pool","input":"a"}`)
		if a.Status != status || deref(b.fault(a).Code) != code || a.Header.Get("Retry-After") != retryAfter || b.u["u2"].Count() != n {
			t.Errorf("%d %v %s", a.Status, a.Header, a.Body)
		}
	}
	f(mockllm.JSON(401, nil, `{}`), 503, "no_backend_available", "1")
	f(mockllm.JSON(429, http.Header{"Retry-After": {"600"}}, `{}`), 429, "upstream_rate_limited", "600")
}

// However many providers without the endpoint stand before it, the one that has
// it is asked, and may be tried again as if they were not there.
func TestUnofferedByMany(t *testing.T) {
	var models strings.Builder
	models.WriteString("[models.many]\nstrategy = \"failover\"\nbackends = [\n")
	const most = 6
	for i := range most {
		fmt.Fprintf(&models, "\t{ provider = \"u1\", model = \"up-%d\", priority = %[1]d },\n", i+1)
	}
	models.WriteString("]\n[users.test]\ntoken = \"sk-test-1-long-enough\"\n")
	last := []byte(`"up-6"`)
	var failed atomic.Bool
	b := start(t, setup{ids: []string{"u1"}, toml: models.String(), scripts: one(func(r *mockllm.Seen) []mockllm.Step {
		switch {
		case !bytes.Contains(r.Body, last):
			return []mockllm.Step{mockllm.JSON(404, nil, `{"error":{"message":"not here"}}`)}
		case !failed.Swap(true):
			return []mockllm.Step{mockllm.JSON(500, nil, `{}`)}
		}
		return nil
	})})
	a := b.postTo(dialect.Embeddings, `{"model":"many","input":"a"}`)
	if a.Status != 200 || a.Header.Get("X-Berry-Model") != "up-6" || a.Header.Get("X-Berry-Attempts") != "7" {
		t.Errorf("%d %v %s", a.Status, a.Header, a.Body)
	}
	last = []byte("nobody")
	n := b.u["u1"].Count()
	if a := b.postTo(dialect.Embeddings, `{"model":"many","input":"a"}`); a.Status != 404 || b.fault(a).Message != "not here" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if asked := b.u["u1"].Count() - n; asked != most {
		t.Errorf("%d of %d backends were asked", asked, most)
	}
}

// A chat that the provider does not have is the model's failure, as ever.
func TestUnofferedChatIsTheBackendsFault(t *testing.T) {
	b := startFormats(t, one(always(mockllm.JSON(404, nil, mockllm.Fault("no such model", "invalid_request_error", "model", "model_not_found")))))
	if a := b.post(ask("pool", "")); a.Status != 200 || a.Header.Get("X-Berry-Provider") != "u2" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if st, _ := b.gw.Fleet().Backend("u1:gpt-a-up"); st.Healthy {
		t.Error("it is healthy")
	}
}

// The model that is only ever asked for vectors refuses every chat. Once broken,
// it must come back all the same, without a request of a user.
func TestAnEmbeddingBackendComesBack(t *testing.T) {
	f := func(before bool) {
		t.Helper()
		onlyVectors := func(r *mockllm.Seen) []mockllm.Step {
			if !strings.HasSuffix(r.Path, "/chat/completions") {
				return nil
			}
			return []mockllm.Step{mockllm.JSON(404, nil, mockllm.Fault("This is not a chat model", "invalid_request_error", "model", "model_not_found"))}
		}
		down := always(mockllm.JSON(500, nil, "{}"))
		b := start(t, setup{
			scripts: two(onlyVectors, nil),
			settings: func(s *config.Settings) {
				s.HealthCheckIntervalSeconds, s.RecoveryCheckIntervalSeconds, s.HealthCheckTimeoutSeconds = 0.02, 0.02, 1
				s.CircuitBreakerFailureThreshold, s.CircuitBreakerTimeoutSeconds = 2, 0.02
			},
			behaviours: map[string]mockllm.Behaviour{"u1": {Models: []string{"gpt-a-up"}}, "u2": {Models: []string{"gpt-b-up"}}},
		})
		const body = `{"model":"pool","input":"a"}`
		if before {
			if a := b.postTo(dialect.Embeddings, body); a.Header.Get("X-Berry-Provider") != "u1" {
				t.Fatalf("%d %v", a.Status, a.Header)
			}
		}
		b.u["u1"].SetScript(down)
		healthy := func() bool { st, _ := b.gw.Fleet().Backend("u1:gpt-a-up"); return st.Healthy }
		for i := 0; healthy() && i < 20; i++ {
			if a := b.postTo(dialect.Embeddings, body); a.Header.Get("X-Berry-Provider") != "u2" {
				t.Fatalf("%d %v", a.Status, a.Header)
			}
		}
		if healthy() {
			t.Fatal("it does not become unhealthy")
		}
		b.u["u1"].SetScript(onlyVectors)
		for deadline := time.Now().Add(20 * time.Second); !healthy(); <-time.After(2 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("it does not come back")
			}
		}
		if a := b.postTo(dialect.Embeddings, body); a.Status != 200 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		for _, r := range b.u["u1"].Requests() {
			if strings.HasSuffix(r.Path, "/chat/completions") {
				t.Errorf("it was asked to chat: %s", r.Body)
			}
		}
	}
	f(true)
	f(false) // it was never seen to answer: what it was asked for is asked again
}

// What is too dear for a probe is proved by a user's request, which is let
// through to the broken backend from time to time.
func TestASpeechBackendComesBackByAUsersRequest(t *testing.T) {
	speech := func(r *mockllm.Seen) []mockllm.Step {
		if strings.HasSuffix(r.Path, "/chat/completions") {
			return []mockllm.Step{mockllm.JSON(404, nil, mockllm.Fault("This is not a chat model", "invalid_request_error", "model", "model_not_found"))}
		}
		if !strings.HasSuffix(r.Path, "/audio/speech") {
			return nil
		}
		return []mockllm.Step{mockllm.JSON(200, http.Header{"Content-Type": {"audio/mpeg"}}, "sound")}
	}
	b := start(t, setup{
		scripts: two(speech, speech),
		settings: func(s *config.Settings) {
			s.HealthCheckIntervalSeconds, s.RecoveryCheckIntervalSeconds, s.HealthCheckTimeoutSeconds = 0.02, 0.02, 1
			s.CircuitBreakerFailureThreshold, s.CircuitBreakerTimeoutSeconds = 2, 0.02
		},
		behaviours: map[string]mockllm.Behaviour{"u1": {Models: []string{"gpt-a-up"}}, "u2": {Models: []string{"gpt-b-up"}}},
	})
	ask := func() string {
		t.Helper()
		a := b.postTo(dialect.Speech, `{"model":"pool","input":"a","voice":"v"}`)
		if a.Status != 200 || a.Body != "sound" {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		return a.Header.Get("X-Berry-Provider")
	}
	if got := ask(); got != "u1" {
		t.Fatalf("by %s", got)
	}
	b.u["u1"].SetScript(always(mockllm.JSON(500, nil, "{}")))
	healthy := func() bool { st, _ := b.gw.Fleet().Backend("u1:gpt-a-up"); return st.Healthy }
	for i := 0; healthy() && i < 20; i++ {
		ask()
	}
	if healthy() {
		t.Fatal("it does not become unhealthy")
	}
	b.u["u1"].SetScript(speech)
	for deadline := time.Now().Add(20 * time.Second); ask() != "u1"; <-time.After(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not come back")
		}
	}
	for _, r := range b.u["u1"].Requests() {
		if strings.HasSuffix(r.Path, "/chat/completions") {
			t.Errorf("it was asked to chat: %s", r.Body)
		}
	}
}
