package relay_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// What is kept where is known after a reload too, also of a model that is no
// longer there, but not at a provider that is no longer there, nor for a user
// who may not use the model any more.
func TestStoredResponsesOutliveReloads(t *testing.T) {
	b := startResponses(t, setup{})
	id := b.read(b.make(`{"model":"only-b","input":"hi"}`)).ID
	f := func(status int, message string, edit func(c *config.Config)) {
		t.Helper()
		before := b.gw.Current().Config
		b.reload(edit)
		n := len(b.u["u2"].Requests())
		a := b.ask(userToken, "GET", "/"+id, "")
		if a.Status != status || !strings.Contains(a.Body, message) || status == 200 != (len(b.u["u2"].Requests()) == n+1) {
			t.Errorf("%d %s, want %d %s", a.Status, a.Body, status, message)
		}
		b.reload(func(c *config.Config) { *c = *before })
	}
	f(200, `"model":"only-b"`, func(*config.Config) {})
	f(200, `"model":"only-b"`, func(c *config.Config) { delete(c.Models, "only-b") })
	f(200, `"model":"only-b"`, func(c *config.Config) {
		m := c.Models["only-b"]
		m.Backends[0].Model = "renamed"
		c.Models["only-b"] = m
	})
	f(404, "not configured any more", func(c *config.Config) {
		for id, m := range c.Models {
			m.Backends = slices.DeleteFunc(m.Backends, func(l config.Listing) bool { return l.Provider == "u2" })
			c.Models[id] = m
		}
		delete(c.Providers, "u2")
	})
	f(403, "model_not_allowed", func(c *config.Config) {
		u := c.Users["test"]
		u.AllowedModels = []string{"pool"}
		c.Users["test"] = u
	})
	f(403, "model_not_allowed", func(c *config.Config) {
		m := c.Models["only-b"]
		m.Backends[0].Tags = []string{"premium"}
		c.Models["only-b"] = m
		u := c.Users["test"]
		u.Tags = []string{"basic"}
		c.Users["test"] = u
	})
}

// What goes on from a response waits for its provider, and is tried nowhere else.
func TestPreviousResponseDoesNotFailOver(t *testing.T) {
	b := startResponses(t, setup{settings: func(s *config.Settings) { s.MaxRetries = 1 }})
	id := b.read(b.make(`{"model":"pool","input":"hi"}`)).ID
	b.u["u1"].SetScript(always(mockllm.JSON(500, nil, "{}")))
	for range 3 {
		if a := b.make(`{"model":"pool","input":"on","previous_response_id":"` + id + `"}`); a.Status < 500 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	}
	if n := len(b.u["u2"].Requests()); n != 0 {
		t.Errorf("the other provider was asked %d times", n)
	}
	// What begins anew is not bound to it.
	b.read(b.make(`{"model":"pool","input":"hi"}`))
	if len(b.u["u2"].Requests()) != 1 {
		t.Error("a new conversation did not fail over")
	}
}

// Each request for what is kept counts towards the user's limits.
func TestStoredResponsesAreLimited(t *testing.T) {
	b := startResponses(t, setup{toml: withOthers + "rate_limit = { requests_per_minute = 3 }\n"})
	id := b.read(b.ask(otherToken, "POST", "", `{"model":"pool","input":"hi"}`)).ID
	for i, want := range []int{200, 200, 429} {
		a := b.ask(otherToken, "GET", "/"+id, "")
		if a.Status != want || a.Header.Get("X-Ratelimit-Limit-Requests") != "3" || want == 429 != (a.Header.Get("Retry-After") != "") {
			t.Errorf("%d: %d %v", i, a.Status, a.Header)
		}
	}
	if n := b.requests("u1", http.MethodGet, ""); n != 2 {
		t.Errorf("%d requests", n)
	}
}

