package httplb_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/PPKunOfficial/berry-api/loadbalance"
	"github.com/PPKunOfficial/berry-api/loadbalance/httplb"
)

// patience bounds everything that a test waits for.
const patience = 10 * time.Second

// seen is a request that reached a server.
type seen struct {
	Server, Method, URI, Host, Body string
	Header                          http.Header
}

// world is servers behind one client. Targets are named by their servers: a, b...
type world struct {
	t       *testing.T
	options httplb.Options
	lb      *httplb.Transport
	client  *http.Client

	mu       sync.Mutex
	seen     []seen
	attempts []string
}

// newWorld starts one server for each handler. Options and targets may be
// changed until the first use.
func newWorld(t *testing.T, handlers ...http.HandlerFunc) *world {
	t.Helper()
	w := &world{t: t}
	leaks(t)
	w.options.Strategy = strategy(t, "failover")
	w.options.Observe = func(_ *http.Request, a httplb.Attempt) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.attempts = append(w.attempts, fmt.Sprintf("%s %s %d", a.Target, a.Kind, a.Status))
	}
	for i, h := range handlers {
		id := string(rune('a' + i))
		s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			w.mu.Lock()
			w.seen = append(w.seen, seen{id, r.Method, r.RequestURI, r.Host, string(body), r.Header.Clone()})
			w.mu.Unlock()
			h(rw, r)
		}))
		t.Cleanup(s.Close)
		w.options.Targets = append(w.options.Targets, httplb.Target{URL: s.URL, Listing: loadbalance.Listing{ID: id, Priority: i}})
	}
	return w
}

// start builds the Transport, if that was not done.
func (w *world) start() *http.Client {
	w.t.Helper()
	if w.client != nil {
		return w.client
	}
	lb, err := httplb.New(w.options)
	if err != nil {
		w.t.Fatal(err)
	}
	w.lb, w.client = lb, &http.Client{Transport: lb}
	w.t.Cleanup(func() {
		lb.CloseIdleConnections()
		if n := lb.Fleet().Leases(); n != 0 {
			w.t.Errorf("%d leases were not reported", n)
		}
	})
	return w.client
}

func strategy(t *testing.T, name string) loadbalance.Strategy {
	t.Helper()
	s, err := loadbalance.ParseStrategy(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// leaks fails the test if goroutines of its own are left at its end.
func leaks(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		until(t, "all goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
	})
}

// until waits for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// ask sends a request and returns the status and the whole body.
func (w *world) ask(method, url, body string) (int, string) {
	w.t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	return w.do(r)
}

func (w *world) do(r *http.Request) (int, string) {
	w.t.Helper()
	resp, err := w.start().Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, string(got)
}

// fails sends a GET that must end in an error.
func (w *world) fails(ctx context.Context) error {
	w.t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://lb/x", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	resp, err := w.start().Do(r)
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	if err == nil {
		w.t.Fatal("no error")
	}
	return err
}

func (w *world) wantAttempts(want ...string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(w.attempts, want) {
		w.t.Errorf("attempts %q, want %q", w.attempts, want)
	}
	w.attempts = nil
}

func (w *world) requests() []seen {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.seen)
}

// says answers with a status and a body.
func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// breaks drops the connection, after having sent that much.
func breaks(raw string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, buf, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		buf.WriteString(raw)
		buf.Flush()
		conn.Close()
	}
}

// hangs sends that much of a body, or not even a header, and then nothing.
func hangs(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if body != "" {
			io.WriteString(w, body)
			w.(http.Flusher).Flush()
		}
		<-r.Context().Done()
	}
}

const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

