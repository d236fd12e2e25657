package relay_test

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/PPKunOfficial/berry-api/core/auth"
	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/relay"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Short times for the tests; each fault keeps its ratio to the limit that
// catches it.
const (
	firstContent = 2 * time.Second
	idle         = time.Second
	keepalive    = 200 * time.Millisecond
	hold         = 300 * time.Millisecond
)

// berry is a gateway under test behind a plain HTTP server, with the mocks
// that it calls.
type berry struct {
	t   *testing.T
	gw  *relay.Gateway
	url string
	obs *observer
	u   map[string]*mockllm.Server
	// gone gets a value when the server notices that a client left, or when
	// its request is over.
	gone chan struct{}
}

// setup is what a test changes of the configuration.
type setup struct {
	ids      []string // the providers; nil for u1 and u2
	toml     string   // [models] and [users]; "" for the usual ones
	settings func(s *config.Settings)
	provider func(id string, p *config.Provider)
	scripts  map[string]mockllm.Script // by provider id
	// behaviours are those of mocks without a script, by provider id.
	behaviours map[string]mockllm.Behaviour
	discovered func(relay.Discovery)
	hold       time.Duration // 0: the usual one
}

// usual has one model per case of the conformance list: gpt-a on u1, pool on
// u1 before u2.
const usual = `
[models.gpt-a]
backends = [{ provider = "u1", model = "gpt-a-up" }]

[models.pool]
strategy = "failover"
backends = [
	{ provider = "u1", model = "gpt-a-up", priority = 1 },
	{ provider = "u2", model = "gpt-b-up", priority = 2 },
]

[users.test]
token = "sk-test-1-long-enough"
`

const userToken = "sk-test-1-long-enough"

