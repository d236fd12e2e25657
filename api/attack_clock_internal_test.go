package api

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// The attacks that take time, on a clock that the test turns: the server's own
// limits stand, and none of them is waited for. Connections are pipes, since
// the clock does not move while the network is waited for.

// pipes is a listener whose connections are pipes.
type pipes struct {
	accepted chan net.Conn
	closed   chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.accepted:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

const clockToken = "berry-canary-11-clock"

const clockConfig = `
[providers.one]
base_url = "http://127.0.0.1:1"
[models.pool]
backends = [{ provider = "one", model = "up-1" }]
[users.boss]
token = "` + clockToken + `"
tags = ["admin"]
`

// onClock runs f with a way to connect to a server, inside a bubble whose time
// is the server's too.
func onClock(t *testing.T, settings string, f func(t *testing.T, dial func() *peer)) {
	t.Helper()
	onSecureClock(t, settings, nil, f)
}

// onSecureClock is onClock with TLS, unless secure is nil.
func onSecureClock(t *testing.T, settings string, secure *tls.Config, f func(t *testing.T, dial func() *peer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := built(t, "[settings]\n"+settings+clockConfig)
		public, _ := s.routers(false)
		p := &pipes{make(chan net.Conn), make(chan struct{})}
		l := s.newListener("all", watched{p}, public, secure != nil)
		l.server.TLSConfig = secure
		// What clients get with TLS, without it for the tests to write by hand.
		l.server.Protocols = new(http.Protocols)
		l.server.Protocols.SetHTTP1(true)
		l.server.Protocols.SetUnencryptedHTTP2(true)
		done := make(chan error, 1)
		go func() { done <- l.serve() }()
		var trickling sync.WaitGroup
		defer trickling.Wait()
		f(t, func() *peer {
			ours, theirs := net.Pipe()
			p.accepted <- theirs
			t.Cleanup(func() { _ = ours.Close() })
			return &peer{t, ours, bufio.NewReader(ours), time.Now(), &trickling}
		})
		l.cancel(nil)
		_ = l.server.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if n := s.metrics.inFlight.Load(); n != 0 {
			t.Errorf("%d requests are still in flight", n)
		}
	})
}

// peer is an attacker's end of a connection.
type peer struct {
	t *testing.T
	net.Conn
	r         *bufio.Reader
	start     time.Time
	trickling *sync.WaitGroup
}

// send sends text.
func (p *peer) send(text string) {
	p.t.Helper()
	if _, err := io.WriteString(p, text); err != nil {
		p.t.Fatal(err)
	}
}

// trickle sends text, and then a byte each second until the server has closed
// the connection.
func (p *peer) trickle(text string) {
	p.trickling.Go(func() {
		_, err := io.WriteString(p, text)
		for err == nil {
			time.Sleep(time.Second)
			_, err = io.WriteString(p, "x")
		}
	})
}

// status reads an answer and returns its status, and when it came.
func (p *peer) status() (int, time.Duration) {
	p.t.Helper()
	res, err := http.ReadResponse(p.r, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		p.t.Fatal(err)
	}
	return res.StatusCode, time.Since(p.start)
}

// end waits for the connection to be closed by the server, and says when that was.
func (p *peer) end() time.Duration {
	p.t.Helper()
	if _, err := io.Copy(io.Discard, p.r); err != nil && !errors.Is(err, io.ErrClosedPipe) {
		p.t.Errorf("the connection ended with %v", err)
	}
	return time.Since(p.start)
}

// A header that does not come to its end.
func TestAttackSlowHeader(t *testing.T) {
	f := func(sent string) {
		t.Helper()
		onClock(t, "", func(t *testing.T, dial func() *peer) {
			p := dial()
			p.trickle(sent)
			if took := p.end(); took != headerTimeout {
				t.Errorf("%q: closed after %v", sent, took)
			}
		})
	}
	f("")
	f("GET / HTTP/1.1\r\n")
	f("GET / HTTP/1.1\r\nHost: berry\r\nX-Slow: ")
}

// A TLS handshake that does not come to its end.
func TestAttackSlowHandshake(t *testing.T) {
	certified := httptest.NewTLSServer(nil) // for its certificate
	defer certified.Close()
	f := func(sent string) {
		t.Helper()
		secure := &tls.Config{Certificates: certified.TLS.Certificates}
		onSecureClock(t, "", secure, func(t *testing.T, dial func() *peer) {
			p := dial()
			p.trickle(sent)
			if took := p.end(); took != headerTimeout {
				t.Errorf("%q: closed after %v", sent, took)
			}
		})
	}
	f("\x16\x03\x01\x02\x00")                         // a handshake of 512 bytes
	f("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03") // and the beginning of a ClientHello
}

// A connection on which nothing is ever sent, or nothing more.
func TestAttackIdle(t *testing.T) {
	onClock(t, "", func(t *testing.T, dial func() *peer) {
		silent, used := dial(), dial()
		used.send("GET /livez HTTP/1.1\r\nHost: berry\r\n\r\n")
		if status, took := used.status(); status != 200 || took != 0 {
			t.Errorf("%d after %v", status, took)
		}
		if took := silent.end(); took != headerTimeout {
			t.Errorf("the silent one was closed after %v, want %v", took, headerTimeout)
		}
		if took := used.end(); took != idleTimeout {
			t.Errorf("the used one was closed after %v, want %v", took, idleTimeout)
		}
	})
}

