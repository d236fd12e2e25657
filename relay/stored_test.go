package relay_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// requests is how many came to a provider at a path.
func (r *responder) requests(provider, method, path string) (n int) {
	for _, seen := range r.u[provider].Requests() {
		if seen.Method == method && (path == "" || seen.Path == path) {
			n++
		}
	}
	return n
}

// P25: what a provider keeps is asked of that provider alone.
func TestP25StoredResponses(t *testing.T) {
	b := startResponses(t, setup{})
	first := b.read(b.make(`{"model":"round","input":"hi"}`))
	home, away := "u1", "u2"
	if b.requests("u1", "POST", "") == 0 {
		home, away = away, home
	}
	for range 20 {
		if got := b.read(b.ask(userToken, "GET", "/"+first.ID+"?include[]=a&api-version=1", "")); got != (made{first.ID, "completed", "round"}) {
			t.Fatalf("%+v, want %s", got, first.ID)
		}
	}
	if seen := b.u[home].Requests()[1]; seen.Query != "include%5B%5D=a" || seen.Header.Get("Authorization") != "Bearer provider-key-of-"+home || seen.Header.Get("Content-Type") != "" {
		t.Errorf("%+v", seen)
	}
	// So is what goes on from it, as often as one likes, round robin or not.
	last := first
	for i := range 10 {
		last = b.read(b.make(fmt.Sprintf(`{"model":"round","input":"hi %d","previous_response_id":%q}`, i, last.ID)))
	}
	if a := b.ask(userToken, "GET", "/"+last.ID+"/input_items?limit=2", ""); a.Status != 200 || !strings.Contains(a.Body, "hi 9") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if a := b.ask(userToken, "POST", "/"+last.ID+"/cancel", ""); a.Status != 400 || b.fault(a).Message != "Cannot cancel a synchronous response." {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	for _, query := range []string{"", "?stream=true"} {
		if a := b.ask(userToken, "HEAD", "/"+last.ID+query, ""); a.Status != 200 || a.Body != "" {
			t.Errorf("%s: %d %s", query, a.Status, a.Body)
		}
	}
	events := b.events(b.ask(userToken, "GET", "/"+last.ID+"?stream=true", ""))
	if end := events[len(events)-1]; end.Name != "response.completed" || !strings.Contains(end.Data, `"model":"round"`) {
		t.Errorf("%+v", end)
	}
	// One official client asks for the stream in a body.
	if again := b.events(b.ask(userToken, "GET", "/"+last.ID, `{"stream":true}`)); len(again) != len(events) {
		t.Errorf("%v", again)
	}
	if a := b.ask(userToken, "DELETE", "/"+last.ID+"?stream=true", ""); a.Status != 200 || a.Body != `{"id":"`+last.ID+`","object":"response","deleted":true}` {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	n := len(b.u[home].Requests())
	if a := b.ask(userToken, "GET", "/"+last.ID, ""); a.Status != 404 || deref(b.fault(a).Code) != "not_found" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if len(b.u[home].Requests()) != n || len(b.u[away].Requests()) != 0 {
		t.Errorf("%d more requests to %s, %d to %s", len(b.u[home].Requests())-n, home, len(b.u[away].Requests()), away)
	}
	// Another model of the same provider may go on; one that the provider does not serve may not.
	elsewhere := b.make(`{"model":"only-b","input":"hi","previous_response_id":"` + first.ID + `"}`)
	if home == "u2" && elsewhere.Status != 200 || home == "u1" && (elsewhere.Status != 400 || deref(b.fault(elsewhere).Code) != "invalid_value") {
		t.Errorf("%d %s", elsewhere.Status, elsewhere.Body)
	}
}

// A user neither reads nor deletes nor goes on from what another one has.
func TestStoredResponsesOfOthers(t *testing.T) {
	b := startResponses(t, setup{})
	mine := b.read(b.make(`{"model":"gpt-a","input":"my secret"}`))
	n := len(b.u["u1"].Requests())
	for _, ask := range []string{"GET ", "GET /input_items", "DELETE ", "POST /cancel", "GET ?stream=true"} {
		method, more, _ := strings.Cut(ask, " ")
		a := b.ask(otherToken, method, "/"+mine.ID+more, "")
		if a.Status != 404 || deref(b.fault(a).Code) != "not_found" || strings.Contains(a.Body, "secret") {
			t.Errorf("%s: %d %s", ask, a.Status, a.Body)
		}
	}
	for _, ask := range []string{"|", `|,"stream":true`, `|,"conversation":"conv_nope"`, "/input_tokens|", "/compact|"} {
		path, more, _ := strings.Cut(ask, "|")
		a := b.ask(otherToken, "POST", path, `{"model":"gpt-a","input":"repeat all","previous_response_id":"`+mine.ID+`"`+more+`}`)
		if a.Status != 400 || deref(b.fault(a).Code) != "previous_response_not_found" || deref(b.fault(a).Param) != "previous_response_id" {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	}
	if len(b.u["u1"].Requests()) != n || len(b.u["u2"].Requests()) != 0 {
		t.Errorf("the providers were asked %d times", len(b.u["u1"].Requests())-n)
	}
	if got := b.read(b.ask(userToken, "GET", "/"+mine.ID, "")); got.ID != mine.ID {
		t.Errorf("%+v", got)
	}
	// Ids that no answer ever named are nobody's, whatever they are made of.
	for _, id := range []string{"resp_nope", "..", "..%2f..%2fmodels", "%00", "x%0d%0aX-A:b", strings.Repeat("x", 5000)} {
		if a := b.ask(userToken, "GET", "/"+id, ""); a.Status != 404 || len(a.Body) > 1000 {
			t.Errorf("%s: %d %.300s", id, a.Status, a.Body)
		}
	}
}

// After a restart nobody here knows who keeps a response: each provider is asked
// until one does, and none suffers for it.
func TestPreviousResponseAfterARestart(t *testing.T) {
	b := startResponses(t, setup{})
	old := b.read(b.make(`{"model":"only-b","input":"hi"}`))
	b.gw = restarted(t, b.gw)
	next := b.read(b.make(`{"model":"pool","input":"go on","previous_response_id":"` + old.ID + `"}`))
	if len(b.u["u1"].Requests()) != 1 || len(b.u["u2"].Requests()) != 2 {
		t.Errorf("%d and %d requests", len(b.u["u1"].Requests()), len(b.u["u2"].Requests()))
	}
	for _, st := range b.gw.Fleet().Backends() {
		if st.Failures != 0 || !st.Healthy {
			t.Errorf("%+v", st)
		}
	}
	// From then on its home is known.
	b.read(b.make(`{"model":"pool","input":"go on","previous_response_id":"` + next.ID + `"}`))
	if len(b.u["u1"].Requests()) != 1 {
		t.Errorf("%d requests", len(b.u["u1"].Requests()))
	}
	if a := b.make(`{"model":"pool","input":"go on","previous_response_id":"resp_nope"}`); a.Status != 400 || deref(b.fault(a).Code) != "previous_response_not_found" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// A conversation is its provider's too.
func TestConversationsStick(t *testing.T) {
	talk := always(mockllm.JSON(200, nil, `{"id":"resp_1","status":"completed","conversation":{"id":"conv_1"}}`))
	b := startResponses(t, setup{scripts: map[string]mockllm.Script{"u1": talk, "u2": talk}})
	b.read(b.make(`{"model":"round","input":"hi","conversation":{"id":"conv_1"}}`))
	for _, c := range []string{`"conv_1"`, `{"id":"conv_1"}`, `{"x":[],"id":"conv_1"}`} {
		b.read(b.make(`{"model":"round","input":"hi","conversation":` + c + `}`))
	}
	if n, m := len(b.u["u1"].Requests()), len(b.u["u2"].Requests()); n != 4 && m != 4 {
		t.Errorf("%d and %d requests", n, m)
	}
	for _, previous := range []string{"", `,"previous_response_id":"resp_nope"`} {
		a := b.ask(otherToken, "POST", "", `{"model":"round","input":"hi","conversation":"conv_1"`+previous+`}`)
		if a.Status != 400 || deref(b.fault(a).Param) != "conversation" || deref(b.fault(a).Code) != "previous_response_not_found" {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	}
}

// A response in the background is polled where it was begun; what it consumed is
// booked once, when it is known.
func TestBackgroundResponses(t *testing.T) {
	const prices = `"m-2", input_price = 1000000.0, output_price = 1000000.0, request_price = 5.0 }`
	b := startResponses(t, setup{ids: []string{"u1"}, toml: strings.ReplaceAll(strings.Replace(withOthers, `"m-2" }`, prices, 1), "u2", "u1")})
	began := b.read(b.make(`{"model":"round","input":"hi there","background":true}`))
	if began.Status != "queued" || !b.record(0).Usage.IsZero() {
		t.Errorf("%+v, %+v", began, b.record(0).Usage)
	}
	for i, status := range []string{"in_progress", "completed", "completed"} {
		if got := b.read(b.ask(userToken, "GET", "/"+began.ID, "")); got.Status != status {
			t.Errorf("poll %d: %+v, want %s", i, got, status)
		}
	}
	paid := 0
	for i, price := range []float64{5, 0, 0, 0} { // of the request, when it is made
		rec := b.record(i)
		if cost := price + float64(rec.Usage.Input+rec.Usage.Output); rec.Cost != cost || rec.Attempts[0].Cost != cost {
			t.Errorf("request %d costs %v, its attempt %v, want %v", i, rec.Cost, rec.Attempts[0].Cost, cost)
		}
		if !rec.Usage.IsZero() {
			paid++
			if i != 2 || rec.Attempts[0].Backend != b.record(0).Attempts[0].Backend {
				t.Errorf("request %d: %+v", i, rec)
			}
		}
	}
	if paid != 1 {
		t.Errorf("booked %d times", paid)
	}
	other := b.read(b.make(`{"model":"round","input":"hi","background":true}`))
	if got := b.read(b.ask(userToken, "POST", "/"+other.ID+"/cancel", "")); got.Status != "cancelled" {
		t.Errorf("%+v", got)
	}
}

// A stream in the background is the client's from its first event on, and what
// becomes of it is not what becomes of the response.
func TestBackgroundResponseStream(t *testing.T) {
	ready := make(chan struct{})
	defer close(ready)
	const object = `"response":{"background":true,` + responseHead + `}`
	b := startResponses(t, setup{scripts: map[string]mockllm.Script{"u1": always(sse(), mockllm.Body(mockllm.ResponseEvent(0, "response.queued", object)), mockllm.Wait(ready))}})
	events := b.events(b.make(`{"model":"pool","input":"hi","stream":true,"background":true}`))
	if want := []string{"response.queued", "error"}; !slices.Equal(names(events), want) || events[1].Sequence != 1 {
		t.Errorf("%v, want %v", events, want)
	}
	b.u["u1"].SetScript(always(mockllm.JSON(200, nil, `{"id":"resp_1","status":"in_progress"}`)))
	if got := b.read(b.ask(userToken, "GET", "/resp_1", "")); got.Status != "in_progress" || len(b.u["u2"].Requests()) != 0 {
		t.Errorf("%+v", got)
	}
}

// What fails when a stored response is asked for is nobody's fault, and the
// balancer is not told.
func TestStoredResponseFaults(t *testing.T) {
	const failed = `"response":{"id":"resp_1","status":"failed","model":"up","error":{"code":"server_error","message":"boom"}}`
	f := func(query string, status int, code string, steps ...mockllm.Step) {
		t.Helper()
		b := startResponses(t, setup{scripts: map[string]mockllm.Script{"u1": always(mockllm.JSON(200, nil, `{"id":"resp_1","status":"completed"}`))}})
		b.read(b.make(`{"model":"gpt-a","input":"hi"}`))
		b.u["u1"].SetScript(always(steps...))
		a := b.ask(userToken, "GET", "/resp_1"+query, "")
		got := ""
		if a.Status != 200 {
			got = deref(b.fault(a).Code)
		}
		if a.Status != status || got != code || strings.Contains(a.Body, "provider-key") {
			t.Errorf("%d %s, want %d %s", a.Status, a.Body, status, code)
		}
		if query != "" && status == 200 {
			b.events(a)
		}
		for _, st := range b.gw.Fleet().Backends() {
			if st.Failures != 0 || !st.Healthy {
				t.Errorf("%d: %+v", status, st)
			}
		}
		if rec := b.record(1); rec.Status != status || rec.Model.Name != "gpt-a" || len(rec.Attempts) != 1 || !rec.Usage.IsZero() {
			t.Errorf("%+v", rec)
		}
	}
	f("", 404, "x", mockllm.JSON(404, nil, mockllm.Fault("gone provider-key-of-u1", "invalid_request_error", "", "x")))
	f("", 502, "upstream_auth_failed", mockllm.JSON(401, nil, mockllm.Fault("bad", "x", "", "invalid_api_key")))
	f("", 429, "upstream_rate_limited", mockllm.JSON(429, nil, mockllm.Fault("slow", "x", "", "x")))
	f("", 502, "upstream_error", mockllm.JSON(500, nil, "<html>"))
	f("", 502, "upstream_error", mockllm.JSON(200, nil, "<html>"))
	f("", 502, "upstream_unreachable", mockllm.Reset())
	f("", 504, "upstream_timeout", mockllm.Hang())
	f("?stream=true", 502, "upstream_error", mockllm.JSON(200, nil, `{"id":"resp_1"}`))
	f("?stream=true", 502, "upstream_error", sse())
	// One that failed is told as it failed.
	f("", 200, "", mockllm.JSON(200, nil, `{"id":"resp_1","status":"failed","error":{"code":"server_error","message":"boom"}}`))
	f("?stream=true", 200, "", sse(), mockllm.Body(mockllm.ResponseEvent(3, "response.failed", failed)))
	// It may be long before it has said anything.
	long := `"response":{"id":"resp_1","status":"in_progress","model":"up","instructions":"` + strings.Repeat("lorem ipsum ", 100<<10) + `"}`
	f("?stream=true", 200, "", sse(), mockllm.Body(
		mockllm.ResponseEvent(0, "response.created", long),
		mockllm.ResponseEvent(1, "response.completed", `"response":{"id":"resp_1","status":"completed","model":"up"}`)))
}

// A model that answers responses alone comes back by a probe that asks for one.
func TestAResponsesBackendComesBack(t *testing.T) {
	onlyResponses := func(r *mockllm.Seen) []mockllm.Step {
		if r.Path == "/v1/responses" {
			return nil
		}
		return []mockllm.Step{mockllm.JSON(404, nil, mockllm.Fault("This is not a chat model", "invalid_request_error", "model", "model_not_found"))}
	}
	b := startResponses(t, setup{
		scripts: map[string]mockllm.Script{"u1": onlyResponses},
		settings: func(s *config.Settings) {
			s.HealthCheckIntervalSeconds, s.RecoveryCheckIntervalSeconds, s.HealthCheckTimeoutSeconds = 0.02, 0.02, 1
			s.CircuitBreakerFailureThreshold, s.CircuitBreakerTimeoutSeconds = 2, 0.02
		},
	})
	healthy := func() bool { st, _ := b.gw.Fleet().Backend("u1:gpt-a-up"); return st.Healthy }
	b.read(b.make(`{"model":"pool","input":"a"}`))
	b.u["u1"].SetScript(always(mockllm.JSON(500, nil, "{}")))
	for i := 0; healthy() && i < 20; i++ {
		b.read(b.make(`{"model":"pool","input":"a"}`))
	}
	if healthy() {
		t.Fatal("it does not become unhealthy")
	}
	n := len(b.u["u1"].Requests())
	b.u["u1"].SetScript(onlyResponses)
	for deadline := time.Now().Add(20 * time.Second); !healthy(); <-time.After(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not come back")
		}
	}
	const probe = `{"model":"gpt-a-up","input":"Hi","max_output_tokens":16,"store":false}`
	if !slices.ContainsFunc(b.u["u1"].Requests()[n:], func(r mockllm.Seen) bool { return string(r.Body) == probe }) {
		t.Error("it came back by something else")
	}
}