func TestFailsOver(t *testing.T) {
	f := func(first http.HandlerFunc, want ...string) {
		t.Helper()
		w := newWorld(t, first, says(200, "from b"))
		status, body := w.ask("POST", "http://lb/v1/chat", "question")
		if status != 200 || body != "from b" {
			t.Errorf("got %d %q", status, body)
		}
		for _, s := range w.requests() {
			if s.Body != "question" || s.Method != http.MethodPost || s.URI != "/v1/chat" {
				t.Errorf("%s got %s %s %q", s.Server, s.Method, s.URI, s.Body)
			}
		}
		w.wantAttempts(append(want, "b success 200")...)
	}
	f(says(500, "oh"), "a server 500")
	f(says(503, ""), "a server 503")
	f(says(529, strings.Repeat("long ", 10000)), "a server 529")
	f(says(408, "oh"), "a server 408")
	f(says(429, "oh"), "a rate_limit 429")
	f(breaks(""), "a network 0")
	f(breaks(chunked), "a network 200")
	f(breaks("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), "a network 200")
	f(breaks("garbage\r\n\r\n"), "a network 0")
}

func TestPassesOn(t *testing.T) {
	f := func(handler http.HandlerFunc, status int, body string, want ...string) {
		t.Helper()
		w := newWorld(t, handler, says(200, "from b"))
		gotStatus, gotBody := w.ask("POST", "http://lb/", "question")
		if gotStatus != status || gotBody != body {
			t.Errorf("got %d %q, want %d %q", gotStatus, gotBody, status, body)
		}
		w.wantAttempts(want...)
	}
	f(says(200, "fine"), 200, "fine", "a success 200")
	f(says(200, strings.Repeat("fine", 10000)), 200, strings.Repeat("fine", 10000), "a success 200")
	f(says(200, ""), 200, "", "a success 200")
	f(says(204, ""), 204, "", "a success 204")
	f(says(304, ""), 304, "", "a success 304")
	f(says(400, "your fault"), 400, "your fault", "a caller 400")
	f(says(404, "not here"), 404, "not here", "a caller 404")
	f(says(401, "bad key"), 401, "bad key", "a caller 401")
}

// A target that is given its own key is to blame when the key is refused.
func TestOwnCredentialRefused(t *testing.T) {
	w := newWorld(t, says(401, ""), says(403, ""), says(200, "from c"))
	for i := range w.options.Targets {
		w.options.Targets[i].Header = http.Header{"Authorization": {"Bearer own"}}
	}
	if status, body := w.ask("GET", "http://lb/", ""); status != 200 || body != "from c" {
		t.Errorf("got %d %q", status, body)
	}
	w.wantAttempts("a auth 401", "b auth 403", "c success 200")
}

// The last answer is the caller's, whole, when all fail.
func TestAllFail(t *testing.T) {
	w := newWorld(t, says(500, "from a"), says(503, "from b"))
	if status, body := w.ask("GET", "http://lb/", ""); status != 503 || body != "from b" {
		t.Errorf("got %d %q", status, body)
	}
	w.wantAttempts("a server 500", "b server 503")

	w = newWorld(t, says(500, "from a"), breaks(""))
	if err := w.fails(t.Context()); !strings.Contains(err.Error(), `httplb: "b": `) {
		t.Errorf("got %v", err)
	}
	w.wantAttempts("a server 500", "b network 0")
}

func TestMaxAttempts(t *testing.T) {
	f := func(most int, want ...string) {
		t.Helper()
		w := newWorld(t, says(500, "a"), says(500, "b"), says(500, "c"), says(500, "d"))
		w.options.MaxAttempts = most
		w.ask("GET", "http://lb/", "")
		w.wantAttempts(want...)
	}
	f(1, "a server 500")
	f(2, "a server 500", "b server 500")
	f(0, "a server 500", "b server 500", "c server 500")
	f(9, "a server 500", "b server 500", "c server 500", "d server 500")
}

// Retries end with the budget, which begins with ten: of a target that fails
// every second request, too seldom in a row to be left alone, the eleventh
// failure is the caller's.
func TestRetryBudget(t *testing.T) {
	policy := loadbalance.DefaultPolicy()
	policy.RetryRatio = 0
	var n atomic.Int64
	w := newWorld(t, func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1)%2 == 0 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}, says(200, ""))
	began := time.Now() // time stands, as it fills the budget
	w.options.Fleet = loadbalance.NewFleet(loadbalance.Options{Policy: policy, Now: func() time.Time { return began }})
	w.options.Strategy = first{}
	for i := range 24 {
		want := 200
		if i >= 20 && i%2 == 1 {
			want = 500
		}
		if status, _ := w.ask("GET", "http://lb/", ""); status != want {
			t.Errorf("request %d: %d, want %d", i, status, want)
		}
	}
}

// first is a strategy of the embedder's own.
type first struct{}

func (first) Pick([]*loadbalance.Node, *loadbalance.Request) int { return 0 }