// A provider whose format has no responses is asked for a chat, and for what a
// chat would be in tokens, and not for what else is below them.
func TestResponsesGoWhereTheyAreServed(t *testing.T) {
	b := startResponses(t, setup{behaviours: map[string]mockllm.Behaviour{"u1": {Format: mockllm.Claude}}, provider: func(id string, p *config.Provider) {
		if id == "u1" {
			p.BackendType = config.TypeClaude
		}
	}})
	if m := b.read(b.make(`{"model":"pool","input":"hi"}`)); m.Model != "pool" || b.requests("u1", "POST", "/v1/messages") != 1 || len(b.u["u2"].Requests()) != 0 {
		t.Errorf("%+v", m)
	}
	if a := b.ask(userToken, "POST", "/input_tokens", `{"model":"gpt-a","input":"hi"}`); a.Status != 200 || a.Body != `{"object":"response.input_tokens","input_tokens":2}` {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if a := b.ask(userToken, "POST", "/compact", `{"model":"gpt-a","input":"hi"}`); a.Status != 404 || deref(b.fault(a).Code) != "unsupported_endpoint" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// Azure keeps responses too, at its older and its newer addresses.
func TestResponsesOfAzure(t *testing.T) {
	for version, path := range map[string]string{"": "/openai/v1/responses", "2025-03-01-preview": "/openai/responses"} {
		b := startResponses(t, setup{
			provider: func(_ string, p *config.Provider) {
				p.BackendType, p.APIVersion = config.TypeAzure, version
				p.BaseURL = strings.TrimSuffix(p.BaseURL, "/v1")
			},
			behaviours: map[string]mockllm.Behaviour{"u1": {Format: mockllm.Azure, Key: "provider-key-of-u1"}},
		})
		id := b.read(b.make(`{"model":"gpt-a","input":"hi"}`)).ID
		events := b.events(b.make(`{"model":"gpt-a","input":"hi","stream":true,"previous_response_id":"` + id + `"}`))
		if end := events[len(events)-1]; end.Name != "response.completed" || !strings.Contains(end.Data, `"model":"gpt-a"`) {
			t.Errorf("%+v", end)
		}
		b.read(b.ask(userToken, "GET", "/"+id, ""))
		b.events(b.ask(userToken, "GET", "/"+id+"?stream=true", ""))
		if a := b.ask(userToken, "DELETE", "/"+id, ""); a.Status != 200 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		if b.requests("u1", "POST", path) != 2 || b.requests("u1", "GET", path+"/"+id) != 2 || b.requests("u1", "DELETE", path+"/"+id) != 1 {
			t.Errorf("%s: %+v", path, b.u["u1"].Requests())
		}
	}
}

// What the fallback for long prompts answered is gone on from there.
func TestResponsesOfTheContextFallback(t *testing.T) {
	tooLong := always(mockllm.JSON(400, nil, mockllm.Fault("too long", "invalid_request_error", "input", "context_length_exceeded")))
	b := startResponses(t, setup{
		toml:    strings.Replace(withOthers, "[models.gpt-a]", "[models.gpt-a]\ncontext_fallback = \"only-b\"", 1),
		scripts: map[string]mockllm.Script{"u1": tooLong},
	})
	m := b.read(b.make(`{"model":"gpt-a","input":"hi"}`))
	if next := b.read(b.make(`{"model":"gpt-a","input":"on","previous_response_id":"` + m.ID + `"}`)); next.Model != "gpt-a" {
		t.Errorf("%+v", next)
	}
	b.read(b.ask(userToken, "GET", "/"+m.ID, ""))
	if n, k := len(b.u["u1"].Requests()), len(b.u["u2"].Requests()); n != 1 || k != 3 {
		t.Errorf("%d and %d requests", n, k)
	}
	if rec := b.record(2); rec.Model.Name != "gpt-a" || len(rec.Attempts) != 1 || rec.Attempts[0].Backend != "u2:m-2" {
		t.Errorf("%+v", rec)
	}
}

// A stream that is cut does not end a response in the background: what it
// consumed is booked when it is asked for, once; one that came to its end has been.
func TestBackgroundStreamsAreBookedOnce(t *testing.T) {
	const began = `"response":{"background":true,` + responseHead + `}`
	const over = `"response":{"background":true,"id":"resp_1","status":"completed","usage":{"input_tokens":7,"output_tokens":2}}`
	f := func(booked int, steps ...mockllm.Step) {
		t.Helper()
		first := mockllm.Body(mockllm.ResponseEvent(0, "response.created", began), mockllm.ResponseEvent(1, "response.output_text.delta", `"delta":"he"`))
		b := startResponses(t, setup{scripts: map[string]mockllm.Script{"u1": mockllm.Attempts(
			always(append([]mockllm.Step{sse(), first}, steps...)...),
			always(mockllm.JSON(200, nil, strings.TrimPrefix(over, `"response":`))))}})
		b.events(b.make(`{"model":"gpt-a","input":"hi","stream":true,"background":true}`))
		for range 2 {
			b.read(b.ask(userToken, "GET", "/resp_1", ""))
		}
		for i := range 3 {
			if u := b.record(i).Usage; u.IsZero() != (i != booked) || i == booked && (u != relay.Usage{Input: 7, Output: 2}) {
				t.Errorf("request %d: %+v", i, u)
			}
		}
	}
	f(0, mockllm.Body(mockllm.ResponseEvent(2, "response.completed", over)))
	f(1, mockllm.Cut())
}

// So is one that is told as a stream, or asked for while its own stream still runs.
func TestBackgroundResponsesAreBookedOnce(t *testing.T) {
	const began = `"response":{"background":true,` + responseHead + `}`
	const whole = `{"background":true,"id":"resp_1","status":"completed","usage":{"input_tokens":7,"output_tokens":2}}`
	all := []mockllm.Step{sse(), mockllm.Body(mockllm.ResponseEvent(0, "response.created", began), mockllm.ResponseEvent(1, "response.output_text.delta", `"delta":"he"`))}
	end := mockllm.Body(mockllm.ResponseEvent(2, "response.completed", `"response":`+whole))
	told := func(stream bool) mockllm.Script {
		if stream {
			return always(append(slices.Clone(all), end)...)
		}
		return always(mockllm.JSON(200, nil, whole))
	}
	booked := func(b *responder, want ...int) {
		t.Helper()
		for i, want := range want {
			if u := b.record(i).Usage; u.Input != want {
				t.Errorf("request %d: %+v, want %d", i, u, want)
			}
		}
	}
	b := startResponses(t, setup{scripts: map[string]mockllm.Script{"u1": mockllm.Attempts(
		always(mockllm.JSON(200, nil, `{"background":true,"id":"resp_1","status":"queued","usage":null}`)),
		always(mockllm.JSON(200, nil, `{"background":true,"id":"resp_1","status":"in_progress","usage":{"input_tokens":1,"output_tokens":0}}`)),
		told(true), told(true), told(false))}})
	b.make(`{"model":"gpt-a","input":"hi","background":true}`)
	b.read(b.ask(userToken, "GET", "/resp_1", "")) // what it consumed so far is not all
	b.events(b.ask(userToken, "GET", "/resp_1?stream=true", ""))
	b.events(b.ask(userToken, "GET", "/resp_1?stream=true", ""))
	b.read(b.ask(userToken, "GET", "/resp_1", ""))
	booked(b, 0, 0, 7, 0, 0)

	over := make(chan struct{})
	b = startResponses(t, setup{scripts: map[string]mockllm.Script{"u1": mockllm.Attempts(
		always(append(slices.Clone(all), mockllm.Wait(over), end)...), told(false))}})
	resp := b.openOn(t.Context(), dialect.Responses, `{"model":"gpt-a","input":"hi","stream":true,"background":true}`)
	defer resp.Body.Close()
	if _, err := resp.Body.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	b.read(b.ask(userToken, "GET", "/resp_1", ""))
	close(over)
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	booked(b, 7, 0)
}

// Tokens are counted and conversations compacted by the same providers.
func TestBesideResponses(t *testing.T) {
	b := startResponses(t, setup{})
	if a := b.ask(userToken, "POST", "/input_tokens", `{"model":"gpt-a","input":"one two three","stream":null}`); a.Status != 200 || a.Body != `{"object":"response.input_tokens","input_tokens":4}` {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	old := b.read(b.make(`{"model":"only-b","input":"hi"}`))
	if a := b.ask(userToken, "POST", "/compact", `{"model":"pool","input":"one two three","previous_response_id":"`+old.ID+`"}`); a.Status != 200 || !strings.Contains(a.Body, "response.compaction") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if n := b.requests("u2", "POST", "/v1/responses/compact"); n != 1 || b.requests("u1", "POST", "/v1/responses/input_tokens") != 1 {
		t.Errorf("%d requests", n)
	}
	if rec := b.record(2); rec.Usage.Input != 4 {
		t.Errorf("%+v", rec.Usage)
	}
}
