package relay_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
	"github.com/PPKunOfficial/berry-api/relay/probe"
)

const azureModels = `
[models.az]
backends = [{ provider = "u1", model = "my dep/1" }]
[users.test]
token = "` + userToken + `"
`

func azure(t *testing.T, version string, script mockllm.Script) *berry {
	t.Helper()
	b := start(t, setup{toml: azureModels, scripts: one(script), provider: func(id string, p *config.Provider) {
		p.BackendType, p.APIVersion = config.TypeAzure, version
	}})
	if err := b.u["u1"].SetBehaviour(mockllm.Behaviour{Format: mockllm.Azure, Key: "provider-key-of-u1", Models: []string{"my dep/1"}}); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestP38Azure(t *testing.T) {
	f := func(version, path, query string) {
		t.Helper()
		b := azure(t, version, nil)
		a := b.post(ask("az", ""))
		if a.Status != 200 || !strings.Contains(a.Body, `"model":"az"`) {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		seen := b.u["u1"].Requests()[0]
		if seen.Path != path || seen.Query != query || seen.Header.Get("Api-Key") != "provider-key-of-u1" || seen.Header.Get("Authorization") != "" {
			t.Errorf("%s?%s %v", seen.Path, seen.Query, seen.Header)
		}
		if got := b.sent(0)["model"]; got != "my dep/1" {
			t.Errorf("model %v", got)
		}
		s := b.stream(ask("az", askStream))
		if s.Text == "" || len(s.Finish) != 1 || s.Error != nil {
			t.Errorf("%+v", s)
		}
		if r := b.gw.Current().CheckProvider(context.Background(), "u1"); !r.OK || r.Check != probe.CheckedModels || r.Models != nil {
			t.Errorf("%+v", r)
		}
	}
	f("2024-10-21", "/openai/deployments/my%20dep%2F1/chat/completions", "api-version=2024-10-21")
	f("", "/openai/v1/chat/completions", "")
	f("preview", "/openai/v1/chat/completions", "api-version=preview")
}

func TestP38AzureStream(t *testing.T) {
	b := azure(t, "", always(mockllm.SSE(mockllm.AzurePromptFilter(), mockllm.Role(), mockllm.Text("he"), mockllm.AzureFilterOffsets(),
		mockllm.Text("llo"), mockllm.Finish("stop"), mockllm.AzureFilterOffsets(), mockllm.Done)))
	s := b.stream(ask("az", askStream))
	if s.Text != "hello" || cmp.Diff([]string{"0:stop"}, s.Finish) != "" || s.Error != nil {
		t.Errorf("%+v", s)
	}
	for _, f := range s.Frames[:len(s.Frames)-1] {
		if !strings.Contains(f, `"delta":{`) || !strings.Contains(f, `"id":"c1"`) || !strings.Contains(f, `"created":1,`) || !strings.Contains(f, `"object":"chat.completion.chunk"`) {
			t.Errorf("frame %s", f)
		}
	}
}

func TestP38AzureErrors(t *testing.T) {
	b := azure(t, "", always(mockllm.JSON(400, nil, `{"error":{"message":"filtered","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation"}}}`)))
	a := b.post(ask("az", ""))
	if a.Status != 400 || !strings.Contains(a.Body, `"code":"content_filter"`) || b.u["u1"].Count() != 1 {
		t.Errorf("%d %s after %d requests", a.Status, a.Body, b.u["u1"].Count())
	}
	b = azure(t, "", always(mockllm.JSON(401, nil, `{"statusCode":401,"message":"Access denied"}`)))
	if e := b.fault(b.post(ask("az", ""))); deref(e.Code) != "upstream_auth_failed" {
		t.Errorf("%+v", e)
	}
	b = azure(t, "", always(mockllm.JSON(429, http.Header{"Retry-After-Ms": {"39500"}}, `{"error":{"code":"429","message":"slow down"}}`)))
	if a := b.post(ask("az", "")); a.Status != 429 || deref(b.fault(a).Code) != "upstream_rate_limited" || a.Header.Get("Retry-After") != "40" {
		t.Errorf("%d %v %s", a.Status, a.Header, a.Body)
	}
	b = azure(t, "2024-10-21", nil)
	if err := b.u["u1"].SetBehaviour(mockllm.Behaviour{Format: mockllm.Azure, Models: []string{"other"}}); err != nil {
		t.Fatal(err)
	}
	if a := b.post(ask("az", "")); a.Status != 404 || deref(b.fault(a).Code) != "DeploymentNotFound" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// Old API versions refuse stream_options: it is neither added nor passed on.
func TestP38AzureWithoutStreamOptions(t *testing.T) {
	b := start(t, setup{toml: azureModels, scripts: one(always(mockllm.SSE(mockllm.TextStream("a")...))), provider: func(_ string, p *config.Provider) {
		p.BackendType, p.APIVersion, p.StreamUsage = config.TypeAzure, "2023-05-15", false
	}})
	for _, more := range []string{"", `,"stream_options":{"include_usage":true}`} {
		if s := b.stream(ask("az", askStream+more)); s.Text != "a" || s.Error != nil {
			t.Errorf("%+v", s)
		}
	}
	for i := range 2 {
		if got, ok := b.sent(i)["stream_options"]; ok {
			t.Errorf("stream_options %v", got)
		}
	}
	if rec := b.record(0); rec.Usage.IsZero() || !rec.Usage.Estimated {
		t.Errorf("%+v", rec.Usage)
	}
}

// The name of the bound on an answer is the provider's, whichever the client
// wrote: models that reason refuse the older one.
func TestTokenLimitPerProvider(t *testing.T) {
	for _, kind := range []string{config.TypeOpenAI, config.TypeAzure} {
		b := start(t, setup{toml: azureModels, provider: func(_ string, p *config.Provider) {
			p.BackendType, p.TokenLimit = kind, "max_completion_tokens"
		}, scripts: one(always(mockllm.JSON(200, nil, mockllm.Completion("a", 1, 1))))})
		if a := b.post(ask("az", `,"max_tokens":5`)); a.Status != 200 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		want := map[string]any{
			"model": "my dep/1", "max_completion_tokens": 5.0, "messages": []any{map[string]any{"role": "user", "content": "hi"}},
		}
		if d := cmp.Diff(want, b.sent(0)); d != "" {
			t.Errorf("%s: -want +got:\n%s", kind, d)
		}
	}
}

// A configuration that was not loaded from a file may name any format.
func TestUnknownFormatIsAnError(t *testing.T) {
	cfg := &config.Config{Settings: config.Default(), Providers: map[string]config.Provider{
		"p": {BaseURL: "http://p.example", BackendType: "telepathy", Enabled: true},
	}}
	if _, err := relay.New(cfg, relay.Options{}); err == nil || !strings.Contains(err.Error(), `providers.p: backend_type "telepathy" is not`) {
		t.Errorf("%v", err)
	}
}