func TestUnavailable(t *testing.T) {
	w := newWorld(t, says(200, ""))
	w.options.Name = "llm"
	w.start()
	w.lb.Fleet().Drain("a")
	closed := make(chan struct{})
	r, _ := http.NewRequest(http.MethodPost, "http://lb/", &closing{Reader: strings.NewReader("x"), closed: closed})
	_, err := w.client.Do(r)
	u, ok := errors.AsType[*loadbalance.Unavailable](err)
	if !ok || u.Balancer != "llm" || u.Reason != loadbalance.ReasonDown || u.RetryAfter <= 0 {
		t.Errorf("got %#v, %v", u, err)
	}
	<-closed
	w.wantAttempts()
}

type closing struct {
	io.Reader
	closed chan struct{}
	once   sync.Once
}

func (c *closing) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

func TestBodies(t *testing.T) {
	const question = "a question"
	f := func(name string, set func(r *http.Request, o *httplb.Options), want ...string) {
		t.Helper()
		w := newWorld(t, says(500, "from a"), says(200, "from b"))
		closed := make(chan struct{})
		r, _ := http.NewRequest(http.MethodPost, "http://lb/", &closing{Reader: strings.NewReader(question), closed: closed})
		set(r, &w.options)
		w.do(r)
		if r.GetBody == nil {
			<-closed
		}
		for _, s := range w.requests() {
			if s.Body != question {
				t.Errorf("%s: %s got %q", name, s.Server, s.Body)
			}
		}
		if !slices.Equal(w.attempts, want) {
			t.Errorf("%s: attempts %q, want %q", name, w.attempts, want)
		}
	}
	once, twice := []string{"a server 500"}, []string{"a server 500", "b success 200"}
	f("unknown length", func(*http.Request, *httplb.Options) {}, once...)
	f("known length", func(r *http.Request, _ *httplb.Options) { r.ContentLength = int64(len(question)) }, twice...)
	f("too long", func(r *http.Request, o *httplb.Options) {
		r.ContentLength, o.MaxBufferedBody = int64(len(question)), int64(len(question))-1
	}, once...)
	f("as long as may be", func(r *http.Request, o *httplb.Options) {
		r.ContentLength, o.MaxBufferedBody = int64(len(question)), int64(len(question))
	}, twice...)
	f("never", func(r *http.Request, o *httplb.Options) {
		r.ContentLength, o.MaxBufferedBody = int64(len(question)), -1
	}, once...)
	f("GetBody", func(r *http.Request, o *httplb.Options) {
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(question)), nil }
	}, twice...)
	f("GetBody fails", func(r *http.Request, o *httplb.Options) {
		r.GetBody = func() (io.ReadCloser, error) { return nil, errors.New("gone") }
	}, once...)
}

// A body that ends before its length is the caller's mistake, not a target's.
func TestShortBody(t *testing.T) {
	w := newWorld(t, says(200, ""))
	r, _ := http.NewRequest(http.MethodPost, "http://lb/", io.NopCloser(strings.NewReader("short")))
	r.ContentLength = 100
	if _, err := w.start().Do(r); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
	w.wantAttempts()
}

// A body of unknown length that is written while the answer is read.
func TestBothWays(t *testing.T) {
	leaks(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if err := control.EnableFullDuplex(); err != nil {
			t.Error(err)
		}
		w.WriteHeader(http.StatusOK)
		control.Flush()
		io.Copy(w, r.Body)
	}))
	t.Cleanup(server.Close)
	w := newWorld(t)
	w.options.Targets = []httplb.Target{{URL: server.URL}}
	body, writer := io.Pipe()
	r, _ := http.NewRequest(http.MethodPost, "http://lb/", body)
	resp, err := w.start().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	io.WriteString(writer, "hello")
	writer.Close()
	if got, err := io.ReadAll(resp.Body); string(got) != "hello" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestRetryOption(t *testing.T) {
	f := func(method string, first http.HandlerFunc, want ...string) {
		t.Helper()
		w := newWorld(t, first, says(200, "from b"))
		w.options.Retry = httplb.Idempotent
		r, _ := http.NewRequest(method, "http://lb/", nil)
		resp, err := w.start().Do(r)
		if err == nil {
			resp.Body.Close()
		}
		w.wantAttempts(want...)
	}
	f("POST", says(500, ""), "a server 500")
	f("POST", breaks(""), "a network 0")
	f("POST", says(429, ""), "a rate_limit 429", "b success 200")
	f("GET", says(500, ""), "a server 500", "b success 200")

	w := newWorld(t, nil, says(200, "from b"))
	w.options.Retry = httplb.Idempotent
	w.options.Targets[0].URL = unreachable(t)
	w.ask("POST", "http://lb/", "x")
	w.wantAttempts("a network 0", "b success 200")
}

