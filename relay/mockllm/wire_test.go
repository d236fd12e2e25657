package mockllm_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

const (
	sseHeader   = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
	closeHeader = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
)

func steps(s ...mockllm.Step) []mockllm.Step { return s }

// Each script is answered with exactly these bytes, and then the connection ends in order.
func TestBytesOnTheWire(t *testing.T) {
	f := func(name, request string, script []mockllm.Step, want string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			s := mockllm.Start(t, func(*mockllm.Seen) []mockllm.Step { return script })
			c := dial(t, s)
			send(t, c, request)
			got, err := io.ReadAll(c)
			if err != nil || string(got) != want {
				t.Errorf("got %q, %v\nwant %q", got, err, want)
			}
		})
	}
	keep := rawChat("HTTP/1.1")
	last := rawChat("HTTP/1.1", "Connection: close")

	f("json", last, steps(mockllm.JSON(429, http.Header{"Retry-After": {"7"}, "X-Two": {"a", "b"}}, `{"a":1}`)),
		"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 7\r\nContent-Type: application/json\r\nRetry-After: 7\r\nX-Two: a\r\nX-Two: b\r\nConnection: close\r\n\r\n{\"a\":1}")
	f("json of another type and an odd status", last, steps(mockllm.JSON(529, http.Header{"Content-Type": {"text/html"}}, `<p>`)),
		"HTTP/1.1 529 status code 529\r\nContent-Length: 3\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<p>")
	f("sse", last, steps(mockllm.SSE("{}", "[DONE]")),
		closeHeader+"a\r\ndata: {}\n\n\r\ne\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
	f("sse to HTTP/1.0", rawChat("HTTP/1.0"), steps(mockllm.SSE("{}"), mockllm.EOF()),
		"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\ndata: {}\n\n")
	f("sse cut off", keep, steps(mockllm.SSE("{}"), mockllm.Cut(), mockllm.SSE("never")),
		sseHeader+"a\r\ndata: {}\n\n\r\n")
	f("header and body", last, steps(mockllm.Header(503, http.Header{"Content-Type": {"text/html"}}), mockllm.Body("<p>", "", "</p>"), mockllm.EOF()),
		"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/html\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n<p>\r\n4\r\n</p>\r\n0\r\n\r\n")
	f("counted body cut off", keep, steps(mockllm.Header(200, http.Header{"Content-Length": {"9"}}), mockllm.Body("{"), mockllm.Cut()),
		"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")
	f("header alone", last, steps(mockllm.Header(204, nil)),
		"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
	f("bytes", keep, steps(mockllm.Bytes("HTTP/1.0 200 OK\r\n", "Content-Length: -4\r\n", "\x00\xff no colon\n\n", "tail")),
		"HTTP/1.0 200 OK\r\nContent-Length: -4\r\n\x00\xff no colon\n\ntail")
	f("bytes in the middle of chunks", keep, steps(mockllm.SSE("{}"), mockllm.Bytes("zz\r\n")),
		sseHeader+"a\r\ndata: {}\n\n\r\nzz\r\n")
	f("huge header", keep, steps(mockllm.Bytes("HTTP/1.1 200 OK\r\nX-Huge: "+strings.Repeat("h", 1<<20)+"\r\n\r\n")),
		"HTTP/1.1 200 OK\r\nX-Huge: "+strings.Repeat("h", 1<<20)+"\r\n\r\n")
	f("nothing", keep, steps(mockllm.EOF()), "")
	f("nothing, by an empty script", keep, []mockllm.Step{}, "")
	f("HEAD", "HEAD /v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", steps(mockllm.JSON(200, nil, `{"a":1}`)),
		"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n")
	f("expected continue", "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}", steps(mockllm.JSON(200, nil, "")),
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n")

	const refused = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
	f("malformed request", "no such thing\r\n\r\n", nil, refused)
	f("request header too long", "GET / HTTP/1.1\r\nX: "+strings.Repeat("h", 1<<20-len("GET / HTTP/1.1\r\nX: ")), nil, refused)
}

// Every frame and every piece is a network write of its own.
func TestOneWriteEach(t *testing.T) {
	l := newPipe()
	open(t, mockllm.Options{Listener: l, Script: mockllm.Always(
		mockllm.SSE(mockllm.Role(), "{}"), mockllm.Bytes("raw", "bytes"),
	)})
	c, err := l.dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	send(t, c, rawChat("HTTP/1.1"))
	var got []string
	buf := make([]byte, 4096)
	for {
		n, err := c.Read(buf)
		if n > 0 {
			got = append(got, string(buf[:n]))
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	role := "data: " + mockllm.Role() + "\n\n"
	want := []string{sseHeader, fmt.Sprintf("%x\r\n%s\r\n", len(role), role), "a\r\ndata: {}\n\n\r\n", "raw", "bytes"}
	if !slices.Equal(got, want) {
		t.Errorf("writes:\n%q\nwant\n%q", got, want)
	}
}

// A frame reaches the client while the next one is held back.
func TestFramesOneByOne(t *testing.T) {
	gate := make(chan struct{})
	s := mockllm.Start(t, mockllm.Always(
		mockllm.Header(200, http.Header{"Content-Type": {"text/event-stream"}}), mockllm.Wait(gate),
		mockllm.SSE("1"), mockllm.Wait(gate), mockllm.SSE("2"),
	))
	res, err := client(t, &http.Transport{}).Post(s.URL+"/v1/chat/completions", "application/json", strings.NewReader(chatBody))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	expect(t, strings.NewReader(res.Header.Get("Content-Type")), "text/event-stream")
	gate <- struct{}{}
	expect(t, res.Body, "data: 1\n\n")
	gate <- struct{}{}
	rest, err := io.ReadAll(res.Body)
	if err != nil || string(rest) != "data: 2\n\n" {
		t.Errorf("rest is %q, %v", rest, err)
	}
}

func TestReset(t *testing.T) {
	f := func(name string, before mockllm.Step, want string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			read := make(chan struct{})
			s := mockllm.Start(t, mockllm.Always(before, mockllm.Wait(read), mockllm.Reset()))
			c := dial(t, s)
			send(t, c, rawChat("HTTP/1.1"))
			expect(t, c, want)
			close(read)
			if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("read %d bytes, %v; want a reset", n, err)
			}
		})
	}
	f("before a byte", mockllm.Sleep(0), "")
	f("in a stream", mockllm.SSE("{}"), sseHeader+"a\r\ndata: {}\n\n\r\n")
	f("inside a raw answer", mockllm.Bytes("HTTP/1.1 2"), "HTTP/1.1 2")
}

// What net/http makes of a body's end.
func TestEndsOfBodies(t *testing.T) {
	f := func(name string, script []mockllm.Step, want string, wantErr error) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			s := mockllm.Start(t, mockllm.Always(script...))
			res, err := client(t, &http.Transport{}).Post(s.URL, "application/json", strings.NewReader(chatBody))
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			got, err := io.ReadAll(res.Body)
			if string(got) != want || !errors.Is(err, wantErr) {
				t.Errorf("got %q, %v; want %q, %v", got, err, want, wantErr)
			}
		})
	}
	f("eof", steps(mockllm.SSE("1"), mockllm.EOF()), "data: 1\n\n", nil)
	f("end of script", steps(mockllm.SSE("1")), "data: 1\n\n", nil)
	f("held open after the end", steps(mockllm.SSE("1"), mockllm.EOF(), mockllm.Hang()), "data: 1\n\n", nil)
	f("cut", steps(mockllm.SSE("1"), mockllm.Cut()), "data: 1\n\n", io.ErrUnexpectedEOF)
	f("counted and cut", steps(mockllm.Header(200, http.Header{"Content-Length": {"3"}}), mockllm.Body("1"), mockllm.Cut()), "1", io.ErrUnexpectedEOF)
	f("counted", steps(mockllm.Header(200, http.Header{"Content-Length": {"2"}}), mockllm.Body("1", "2")), "12", nil)
}

