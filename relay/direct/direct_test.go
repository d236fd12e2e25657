package direct_test

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
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/PPKunOfficial/berry-api/relay/direct"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// script is a server that reads one request and says what it is told, byte by
// byte or at once, and then closes.
func script(t *testing.T, say string, slowly bool) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if req, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				_, _ = io.Copy(io.Discard, req.Body)
				var from io.Reader = strings.NewReader(say)
				if slowly {
					from = iotest.OneByteReader(from)
				}
				_, _ = io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{from})
			}
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return l.Addr().String()
}

// heard is an answer as its reader has it.
type heard struct {
	Status int
	Header http.Header
	Body   string
	Failed bool // before or inside the body
}

func ask(tr http.RoundTripper, method, address string) heard {
	var in io.Reader
	if method == http.MethodPost {
		in = strings.NewReader("hello")
	}
	req, err := http.NewRequest(method, "http://"+address+"/p?q=1", in)
	if err != nil {
		return heard{Failed: true}
	}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return heard{Failed: true}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return heard{Status: resp.StatusCode, Header: resp.Header, Body: string(body), Failed: err != nil}
}

// What an upstream says is understood as net/http's own client understands it.
func TestAnswers(t *testing.T) {
	f := func(say string) {
		t.Helper()
		for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodHead} {
			for _, slowly := range []bool{false, true} {
				address := script(t, say, slowly)
				std := &http.Transport{DisableCompression: true, DisableKeepAlives: true}
				ours := direct.New(address, direct.Options{})
				if d := cmp.Diff(ask(std, method, address), ask(ours, method, address)); d != "" {
					t.Errorf("%s %.80q, slowly %v (-net/http +direct):\n%s", method, say, slowly, d)
				}
			}
		}
	}
	f("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1\r\nX-A: 2\r\n\r\nhello")
	f("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	f("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello")
	f("HTTP/1.1 200 OK\r\n\r\nuntil the end")
	f("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok")
	f("HTTP/1.0 200 OK\r\n\r\nold")
	f("HTTP/1.1 204 No Content\r\n\r\n")
	f("HTTP/1.1 503 Busy\nContent-Length: 2\n\nno")
	f("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	f(chunked + "5\r\nhello\r\n6; ext=1\r\n world\r\n0\r\n\r\n")
	f(chunked + "5\r\nhello\r\n0\r\nTrailer: x\r\n\r\n")
	f(chunked + "A\r\n0123456789\r\n00\r\n\r\n")
	f(chunked + "0\r\n\r\n")
	f(chunked + "5\r\nhello\r\n")
	f(chunked + "5\r\nhel")
	f(chunked + "5\r\nhelloX\r\n0\r\n\r\n")
	f(chunked + "x\r\nhello\r\n0\r\n\r\n")
	f(chunked + "-5\r\nhello\r\n0\r\n\r\n")
	f(chunked + "\r\n")
	f(chunked + "fffffffffffffffff\r\nhello")
	f(chunked + strings.Repeat("1", 5000) + "\r\n")
	f(chunked + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", 100_000, strings.Repeat("y", 100_000)))
	f(chunked + strings.Repeat("3e8\r\n"+strings.Repeat("z", 1000)+"\r\n", 50) + "0\r\n\r\n")
	f(chunked + "5\nhello\r\n0\r\n\r\n")
	f(chunked + "5\r\nhello\n0\r\n\r\n")
	f("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
	f("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n")
	f("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello")
	f("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nhello")
	f("HTTP/1.1 200 OK\r\nX-Long: " + strings.Repeat("v", 20_000) + "\r\nContent-Length: 2\r\n\r\nok")
	f("HTTP/1.1 200 OK\r\nno colon\r\n\r\n")
	f("HTTP/9 200 OK\r\n\r\n")
	f("HTTP/1.1 2x0 OK\r\n\r\n")
	f("nonsense\r\n\r\n")
	f("HTTP/1.1 200 OK\r\nContent-")
	f("")
}

// A header without end uses bounded memory.
func TestHeaderTooLong(t *testing.T) {
	address := script(t, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("v", 1<<20), false)
	if got := ask(direct.New(address, direct.Options{MaxHeader: 64 << 10}), http.MethodPost, address); !got.Failed {
		t.Errorf("%d", got.Status)
	}
}

type pieces struct {
	io.Reader
	list [][]byte
}

func (p *pieces) Close() error                       { return nil }
func (p *pieces) AppendPieces(dst [][]byte) [][]byte { return append(dst, p.list...) }
func (p *pieces) length() int64                      { return int64(len(bytes.Join(p.list, nil))) }

func request(ctx context.Context, t *testing.T, url string, body io.ReadCloser, n int64) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, body)
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = n
	return req
}

// What is sent arrives, whatever its size and however it lies in memory.
func TestRequests(t *testing.T) {
	type got struct {
		Line, Body string
		Header     http.Header
		Length     int64
	}
	seen := make(chan got, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		seen <- got{r.Method + " " + r.RequestURI + " " + r.Host, string(b), r.Header, r.ContentLength}
	}))
	defer s.Close()
	host := strings.TrimPrefix(s.URL, "http://")
	tr := direct.New(host, direct.Options{MaxIdle: 1})
	defer tr.CloseIdleConnections()
	f := func(body io.ReadCloser, n int64, want string) {
		t.Helper()
		req := request(t.Context(), t, s.URL+"/a%2Fb?q=x", body, n)
		req.Header = http.Header{"X-One": {"1"}, "X-Two": {"a", "b"}, "Connection": {"close"}, "Content-Length": {"7"}}
		resp, err := tr.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		w := got{"POST /a%2Fb?q=x " + host, want, http.Header{"X-One": {"1"}, "X-Two": {"a", "b"}, "Content-Length": {fmt.Sprint(n)}}, n}
		if d := cmp.Diff(w, <-seen); d != "" {
			t.Errorf("%d bytes (-want +got):\n%.2000s", n, d)
		}
	}
	for _, size := range []int{1, 1000, 32 << 10, 100_000, 3 << 20} {
		text := strings.Repeat("0123456789", size/10+1)[:size]
		f(io.NopCloser(strings.NewReader(text)), int64(size), text)
		p := &pieces{list: [][]byte{[]byte(text[:size/3]), nil, []byte(text[size/3 : size/2]), []byte(text[size/2:])}}
		f(p, p.length(), text)
	}
	f(nil, 0, "")
}