func TestIdempotent(t *testing.T) {
	f := func(method string, header http.Header, want bool) {
		t.Helper()
		if got := httplb.Idempotent(&http.Request{Method: method, Header: header}); got != want {
			t.Errorf("%s %v: %v", method, header, got)
		}
	}
	f("", nil, true)
	f("GET", nil, true)
	f("PUT", nil, true)
	f("DELETE", nil, true)
	f("POST", nil, false)
	f("PATCH", nil, false)
	f("POST", http.Header{"Idempotency-Key": {"1"}}, true)
}

// unreachable is a URL that nobody listens at.
func unreachable(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

func TestFirstByteTimeout(t *testing.T) {
	f := func(first http.HandlerFunc, want ...string) {
		t.Helper()
		w := newWorld(t, first, says(200, "from b"))
		w.options.FirstByteTimeout = 50 * time.Millisecond
		if status, body := w.ask("GET", "http://lb/", ""); status != 200 || body != "from b" {
			t.Errorf("got %d %q", status, body)
		}
		w.wantAttempts(want...)
	}
	f(hangs(""), "a timeout 0", "b success 200")
	f(func(w http.ResponseWriter, r *http.Request) { // a header and nothing else
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}, "a timeout 200", "b success 200")

	w := newWorld(t, hangs(""))
	w.options.FirstByteTimeout = 50 * time.Millisecond
	err := w.fails(t.Context())
	timeout, ok := errors.AsType[net.Error](err)
	if !ok || !timeout.Timeout() || !strings.Contains(err.Error(), `"a": no answer within 50ms`) {
		t.Errorf("got %v", err)
	}
	w.wantAttempts("a timeout 0")
}

// Once a byte has come, the timeout does not count, and nothing is retried.
func TestBreaksLater(t *testing.T) {
	w := newWorld(t, breaks(chunked+"3\r\none\r\n"), says(200, "from b"))
	resp, err := w.start().Get("http://lb/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if string(got) != "one" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %q, %v", got, err)
	}
	w.wantAttempts("a network 200")

	release := make(chan struct{})
	w = newWorld(t, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "one ")
		w.(http.Flusher).Flush()
		<-release
		io.WriteString(w, "two")
	})
	w.options.FirstByteTimeout = patience
	if resp, err = w.start().Get("http://lb/"); err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	close(release)
	if got, err := io.ReadAll(resp.Body); string(got) != "one two" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	w.wantAttempts("a success 200")
}

