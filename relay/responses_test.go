package relay_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/core/auth"
	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// withOthers is usual with a model that goes round, and with a second user.
const withOthers = usual + `
[models.round]
name = "round"
strategy = "round_robin"
[[models.round.backends]]
provider = "u1"
model = "m-1"
input_price = 1000000.0
output_price = 1000000.0
request_price = 5.0
[[models.round.backends]]
provider = "u2"
model = "m-2"

[models.only-b]
name = "only-b"
[[models.only-b.backends]]
provider = "u2"
model = "m-2"

[users.other]
name = "other"
token = "` + otherToken + `"
`

const otherToken = "sk-test-2-long-enough"

// responder is a gateway that is asked for responses.
type responder struct {
	*berry
	at string
}

func startResponses(t *testing.T, s setup) *responder {
	t.Helper()
	if s.toml == "" {
		s.toml = withOthers
	}
	r := &responder{berry: start(t, s)}
	srv := httptest.NewServer(http.HandlerFunc(r.serve))
	r.at = srv.URL + "/v1/responses"
	t.Cleanup(srv.Close)
	return r
}

// serve does what a server in front of relay does with the routes of responses.
func (r *responder) serve(w http.ResponseWriter, req *http.Request) {
	rt := r.gw.Current()
	token, _ := auth.Token(req.Header)
	user, ok := rt.Keys.Lookup(token)
	if !ok {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	rec := &relay.Record{RequestID: "id", User: user, Start: time.Now(), Endpoint: dialect.Responses}
	switch rest := strings.TrimPrefix(req.URL.Path, "/v1/responses"); rest {
	case "":
		r.gw.Serve(w, req, rt, rec)
	case "/input_tokens":
		rec.Endpoint = dialect.InputTokens
		r.gw.Serve(w, req, rt, rec)
	case "/compact":
		rec.Endpoint = dialect.Compact
		r.gw.Serve(w, req, rt, rec)
	default:
		rec.Stored.ID, rec.Stored.Action, _ = strings.Cut(rest[1:], "/")
		r.gw.ServeStored(w, req, rt, rec)
	}
}

// ask asks as the user of the token.
func (r *responder) ask(token, method, path, body string) answer {
	r.t.Helper()
	req, err := http.NewRequest(method, r.at+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Errorf("cannot read the answer: %v", err)
	}
	return answer{resp.StatusCode, resp.Header, string(all)}
}

func (r *responder) make(body string) answer {
	r.t.Helper()
	return r.ask(userToken, http.MethodPost, "", body)
}

// made is what a response says of itself.
type made struct{ ID, Status, Model string }

func (r *responder) read(a answer) (m made) {
	r.t.Helper()
	if a.Status != http.StatusOK {
		r.t.Fatalf("status %d: %s", a.Status, a.Body)
	}
	if err := json.Unmarshal([]byte(a.Body), &m); err != nil || m.ID == "" {
		r.t.Fatalf("no response: %v: %s", err, a.Body)
	}
	return m
}

// event is one event of a stream.
type event struct {
	Name, Data string
	Sequence   int
}

// events reads a stream and checks what holds for all of them.
func (r *responder) events(a answer) (all []event) {
	r.t.Helper()
	if a.Status != http.StatusOK || a.Header.Get("Content-Type") != "text/event-stream" || !strings.HasSuffix(a.Body, "\n\n") {
		r.t.Fatalf("no stream: %d, %v, %s", a.Status, a.Header, a.Body)
	}
	for _, ev := range strings.Split(strings.TrimSuffix(a.Body, "\n\n"), "\n\n") {
		if strings.HasPrefix(ev, ":") {
			continue
		}
		first, second, ok := strings.Cut(ev, "\n")
		name, named := strings.CutPrefix(first, "event: ")
		data, has := strings.CutPrefix(second, "data: ")
		var in struct {
			Type     string
			Sequence *int `json:"sequence_number"`
		}
		if err := json.Unmarshal([]byte(data), &in); err != nil || !ok || !named || !has || in.Type != name || in.Sequence == nil {
			r.t.Fatalf("%q is no event: %v", ev, err)
		}
		all = append(all, event{name, data, *in.Sequence})
	}
	return all
}

func names(events []event) (all []string) {
	for _, ev := range events {
		all = append(all, ev.Name)
	}
	return all
}

const responseHead = `"id":"resp_1","object":"response","created_at":1,"status":"in_progress","model":"up","error":null,"output":[]`

// begins is how a stream begins, before its first content.
func begins() mockllm.Step {
	return mockllm.Body(
		mockllm.ResponseEvent(0, "response.created", `"response":{`+responseHead+`}`),
		mockllm.ResponseEvent(1, "response.in_progress", `"response":{`+responseHead+`}`),
		mockllm.ResponseEvent(2, "response.output_item.added", `"output_index":0,"item":{"id":"msg_1","type":"message","content":[]}`),
	)
}

func says(n int, text string) mockllm.Step {
	return mockllm.Body(mockllm.ResponseEvent(n, "response.output_text.delta", `"item_id":"msg_1","delta":"`+text+`"`))
}

func sse() mockllm.Step {
	return mockllm.Header(http.StatusOK, http.Header{"Content-Type": {"text/event-stream"}})
}

// P24: what is asked and answered passes as it is, but for the model's name.
func TestP24Responses(t *testing.T) {
	const body = `{"id":"resp_1","object":"response","status":"completed","model":"gpt-a-up-2026","zz":1,"big":12345678901234567890,` +
		`"output":[{"type":"new_item","x":[1]}],"usage":{"input_tokens":7,"input_tokens_details":{"cached_tokens":3},"output_tokens":5,"output_tokens_details":{"reasoning_tokens":2},"total_tokens":12}}`
	b := startResponses(t, setup{scripts: map[string]mockllm.Script{"u1": always(mockllm.JSON(200, nil, body))}})
	a := b.make(`{"model":"gpt-a","input":"hi","max_output_tokens":50,"previous_response_id":"resp_0","tools":[{"type":"invented","n":12345678901234567890}],"x":{"messages":[],"stream_options":1}}`)
	if want := strings.Replace(body, "gpt-a-up-2026", "gpt-a", 1); a.Status != 200 || a.Body != want || a.Header.Get("X-Berry-Provider") != "u1" {
		t.Errorf("%d %v\n%s\nwant\n%s", a.Status, a.Header, a.Body, want)
	}
	seen := b.u["u1"].Requests()[0]
	want := `{"model":"gpt-a-up","input":"hi","max_output_tokens":50,"previous_response_id":"resp_0","tools":[{"type":"invented","n":12345678901234567890}],"x":{"messages":[],"stream_options":1}}`
	if seen.Path != "/v1/responses" || string(seen.Body) != want || seen.Header.Get("Authorization") != "Bearer provider-key-of-u1" {
		t.Errorf("%s %v\n%s\nwant\n%s", seen.Path, seen.Header, seen.Body, want)
	}
	rec := b.record(0)
	if u := (relay.Usage{Input: 7, Output: 5, CachedInput: 3, Reasoning: 2}); rec.Usage != u || rec.Endpoint != dialect.Responses {
		t.Errorf("usage %+v, want %+v", rec.Usage, u)
	}
}

// P24: a stream's events pass under their names, those that nobody knows too.
func TestP24ResponseStream(t *testing.T) {
	upstream := []string{
		mockllm.ResponseEvent(0, "response.created", `"response":{`+responseHead+`}`),
		mockllm.ResponseEvent(1, "response.in_progress", `"response":{`+responseHead+`}`),
		mockllm.ResponseEvent(2, "response.foo.bar", `"n":12345678901234567890`),
		mockllm.ResponseEvent(3, "response.output_text.delta", `"delta":"hello"`),
		mockllm.ResponseEvent(9, "keepalive", ""),
		mockllm.ResponseEvent(10, "response.completed", `"response":{"id":"resp_1","status":"completed","model":"up","usage":{"input_tokens":7,"output_tokens":2}}`),
	}
	// The upstream says that it is over and leaves the connection open.
	b := startResponses(t, setup{scripts: map[string]mockllm.Script{"u1": always(sse(), mockllm.Body(upstream...), mockllm.Hang())}})
	a := b.make(`{"model":"gpt-a","input":"hi","stream":true}`)
	if want := strings.ReplaceAll(strings.Join(upstream, ""), `"up"`, `"gpt-a"`); a.Body != want {
		t.Errorf("%s\nwant\n%s", a.Body, want)
	}
	b.events(a)
	if got, want := string(b.u["u1"].Requests()[0].Body), `{"model":"gpt-a-up","input":"hi","stream":true}`; got != want {
		t.Errorf("upstream got %s, want %s", got, want)
	}
	rec := b.record(0)
	if u := (relay.Usage{Input: 7, Output: 2}); rec.Usage != u || !rec.Stream || rec.Error != nil || !rec.Committed {
		t.Errorf("%+v", rec)
	}
}

// An answer may be nothing but its end.
func TestResponseStreamWithoutContent(t *testing.T) {
	b := startResponses(t, setup{scripts: map[string]mockllm.Script{"u1": always(sse(), mockllm.Body(
		mockllm.ResponseEvent(0, "response.created", `"response":{`+responseHead+`}`),
		mockllm.ResponseEvent(1, "response.incomplete", `"response":{`+responseHead+`}`)))}})
	got := names(b.events(b.make(`{"model":"gpt-a","input":"hi","stream":true}`)))
	if d := cmp.Diff([]string{"response.created", "response.incomplete"}, got); d != "" || b.record(0).Error != nil {
		t.Errorf("%v: %s", b.record(0).Error, d)
	}
}

// P24: a stream that breaks after content ends as clients of this format expect.
func TestP24ResponseStreamBreaks(t *testing.T) {
	f := func(name, last, code string, steps ...mockllm.Step) {
		t.Helper()
		b := startResponses(t, setup{scripts: map[string]mockllm.Script{"u1": always(append([]mockllm.Step{sse(), begins(), says(3, "he")}, steps...)...)}})
		events := b.events(b.make(`{"model":"pool","input":"hi","stream":true}`))
		end := events[len(events)-1]
		if want := []string{"response.created", "response.in_progress", "response.output_item.added", "response.output_text.delta", last}; !slices.Equal(names(events), want) {
			t.Errorf("%s: %v, want %v", name, names(events), want)
		}
		if end.Sequence != 4 || !strings.Contains(end.Data, `"`+code+`"`) || strings.Contains(end.Data, `"up"`) {
			t.Errorf("%s: %s", name, end.Data)
		}
		var failed struct {
			Response struct{ ID, Status, Model string }
		}
		if last == "response.failed" && (json.Unmarshal([]byte(end.Data), &failed) != nil || failed.Response.ID != "resp_1" || failed.Response.Status != "failed") {
			t.Errorf("%s: %s", name, end.Data)
		}
		rec := b.record(0)
		if rec.Error == nil || len(rec.Attempts) != 1 || rec.Attempts[0].Kind.String() == "success" || !rec.Usage.Estimated {
			t.Errorf("%s: %+v", name, rec)
		}
		if n := len(b.u["u2"].Requests()); n != 0 {
			t.Errorf("%s: the other provider was asked %d times", name, n)
		}
	}
	f("eof", "response.failed", "stream_interrupted")
	f("cut", "response.failed", "stream_interrupted", mockllm.Cut())
	f("reset", "response.failed", "stream_interrupted", mockllm.Reset())
	f("idle", "response.failed", "stream_interrupted", mockllm.Hang())
	f("done too early", "response.failed", "stream_interrupted", mockllm.Body("data: [DONE]\n\n"))
	f("a chat's error", "response.failed", "x", mockllm.SSE(mockllm.Fault("boom", "server_error", "", "x")))
	f("error", "error", "x", mockllm.Body(mockllm.ResponseEvent(4, "error", `"code":"x","message":"boom","param":null`)))
	f("failed", "response.failed", "server_error", mockllm.Body(mockllm.ResponseEvent(4, "response.failed",
		`"response":{"id":"resp_1","status":"failed","model":"up","error":{"code":"server_error","message":"boom"}}`)))
}

// What the upstream echoes of its credential does not reach the client.
func TestResponseStreamHidesSecrets(t *testing.T) {
	b := startResponses(t, setup{scripts: map[string]mockllm.Script{"u1": always(sse(), begins(), says(3, "he"),
		mockllm.Body(mockllm.ResponseEvent(4, "error", `"code":"x","message":"bad key provider-key-of-u1"`)))}})
	events := b.events(b.make(`{"model":"gpt-a","input":"hi","stream":true}`))
	if end := events[len(events)-1]; end.Name != "response.failed" || strings.Contains(end.Data, "provider-key") || !strings.Contains(end.Data, "bad key ***") {
		t.Errorf("%+v", end)
	}
}

// Before any content a failure is another provider's chance.
func TestResponsesFailOver(t *testing.T) {
	good := always(mockllm.JSON(200, nil, `{"id":"resp_2","status":"completed","model":"m"}`))
	goodStream := always(sse(), begins(), says(3, "hello"), mockllm.Body(mockllm.ResponseEvent(4, "response.completed", `"response":{`+responseHead+`}`)))
	f := func(name, stream string, other mockllm.Script, steps ...mockllm.Step) {
		t.Helper()
		b := startResponses(t, setup{scripts: map[string]mockllm.Script{"u1": always(steps...), "u2": other}})
		a := b.make(`{"model":"pool","input":"hi"` + stream + `}`)
		rec := b.record(0)
		if a.Status != 200 || rec.Last().Provider != "u2" || strings.Contains(a.Body, "boom") {
			t.Errorf("%s: %d %v %s", name, a.Status, a.Header, a.Body)
		}
		if stream != "" && len(b.events(a)) != 5 {
			t.Errorf("%s: %s", name, a.Body)
		}
	}
	plain := func(name string, steps ...mockllm.Step) { t.Helper(); f(name, "", good, steps...) }
	plain("500", mockllm.JSON(500, nil, mockllm.Fault("boom", "server_error", "", "")))
	plain("404", mockllm.JSON(404, nil, mockllm.Fault("boom", "invalid_request_error", "", "")))
	plain("reset", mockllm.Reset())
	plain("no response", mockllm.JSON(200, nil, `{"object":"list"}`))
	plain("failed", mockllm.JSON(200, nil, `{"id":"resp_1","status":"failed","error":{"code":"server_error","message":"boom"}}`))
	streamed := func(name string, steps ...mockllm.Step) { t.Helper(); f(name, `,"stream":true`, goodStream, steps...) }
	streamed("429", mockllm.JSON(429, nil, mockllm.Fault("boom", "rate_limit_error", "", "")))
	streamed("eof", sse(), begins())
	streamed("empty", sse())
	streamed("hang", sse(), begins(), mockllm.Hang())
	streamed("error", sse(), begins(), mockllm.Body(mockllm.ResponseEvent(3, "error", `"code":"rate_limit_exceeded","message":"boom"`)))
	streamed("failed", sse(), begins(), mockllm.Body(mockllm.ResponseEvent(3, "response.failed", `"response":{"id":"r","error":{"code":"server_error","message":"boom"}}`)))
	streamed("one JSON text", mockllm.JSON(200, nil, `{"id":"resp_1","status":"completed"}`))
}

// What is the client's own fault it hears as it is, from the first provider.
func TestResponsesRefused(t *testing.T) {
	f := func(stream string, status int, message string, steps ...mockllm.Step) {
		t.Helper()
		b := startResponses(t, setup{scripts: map[string]mockllm.Script{"u1": always(steps...)}})
		a := b.make(`{"model":"pool","input":"hi"` + stream + `}`)
		if e := b.fault(a); a.Status != status || e.Message != message || len(b.u["u2"].Requests()) != 0 {
			t.Errorf("%d %+v, %d requests to the other", a.Status, e, len(b.u["u2"].Requests()))
		}
	}
	f("", 400, "bad", mockllm.JSON(400, nil, mockllm.Fault("bad", "invalid_request_error", "input", "x")))
	f("", 400, "bad", mockllm.JSON(200, nil, `{"id":"r","status":"failed","error":{"code":"invalid_prompt","message":"bad"}}`))
	f(`,"stream":true`, 400, "bad", sse(), begins(), mockllm.Body(mockllm.ResponseEvent(3, "response.failed", `"response":{"id":"r","error":{"code":"image_too_large","message":"bad"}}`)))
	for body, param := range map[string]string{
		`{"input":"hi"}`: "model",
		`{"model":"pool","previous_response_id":1}`:     "previous_response_id",
		`{"model":"pool","conversation":[]}`:            "conversation",
		`{"model":"pool","conversation":{"id":{}}}`:     "conversation",
		`{"model":"pool","stream":"yes"}`:               "stream",
		`{"model":"pool","backend":"u1","input":"hi"}`:  "backend",
		`{"model":"pool","conversation":{"id":false}} `: "conversation",
	} {
		b := startResponses(t, setup{})
		a := b.make(body)
		if e := b.fault(a); deref(e.Param) != param || len(b.u["u1"].Requests()) != 0 {
			t.Errorf("%s: %d %+v", body, a.Status, e)
		}
	}
}

// Comments keep a stream alive that says nothing yet, and what fails after that
// is an event of this format.
func TestResponseStreamIsKeptAlive(t *testing.T) {
	b := startResponses(t, setup{settings: func(s *config.Settings) { s.MaxRetries = 0 }, scripts: map[string]mockllm.Script{"u1": always(sse(), begins(), mockllm.Hang())}})
	a := b.make(`{"model":"gpt-a","input":"hi","stream":true}`)
	events := b.events(a)
	if n := strings.Count(a.Body, ": keep-alive\n\n"); n < 2 || len(events) != 1 || events[0].Name != "error" || events[0].Sequence != 0 || !strings.Contains(events[0].Data, "upstream_timeout") {
		t.Errorf("%d comments, %v", n, events)
	}
}

// P27: the client leaves, and so does Berry.
func TestResponseStreamIsLeft(t *testing.T) {
	b := startResponses(t, setup{scripts: map[string]mockllm.Script{"u1": always(sse(), begins(), says(3, "he"), mockllm.Hang())}})
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.at, strings.NewReader(`{"model":"pool","input":"hi","stream":true}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+userToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4096)
	if _, err := resp.Body.Read(buf); err != nil {
		t.Fatal(err)
	}
	cancel()
	_ = resp.Body.Close()
	wait, stop := context.WithTimeout(context.Background(), 5*time.Second)
	defer stop()
	if _, err := b.u["u1"].Requests()[0].WaitLeft(wait); err != nil {
		t.Error(err)
	}
	rec := b.record(0)
	if !rec.Disconnected || !rec.Usage.Estimated || len(b.u["u2"].Requests()) != 0 || rec.Attempts[0].Kind.String() != "cancelled" {
		t.Errorf("%+v", rec)
	}
}

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
	if a := b.ask(userToken, "HEAD", "/"+last.ID, ""); a.Status != 200 || a.Body != "" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	events := b.events(b.ask(userToken, "GET", "/"+last.ID+"?stream=true", ""))
	if end := events[len(events)-1]; end.Name != "response.completed" || !strings.Contains(end.Data, `"model":"round"`) {
		t.Errorf("%+v", end)
	}
	// One official client asks for the stream in a body.
	if again := b.events(b.ask(userToken, "GET", "/"+last.ID, `{"stream":true}`)); len(again) != len(events) {
		t.Errorf("%v", again)
	}
	if a := b.ask(userToken, "DELETE", "/"+last.ID, ""); a.Status != 200 || a.Body != `{"id":"`+last.ID+`","object":"response","deleted":true}` {
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
	for _, stream := range []string{"", `,"stream":true`} {
		a := b.ask(otherToken, "POST", "", `{"model":"gpt-a","input":"repeat all","previous_response_id":"`+mine.ID+`"`+stream+`}`)
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
	if a := b.ask(otherToken, "POST", "", `{"model":"round","input":"hi","conversation":"conv_1"}`); a.Status != 400 || deref(b.fault(a).Param) != "conversation" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// A response in the background is polled where it was begun; what it consumed is
// booked once, when it is known.
func TestBackgroundResponses(t *testing.T) {
	b := startResponses(t, setup{ids: []string{"u1"}, toml: strings.Replace(withOthers, "u2", "u1", -1)})
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
	for i := range 4 {
		rec := b.record(i)
		if rec.Cost > 0 && strings.HasSuffix(rec.Attempts[0].Backend, "m-1") {
			t.Logf("request %d: %v, %+v", i, rec.Cost, rec.Usage)
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

// restarted is a gateway that knows what a fresh one does.
func restarted(t *testing.T, gw *relay.Gateway) *relay.Gateway {
	t.Helper()
	next, err := relay.New(gw.Current().Config, relay.Options{Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var joined sync.WaitGroup
	joined.Go(func() { _ = next.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		joined.Wait()
	})
	return next
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
