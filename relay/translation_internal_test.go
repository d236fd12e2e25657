package relay

import (
	"net/url"
	"testing"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/hub"
	"github.com/PPKunOfficial/berry-api/relay/dialect/messages"
	"github.com/PPKunOfficial/berry-api/relay/upstream"
)

// What a provider takes of the chat format is known by its address and format.
func TestFormFor(t *testing.T) {
	req, err := messages.Parse([]byte(`{"output_config":{"effort":"max"},"messages":[{"role":"user","content":"hi"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	x := &exchange{in: dialect.Request{Scan: dialect.Scan{Model: "asked"}}, translation: &translation{req: req}}
	f := func(base, format, model string, want hub.Target) {
		t.Helper()
		u, err := url.Parse(base)
		if err != nil {
			t.Fatal(err)
		}
		up := &upstream.Upstream{Upstream: dialect.Upstream{Provider: config.Provider{BackendType: format}, Base: u}}
		want.Model = "asked"
		if got := x.formFor(&target{up: up, use: new(use), listing: config.Listing{Model: model}}); got != want {
			t.Errorf("%s %s %s: %+v, want %+v", base, format, model, got, want)
		}
	}
	f("https://api.openai.com/v1", config.TypeOpenAI, "gpt-5.2", hub.Target{Effort: "xhigh", Bookkeeping: true})
	f("https://eu.api.openai.com/v1", config.TypeOpenAI, "gpt-4o", hub.Target{Bookkeeping: true})
	f("https://notopenai.com/v1", config.TypeOpenAI, "gpt-5.2", hub.Target{Effort: "xhigh"})
	f("https://api.mistral.ai/v1", config.TypeOpenAI, "magistral", hub.Target{Effort: "high"})
	f("https://x.openai.azure.com", config.TypeAzure, "gpt-5.2", hub.Target{Effort: "high", Bookkeeping: true})
	f("https://generativelanguage.googleapis.com", config.TypeGemini, "gemini-3-pro", hub.Target{Effort: "max", Bookkeeping: true})
}