// Nobody is blamed for a caller that leaves, however it does.
func TestCallerLeaves(t *testing.T) {
	healthy := func(w *world) {
		t.Helper()
		if s, _ := w.lb.Fleet().Backend("a"); !s.Healthy || s.Failures != 0 {
			t.Errorf("the target is blamed: %+v", s)
		}
	}
	arrived := make(chan struct{}, 1)
	hang := func(rw http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-r.Context().Done()
	}

	w := newWorld(t, hang, says(200, "from b"))
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	if err := w.fails(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	w.wantAttempts("a cancelled 0")
	healthy(w)

	w = newWorld(t, hangs(""), says(200, "from b"))
	w.start().Timeout = 50 * time.Millisecond // http.Client's own
	err := w.fails(t.Context())
	if timeout, ok := errors.AsType[net.Error](err); !ok || !timeout.Timeout() {
		t.Errorf("got %v", err)
	}
	w.wantAttempts("a cancelled 0")
	healthy(w)

	w = newWorld(t, hangs(""), says(200, "from b"))
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := w.fails(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	w.wantAttempts("a cancelled 0")
	healthy(w)

	w = newWorld(t, hangs("first"))
	ctx, cancel = context.WithCancel(t.Context())
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://lb/", nil)
	resp, err := w.start().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	until(t, "the lease to be reported though the body is neither read nor closed", func() bool {
		return w.lb.Fleet().Leases() == 0
	})
	if _, err := io.ReadAll(resp.Body); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	resp.Body.Close()
	w.wantAttempts("a cancelled 200")
	healthy(w)
}

// A body that is closed early, unread or not, ends the attempt well and lets
// the target know.
func TestCloseEarly(t *testing.T) {
	f := func(read int) {
		t.Helper()
		gone := make(chan struct{})
		w := newWorld(t, func(w http.ResponseWriter, r *http.Request) {
			hangs("first")(w, r)
			close(gone)
		})
		resp, err := w.start().Get("http://lb/")
		if err != nil {
			t.Fatal(err)
		}
		if n := w.lb.Fleet().Leases(); n != 1 {
			t.Errorf("%d leases while the answer is read", n)
		}
		if _, err := io.ReadFull(resp.Body, make([]byte, read)); err != nil {
			t.Error(err)
		}
		for range 2 {
			if err := resp.Body.Close(); err != nil {
				t.Error(err)
			}
		}
		<-gone
		w.wantAttempts("a success 200")
	}
	f(0)
	f(2)
	f(5)
}

func TestCloseWhileReading(t *testing.T) {
	w := newWorld(t, hangs("first"))
	resp, err := w.start().Get("http://lb/")
	if err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 5)
	if _, err := io.ReadFull(resp.Body, first); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		_, err := resp.Body.Read(first)
		done <- err
	}()
	resp.Body.Close()
	if err := <-done; err == nil {
		t.Error("Read goes on after Close")
	}
	w.wantAttempts("a success 200")
}

func TestHead(t *testing.T) {
	w := newWorld(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "5") })
	resp, err := w.start().Head("http://lb/")
	if err != nil {
		t.Fatal(err)
	}
	w.wantAttempts("a success 200") // before the body is closed: there is none
	resp.Body.Close()
}

// A connection that changes its protocol is handed over as it is.
func TestUpgrade(t *testing.T) {
	w := newWorld(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, buf, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		buf.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		buf.Flush()
		line, _ := buf.ReadString('\n')
		buf.WriteString(line)
		buf.Flush()
	})
	r, _ := http.NewRequest(http.MethodGet, "http://lb/", nil)
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "echo")
	resp, err := w.start().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	conn, ok := resp.Body.(io.ReadWriteCloser)
	if !ok {
		t.Fatal("the body cannot be written to")
	}
	defer conn.Close()
	io.WriteString(conn, "hello\n")
	if line, err := bufio.NewReader(conn).ReadString('\n'); line != "hello\n" {
		t.Errorf("got %q, %v", line, err)
	}
	w.wantAttempts("a success 101")
}

