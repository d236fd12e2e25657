package claude

import (
	"context"
	"net/http"
	"net/url"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

func TestAddresses(t *testing.T) {
	f := func(base, want string) {
		t.Helper()
		u, err := url.Parse(base)
		if err != nil {
			t.Fatal(err)
		}
		d := New(dialect.Upstream{Base: u}, &Thoughts{})
		req, _, err := encoded(t, d, asked(t, `{"messages":[{"role":"user","content":"a"}]}`, "m", false))
		if err != nil {
			t.Fatal(err)
		}
		list, err := d.List(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if got := req.URL.RequestURI() + " " + list.URL.RequestURI(); got != want+"/messages "+want+"/models?limit=1000" {
			t.Errorf("%s: %s", base, got)
		}
		if u.String() != base {
			t.Errorf("the provider's own URL became %s", u)
		}
	}
	f("https://api.anthropic.com", "/v1")
	f("https://api.anthropic.com/v1", "/v1")
	f("https://proxy.example/anthropic", "/anthropic/v1")
}

func TestHeaders(t *testing.T) {
	f := func(change func(p *config.Provider), in http.Header, want http.Header) {
		t.Helper()
		r := asked(t, `{"messages":[{"role":"user","content":"a"}]}`, "m", true)
		r.Header = in
		req, _, err := encoded(t, bound(t, change), r)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, req.Header); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
	}
	all := http.Header{
		"Accept": {"text/event-stream"}, "Content-Type": {"application/json"}, "User-Agent": {"berry"},
		"Anthropic-Version": {"2023-06-01"}, "X-Api-Key": {"up-3"},
	}
	f(nil, http.Header{"Authorization": {"Bearer client"}, "Cookie": {"a"}, "X-Api-Key": {"client"}, "Anthropic-Version": {"client"}}, all)
	more := all.Clone()
	more["Anthropic-Version"], more["Anthropic-Beta"], more["X-Team"] = []string{"2026-10-21"}, []string{"b"}, []string{"t"}
	f(func(p *config.Provider) { p.APIVersion, p.Headers = "2026-10-21", config.Headers{"x-team": "t"} }, http.Header{"Anthropic-Beta": {"b"}}, more)
}

func TestDefaultLimit(t *testing.T) {
	d := bound(t, func(p *config.Provider) { p.MaxTokens = 77 })
	_, got, err := encoded(t, d, asked(t, `{"messages":[{"role":"user","content":"a"}]}`, "claude-3-haiku-20240307", false))
	if want := `{"model":"claude-3-haiku-20240307","max_tokens":77,"messages":[{"role":"user","content":[{"type":"text","text":"a"}]}]}`; got != want || err != nil {
		t.Errorf("%s %v", got, err)
	}
}

func TestReadModel(t *testing.T) {
	f := func(name string, want model) {
		t.Helper()
		if got := readModel(name); got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	f("claude-opus-4-7", model{true, 407, "opus"})
	f("claude-sonnet-4-5-20250929", model{true, 405, "sonnet"})
	f("claude-opus-4-20250514", model{true, 400, "opus"})
	f("claude-3-7-sonnet-latest", model{true, 307, "sonnet"})
	f("claude-3-haiku-20240307", model{true, 300, "haiku"})
	f("us.anthropic.claude-sonnet-4.5-v1:0", model{true, 405, "sonnet"})
	f("claude-haiku-4-5@20251001", model{true, 405, "haiku"})
	f("Claude-Fable-5-1", model{true, 501, "fable"})
	f("claude-2.1", model{true, 201, ""})
	f("kimi-k2", model{})
	f("claude-x", model{family: "x"})
}

func TestReadList(t *testing.T) {
	f := func(body string, want []string, ok bool) {
		t.Helper()
		got, gotOK := bound(t, nil).ReadList([]byte(body))
		if cmp.Diff(want, got) != "" || ok != gotOK {
			t.Errorf("%s: %v %v", body, got, gotOK)
		}
	}
	f(`{"data":[{"type":"model","id":"a"},{"id":5},{"id":"b"}],"has_more":false}`, []string{"a", "b"}, true)
	f(`{"data":[]}`, []string{}, true)
	f(`{"data":[{"type":"model","id":"a"}],"has_more":true}`, nil, true)
	f(`{"data":{}}`, nil, false)
	f(`<html>`, nil, false)
}

// TestThoughtsAreBounded fills the memory for reasoning from both ends.
func TestThoughtsAreBounded(t *testing.T) {
	th := &Thoughts{}
	big := make([]byte, maxThoughtBytes)
	for i := range 100 {
		th.keep(string(rune('a'+i)), []jsontext.Value{big})
	}
	if th.bytes > maxThoughtBytesTotal || len(th.byID) != len(th.order) || th.of("a") != nil || th.of(string(rune('a'+99))) == nil {
		t.Errorf("%d bytes in %d answers", th.bytes, len(th.byID))
	}
	th.keep("too big", []jsontext.Value{big, {'1'}})
	th.keep("", []jsontext.Value{{'1'}})
	if th.of("too big") != nil || th.of("") != nil {
		t.Error("kept what must not be")
	}
	for i := range 2 * maxThoughts {
		th.keep(string(rune(i+1000)), []jsontext.Value{{'1'}})
	}
	if len(th.byID) != maxThoughts || len(th.order) != maxThoughts {
		t.Errorf("%d answers", len(th.byID))
	}
}

// A later version of the API, which a provider may set, refuses what earlier
// models know.
func TestSamplingByAPIVersion(t *testing.T) {
	f := func(change func(p *config.Provider), want string, dropped ...string) {
		t.Helper()
		in := asked(t, `{"messages":[{"role":"user","content":"a"}],"temperature":1,"top_p":1,"top_k":5,"max_tokens":9}`, "claude-sonnet-4-5", false)
		_, got, err := encoded(t, bound(t, change), in)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(`{"model":"claude-sonnet-4-5","max_tokens":9,"messages":[{"role":"user","content":[{"type":"text","text":"a"}]}]`+want+`}`, got); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff(dropped, in.Dropped); d != "" {
			t.Error(d)
		}
	}
	f(nil, `,"temperature":1,"top_k":5`, "top_p")
	f(func(p *config.Provider) { p.APIVersion = "2026-10-21" }, "", "temperature", "top_k", "top_p")
	f(func(p *config.Provider) { p.Headers = config.Headers{"anthropic-version": "2027-01-01"} }, "", "temperature", "top_k", "top_p")
}