func TestRefusesRequests(t *testing.T) {
	address := script(t, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false)
	tr := direct.New(address, direct.Options{})
	f := func(change func(*http.Request), want string) {
		t.Helper()
		req := request(t.Context(), t, "http://"+address, io.NopCloser(strings.NewReader("hello")), 5)
		change(req)
		resp, err := tr.RoundTrip(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	f(func(r *http.Request) { r.Header.Set("X-A", "a\r\nX-B: b") }, `"X-A" has a character that ends lines`)
	f(func(r *http.Request) { r.Header["X-A\n"] = []string{"b"} }, "ends lines")
	f(func(r *http.Request) { r.ContentLength = -1 }, "length")
	f(func(r *http.Request) { r.ContentLength = 0 }, "length")
	f(func(r *http.Request) { r.ContentLength = 6 }, "cannot read the request's body")
	f(func(r *http.Request) { r.Body = io.NopCloser(iotest.ErrReader(errors.New("torn"))) }, "torn")
}

// counting is a server that counts its connections.
func counting(t *testing.T, h http.HandlerFunc) (*httptest.Server, *atomic.Int64) {
	t.Helper()
	var n atomic.Int64
	s := httptest.NewUnstartedServer(h)
	s.Config.ConnState = func(_ net.Conn, st http.ConnState) {
		if st == http.StateNew {
			n.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s, &n
}

// A connection serves one request after another, but only where the answer was
// read to its end and nothing else came.
func TestReuse(t *testing.T) {
	s, connections := counting(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", r.Header.Get("X-Want"))
		_, _ = io.WriteString(w, strings.Repeat("x", 10_000))
	})
	tr := direct.New(strings.TrimPrefix(s.URL, "http://"), direct.Options{MaxIdle: 8})
	defer tr.CloseIdleConnections()
	f := func(want string, read int64, connection int64) {
		t.Helper()
		req := request(t.Context(), t, s.URL, nil, 0)
		req.Header.Set("X-Want", want)
		resp, err := tr.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(io.Discard, resp.Body, read); err != nil && !errors.Is(err, io.EOF) {
			t.Error(err)
		}
		_ = resp.Body.Close()
		if n, err := resp.Body.Read(make([]byte, 1)); n > 0 || err == nil {
			t.Error("read after the end")
		}
		if n := connections.Load(); n != connection {
			t.Errorf("connection %d, want %d", n, connection)
		}
	}
	const all = 1 << 20
	f("", all, 1)
	f("", all, 1)
	f("", 10, 1)
	f("", all, 2)
	f("close", all, 2)
	f("", all, 3)
	tr.CloseIdleConnections()
	f("", all, 4)
	tr.Retire()
	f("", all, 5)
	f("", all, 6)
}

// A connection that the upstream closed while it was idle, or on which it spoke
// unasked, is not used: each request is sent once and answered.
func TestStaleConnections(t *testing.T) {
	var requests atomic.Int64
	s, connections := counting(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		_, _ = io.WriteString(w, "ok")
	})
	tr := direct.New(strings.TrimPrefix(s.URL, "http://"), direct.Options{MaxIdle: 8})
	defer tr.CloseIdleConnections()
	for n := range int64(20) {
		if got := ask(tr, http.MethodPost, strings.TrimPrefix(s.URL, "http://")); got.Body != "ok" {
			t.Fatalf("request %d: %+v", n, got)
		}
		s.CloseClientConnections()
	}
	if r, c := requests.Load(), connections.Load(); r != 20 || c != 20 {
		t.Errorf("%d requests on %d connections", r, c)
	}
}

// A connection is given up before the upstream, by its own word, closes it.
func TestKeepAliveHint(t *testing.T) {
	f := func(hint string, wait time.Duration, want int64) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			var opened atomic.Int64
			tr := direct.New("up:80", direct.Options{MaxIdle: 2, Dial: func(context.Context, string, string) (net.Conn, error) {
				ours, theirs := net.Pipe()
				opened.Add(1)
				go func() {
					defer theirs.Close()
					br := bufio.NewReader(theirs)
					for {
						if _, err := http.ReadRequest(br); err != nil {
							return
						}
						_, _ = io.WriteString(theirs, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"+hint+"\r\nx")
					}
				}()
				return ours, nil
			}})
			for range 2 {
				if got := ask(tr, http.MethodGet, "up:80"); got.Body != "x" {
					t.Errorf("%+v", got)
				}
				time.Sleep(wait)
			}
			if n := opened.Load(); n != want {
				t.Errorf("%q, after %v: %d connections, want %d", hint, wait, n, want)
			}
			tr.CloseIdleConnections()
		})
	}
	f("", time.Hour, 1)
	f("Keep-Alive: timeout=5\r\n", 3*time.Second, 1)
	f("Keep-Alive: timeout=5\r\n", 4*time.Second, 2)
	f("Keep-Alive: max=100, Timeout=5\r\n", 5*time.Second, 2)
	f("Keep-Alive: timeout=0\r\n", 0, 2)
	f("Keep-Alive: timeout=soon\r\n", time.Hour, 1)
	f("Keep-Alive: timeout=-1\r\n", time.Hour, 1)
}