func TestRedirect(t *testing.T) {
	w := newWorld(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/other", http.StatusFound) })
	if err := w.fails(t.Context()); !errors.Is(err, httplb.ErrRedirect) {
		t.Errorf("got %v", err)
	}
	w.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := w.client.Get("http://lb/x")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	where, err := resp.Location()
	if resp.StatusCode != http.StatusFound || err != nil || where.String() != w.options.Targets[0].URL+"/other" {
		t.Errorf("got %d %v %v", resp.StatusCode, where, err)
	}
	if n := len(w.requests()); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

func TestHeaders(t *testing.T) {
	w := newWorld(t, says(500, ""), says(200, ""), says(200, ""))
	w.options.Targets[0].Header = http.Header{"authorization": {"Bearer secret-a"}, "X-Only-A": {"1", "2"}}
	w.options.Targets[1].Header = http.Header{"X-Api-Key": {"secret-b"}, "Authorization": nil, "Host": {"b.example"}}
	ask := func() *http.Response {
		r, _ := http.NewRequest(http.MethodGet, "http://lb/", nil)
		r.Header.Set("Authorization", "Bearer caller")
		r.Header.Set("X-Mine", "mine")
		resp, err := w.start().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := r.Header.Get("Authorization"); got != "Bearer caller" || len(r.Header) != 2 {
			t.Errorf("the caller's request was changed: %v", r.Header)
		}
		return resp
	}
	resp := ask()
	if h := resp.Request.Header; len(h) != 2 || h.Get("Authorization") != "Bearer caller" {
		t.Errorf("Response.Request has %v", h)
	}
	if got, want := resp.Request.URL.String(), w.options.Targets[1].URL+"/"; got != want {
		t.Errorf("Response.Request has the URL %s, want %s", got, want)
	}
	w.lb.Fleet().Drain("a")
	w.lb.Fleet().Drain("b")
	ask()

	headers := func(s seen) (out []string) {
		for _, name := range []string{"Authorization", "X-Only-A", "X-Api-Key", "X-Mine"} {
			out = append(out, strings.Join(s.Header[name], ","))
		}
		return out
	}
	got := w.requests()
	for i, want := range [][]string{
		{"Bearer secret-a", "1,2", "", "mine"}, {"", "", "secret-b", "mine"}, {"Bearer caller", "", "", "mine"},
	} {
		if h := headers(got[i]); !slices.Equal(h, want) {
			t.Errorf("%s got %q, want %q", got[i].Server, h, want)
		}
	}
	if got[1].Host != "b.example" || "http://"+got[2].Host != w.options.Targets[2].URL {
		t.Errorf("hosts %q and %q", got[1].Host, got[2].Host)
	}
}

func TestTags(t *testing.T) {
	w := newWorld(t, says(200, "from a"), says(200, "from b"))
	w.options.Targets[0].Tags = []string{"eu"}
	f := func(want string, tags ...string) {
		t.Helper()
		r, _ := http.NewRequestWithContext(httplb.WithTags(t.Context(), tags...), http.MethodGet, "http://lb/", nil)
		if _, got := w.do(r); got != want {
			t.Errorf("%q: %s, want %s", tags, got, want)
		}
	}
	f("from a")
	f("from a", "eu")
	f("from a", "us", "eu")
	f("from b", "us")
}

func TestClassifyOption(t *testing.T) {
	w := newWorld(t, says(404, ""), says(200, "from b"))
	w.options.Classify = func(target *httplb.Target, resp *http.Response) loadbalance.Kind {
		if target.ID == "a" && resp.StatusCode == http.StatusNotFound {
			return loadbalance.Model
		}
		return httplb.Classify(target, resp)
	}
	w.ask("GET", "http://lb/", "")
	w.wantAttempts("a model 404", "b success 200")
}

func TestRetryAfter(t *testing.T) {
	f := func(name, value string, atLeast, atMost time.Duration) {
		t.Helper()
		w := newWorld(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(name, value)
			w.WriteHeader(http.StatusTooManyRequests)
		})
		before := time.Now()
		w.ask("GET", "http://lb/", "")
		s, _ := w.lb.Fleet().Backend("a")
		if rest := s.CoolDownUntil.Sub(before); rest < atLeast || rest > atMost+patience {
			t.Errorf("%s: %s rests %v, want %v", name, value, rest, atLeast)
		}
	}
	f("Retry-After", "100", 100*time.Second, 100*time.Second)
	f("Retry-After", "0.5", time.Second/2, time.Second/2)
	f("Retry-After", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat), time.Hour-time.Second, time.Hour)
	f("Retry-After-Ms", "90000", 90*time.Second, 90*time.Second)
	f("Retry-After", "nonsense", time.Second, time.Second)
	f("Retry-After", "-1", time.Second, time.Second)
	f("Retry-After", "NaN", time.Second, time.Second)
	f("Retry-After", "1e300", 24*time.Hour, 24*time.Hour)
}

// Latency is the time to the first byte, not to the end.
func TestLatency(t *testing.T) {
	release := make(chan struct{})
	w := newWorld(t, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "first")
		w.(http.Flusher).Flush()
		<-release
	})
	var got httplb.Attempt
	w.options.Observe = func(_ *http.Request, a httplb.Attempt) { got = a }
	client, start := w.start(), time.Now()
	resp, err := client.Get("http://lb/")
	if err != nil {
		t.Fatal(err)
	}
	returned := time.Since(start)
	close(release)
	if _, err := io.ReadAll(resp.Body); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got.FirstByte <= 0 || got.FirstByte > returned || got.Duration <= got.FirstByte {
		t.Errorf("got %+v, returned after %v", got, returned)
	}
	if s, _ := w.lb.Fleet().Backend("a"); s.Latency <= 0 || s.Latency > got.FirstByte {
		t.Errorf("latency %v, first byte %v", s.Latency, got.FirstByte)
	}
}

