package api_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// failing answers everything with 503.
func failing(*mockllm.Seen) []mockllm.Step {
	return []mockllm.Step{mockllm.JSON(503, nil, `{"error":{"message":"down `+keyOne+`"}}`)}
}

func TestMetricsJSON(t *testing.T) {
	b := start(t, setup{})
	for range 3 {
		if a := b.chat(annToken, hello("pool")); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	want := `{"status":"healthy","timestamp":"TIME","providers":{
		"one":{"healthy":true,"last_check":null,"total_requests":3,"successful_requests":3,"failed_requests":0,"average_latency_ms":0,
			"models":{"up-1":{"healthy":true,"requests":3,"errors":0}}},
		"two":{"healthy":true,"last_check":null,"total_requests":0,"successful_requests":0,"failed_requests":0,"average_latency_ms":0,
			"models":{"up-2":{"healthy":true,"requests":0,"errors":0}}}},
		"load_balancer":{"total_selections":3,"strategy_distribution":{"failover":3}}}`
	a := b.ask("GET", "/metrics", "")
	wantJSON(t, a, 200, want)
	if strings.Contains(a.body, `"average_latency_ms":0,"models":{"up-1"`) {
		t.Errorf("no average latency: %s", a.body)
	}

	f := func(accept, contentType string) {
		t.Helper()
		a := b.ask("GET", "/metrics", "", withHeader("Accept", accept))
		if got := a.header.Get("Content-Type"); got != contentType || a.header.Get("Vary") != "Accept" {
			t.Errorf("Accept %q: %q, Vary %q", accept, got, a.header.Get("Vary"))
		}
	}
	const text = "text/plain; version=0.0.4; charset=utf-8"
	f("*/*", "application/json")
	f("application/json", "application/json")
	f("text/html,application/xhtml+xml,*/*;q=0.8", "application/json")
	f("text/plain", text)
	f("TEXT/PLAIN;version=0.0.4;q=0.5,*/*;q=0.1", text)
	f("application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.7,*/*;q=0.1", text)
	f("application/json, text/plain, */*", "application/json") // what axios sends
}

func TestModelWeights(t *testing.T) {
	b := start(t, setup{})
	const pool = `"pool":{"id":"pool","strategy":"failover","discovered":false,"backends":[
		{"provider":"one","model":"up-1","weight":1,"effective_weight":%s,"share":%s,"healthy":true,"breaker":"closed","excluded":null,"priority":1,"tags":[],
			"billing_mode":"per_token","input_price":1,"output_price":2,"request_price":0},
		{"provider":"two","model":"up-2","weight":1,"effective_weight":%s,"share":%s,"healthy":true,"breaker":"closed","excluded":null,"priority":2,"tags":[],
			"billing_mode":"per_token","input_price":0,"output_price":0,"request_price":0}]}`
	var got struct {
		Models map[string]struct {
			Backends []struct {
				Provider        string
				EffectiveWeight float64 `json:"effective_weight"`
				Share           float64
			}
		}
	}
	a := b.ask("GET", "/admin/model-weights", adminToken)
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || len(got.Models) != 2 {
		t.Fatalf("%v %s", err, a.body)
	}
	one := b.ask("GET", "/admin/model-weights?model=swimming", adminToken)
	w := got.Models["pool"].Backends
	wantJSON(t, one, 200, `{"timestamp":"TIME","models":{`+replace(pool, number(w[0].EffectiveWeight), number(w[0].Share), number(w[1].EffectiveWeight), number(w[1].Share))+`}}`)
	if w[0].Share != 1 || w[1].Share != 0 {
		t.Errorf("failover's shares: %v", w)
	}
	if w := got.Models["org/m1"].Backends; w[0].EffectiveWeight <= 0 || w[0].Provider != "one" {
		t.Errorf("org/m1: %+v", w)
	}
	if a := b.ask("GET", "/admin/model-weights?model=nope", adminToken); a.status != 404 || a.code() != "model_not_found" {
		t.Errorf("unknown model: %d %s", a.status, a.body)
	}
}

func number(f float64) string {
	b, _ := json.Marshal(f)
	return string(b)
}

func TestBackendHealth(t *testing.T) {
	b := start(t, setup{one: failing})
	for range 2 {
		if a := b.chat(annToken, hello("pool")); a.status != 200 || a.header.Get("X-Berry-Provider") != "two" {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	var got struct {
		Backends map[string]map[string]any
	}
	a := b.ask("GET", "/admin/backend-health", adminToken)
	if err := json.Unmarshal([]byte(plain(a.body)), &got); err != nil {
		t.Fatal(err)
	}
	bad, good := got.Backends["one:up-1"], got.Backends["two:up-2"]
	want := map[string]any{"kind": "server", "status": 503.0, "at": "TIME"}
	if d := cmp.Diff(want, bad["last_error"]); d != "" {
		t.Errorf("last error (-want +got):\n%s", d)
	}
	if bad["healthy"] != false || bad["successful_requests"] != 0.0 || bad["recovery_stage_percent"] != 30.0 {
		t.Errorf("the bad one: %v", bad)
	}
	// next_check and confidence are the fleet's to say.
	delete(good, "next_check")
	delete(good, "confidence")
	wantGood := map[string]any{
		"provider": "two", "model": "up-2", "healthy": true, "breaker": "closed", "consecutive_failures": 0.0, "in_flight": 0.0,
		"drained": false, "cool_down_until": nil, "recovery_stage_percent": 100.0, "latency_ms": 0.0, "last_error": nil,
		"last_success": "TIME", "last_check": nil, "total_requests": 2.0, "successful_requests": 2.0, "failed_requests": 0.0,
	}
	if d := cmp.Diff(wantGood, good); d != "" {
		t.Errorf("the good one (-want +got):\n%s", d)
	}
	lines := b.lines("health_check: backend health changed")
	if len(lines) != 1 || lines[0].Level != "WARN" || lines[0].Target != "berry_api::loadbalance" {
		t.Fatalf("lines %+v", lines)
	}
	wantFields := map[string]any{"backend": "one:up-1", "provider": "one", "from": "healthy", "to": "unhealthy", "cause": "server", "status": 503.0}
	if d := cmp.Diff(wantFields, lines[0].Fields); d != "" {
		t.Errorf("fields (-want +got):\n%s", d)
	}
}

func TestSystemStats(t *testing.T) {
	b := start(t, setup{})
	b.chat(annToken, hello("pool"))
	wantJSON(t, b.ask("GET", "/admin/system-stats", adminToken), 200, `{"timestamp":"TIME","version":"1.2.3","uptime_seconds":0,
		"go":{"version":"GO","goroutines":0,"cpus":0,"heap_bytes":0,"sys_bytes":0,"gc_cycles":0},"requests_in_flight":1,
		"totals":{"attempts":1,"successful_attempts":1,"failed_attempts":0},
		"load_balancer":{"total_selections":1,"strategy_distribution":{"failover":1}},"users":4,"models":2,
		"configuration":{"generation":1,"loaded_at":"TIME","sha256":"HASH","last_reload":null},"discovery":{}}`)
}

func TestRateLimitUsage(t *testing.T) {
	b := start(t, setup{})
	b.chat(narrowTok, hello("pool"))
	const narrow = `"narrow":{"windows":[{"name":"requests_per_minute","limit":2,"used":1,"remaining":1,"resets_at":"TIME"}],"concurrent_requests":0,"max_concurrent_requests":0}`
	a := b.ask("GET", "/admin/rate-limit-usage?user=narrow", adminToken)
	wantJSON(t, a, 200, `{"timestamp":"TIME","users":{`+narrow+`}}`)
	if a := b.ask("GET", "/admin/rate-limit-usage", adminToken); !strings.Contains(plain(a.body), narrow) {
		t.Errorf("all: %s", a.body)
	}
	if a := b.ask("GET", "/admin/rate-limit-usage?user=nobody", adminToken); a.status != 404 || a.code() != "not_found" {
		t.Errorf("unknown user: %d %s", a.status, a.body)
	}
}

// Numbers read as people would write them, here those of one success and one
// stability bonus: 0.9 and 1.1 x 0.5 x 1.
func TestPlainNumbers(t *testing.T) {
	b := start(t, setup{})
	const pinned = `{"model":"org/m1","backend":"one","messages":[{"role":"user","content":"Hello"}]}`
	b.chat(adminToken, pinned)
	if a := b.ask("GET", "/smart-ai/weights", ""); !strings.Contains(a.body, `"confidence":0.9,`) {
		t.Errorf("after one success: %s", a.body)
	}
	const score = `smart_ai_confidence_score{provider="one",model="up-1"} 0.9` + "\n"
	if a := b.ask("GET", "/prometheus", ""); !strings.Contains(a.body, score) {
		t.Errorf("no %s in the metrics", score)
	}
	b.chat(adminToken, pinned)
	f := func(path string, want ...string) {
		t.Helper()
		a := b.ask("GET", path, adminToken)
		for _, w := range want {
			if !strings.Contains(a.body, w) {
				t.Errorf("%s has no %s: %s", path, w, a.body)
			}
		}
		if noise := regexp.MustCompile(`\d\.\d{10}`).FindString(a.body); noise != "" {
			t.Errorf("%s has %s: %s", path, noise, a.body)
		}
	}
	f("/smart-ai/weights", `"confidence":1,`, `"effective_weight":0.55,`)
	f("/smart-ai/models/org/m1/weights", `"confidence":1,`, `"effective_weight":0.55,`)
	f("/admin/model-weights", `"effective_weight":0.55,`)
	f("/admin/backend-health", `"confidence":1,`)
	f("/admin/decisions", `"confidence":0.9,`)
}

func TestSmartAI(t *testing.T) {
	b := start(t, setup{})
	type backend struct {
		Provider, Model string
		Confidence      float64
		Weight          float64
		Premium         bool
		Healthy         bool
	}
	type model struct {
		ID       string
		Backends []backend
	}
	want := model{"slash", []backend{{"one", "up-1", 0.8, 0.5, false, true}, {"two", "up-2", 0.8, 1, true, true}}}
	var all struct{ Models map[string]model }
	if err := json.Unmarshal([]byte(b.ask("GET", "/smart-ai/weights", "").body), &all); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]model{"org/m1": want}, all.Models); d != "" {
		t.Errorf("all (-want +got):\n%s", d)
	}
	for _, name := range []string{"slash", "org/m1", "org%2Fm1"} {
		var one model
		a := b.ask("GET", "/smart-ai/models/"+name+"/weights", "")
		if err := json.Unmarshal([]byte(a.body), &one); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, one); a.status != 200 || d != "" {
			t.Errorf("%s: %d (-want +got):\n%s", name, a.status, d)
		}
	}
	f := func(path, code string) {
		t.Helper()
		if a := b.ask("GET", path, ""); a.status != 404 || a.code() != code {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	f("/smart-ai/models/pool/weights", "model_not_found")
	f("/smart-ai/models/nope/weights", "model_not_found")
	f("/smart-ai/models/org/m1", "not_found")
	f("/smart-ai/models//weights", "not_found")
}

func TestConfigView(t *testing.T) {
	b := start(t, setup{})
	a := b.ask("GET", "/admin/config", adminToken)
	var got struct {
		Generation uint64
		LoadedAt   string `json:"loaded_at"`
		File       string
		SHA256     string
		Config     struct {
			Settings  map[string]any
			Providers map[string]map[string]any
			Users     map[string]map[string]any
			Models    map[string]map[string]any
		}
	}
	if err := json.Unmarshal([]byte(a.body), &got); err != nil {
		t.Fatal(err)
	}
	if got.Generation != 1 || got.File != "test.toml" || len(got.SHA256) != 64 || got.LoadedAt == "" {
		t.Errorf("%+v", got)
	}
	c := got.Config
	for name, pair := range map[string][2]any{
		"api_key":      {c.Providers["one"]["api_key"], "***"},
		"headers":      {c.Providers["two"]["headers"].(map[string]any)["X-Team"], "***"},
		"token":        {c.Users["ann"]["token"], "***"},
		"token_sha256": {c.Users["ann"]["token_sha256"], "***"},
		"base_url":     {c.Providers["one"]["base_url"], b.one.URL + "/v1"},
		"strategy":     {c.Models["slash"]["strategy"], "smart_ai"},
		"priority":     {c.Models["pool"]["backends"].([]any)[1].(map[string]any)["priority"], 2.0},
		"limit":        {c.Users["narrow"]["rate_limit"].(map[string]any)["requests_per_minute"], 2.0},
		"grace":        {c.Settings["shutdown_grace_seconds"], 5.0},
		"smart_ai":     {c.Settings["smart_ai"].(map[string]any)["min_confidence"], 0.05},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %v, want %v", name, pair[0], pair[1])
		}
	}
}
