package relay_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// P40: a count is the provider's own where it has one, else an estimate.
func TestP40CountTokens(t *testing.T) {
	b := startFormats(t, map[string]mockllm.Script{"c": always(mockllm.JSON(200, nil, `{"input_tokens":2095, "later":1}`))})
	count := func(model, more string) (n int, a answer) {
		t.Helper()
		a = b.postTo(dialect.CountTokens, `{"model":"`+model+`","messages":[{"role":"user","content":"hi"}`+more)
		var got struct {
			N int `json:"input_tokens"`
		}
		if err := json.Unmarshal([]byte(a.Body), &got); err != nil || a.Status != 200 || got.N <= 0 || a.Header.Get("Content-Type") != "application/json" {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		return got.N, a
	}
	n, a := count("claude-x", `]}`)
	seen := b.u["c"].Requests()[0]
	if n != 2095 || a.Body != `{"input_tokens":2095, "later":1}` || a.Header.Get("X-Berry-Estimated") != "" ||
		seen.Path != "/v1/messages/count_tokens" || string(seen.Body) != `{"model":"claude-up","messages":[{"role":"user","content":"hi"}]}` {
		t.Errorf("%s; asked at %s: %s", a.Body, seen.Path, seen.Body)
	}
	if rec := b.record(0); rec.Usage != (relay.Usage{}) || rec.Last().Kind != loadbalance.Success {
		t.Errorf("a count costs nothing: %+v", rec.Usage)
	}
	small, a := count("gpt-a", `]}`)
	if a.Header.Get("X-Berry-Estimated") != "input_tokens" {
		t.Errorf("an estimate that does not say so: %v", a.Header)
	}
	var tools []string
	for i := range 10 {
		tools = append(tools, fmt.Sprintf(`{"name":"tool_%d","description":"What the tool does","input_schema":{"type":"object","properties":{"path":{"type":"string"}}}}`, i))
	}
	large, _ := count("gpt-a", `,{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"tool_1","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"`+
		strings.Repeat("four words in it. ", 230)+`"}]}],"tools":[`+strings.Join(tools, ",")+`]}`)
	if large <= small+500 {
		t.Errorf("%d with 4 kB and ten tools more, %d without", large, small)
	}
	if n := b.u["u1"].Count(); n != 0 {
		t.Errorf("the provider was asked %d times for an estimate", n)
	}
	if rec := b.record(1); rec.Status != 200 || len(rec.Attempts) != 0 || rec.Endpoint != dialect.CountTokens {
		t.Errorf("recorded %+v", rec)
	}
	// A model of both kinds asks the one that counts; one that cannot after all is no failure.
	if n, _ := count("both", `]}`); n != 2095 {
		t.Errorf("of both: %d", n)
	}
	b.u["c"].SetScript(always(mockllm.JSON(404, nil, mockllm.ClaudeFault("not_found_error", "no such route"))))
	if _, a := count("claude-x", `]}`); a.Header.Get("X-Berry-Estimated") == "" {
		t.Errorf("%v", a.Header)
	}
	b.u["c"].SetScript(always(mockllm.JSON(529, nil, mockllm.ClaudeFault("overloaded_error", "Overloaded"))))
	if a := b.postTo(dialect.CountTokens, say("claude-x", "")); readClaudeFault(t, a.Body).Error.Type != "overloaded_error" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// A count is free, has limits of its own, and is no proof that its backend answers.
func TestCountsAreNoVerdict(t *testing.T) {
	fine := mockllm.JSON(200, nil, `{"input_tokens":5}`)
	overloaded := mockllm.JSON(500, nil, mockllm.ClaudeFault("api_error", "no"))
	b := start(t, setup{
		toml: strings.Replace(strings.Replace(claudeModels, "[models.claude-x]", "[models.claude-x]\nstrategy = \"failover\"", 1),
			`model = "claude-sonnet-4-5"`, `model = "claude-sonnet-4-5", request_price = 1.0`, 1),
		provider: func(id string, p *config.Provider) { speakClaude(id, p); p.MaxRetries = 0 },
		settings: func(s *config.Settings) { s.CircuitBreakerFailureThreshold = 3 },
	})
	asks := func(count mockllm.Step) {
		b.u["u1"].SetScript(func(r *mockllm.Seen) []mockllm.Step {
			if strings.HasSuffix(r.Path, "/count_tokens") {
				return []mockllm.Step{count}
			}
			return []mockllm.Step{overloaded}
		})
	}
	state := func() loadbalance.State {
		for _, s := range b.gw.Fleet().Backends() {
			if s.ID == "u1:claude-sonnet-4-5" {
				return s
			}
		}
		t.Fatal("no such backend")
		return loadbalance.State{}
	}
	asks(fine)
	for range 3 {
		if a := b.postTo(dialect.CountTokens, say("claude-x", "")); a.Status != 200 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		b.postTo(dialect.Messages, say("claude-x", ""))
	}
	if s := state(); s.Breaker != loadbalance.BreakerOpen {
		t.Errorf("three failures in a row, but for counts: %+v", s)
	}
	if rec := b.record(0); rec.Cost != 0 || rec.Last().Kind != loadbalance.Success {
		t.Errorf("a count costs %v", rec.Cost)
	}
	b = start(t, setup{toml: claudeModels, provider: speakClaude})
	asks(mockllm.JSON(429, http.Header{"Retry-After": {"60"}}, mockllm.ClaudeFault("rate_limit_error", "too many counts")))
	if a := b.postTo(dialect.CountTokens, say("claude-x", "")); a.Status != 429 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if s := state(); !s.CoolDownUntil.IsZero() || !s.Healthy {
		t.Errorf("a limit of counts keeps chats away: %+v", s)
	}
}