type panicking struct{}

func (panicking) RoundTrip(*http.Request) (*http.Response, error) { panic("on purpose") }

func TestPanicInBase(t *testing.T) {
	w := newWorld(t, says(200, ""))
	w.options.Base = panicking{}
	defer func() {
		if p := recover(); p != "on purpose" {
			t.Errorf("recovered %v", p)
		}
		w.wantAttempts("a cancelled 0")
	}()
	w.start().Get("http://lb/")
}

// baseFunc is a Base.
type baseFunc func(*http.Request) (*http.Response, error)

func (f baseFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(r *http.Request, status int, body string) (*http.Response, error) {
	return &http.Response{StatusCode: status, Request: r, ContentLength: -1, Body: io.NopCloser(strings.NewReader(body))}, nil
}

// An answer that comes just when its time is over is too late, whole as it is:
// its context has ended, and with it the rest of its body.
func TestJustTooLate(t *testing.T) {
	w := newWorld(t, nil, nil)
	w.options.FirstByteTimeout = 10 * time.Millisecond
	w.options.Base = baseFunc(func(r *http.Request) (*http.Response, error) {
		if "http://"+r.URL.Host == w.options.Targets[0].URL {
			<-r.Context().Done()
			return answer(r, http.StatusOK, "too late")
		}
		return answer(r, http.StatusOK, "from b")
	})
	if _, body := w.ask("GET", "http://lb/", ""); body != "from b" {
		t.Errorf("got %q", body)
	}
	w.wantAttempts("a timeout 200", "b success 200")
}

// Nothing is tried again for a caller that left during an attempt.
func TestNoRetryForNobody(t *testing.T) {
	w := newWorld(t, nil, nil)
	ctx, cancel := context.WithCancel(t.Context())
	w.options.Base = baseFunc(func(r *http.Request) (*http.Response, error) {
		cancel()
		return answer(r, http.StatusInternalServerError, "")
	})
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://lb/", nil)
	w.do(r)
	w.wantAttempts("a server 500")
}

// A Base that gives no body, as custom ones do.
func TestNilBody(t *testing.T) {
	w := newWorld(t, nil)
	w.options.Base = baseFunc(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Request: r}, nil
	})
	if status, body := w.ask("GET", "http://lb/", ""); status != http.StatusOK || body != "" {
		t.Errorf("got %d %q", status, body)
	}
	w.wantAttempts("a success 200")
}

// The old way to cancel a request counts as well.
func TestCancelChannel(t *testing.T) {
	w := newWorld(t, nil)
	w.options.Base = baseFunc(func(r *http.Request) (*http.Response, error) { return answer(r, http.StatusOK, "body") })
	left := make(chan struct{})
	r, _ := http.NewRequest(http.MethodGet, "http://lb/", nil)
	r.Cancel = left //nolint:staticcheck // that is what is tested
	w.start()
	resp, err := w.lb.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	close(left)
	resp.Body.Close()
	w.wantAttempts("a cancelled 200")
}

// Many requests at a time over targets of every kind: each gets the answer to
// its own question, every lease is reported.
func TestConcurrent(t *testing.T) {
	echo := func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Header.Get("X-Marker")) }
	var n atomic.Int64
	flaky := func(w http.ResponseWriter, r *http.Request) {
		switch n.Add(1) % 4 {
		case 0:
			breaks("")(w, r)
		case 1:
			w.WriteHeader(http.StatusInternalServerError)
		case 2:
			breaks(chunked)(w, r)
		default:
			echo(w, r)
		}
	}
	w := newWorld(t, flaky, echo, echo)
	policy := loadbalance.DefaultPolicy()
	policy.RetryRatio = 1
	w.options.Fleet = loadbalance.NewFleet(loadbalance.Options{Policy: policy})
	w.options.Strategy = strategy(t, "round_robin")
	client := w.start()
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for j := range 25 {
				marker := fmt.Sprintf("%d/%d", i, j)
				r, _ := http.NewRequest(http.MethodPost, "http://lb/", bytes.NewReader([]byte(marker)))
				r.Header.Set("X-Marker", marker)
				resp, err := client.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				got, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || string(got) != marker {
					t.Errorf("got %q, %v, want %q", got, err, marker)
				}
			}
		})
	}
	all.Wait()
}
