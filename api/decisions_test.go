package api_test

import (
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/api"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// decisionIDs asks for decisions and returns their request ids.
func (b *berry) decisionIDs(query string) []string {
	b.t.Helper()
	a := b.ask("GET", "/admin/decisions"+query, adminToken)
	var got struct {
		Newest    int
		Decisions []struct {
			ID       string `json:"request_id"`
			Sequence int
		}
	}
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != 200 {
		b.t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	if len(got.Decisions) > 0 && got.Newest < got.Decisions[0].Sequence {
		b.t.Errorf("the newest is %d: %s", got.Newest, a.body)
	}
	ids := []string{}
	for _, d := range got.Decisions {
		ids = append(ids, d.ID)
	}
	return ids
}

// A model that nobody knows is an error, not a model without requests. One that a
// reload removed stays readable under its name as long as a decision of it is
// kept, also where the query shows none of them.
func TestDecisionsOfUnknownModels(t *testing.T) {
	b := start(t, setup{options: func(o *api.Options) { o.Decisions = 2 }})
	f := func(query string, status int, want string) {
		t.Helper()
		if a := b.ask("GET", "/admin/decisions"+query, adminToken); a.status != status || !strings.Contains(a.body, want) {
			t.Errorf("%q: %d %s, want %d with %s", query, a.status, a.body, status, want)
		}
	}
	f("?model=nope", 404, `there is no model \"nope\"`)
	f("?model=pool", 200, `{"newest":0,"decisions":[]}`)
	b.chat(annToken, hello("org/m1"))
	b.chat(annToken, hello("pool"))
	renamed := strings.NewReplacer(`name = "org/m1"`, `name = "m2"`, "models.slash", "models.other").Replace(usual)
	if err := b.srv.Reload(b.load(setup{config: renamed})); err != nil {
		t.Fatal(err)
	}
	f("?model=nope", 404, `"code":"model_not_found"`)
	f("?model=nope", 404, `"param":"model"`)
	f("?model=m2", 200, `{"newest":2,"decisions":[]}`)
	f("?model=slash", 404, `no model \"slash\"`)
	f("?model=org/m1", 200, `{"newest":2,"decisions":[{"sequence":1,`)
	f("?model=org/m1&after=2", 200, `{"newest":2,"decisions":[]}`)
	f("?model=pool&limit=1", 200, `{"newest":2,"decisions":[{"sequence":2,`)
	b.chat(annToken, hello("pool"))
	f("?model=org/m1", 404, `no model \"org/m1\"`)
}

func TestDecisions(t *testing.T) {
	b := start(t, setup{one: failing, two: said("Hi"), options: func(o *api.Options) { o.Decisions = 4 }})
	ask := func(id, token, body string) answer {
		t.Helper()
		return b.ask("POST", "/v1/chat/completions", token, withHeader("X-Request-Id", id), withBody(body))
	}
	if a := ask("first", annToken, hello("pool")); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	ask("unknown", annToken, hello("nope"))
	ask("forbidden", narrowTok, hello("org/m1"))
	ask("broken", annToken, "{")
	ask("slash", annToken, hello("org/m1"))
	// The first one has failed once or more on provider one: it is no longer asked.
	ask("stream", annToken, `{"model":"swimming","stream":true,"messages":[{"role":"user","content":"Hello"}]}`)

	const candidates = `"candidates":[
		{"provider":"one","model":"up-1","picked":true,"excluded":null,"weight":1,"effective_weight":1,"share":1,"priority":1,
			"latency_ms":null,"confidence":0.8,"cost":COST,"recovery_stage_percent":100,"breaker":"closed","healthy":true},
		{"provider":"two","model":"up-2","picked":false,"excluded":null,"weight":1,"effective_weight":1,"share":0,"priority":2,
			"latency_ms":null,"confidence":0.8,"cost":0,"recovery_stage_percent":100,"breaker":"closed","healthy":true}]`
	const want = `{"sequence":1,"request_id":"first","time":"TIME","user":"ann","endpoint":"chat/completions","model":"pool","strategy":"failover","stream":false,` +
		candidates + `,"omitted_candidates":0,"attempts":[
		{"provider":"one","model":"up-1","why":"first","kind":"server","status":503,"latency_ms":0,"ttft_ms":null,"pause_ms":0},
		{"provider":"one","model":"up-1","why":"same_backend","kind":"server","status":503,"latency_ms":0,"ttft_ms":null,"pause_ms":PAUSE},
		{"provider":"two","model":"up-2","why":"failover","kind":"success","status":200,"latency_ms":0,"ttft_ms":0,"pause_ms":0}],
		"outcome":"success","status":200,"committed":true,"latency_ms":0,"ttft_ms":0,
		"input_tokens":1000,"output_tokens":500,"estimated":false,"cost":0}`
	a := b.ask("GET", "/admin/decisions/first", adminToken)
	var got struct {
		Candidates []struct{ Cost float64 }
		Attempts   []struct {
			Pause float64 `json:"pause_ms"`
		}
	}
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || len(got.Candidates) != 2 || len(got.Attempts) != 3 {
		t.Fatalf("%v: %s", err, a.body)
	}
	if !(got.Candidates[0].Cost > 0) || got.Attempts[1].Pause < 50 {
		t.Errorf("cost %v, pause %v", got.Candidates[0].Cost, got.Attempts[1].Pause)
	}
	wantJSON(t, a, 200, strings.NewReplacer("COST", number(got.Candidates[0].Cost), "PAUSE", number(got.Attempts[1].Pause)).Replace(want))

	f := func(query string, want ...string) {
		t.Helper()
		if d := cmp.Diff(append([]string{}, want...), b.decisionIDs(query)); d != "" {
			t.Errorf("%q (-want +got):\n%s", query, d)
		}
	}
	f("", "stream", "slash", "first")
	f("?limit=2", "stream", "slash")
	f("?model=pool", "stream", "first")
	f("?model=swimming&limit=1", "stream")
	f("?model=org/m1", "slash")
	f("?model=org/m1&after=2")
	f("?after=1", "stream", "slash")
	f("?after=3")
	for _, id := range []string{"a", "b", "first"} {
		ask(id, annToken, hello("pool"))
	}
	f("", "first", "b", "a", "stream")

	// The newest of one id is shown.
	if a := b.ask("GET", "/admin/decisions/first", adminToken); !strings.HasPrefix(a.body, `{"sequence":6,`) {
		t.Errorf("%s", a.body)
	}
	g := func(path, token string, status int, code string) {
		t.Helper()
		if a := b.ask("GET", path, token); a.status != status || a.code() != code {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	g("/admin/decisions/slash", adminToken, 404, "not_found")
	g("/admin/decisions?limit=0", adminToken, 400, "invalid_value")
	g("/admin/decisions?limit=1001", adminToken, 400, "invalid_value")
	g("/admin/decisions?limit=many", adminToken, 400, "invalid_value")
	g("/admin/decisions?after=-1", adminToken, 400, "invalid_value")
	g("/admin/decisions", annToken, 403, "admin_required")
	g("/admin/decisions/first", "", 401, "missing_api_key")
}

// A request that nothing could be picked for says why, of each backend.
func TestDecisionWithoutAPick(t *testing.T) {
	b := start(t, setup{})
	b.drain("one", "up-1")
	b.drain("two", "up-2")
	a := b.chat(annToken, hello("pool"))
	if a.status != 503 || a.code() != "no_backend_available" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	var got struct {
		Outcome    string
		Status     int
		Attempts   []any
		Candidates []struct {
			Picked   bool
			Excluded string
		}
	}
	a = b.ask("GET", "/admin/decisions/"+a.header.Get("X-Request-Id"), adminToken)
	if err := json.Unmarshal([]byte(a.body), &got); err != nil {
		t.Fatal(err)
	}
	if got.Outcome != "no_backend_available" || got.Status != 503 || len(got.Attempts) != 0 || len(got.Candidates) != 2 ||
		got.Candidates[0].Excluded != "drained" || got.Candidates[1].Excluded != "drained" || got.Candidates[0].Picked {
		t.Errorf("%s", a.body)
	}
}

// breaking answers with a stream that ends in the middle.
func breaking(*mockllm.Seen) []mockllm.Step {
	return []mockllm.Step{
		mockllm.SSE(`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"Half an"},"finish_reason":null}]}`),
		mockllm.Reset(),
	}
}

// An answer that broke after a good beginning is not told as a success.
func TestDecisionOutcomes(t *testing.T) {
	b := start(t, setup{one: breaking, two: failing})
	res := b.open(`{"model":"pool","stream":true,"messages":[{"role":"user","content":"Hello"}]}`)
	if _, err := io.ReadAll(res.Body); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Outcome   string
		Status    int
		Committed bool
	}
	id := res.Header.Get("X-Request-Id")
	eventually(t, "the decision", func() bool { return len(b.decisionIDs("")) == 1 })
	a := b.ask("GET", "/admin/decisions/"+id, adminToken)
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || got.Outcome != "stream_interrupted" || got.Status != 200 || !got.Committed {
		t.Errorf("%v %s", err, a.body)
	}
}
