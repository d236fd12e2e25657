package api

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"
)

// writes is a connection that notes what is written to it, and how.
type writes struct {
	net.Conn

	mu   sync.Mutex
	all  []string
	fail error
}

func (c *writes) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail != nil {
		return 0, c.fail
	}
	c.all = append(c.all, string(p))
	if c.Conn == nil {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func (c *writes) Read(p []byte) (int, error) {
	if c.Conn == nil {
		return 0, io.EOF
	}
	return c.Conn.Read(p)
}

func (c *writes) Close() error {
	if c.Conn == nil {
		return nil
	}
	return c.Conn.Close()
}

func (c *writes) SetReadDeadline(t time.Time) error {
	if c.Conn == nil {
		return nil
	}
	return c.Conn.SetReadDeadline(t)
}

func (c *writes) SetWriteDeadline(time.Time) error { return nil }

func (c *writes) sent() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.all
	c.all = nil
	return all
}

// What a connection holds is sent by release, and by all that comes after an answer.
func TestHeldWrites(t *testing.T) {
	under := &writes{}
	c := newWatchedConn(under)
	say := func(text string) {
		t.Helper()
		if n, err := c.Write([]byte(text)); n != len(text) || err != nil {
			t.Errorf("%q: %d, %v", text, n, err)
		}
	}
	sent := func(want ...string) {
		t.Helper()
		if d := cmp.Diff(want, under.sent()); d != "" {
			t.Errorf("sent (-want +got):\n%s", d)
		}
	}
	say("at once")
	sent("at once")
	for name, end := range map[string]func(){
		"release":       func() { _ = c.release() },
		"read":          func() { _, _ = c.Read(nil) },
		"read deadline": func() { _ = c.SetReadDeadline(time.Time{}) },
		"deadline":      func() { _ = c.SetDeadline(time.Time{}) },
		// Where the next request has come already net/http sets no deadline for
		// reading, and a closing TLS connection sets one that is over.
		"write deadline": func() { _ = c.SetWriteDeadline(time.Time{}) },
		"close":          func() { _ = c.Close() },
	} {
		c.hold()
		say("a")
		say(name)
		sent()
		end()
		sent("a" + name)
		end()
		sent()
		_ = c.release()
	}
	say("at once again")
	sent("at once again")

	much := strings.Repeat("x", heldMost-1)
	c.hold()
	say("ab")
	say(much)
	sent("ab")
	say("yz")
	sent(much)
	say(strings.Repeat("z", heldMost+1))
	sent("yz", strings.Repeat("z", stallPiece), "z")

	say("lost")
	under.fail = errors.New("broken")
	if err := c.release(); !errors.Is(err, under.fail) {
		t.Errorf("release on a broken connection: %v", err)
	}
	under.fail = nil
	_ = c.release()
	sent()
}

// An answer of known length whose last piece is sent past what is held leaves
// nothing to send, and its hold once: each event of a stream that came next on the
// connection waited for the stream's end.
func TestAHoldEndsWithItsAnswer(t *testing.T) {
	under := &writes{}
	c := newWatchedConn(under)
	for name, end := range map[string]func(){
		"read":           func() { _, _ = c.Read(nil) },
		"read deadline":  func() { _ = c.SetReadDeadline(time.Time{}) },
		"write deadline": func() { _ = c.SetWriteDeadline(time.Time{}) },
	} {
		for _, text := range []string{"head", strings.Repeat("x", heldMost+1)} {
			c.hold()
			if _, err := c.Write([]byte(text)); err != nil {
				t.Error(err)
			}
		}
		if got := strings.Join(under.sent(), ""); len(got) != len("head")+heldMost+1 {
			t.Errorf("%s: %d bytes of the answer were sent", name, len(got))
		}
		end()
		_, _ = c.Write([]byte("event"))
		if d := cmp.Diff([]string{"event"}, under.sent()); d != "" {
			t.Errorf("%s: sent (-want +got):\n%s", name, d)
		}
		_ = c.release()
	}
}