// A sleep takes its time and holds nothing else up.
func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipe()
		s := open(t, mockllm.Options{Listener: l, Script: mockllm.Always(
			mockllm.SSE("1"), mockllm.Sleep(20*time.Second), mockllm.SSE("2"), mockllm.Sleep(time.Second), mockllm.EOF(),
		)})
		defer s.Close()
		tr := l.transport()
		defer tr.CloseIdleConnections()
		start := time.Now()
		res, err := (&http.Client{Transport: tr}).Post(s.URL, "application/json", strings.NewReader(chatBody))
		if err != nil {
			t.Fatal(err)
		}
		var at []time.Duration
		for in := bufio.NewScanner(res.Body); in.Scan(); {
			if in.Text() != "" {
				at = append(at, time.Since(start))
			}
		}
		at = append(at, time.Since(start))
		if want := []time.Duration{0, 20 * time.Second, 21 * time.Second}; !slices.Equal(at, want) {
			t.Errorf("events and end at %v, want %v", at, want)
		}
	})
}

func TestConnectionsAreReused(t *testing.T) {
	s := mockllm.Start(t, mockllm.Attempts(
		mockllm.Always(mockllm.JSON(200, nil, "{}")),
		mockllm.Always(mockllm.SSE("{}")),
		mockllm.Always(mockllm.Bytes("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")),
		mockllm.Always(mockllm.JSON(200, nil, "{}")),
	))
	c := client(t, &http.Transport{})
	for range 4 {
		res, err := c.Post(s.URL, "application/json", strings.NewReader(chatBody))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	var conns []int
	for _, r := range s.Requests() {
		conns = append(conns, r.Conn)
	}
	if want := []int{1, 1, 1, 2}; !slices.Equal(conns, want) {
		t.Errorf("requests came on connections %v, want %v", conns, want)
	}
}

// Steps that make no sense where they stand reset the connection and are told.
func TestMistakes(t *testing.T) {
	f := func(want string, script ...mockllm.Step) {
		t.Helper()
		s := open(t, mockllm.Options{Script: mockllm.Always(script...)})
		c := dial(t, s)
		send(t, c, rawChat("HTTP/1.1"))
		if _, err := io.ReadAll(c); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: read ended with %v, want a reset", want, err)
		}
		s.Close()
		if err := s.Err(); err == nil || err.Error() != "mockllm: script: "+want {
			t.Errorf("error is %v, want %s", err, want)
		}
	}
	f("JSON: a header was sent before", mockllm.SSE("1"), mockllm.JSON(200, nil, "{}"))
	f("Header: a header was sent before", mockllm.Bytes("x"), mockllm.Header(200, nil))
	f("Body: no header was sent", mockllm.Body("x"))
	f("SSE: the body was ended before", mockllm.SSE("1"), mockllm.EOF(), mockllm.SSE("2"))
	f("EOF: the body was ended before", mockllm.JSON(200, nil, "{}"), mockllm.EOF())
	f("Body: 1 bytes over the Content-Length", mockllm.Header(200, http.Header{"Content-Length": {"1"}}), mockllm.Body("xy"))
	f("end of script: 2 bytes of the Content-Length are missing; use Cut to break off", mockllm.Header(200, http.Header{"Content-Length": {"2"}}))
	f(`Header: Content-Length is "x"; send a malformed header with Bytes`, mockllm.Header(200, http.Header{"Content-Length": {"x"}}))
}

func TestResetNeedsTCP(t *testing.T) {
	l := newPipe()
	s := open(t, mockllm.Options{Listener: l, Script: mockllm.Always(mockllm.Reset())})
	c, err := l.dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	send(t, c, rawChat("HTTP/1.1"))
	if _, err := io.ReadAll(c); err != nil {
		t.Errorf("the connection did not end: %v", err)
	}
	s.Close()
	if err := s.Err(); err == nil || !strings.Contains(err.Error(), "cannot be reset") {
		t.Errorf("error is %v", err)
	}
}
