package relay_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/PPKunOfficial/berry-api/relay"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

// withOthers is usual with a model that goes round, and with a second user.
const withOthers = usual + `
[models.round]
strategy = "round_robin"
backends = [
	{ provider = "u1", model = "m-1", input_price = 1000000.0, output_price = 1000000.0, request_price = 5.0 },
	{ provider = "u2", model = "m-2" },
]

[models.only-b]
backends = [{ provider = "u2", model = "m-2" }]

[users.other]
token = "` + otherToken + `"
`

const otherToken = "sk-test-2-long-enough"

// responder is a gateway that is asked for responses.
type responder struct{ *berry }

func startResponses(t *testing.T, s setup) *responder {
	t.Helper()
	if s.toml == "" {
		s.toml = withOthers
	}
	return &responder{start(t, s)}
}

// ask asks as the user of the token.
func (r *responder) ask(token, method, path, body string) answer {
	r.t.Helper()
	return r.whole(r.do(r.t.Context(), request{token: token, method: method, path: "/v1/responses" + path, body: body}))
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
	for ev := range strings.SplitSeq(strings.TrimSuffix(a.Body, "\n\n"), "\n\n") {
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