func start(t *testing.T, s setup) *berry {
	t.Helper()
	b := &berry{t: t, obs: &observer{}, u: map[string]*mockllm.Server{}, gone: make(chan struct{}, 10)}
	var toml strings.Builder
	if s.ids == nil {
		s.ids = []string{"u1", "u2"}
	}
	for _, id := range s.ids {
		b.u[id] = mockllm.Start(t, s.scripts[id])
		if err := b.u[id].SetBehaviour(s.behaviours[id]); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&toml, "[providers.%s]\nname = %q\nbase_url = %q\napi_key = %q\n", id, id, b.u[id].URL, "provider-key-of-"+id)
	}
	if s.toml == "" {
		s.toml = usual
	}
	loaded, err := config.Parse("test.toml", []byte(toml.String()+s.toml), config.Env{})
	if err != nil {
		t.Fatal(err)
	}
	cfg := loaded.Config
	cfg.Settings.StreamIdleTimeoutSeconds = config.Seconds(idle.Seconds())
	cfg.Settings.StreamKeepaliveSeconds = config.Seconds(keepalive.Seconds())
	cfg.Settings.NonStreamTimeoutSeconds = config.Seconds(firstContent.Seconds())
	cfg.Settings.HealthCheckIntervalSeconds = 0
	if s.settings != nil {
		s.settings(&cfg.Settings)
	}
	for id, p := range cfg.Providers {
		p.TimeoutSeconds = config.Seconds(firstContent.Seconds())
		if s.provider != nil {
			s.provider(id, &p)
		}
		cfg.Providers[id] = p
	}
	b.gw, err = relay.New(cfg, relay.Options{
		Observer: b.obs, Version: "test", HeaderHold: cmp.Or(s.hold, hold), Discovered: s.discovered,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var joined sync.WaitGroup
	joined.Go(func() { _ = b.gw.Run(ctx) })
	srv := httptest.NewServer(http.HandlerFunc(b.serve))
	b.url = srv.URL
	t.Cleanup(func() {
		srv.Close()
		cancel()
		joined.Wait()
		http.DefaultClient.CloseIdleConnections()
		for _, st := range b.gw.Fleet().Backends() {
			if st.InFlight != 0 {
				t.Errorf("backend %s still has %d requests in flight", st.ID, st.InFlight)
			}
		}
	})
	return b
}

// serve does what a server in front of relay does.
func (b *berry) serve(w http.ResponseWriter, r *http.Request) {
	context.AfterFunc(r.Context(), func() {
		select {
		case b.gone <- struct{}{}:
		default:
		}
	})
	rt := b.gw.Current()
	token, _ := auth.Token(r.Header)
	user, ok := rt.Keys.Lookup(token)
	if !ok {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	rec := &relay.Record{RequestID: "id", User: user, Start: time.Now(), Endpoint: endpointOf(r.URL.Path)}
	if kept, ok := strings.CutPrefix(r.URL.Path, "/v1/responses/"); ok && rec.Endpoint == dialect.Chat { // no endpoint's own path
		rec.Endpoint = dialect.Responses
		rec.Stored.ID, rec.Stored.Action, _ = strings.Cut(kept, "/")
		b.gw.ServeStored(w, r, rt, rec)
		return
	}
	b.gw.Serve(w, r, rt, rec)
}

// endpointOf is what a path asks for, a chat where it is no endpoint's.
func endpointOf(path string) dialect.Endpoint {
	for e := range dialect.Endpoints {
		if path == "/v1/"+dialect.Endpoint(e).Path() {
			return dialect.Endpoint(e)
		}
	}
	return dialect.Chat
}

// observer keeps what it is told.
type observer struct {
	mu       sync.Mutex
	finished []relay.Record
}

func (o *observer) Selected(*relay.Record, *relay.Attempt)  {}
func (o *observer) Attempted(*relay.Record, *relay.Attempt) {}
func (o *observer) BackendChanged(loadbalance.Event)        {}
func (o *observer) Finished(r *relay.Record) {
	o.mu.Lock()
	defer o.mu.Unlock()
	rec := *r
	rec.Attempts = append([]relay.Attempt(nil), r.Attempts...)
	o.finished = append(o.finished, rec)
}

// record waits for the n-th finished request.
func (b *berry) record(n int) relay.Record {
	b.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		b.obs.mu.Lock()
		if len(b.obs.finished) > n {
			defer b.obs.mu.Unlock()
			return b.obs.finished[n]
		}
		b.obs.mu.Unlock()
		if time.Now().After(deadline) {
			b.t.Fatalf("request %d did not finish", n)
		}
		<-time.After(time.Millisecond)
	}
}

// answer is what a client saw.
type answer struct {
	Status int
	Header http.Header
	Body   string
}

func (b *berry) post(body string) answer {
	b.t.Helper()
	return b.postTo(dialect.Chat, body)
}

func (b *berry) postTo(e dialect.Endpoint, body string) answer {
	b.t.Helper()
	return b.whole(b.openOn(context.Background(), e, body))
}

// whole reads an answer to its end.
func (b *berry) whole(resp *http.Response) answer {
	b.t.Helper()
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Errorf("cannot read the answer: %v", err)
	}
	return answer{resp.StatusCode, resp.Header, string(all)}
}

func (b *berry) open(ctx context.Context, body string) *http.Response {
	b.t.Helper()
	return b.openOn(ctx, dialect.Chat, body)
}

func (b *berry) openOn(ctx context.Context, e dialect.Endpoint, body string) *http.Response {
	b.t.Helper()
	return b.do(ctx, request{path: "/v1/" + e.Path(), body: body})
}

// request is what a client sends; what is "" is as in a POST of JSON by the usual user.
type request struct{ token, method, path, contentType, body string }

// do sends a request and returns the open answer.
func (b *berry) do(ctx context.Context, r request) *http.Response {
	b.t.Helper()
	req, err := http.NewRequestWithContext(ctx, cmp.Or(r.method, http.MethodPost), b.url+r.path, strings.NewReader(r.body))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+cmp.Or(r.token, userToken))
	req.Header.Set("Content-Type", cmp.Or(r.contentType, "application/json"))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp
}

const hi = `"messages":[{"role":"user","content":"hi"}]`