// bodyPatience is relay's: how long a user may take for a body of this size.
const bodyPatience = 30 * time.Second

// A body that does not come. Who has no good token, and every route that reads
// no body, is done with it in unreadPatience; a user has the time that bodies get.
func TestAttackSlowBody(t *testing.T) {
	f := func(request, token, framing string, want int, within time.Duration) {
		t.Helper()
		onClock(t, "max_request_body_bytes = 1000000\n", func(t *testing.T, dial func() *peer) {
			p := dial()
			p.trickle(request + " HTTP/1.1\r\nHost: berry\r\nAuthorization: Bearer " + token + "\r\n" + framing)
			status, took := p.status()
			if status != want || took > within {
				t.Errorf("%s, %q: %d after %v, want %d within %v", request, framing, status, took, want, within)
			}
			if took := p.end(); took > within+unreadPatience {
				t.Errorf("%s, %q: closed after %v", request, framing, took)
			}
		})
	}
	const short, long, chunked = "Content-Length: 4000\r\n\r\n", "Content-Length: 40000000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\nfffff\r\n"
	for _, framing := range []string{short, long, chunked} {
		f("POST /v1/chat/completions", "nobody", framing, 401, unreadPatience)
		f("POST /chat/completions", "nobody", framing, 401, unreadPatience)
		f("POST /admin/reload-config", "nobody", framing, 401, unreadPatience)
		f("GET /admin/config", clockToken, framing, 200, unreadPatience)
		f("GET /v1/models", clockToken, framing, 200, unreadPatience)
		f("POST /v1/responses/r/cancel", clockToken, framing, 404, unreadPatience)
		f("GET /v1/responses/r", clockToken, framing, 404, unreadPatience)
		f("GET /prometheus", "nobody", framing, 200, unreadPatience)
		f("POST /nothing", "nobody", framing, 404, unreadPatience)
		f("POST /livez", "nobody", framing, 405, unreadPatience)
	}
	f("POST /v1/chat/completions", clockToken, short, 408, bodyPatience)
	f("POST /v1/chat/completions", clockToken, chunked, 408, bodyPatience)
	f("POST /v1/chat/completions", clockToken, long, 413, 0)
	f("POST /v1/chat/completions", clockToken, "Content-Encoding: br\r\n"+short, 415, unreadPatience)
	f("POST /v1/chat/completions", clockToken, "Content-Encoding: gzip\r\n"+short, 400, bodyPatience)
}

// A client that asks and does not read the answer is given up.
func TestAttackStalledReader(t *testing.T) {
	onClock(t, "", func(t *testing.T, dial func() *peer) {
		p := dial()
		p.send("GET /prometheus HTTP/1.1\r\nHost: berry\r\n\r\n")
		time.Sleep(stallLimit - time.Second)
		if _, err := p.r.Peek(1); err != nil {
			t.Fatalf("given up too early: %v", err)
		}
		time.Sleep(2 * stallLimit) // the pipe took a part of it
		if rest, err := io.ReadAll(p.r); err != nil || strings.Contains(string(rest), "process_start_time_seconds") {
			t.Errorf("%v, and %d bytes to the end of the page", err, len(rest))
		}
	})
}

// http2Frame is one frame of HTTP/2 (RFC 9113, 4.1).
func http2Frame(kind, flags byte, stream uint32, payload string) string {
	n := len(payload)
	head := []byte{byte(n >> 16), byte(n >> 8), byte(n), kind, flags}
	return string(binary.BigEndian.AppendUint32(head, stream)) + payload
}

// http2Get opens a connection with a window of 0 bytes for each answer, and asks
// for a path on it, each header in HPACK's plainest form.
func http2Get(path string) string {
	literal := func(index byte, value string) string { return string([]byte{index, byte(len(value))}) + value }
	const settings, headers = 0x4, 0x1
	const initialWindow = "\x00\x04\x00\x00\x00\x00"
	const endOfStreamAndHeaders = 0x5
	const methodGet, schemeHTTP = "\x82", "\x86"
	return "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + http2Frame(settings, 0, 0, initialWindow) +
		http2Frame(headers, endOfStreamAndHeaders, 1, methodGet+schemeHTTP+literal(4, path)+literal(1, "berry"))
}

// Over HTTP/2 a client can read the connection and keep one answer's window
// shut. The answer is given up, also of one that has no token.
func TestAttackShutWindow(t *testing.T) {
	f := func(path string) {
		t.Helper()
		onClock(t, "", func(t *testing.T, dial func() *peer) {
			p := dial()
			go func() { _, _ = io.WriteString(p, http2Get(path)) }()
			const reset = 0x3
			for {
				head := make([]byte, 9)
				if _, err := io.ReadFull(p.r, head); err != nil {
					t.Fatalf("%s: %v", path, err)
				}
				payload := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
				if _, err := io.ReadFull(p.r, payload); err != nil {
					t.Fatal(err)
				}
				if head[3] == reset {
					break
				}
			}
			if took := time.Since(p.start); took != streamPatience {
				t.Errorf("%s: given up after %v, want %v", path, took, streamPatience)
			}
		})
	}
	f("/prometheus")
	f("/v1/models")
	f("/nothing")
}
