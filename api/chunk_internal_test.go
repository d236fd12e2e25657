package api

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"
)

// serveClumps is a server whose answers are written by answer.
func serveClumps(t *testing.T, answer func(w *clumpWriter, r *http.Request)) *httptest.Server {
	t.Helper()
	quietGin()
	e := gin.New()
	e.POST("/", func(c *gin.Context) {
		_, _ = io.Copy(io.Discard, c.Request.Body)
		w := clumpsOver(c.Writer, c.Request)
		if w == nil {
			t.Error("no connection of its own")
			return
		}
		defer w.end()
		answer(w, c.Request)
	})
	s := httptest.NewUnstartedServer(e)
	s.Config.ConnContext = withConnection
	s.Listener = watched{s.Listener}
	t.Cleanup(s.Close)
	return s
}

// An answer's chunks are its clumps. One that has a length, or whose client does
// not know of chunks, has none.
func TestChunksOnTheWire(t *testing.T) {
	large := strings.Repeat("x", largeChunk+1)
	f := func(header http.Header, version, want string, steps ...string) {
		t.Helper()
		s := serveClumps(t, func(w *clumpWriter, _ *http.Request) {
			maps.Copy(w.Header(), header)
			w.WriteHeader(http.StatusOK)
			for _, step := range steps {
				if step == "flush" {
					_ = w.FlushError()
				} else if n, err := io.WriteString(w, step); n != len(step) || err != nil {
					t.Errorf("%.20q: %d, %v", step, n, err)
				}
			}
		})
		s.Start()
		c, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		fmt.Fprintf(c, "POST / HTTP/%s\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}", version)
		got, err := io.ReadAll(c)
		if err != nil {
			t.Fatal(err)
		}
		_, body, _ := strings.Cut(string(got), "\r\n\r\n")
		if d := cmp.Diff(shown(want), shown(body)); d != "" {
			t.Errorf("HTTP/%s, %v (-want +got):\n%s", version, header, d)
		}
	}
	const end = "0\r\n\r\n"
	f(nil, "1.1", "1\r\na\r\n2\r\nbc\r\n10\r\n0123456789abcdef\r\n"+end, "a", "flush", "b", "c", "flush", "0123456789abcdef")
	f(nil, "1.1", "1\r\na\r\n1\r\nb\r\n"+end, "a", "flush", "", "flush", "b", "flush", "flush", "")
	f(nil, "1.1", "1\r\na\r\n1\r\nb\r\n8001\r\n"+large+"\r\n1\r\nc\r\n1\r\nd\r\n"+end, "a", "flush", "b", large, "flush", "c", "flush", "d", "flush")
	f(nil, "1.1", "1\r\na\r\n8000\r\n"+large[1:]+"\r\n1\r\nc\r\n"+end, "a", "flush", large[1:], "c")
	f(nil, "1.0", "abcd", "a", "flush", "b", "flush", "cd")
	f(http.Header{"Content-Length": {"4"}}, "1.1", "abcd", "a", "flush", "b", "flush", "cd")
}

// shown is s with its long runs of one letter cut short.
func shown(s string) string { return strings.ReplaceAll(s, strings.Repeat("x", 1<<10), "X") }

// However an answer is cut into writes and clumps, what arrives is the answer.
func TestChunksOfAnySize(t *testing.T) {
	sizes := []int{0, 1, 15, 16, 100, smallClump, smallClump + 1, 4096, largeChunk - 1, largeChunk, largeChunk + 1, 3 * largeChunk}
	said := make(chan []byte, 1)
	answer := func(w *clumpWriter, r *http.Request) {
		var seed uint64
		_, _ = fmt.Sscan(r.Header.Get("Seed"), &seed)
		rnd := rand.New(rand.NewPCG(seed, 1))
		var all []byte
		for range rnd.IntN(20) {
			p := make([]byte, sizes[rnd.IntN(len(sizes))])
			for i := range p {
				p[i] = byte('a' + rnd.IntN(26))
			}
			all = append(all, p...)
			if _, err := w.Write(p); err != nil {
				t.Error(err)
			}
			if rnd.IntN(3) > 0 {
				if err := w.FlushError(); err != nil {
					t.Error(err)
				}
			}
		}
		said <- all
	}
	for _, secure := range []bool{false, true} {
		s := serveClumps(t, answer)
		if secure {
			s.StartTLS()
		} else {
			s.Start()
		}
		for seed := range 200 {
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, strings.NewReader("{}"))
			req.Header.Set("Seed", fmt.Sprint(seed))
			res, err := s.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if want := <-said; err != nil || !bytes.Equal(got, want) {
				t.Fatalf("TLS %v, seed %d: %v, %d bytes of %d", secure, seed, err, len(got), len(want))
			}
		}
	}
}

// A write past net/http that fails ends the request as one through it does.
func TestFailedChunkEndsTheRequest(t *testing.T) {
	for _, secure := range []bool{false, true} {
		over, conns := make(chan error, 1), make(chan *writes, 1)
		s := serveClumps(t, func(w *clumpWriter, r *http.Request) {
			_ = w.FlushError()
			(<-conns).breakDown()
			_, _ = io.WriteString(w, "lost")
			err := w.FlushError()
			<-r.Context().Done()
			over <- err
		})
		s.Listener = watched{counted{s.Listener.(watched).Listener, conns}}
		if secure {
			s.StartTLS()
		} else {
			s.Start()
		}
		res, err := s.Client().Post(s.URL, "text/plain", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if failed := <-over; !errors.Is(failed, errFailing) || err == nil {
			t.Errorf("TLS %v: the handler had %v, the client %q and %v", secure, failed, got, err)
		}
	}
}

var errFailing = errors.New("it fails")

// breakDown makes all further writes fail.
func (c *writes) breakDown() {
	c.mu.Lock()
	c.fail = errFailing
	c.mu.Unlock()
}

// What was not flushed when an answer breaks off does not end it in order.
func TestAbortedChunks(t *testing.T) {
	s := serveClumps(t, func(w *clumpWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "begun")
		_ = w.FlushError()
		_, _ = io.WriteString(w, "not flushed")
		panic(http.ErrAbortHandler)
	})
	s.StartTLS()
	c, err := tls.Dial("tcp", s.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if got, err := io.ReadAll(res.Body); !strings.HasPrefix(string(got), "begun") || err == nil {
		t.Errorf("%q, %v", got, err)
	}
}