func ask(model, more string) string { return `{"model":"` + model + `",` + hi + more + `}` }

// stream is a streamed answer as its events' data.
type stream struct {
	Status   int
	Frames   []string // in order, [DONE] included
	Comments int
	Text     string // of choice 0
	Finish   []string
	Error    *fault
}

type fault struct {
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    *string `json:"code"`
}

// stream posts and checks what holds for every streamed answer.
func (b *berry) stream(body string) stream {
	b.t.Helper()
	a := b.post(body)
	if a.Status != http.StatusOK {
		b.t.Fatalf("status %d: %s", a.Status, a.Body)
	}
	if ct := a.Header.Get("Content-Type"); ct != "text/event-stream" {
		b.t.Errorf("content type %q", ct)
	}
	return readStream(b.t, a)
}

func readStream(t *testing.T, a answer) stream {
	t.Helper()
	s := stream{Status: a.Status}
	if !strings.HasSuffix(a.Body, "\n\n") {
		t.Errorf("the stream does not end in a blank line: %q", a.Body)
	}
	ids, created := map[string]bool{}, map[string]bool{}
	sc := bufio.NewScanner(strings.NewReader(a.Body))
	sc.Buffer(nil, 64<<20)
	for sc.Scan() {
		line := sc.Text()
		switch {
		case line == "":
			continue
		case strings.HasPrefix(line, ":"):
			s.Comments++
			continue
		}
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok {
			t.Errorf("line %q", line)
		}
		if len(s.Frames) > 0 && s.Frames[len(s.Frames)-1] == mockllm.Done {
			t.Errorf("%q after [DONE]", data)
		}
		s.Frames = append(s.Frames, data)
		if data == mockllm.Done {
			continue
		}
		var c struct {
			ID      string
			Created json.Number
			Choices []struct {
				Index        int
				Delta        struct{ Content string }
				FinishReason *string `json:"finish_reason"`
			}
			Error *fault
		}
		if err := json.Unmarshal([]byte(data), &c); err != nil {
			t.Errorf("frame %q: %v", data, err)
		}
		if c.Error != nil {
			s.Error = c.Error
			continue
		}
		ids[c.ID], created[c.Created.String()] = true, true
		for _, ch := range c.Choices {
			if ch.Index == 0 {
				s.Text += ch.Delta.Content
			}
			if ch.FinishReason != nil {
				s.Finish = append(s.Finish, fmt.Sprintf("%d:%s", ch.Index, *ch.FinishReason))
			}
		}
	}
	if n := len(s.Frames); n == 0 || s.Frames[n-1] != mockllm.Done {
		t.Errorf("the stream does not end with [DONE]: %q", s.Frames)
	}
	if len(ids) > 1 || len(created) > 1 || ids[""] && len(ids) > 0 && s.Error == nil {
		t.Errorf("ids %v, created %v", ids, created)
	}
	return s
}

// fault reads the error envelope and checks its form.
func (b *berry) fault(a answer) fault {
	b.t.Helper()
	var env map[string]map[string]json.RawMessage
	dec := json.NewDecoder(bytes.NewReader([]byte(a.Body)))
	dec.DisallowUnknownFields()
	var e struct{ Error fault }
	if err := dec.Decode(&e); err != nil {
		b.t.Fatalf("not the error envelope: %v: %s", err, a.Body)
	}
	if err := json.Unmarshal([]byte(a.Body), &env); err != nil || len(env["error"]) != 4 {
		b.t.Errorf("the envelope lacks a key: %s", a.Body)
	}
	if ct := a.Header.Get("Content-Type"); ct != "application/json" {
		b.t.Errorf("content type %q", ct)
	}
	if e.Error.Message == "" {
		b.t.Errorf("no message: %s", a.Body)
	}
	return e.Error
}

func deref(s *string) string {
	if s == nil {
		return "null"
	}
	return *s
}

func always(steps ...mockllm.Step) mockllm.Script { return mockllm.Always(steps...) }
