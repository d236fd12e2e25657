package direct_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/PPKunOfficial/berry-api/relay/direct"
)

// piped is a transport to a server at the other end of pipes, which says what
// it is told to each request in one piece. A pipe never looks closed while it
// is idle: what is not to be used again must not be kept.
func piped(t *testing.T, say string, wrap func(net.Conn) net.Conn) (tr *direct.Transport, opened *int) {
	t.Helper()
	opened = new(int)
	tr = direct.New("up:80", direct.Options{MaxIdle: 4, MaxHeader: 64 << 10, Dial: func(context.Context, string, string) (net.Conn, error) {
		*opened++
		ours, theirs := net.Pipe()
		go func() {
			defer theirs.Close()
			br := bufio.NewReader(theirs)
			for {
				req, err := http.ReadRequest(br)
				if err != nil {
					return
				}
				_, _ = io.Copy(io.Discard, req.Body)
				if _, err := io.WriteString(theirs, say); err != nil {
					return
				}
			}
		}()
		return wrap(ours), nil
	}})
	t.Cleanup(tr.CloseIdleConnections)
	return tr, opened
}

func asItIs(c net.Conn) net.Conn { return c }

// A connection is used again only where nothing speaks against it.
func TestNotKept(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	f := func(name, say string, wrap func(net.Conn) net.Conn, want int) {
		t.Helper()
		tr, opened := piped(t, say, wrap)
		for range 3 {
			if got := ask(tr, http.MethodPost, "up:80"); got.Failed || got.Body != "ok" {
				t.Errorf("%s: %+v", name, got)
			}
		}
		if *opened != want {
			t.Errorf("%s: %d connections, want %d", name, *opened, want)
		}
	}
	f("good", ok, asItIs, 1)
	f("good, chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", asItIs, 1)
	f("more than was asked for", ok+strings.Replace(ok, "ok", "no", 1), asItIs, 3)
	f("more, chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nHTTP", asItIs, 3)
	f("closes by its word", strings.Replace(ok, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1), asItIs, 3)
	f("HTTP/1.0", strings.Replace(ok, "1.1", "1.0", 1), asItIs, 3)
	f("did not listen to the end", ok, func(c net.Conn) net.Conn { return deaf{c} }, 3)
}

// deaf takes what is written and says that it did not.
type deaf struct{ net.Conn }

func (d deaf) Write(p []byte) (int, error) {
	n, _ := d.Conn.Write(p)
	return n, errors.New("deaf")
}

// A connection whose request ended by its context is not used again, although
// the answer was there already.
func TestNotKeptAfterTheContext(t *testing.T) {
	tr, opened := piped(t, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", asItIs)
	for n := range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		resp, err := tr.RoundTrip(request(ctx, t, "http://up/", nil, 0))
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		if b, err := io.ReadAll(resp.Body); string(b) != "ok" || err != nil {
			t.Errorf("%q %v", b, err)
		}
		_ = resp.Body.Close()
		if *opened != n+1 {
			t.Errorf("%d connections after %d requests", *opened, n+1)
		}
	}
}

func TestChangedProtocol(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	f := func(before string) {
		t.Helper()
		tr, _ := piped(t, before+ok, asItIs)
		if got := ask(tr, http.MethodPost, "up:80"); !got.Failed {
			t.Errorf("%.40q: %+v", before, got)
		}
	}
	f("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
	f(strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 8))
}

// counted counts what is read.
type counted struct {
	net.Conn
	n *int
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	*c.n += n
	return n, err
}

// What has no end is not read to its end.
func TestBounds(t *testing.T) {
	const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	const most = 256 << 10
	f := func(name, say string) {
		t.Helper()
		n := 0
		tr, _ := piped(t, say, func(c net.Conn) net.Conn { return counted{c, &n} })
		if got := ask(tr, http.MethodPost, "up:80"); !got.Failed {
			t.Errorf("%s: %+v", name, got)
		}
		if n > most {
			t.Errorf("%s: %d bytes were read", name, n)
		}
	}
	f("header", "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("v", 4<<20))
	f("header of many lines", "HTTP/1.1 200 OK\r\n"+strings.Repeat("X: 1\r\n", 1<<20))
	f("chunk's size", chunked+strings.Repeat("1", 4<<20))
	f("chunk's extension", chunked+"1;"+strings.Repeat("x", 4<<20))
	f("trailer", chunked+"0\r\n"+strings.Repeat("T: 1\r\n", 1<<20))
}

// A link-local address has a zone, which is the dialler's business only.
func TestHostWithZone(t *testing.T) {
	f := func(url, want string) {
		t.Helper()
		host := make(chan string, 1)
		tr := direct.New("up:80", direct.Options{Dial: func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() {
				defer theirs.Close()
				if req, err := http.ReadRequest(bufio.NewReader(theirs)); err == nil {
					host <- req.Host
					_, _ = fmt.Fprint(theirs, "HTTP/1.1 204 No Content\r\n\r\n")
				}
			}()
			return ours, nil
		}})
		resp, err := tr.RoundTrip(request(t.Context(), t, url, nil, 0))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		select {
		case got := <-host:
			if got != want {
				t.Errorf("%s: %q, want %q", url, got, want)
			}
		case <-time.After(10 * time.Second):
			t.Error("no request")
		}
	}
	f("http://[fe80::1%25eth0]:8000/", "[fe80::1]:8000")
	f("http://[fe80::1%25eth0]/", "[fe80::1]")
	f("http://[::1]:8000/", "[::1]:8000")
	f("http://up:8000/", "up:8000")
}