// Closing does not wait for a client that does not read.
func TestCloseEndsAStuckWrite(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	c := newWatchedConn(near)
	c.hold()
	if _, err := c.Write([]byte("held")); err != nil {
		t.Fatal(err)
	}
	stuck := make(chan error)
	go func() { stuck <- c.release() }()
	if _, err := far.Read(make([]byte, 1)); err != nil { // it is in the middle
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := <-stuck; err == nil {
		t.Error("a write on a closed connection succeeds")
	}
}

// An answer's end is sent on a connection that is closed behind it, also where
// more came from the client meanwhile, with which net/http reads no further.
func TestClosedBehindTheEnd(t *testing.T) {
	quietGin()
	e := gin.New()
	more, text := make(chan struct{}), strings.Repeat("last ", 3000)
	e.POST("/", func(c *gin.Context) {
		_, _ = io.Copy(io.Discard, c.Request.Body)
		w := clumpsOver(c.Writer, c.Request)
		if w == nil {
			t.Error("no connection of its own")
			return
		}
		defer w.end()
		_ = w.FlushError()
		<-more
		_, _ = io.WriteString(w, text)
	})
	s := httptest.NewUnstartedServer(e)
	s.Config.ConnContext = withConnection
	under := readOn{s.Listener, make(chan struct{}, 64)}
	s.Listener = watched{under}
	s.StartTLS()
	defer s.Close()
	c, err := tls.Dial("tcp", under.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	for len(under.read) > 0 {
		<-under.read
	}
	fmt.Fprint(c, "G")
	<-under.read
	close(more)
	if got, err := io.ReadAll(res.Body); err != nil || string(got) != text {
		t.Errorf("%v, %d bytes", err, len(got))
	}
}

// readOn is a listener whose connections tell when something was read.
type readOn struct {
	net.Listener
	read chan struct{}
}

func (l readOn) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return readOnConn{c, l.read}, err
}

type readOnConn struct {
	net.Conn
	read chan struct{}
}

func (c readOnConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.read <- struct{}{}
	}
	return n, err
}

// counted is a listener whose connections note their writes.
type counted struct {
	net.Listener
	conns chan *writes
}

func (l counted) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	w := &writes{Conn: c}
	l.conns <- w
	return w, nil
}

// A clump of any size leaves in one call, and the answer's end with the last one.
func TestClumpsLeaveWhole(t *testing.T) {
	quietGin()
	e := gin.New()
	clumps := []string{"small", strings.Repeat("large ", 2000), strings.Repeat("last ", 3000)}
	e.POST("/", func(c *gin.Context) {
		_, _ = io.Copy(io.Discard, c.Request.Body)
		w := clumpsOver(c.Writer, c.Request)
		if w == nil {
			t.Error("no connection of its own")
			return
		}
		defer w.end()
		for i, text := range clumps {
			_, _ = io.WriteString(w, text)
			if i < len(clumps)-1 {
				if err := http.NewResponseController(w).Flush(); err != nil {
					t.Error(err)
				}
			}
		}
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	under := counted{l, make(chan *writes, 1)}
	s := &http.Server{Handler: e, ConnContext: withConnection}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(watched{under}) }()
	defer func() { _ = s.Close(); <-done }()

	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	conn, r := <-under.conns, bufio.NewReader(c)
	for range 2 { // the second time on the same connection
		fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(res.Body)
		if err != nil || string(got) != strings.Join(clumps, "") {
			t.Errorf("%v, %d bytes", err, len(got))
		}
		all := conn.sent()
		if len(all) != 3 || !strings.Contains(all[0], "\r\n\r\n5\r\nsmall\r\n") || !strings.HasSuffix(all[1], "large \r\n") || !strings.HasSuffix(all[2], "last \r\n0\r\n\r\n") {
			t.Errorf("%d writes: %.80q", len(all), all)
		}
	}
}
