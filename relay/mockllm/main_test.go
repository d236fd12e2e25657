package mockllm_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what must happen anyway, so that a failing test ends.
const patience = 10 * time.Second

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// open starts a server that the test closes.
func open(t *testing.T, o mockllm.Options) *mockllm.Server {
	t.Helper()
	s, err := mockllm.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// client is an HTTP client of its own, whose idle connections end with the test.
func client(t *testing.T, tr *http.Transport) *http.Client {
	t.Helper()
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// dial opens a bare connection with a deadline.
func dial(t *testing.T, s *mockllm.Server) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn)
}

const chatBody = `{"model":"m","messages":[{"role":"user","content":"hi"}]}`

// rawChat is a chat request as it goes over the wire; more is further header lines.
func rawChat(proto string, more ...string) string {
	lines := append([]string{"POST /v1/chat/completions " + proto, "Host: x", fmt.Sprintf("Content-Length: %d", len(chatBody))}, more...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n" + chatBody
}

func send(t *testing.T, c io.Writer, s string) {
	t.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		t.Fatal(err)
	}
}

// expect reads exactly want.
func expect(t *testing.T, r io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	n, err := io.ReadFull(r, got)
	if err != nil || string(got) != want {
		t.Fatalf("read %q, %v; want %q", got[:n], err, want)
	}
}

// A pipe is a listener in memory. Its connections keep the borders of writes (one Read is at most one Write) and work
// inside a synctest bubble.
type pipe struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipe() *pipe { return &pipe{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipe) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipe) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipe) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func (p *pipe) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-p.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipe) transport() *http.Transport { return &http.Transport{DialContext: p.dial} }

// events returns the payloads of a stream's events.
func events(t *testing.T, body io.Reader) []string {
	t.Helper()
	var frames []string
	sc := bufio.NewScanner(body)
	for sc.Scan() {
		if frame, ok := strings.CutPrefix(sc.Text(), "data: "); ok {
			frames = append(frames, frame)
		}
	}
	if sc.Err() != nil {
		t.Fatal(sc.Err())
	}
	return frames
}