// The context ends a call in each of its states, at once, and its connection
// is not used again.
func TestCancel(t *testing.T) {
	hold, reached := make(chan struct{}), make(chan struct{})
	s, _ := counting(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/body":
			_, _ = io.WriteString(w, "part")
			_ = http.NewResponseController(w).Flush()
		}
		reached <- struct{}{}
		<-hold
	})
	defer close(hold)
	tr := direct.New(strings.TrimPrefix(s.URL, "http://"), direct.Options{MaxIdle: 8})
	defer tr.CloseIdleConnections()
	f := func(path string, size int) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		req := request(ctx, t, s.URL+path, io.NopCloser(bytes.NewReader(make([]byte, size))), int64(size))
		failed := make(chan error, 1)
		go func() {
			resp, err := tr.RoundTrip(req)
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				_ = resp.Body.Close()
			}
			failed <- err
		}()
		<-reached
		cancel()
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", path, err)
		}
	}
	f("/wait", 1)
	f("/wait", 64<<20) // more than the system takes while nobody reads
	f("/body", 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tr.RoundTrip(request(ctx, t, s.URL+"/wait", nil, 0)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// An upstream that answers and closes before it has read the request is heard.
func TestEarlyAnswer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = c.Read(make([]byte, 1000))
		_, _ = io.WriteString(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
		_ = c.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, c)
		_ = c.Close()
	}()
	tr := direct.New(l.Addr().String(), direct.Options{MaxIdle: 1})
	defer tr.CloseIdleConnections()
	const size = 8 << 20
	resp, err := tr.RoundTrip(request(t.Context(), t, "http://"+l.Addr().String(), io.NopCloser(bytes.NewReader(make([]byte, size))), size))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusRequestEntityTooLarge || string(body) != "big" || err != nil {
		t.Errorf("%d %q %v", resp.StatusCode, body, err)
	}
	_ = resp.Body.Close()
	_ = l.Close()
	tr.CloseIdleConnections()
	<-done
}

// Idle connections are closed in time, the oldest first.
func TestIdleTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var open atomic.Int64
		tr := direct.New("up:80", direct.Options{MaxIdle: 2, IdleTime: time.Minute, Dial: func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			open.Add(1)
			go func() {
				br := bufio.NewReader(theirs)
				for {
					if _, err := http.ReadRequest(br); err != nil {
						open.Add(-1)
						_ = theirs.Close()
						return
					}
					_, _ = io.WriteString(theirs, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")
				}
			}()
			return ours, nil
		}})
		begin := func() *http.Response {
			resp, err := tr.RoundTrip(request(t.Context(), t, "http://up/", nil, 0))
			if err != nil {
				t.Fatal(err)
			}
			return resp
		}
		end := func(resp *http.Response) {
			_, _ = io.ReadAll(resp.Body)
			synctest.Wait()
		}
		check := func(want int64) {
			t.Helper()
			synctest.Wait()
			if n := open.Load(); n != want {
				t.Errorf("%d connections are open, want %d", n, want)
			}
		}
		a, b, c := begin(), begin(), begin()
		check(3)
		end(a)
		time.Sleep(30 * time.Second)
		end(b)
		end(c) // one more than are kept
		check(2)
		time.Sleep(31 * time.Second)
		check(1)
		end(begin()) // keeps the other one alive
		time.Sleep(59 * time.Second)
		check(1)
		time.Sleep(2 * time.Second)
		check(0)
	})
}
