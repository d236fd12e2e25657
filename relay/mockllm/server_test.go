package mockllm_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

func TestRequestsAreRecorded(t *testing.T) {
	s := mockllm.Start(t, mockllm.Always(mockllm.JSON(200, nil, "{}")))
	c := dial(t, s)
	before := time.Now()
	send(t, c, "POST /v1/a%2Fb?api-version=x&y HTTP/1.1\r\nHost: up\r\nX-Two: 1\r\nx-two: 2\r\nContent-Length: 4\r\n\r\n\x00\xff{\n")
	if _, err := s.Wait(within(t), 1); err != nil {
		t.Fatal(err)
	}
	send(t, c, "POST / HTTP/1.1\r\nHost: up\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
	if _, err := s.Wait(within(t), 2); err != nil {
		t.Fatal(err)
	}
	send(t, c, "GET /models HTTP/1.0\r\n\r\n")
	got, err := s.Wait(within(t), 3)
	if err != nil {
		t.Fatal(err)
	}
	want := []mockllm.Seen{
		{
			Number: 1, Conn: 1, Method: "POST", Path: "/v1/a%2Fb", Query: "api-version=x&y", Proto: "HTTP/1.1", Host: "up",
			Header: http.Header{"X-Two": {"1", "2"}, "Content-Length": {"4"}}, Body: []byte("\x00\xff{\n"),
		},
		{Number: 2, Conn: 1, Method: "POST", Path: "/", Proto: "HTTP/1.1", Host: "up", Header: http.Header{}, Chunked: true, Body: []byte("{}")},
		{Number: 3, Conn: 1, Method: "GET", Path: "/models", Proto: "HTTP/1.0", Header: http.Header{}},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(mockllm.Seen{}), cmpopts.IgnoreFields(mockllm.Seen{}, "Arrived")); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	for _, r := range got {
		if r.Arrived.Before(before) || time.Now().Before(r.Arrived) {
			t.Errorf("request %d arrived at %v", r.Number, r.Arrived)
		}
	}

	// What was handed out is the test's own.
	got[0].Header.Set("X-Two", "changed")
	got[0].Body[0] = 'x'
	if again := s.Requests()[0]; again.Header.Get("X-Two") != "1" || again.Body[0] != 0 {
		t.Errorf("a copy changed the record: %v %q", again.Header, again.Body)
	}
}

// The script owns what it is handed, too.
func TestScriptOwnsItsRequest(t *testing.T) {
	s := mockllm.Start(t, func(r *mockllm.Seen) []mockllm.Step {
		r.Body[0] = 'x'
		r.Header.Set("X", "y")
		return steps(mockllm.JSON(200, nil, string(r.Body)))
	})
	if got := post(t, s, chatBody); got != "x"+chatBody[1:] {
		t.Errorf("answer %q", got)
	}
	if r := s.Requests()[0]; string(r.Body) != chatBody || r.Header.Get("X") != "" {
		t.Errorf("record changed: %q %v", r.Body, r.Header)
	}
}

func TestKeep(t *testing.T) {
	f := func(keep int, want ...int) {
		t.Helper()
		s := open(t, mockllm.Options{Keep: keep})
		for range 5 {
			post(t, s, chatBody)
		}
		var got []int
		for _, r := range s.Requests() {
			got = append(got, r.Number)
		}
		if !slices.Equal(got, want) || s.Count() != 5 {
			t.Errorf("keep %d: remembered %v of %d, want %v", keep, got, s.Count(), want)
		}
	}
	f(0, 1, 2, 3, 4, 5)
	f(2, 4, 5)
	f(mockllm.KeepNone)
	if _, err := mockllm.Open(mockllm.Options{Keep: -2}); err == nil {
		t.Error("Keep of -2 was taken")
	}
}

// post sends a chat body and returns the answer's.
func post(t *testing.T, s *mockllm.Server, body string) string {
	t.Helper()
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	res, err := (&http.Client{Transport: tr}).Post(s.URL+"/v1/chat/completions", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

func TestScripts(t *testing.T) {
	say := func(s string) mockllm.Script { return mockllm.Always(mockllm.JSON(200, nil, s)) }
	f := func(name string, script mockllm.Script, want ...string) {
		t.Helper()
		s := mockllm.Start(t, script)
		for i, w := range want {
			if got := post(t, s, chatBody); got != w && !(w == "behaviour" && strings.Contains(got, "chat.completion")) {
				t.Errorf("%s: answer %d is %q, want %q", name, i+1, got, w)
			}
		}
	}
	f("none", nil, "behaviour")
	f("no steps", mockllm.Always(), "behaviour")
	f("always", say("1"), "1", "1")
	f("attempts", mockllm.Attempts(say("1"), mockllm.Leave, say("3")), "1", "behaviour", "3", "3")
	f("no attempts", mockllm.Attempts(), "behaviour")
	f("by request", func(r *mockllm.Seen) []mockllm.Step {
		return steps(mockllm.JSON(200, nil, fmt.Sprint(r.Number, r.Path)))
	}, "1/v1/chat/completions", "2/v1/chat/completions")

	s := mockllm.Start(t, mockllm.OnChat(mockllm.Attempts(say("1"), say("2"))))
	if got := get(t, s, "/v1/models"); !strings.Contains(got, `"object":"list"`) {
		t.Errorf("model list is %q", got)
	}
	if got := post(t, s, chatBody); got != "1" {
		t.Errorf("the model list used up the first attempt: %q", got)
	}
	s.SetScript(say("new"))
	if got := post(t, s, chatBody); got != "new" {
		t.Errorf("after a replacement: %q", got)
	}
	s.SetScript(nil)
	if got := post(t, s, chatBody); !strings.Contains(got, "chat.completion") {
		t.Errorf("after a removal: %q", got)
	}
}

func get(t *testing.T, s *mockllm.Server, path string) string {
	t.Helper()
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	res, err := (&http.Client{Transport: tr}).Get(s.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

// The server notices that the peer left, whatever it is doing.
func TestPeerLeaves(t *testing.T) {
	closes := func(c *net.TCPConn) { c.Close() }
	f := func(name string, leave func(*net.TCPConn), script ...mockllm.Step) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			s := mockllm.Start(t, func(*mockllm.Seen) []mockllm.Step { return script })
			c := dial(t, s)
			send(t, c, rawChat("HTTP/1.1"))
			seen, err := s.Wait(within(t), 1)
			if err != nil {
				t.Fatal(err)
			}
			if !seen[0].Left.IsZero() {
				t.Fatalf("left at %v before it left", seen[0].Left)
			}
			before := time.Now()
			leave(c)
			left, err := seen[0].WaitLeft(within(t))
			if err != nil || left.Before(before) {
				t.Errorf("left at %v (it was %v), %v", left, before, err)
			}
			if got := s.Requests()[0].Left; !got.Equal(left) {
				t.Errorf("recorded %v, want %v", got, left)
			}
		})
	}
	never := make(chan struct{})
	f("hanging", closes, mockllm.Hang())
	f("sleeping", closes, mockllm.Sleep(time.Hour))
	f("waiting in a stream", closes, mockllm.SSE("1"), mockllm.Wait(never))
	f("after the answer", closes, mockllm.JSON(200, nil, "{}"))
	f("after the answer, held", closes, mockllm.SSE("1", "[DONE]"), mockllm.EOF(), mockllm.Hang())
	f("by reset", func(c *net.TCPConn) {
		_ = c.SetLinger(0)
		c.Close()
	}, mockllm.Hang())
	f("sending side only", func(c *net.TCPConn) { _ = c.CloseWrite() }, mockllm.Hang())
}

// After the peer left no step is run.
func TestStepsEndWithThePeer(t *testing.T) {
	gate := make(chan struct{})
	defer close(gate)
	s := mockllm.Start(t, mockllm.Always(mockllm.SSE("1"), mockllm.Wait(gate), mockllm.JSON(200, nil, "a mistake if it were run")))
	c := dial(t, s)
	send(t, c, rawChat("HTTP/1.1"))
	expect(t, c, sseHeader)
	c.Close()
	if _, err := s.Requests()[0].WaitLeft(within(t)); err != nil {
		t.Fatal(err)
	}
}

func TestWaitLeftGivesUp(t *testing.T) {
	s := mockllm.Start(t, mockllm.Attempts(mockllm.Always(mockllm.JSON(200, nil, "{}")), mockllm.Always(mockllm.Hang())))
	c := dial(t, s)
	send(t, c, rawChat("HTTP/1.1")+rawChat("HTTP/1.1"))
	seen, err := s.Wait(within(t), 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := seen[0].WaitLeft(within(t)); !errors.Is(err, mockllm.ErrNotLeft) {
		t.Errorf("another request followed: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := seen[1].WaitLeft(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("ended context: %v", err)
	}
	s.Close()
	if _, err := seen[1].WaitLeft(within(t)); !errors.Is(err, mockllm.ErrNotLeft) {
		t.Errorf("the server closed first: %v", err)
	}
}

func TestWaitGivesUp(t *testing.T) {
	s := mockllm.Start(t, nil)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Wait(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}

// Close ends whatever is going on and leaves nothing behind.
func TestCloseLeavesNothing(t *testing.T) {
	flood := strings.Repeat("x", 64<<20) // more than the socket buffers hold, to a peer that does not read
	s, err := mockllm.Open(mockllm.Options{Script: func(r *mockllm.Seen) []mockllm.Step {
		switch r.Path {
		case "/hang":
			return steps(mockllm.Hang())
		case "/stream":
			return steps(mockllm.SSE("1"), mockllm.Sleep(time.Hour))
		case "/flood":
			return steps(mockllm.SSE(flood))
		}
		return steps(mockllm.JSON(200, nil, "{}"))
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/hang", "/stream", "/flood", "/idle"} {
		send(t, dial(t, s), "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n")
	}
	send(t, dial(t, s), "GET /half-a-request HT")
	dial(t, s)
	if _, err := s.Wait(within(t), 4); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s.Close()
	if open, accepted := s.Connections(); open != 0 || accepted < 4 {
		t.Errorf("%d connections open of %d", open, accepted)
	}
	goleak.VerifyNone(t)
}

func TestTLS(t *testing.T) {
	s := open(t, mockllm.Options{TLS: true, Script: mockllm.Attempts(mockllm.Always(mockllm.SSE("1")), mockllm.Always(mockllm.Hang()))})
	if !strings.HasPrefix(s.URL, "https://127.0.0.1:") {
		t.Errorf("URL is %s", s.URL)
	}
	if _, err := client(t, &http.Transport{}).Get(s.URL); err == nil {
		t.Error("an unknown certificate was trusted")
	}
	c := client(t, &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.Roots()}})
	res, err := c.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil || string(body) != "data: 1\n\n" || res.Proto != "HTTP/1.1" {
		t.Errorf("%s answer %q, %v", res.Proto, body, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		_, err := c.Do(req)
		done <- err
	}()
	seen, err := s.Wait(within(t), 2)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("request ended with %v", err)
	}
	if _, err := seen[1].WaitLeft(within(t)); err != nil {
		t.Errorf("leaving over TLS was not noticed: %v", err)
	}
	if plain := open(t, mockllm.Options{}); plain.Roots() != nil {
		t.Error("a plain server has roots")
	}
}

// A test whose script makes a mistake fails.
func TestStartReportsMistakes(t *testing.T) {
	tb := &fakeTB{}
	s := mockllm.Start(tb, mockllm.Always(mockllm.Body("x")))
	c := dial(t, s)
	send(t, c, rawChat("HTTP/1.1"))
	_, _ = io.ReadAll(c)
	for _, f := range tb.cleanups {
		f()
	}
	if want := []string{"mockllm: script: Body: no header was sent"}; !slices.Equal(tb.errors, want) {
		t.Errorf("reported %q, want %q", tb.errors, want)
	}
}

type fakeTB struct {
	cleanups []func()
	errors   []string
}

func (f *fakeTB) Helper()                   {}
func (f *fakeTB) Cleanup(g func())          { f.cleanups = append(f.cleanups, g) }
func (f *fakeTB) Fatalf(s string, a ...any) { panic(fmt.Sprintf(s, a...)) }
func (f *fakeTB) Errorf(s string, a ...any) { f.errors = append(f.errors, fmt.Sprintf(s, a...)) }

// Whatever bytes arrive, the server answers or hangs up, and goes on.
func FuzzConnection(f *testing.F) {
	f.Add([]byte(rawChat("HTTP/1.1")))
	f.Add([]byte("GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.0\r\n\r\n"))
	f.Add([]byte("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz"))
	f.Add([]byte("\x16\x03\x01"))
	s, err := mockllm.Open(mockllm.Options{Keep: mockllm.KeepNone})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(s.Close)
	f.Fuzz(func(t *testing.T, data []byte) {
		c := dial(t, s)
		if _, err := c.Write(data); err != nil {
			return // refused before everything was sent
		}
		if err := c.CloseWrite(); err != nil {
			return
		}
		var timeout net.Error
		if _, err := io.Copy(io.Discard, c); errors.As(err, &timeout) && timeout.Timeout() {
			t.Errorf("no end after %q", data)
		}
	})
}
