package api_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/PPKunOfficial/berry-api/api"
	"github.com/PPKunOfficial/berry-api/relay/mockllm"
)

func TestStartingLine(t *testing.T) {
	b := start(t, setup{})
	address := b.srv.Addr().String()
	if b.srv.AdminAddr().String() != address {
		t.Errorf("admin address %v", b.srv.AdminAddr())
	}
	lines := b.lines("Starting Berry API")
	want := `{"timestamp":"TIME", "level":"INFO", "target":"berry_api::api", "message":"Starting Berry API","fields":{"address":"` +
		address + `","serves":"all","version":"1.2.3","config":"test.toml"}}`
	if len(lines) != 1 || plain(lines[0].raw) != want {
		t.Errorf("%+v\nwant %s", lines, want)
	}
	if !refused(address) {
		t.Error("it listens after Run")
	}
}

func TestConfigurationWarningsAreLogged(t *testing.T) {
	b := start(t, setup{config: strings.Replace(usual, `allowed_models = ["pool"]`, `allowed_models = ["pool", "nope"]`, 1)})
	lines := b.lines("Configuration warning")
	if len(lines) != 1 || lines[0].Level != "WARN" || lines[0].Fields["key"] != "users.narrow.allowed_models[1]" {
		t.Errorf("%+v", lines)
	}
}

func TestListenFails(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	b := &berry{t: t, one: mockllm.Start(t, nil), two: mockllm.Start(t, nil)}
	f := func(settings string) {
		t.Helper()
		srv, err := api.New(b.load(setup{settings: settings}), api.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := srv.Run(context.Background()); err == nil {
			t.Errorf("%q: no error", settings)
		}
		if srv.Addr() != nil {
			t.Errorf("%q: address %v", settings, srv.Addr())
		}
	}
	f("bind_address = \"" + taken.Addr().String() + "\"\n")
	f("bind_address = \"127.0.0.1:0\"\nadmin_bind_address = \"" + taken.Addr().String() + "\"\n")
	f("log_file = \"" + t.TempDir() + "\"\n") // a folder
	if _, err := api.New(b.load(setup{}), api.Options{LogFilter: "info,relay=loud"}); err == nil {
		t.Error("a filter that is none: no error")
	}
}

func TestAdminAddress(t *testing.T) {
	b := start(t, setup{settings: "admin_bind_address = \"127.0.0.1:0\"\n"})
	admin := *b
	admin.url = "http://" + b.srv.AdminAddr().String()
	if admin.url == b.url {
		t.Fatalf("both on %s", b.url)
	}
	if a := b.ask("GET", "/", ""); a.body != "Berry API 1.2.3: the API is under /v1, its state under /health, the dashboard under /status\n" {
		t.Errorf("the API's address says %q", a.body)
	}
	for _, route := range append(append([]string{}, adminRoutes...), statusRoutes...) {
		if got := b.outcome(route, adminToken); got != "404 not_found" {
			t.Errorf("the API's address: %s: %s", route, got)
		}
		if got := admin.outcome(route, adminToken); got != "200" {
			t.Errorf("the admin address: %s: %s", route, got)
		}
	}
	for _, route := range userRoutes {
		if got := b.outcome(route, annToken); got != "200" {
			t.Errorf("the API's address: %s: %s", route, got)
		}
		if got := admin.outcome(route, annToken); got != "404 not_found" {
			t.Errorf("the admin address: %s: %s", route, got)
		}
	}
	for _, route := range openRoutes {
		if got := b.outcome(route, "") + admin.outcome(route, ""); got != "200200" {
			t.Errorf("%s: %s", route, got)
		}
	}
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "berry.sock")
	settings := "bind_address = \"unix:" + path + "\"\ntrusted_proxies = [\"10.0.0.0/8\"]\n"
	// A killed process leaves its socket behind.
	stale, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	stale.Close()

	b := start(t, setup{settings: settings})
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
	defer client.CloseIdleConnections()
	get := func(token string) answer {
		t.Helper()
		r, _ := http.NewRequest(http.MethodGet, "http://berry/v1/models", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("X-Forwarded-For", "9.9.9.9, 10.0.0.1")
		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		return b.read(res)
	}
	if a := get(annToken); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := get(badToken); a.status != 401 {
		t.Errorf("%d %s", a.status, a.body)
	}
	// The socket of a live server is not taken away from it.
	second, err := api.New(b.load(setup{settings: settings}), api.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Listen(); err == nil {
		t.Error("two servers on one socket")
	}
	if lines := b.lines("Authentication failed"); len(lines) != 1 || lines[0].Fields["client"] != "9.9.9.9" {
		t.Errorf("%+v", lines)
	}
	if lines := b.lines("Starting Berry API"); lines[0].Fields["address"] != "unix:"+path {
		t.Errorf("%+v", lines)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

// A socket that no connection is refused on may be somebody's who is only busy,
// or who takes datagrams, as here: it stays, and the start fails.
func TestUnixSocketOfAnotherKind(t *testing.T) {
	path := filepath.Join(t.TempDir(), "other.sock")
	other, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	b := start(t, setup{})
	s, err := api.New(b.load(setup{settings: "bind_address = \"unix:" + path + "\"\n"}), api.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(); err == nil || !strings.Contains(err.Error(), "cannot listen on unix:"+path) {
		t.Errorf("listening on another's socket: %v", err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the socket was removed: %v", err)
	}
}

// The operator's routes may have a socket of their own.
func TestAdminUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	b := start(t, setup{settings: "admin_bind_address = \"unix:" + path + "\"\n"})
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
	defer client.CloseIdleConnections()
	f := func(target, token string, want int) {
		t.Helper()
		r, _ := http.NewRequest(http.MethodGet, "http://berry"+target, nil)
		r.Header.Set("Authorization", "Bearer "+token)
		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if a := b.read(res); a.status != want {
			t.Errorf("%s: %d %s", target, a.status, a.body)
		}
	}
	f("/admin/config", adminToken, 200)
	f("/admin/config", annToken, 403)
	f("/prometheus", adminToken, 200)
	f("/v1/models", annToken, 404)
	if got := b.outcome("GET /admin/config", adminToken); got != "404 not_found" {
		t.Errorf("the API's address: %s", got)
	}
	if got := b.outcome("GET /v1/models", annToken); got != "200" {
		t.Errorf("the API's address: %s", got)
	}
	if lines := b.lines("Starting Berry API"); len(lines) != 2 || lines[1].Fields["address"] != "unix:"+path || lines[1].Fields["serves"] != "admin" {
		t.Errorf("%+v", lines)
	}
}

// dialog is a connection of which the test decides when it closes.
type dialog struct {
	net.Conn
	r *bufio.Reader
}

func (b *berry) dial() dialog {
	b.t.Helper()
	return b.dialAt(b.srv.Addr())
}

func (b *berry) dialAt(address net.Addr) dialog {
	b.t.Helper()
	c, err := net.Dial("tcp", address.String())
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = c.Close() })
	return dialog{c, bufio.NewReader(c)}
}

func (d dialog) ask() { _, _ = io.WriteString(d, "GET /livez HTTP/1.1\r\nHost: berry\r\n\r\n") }

func (d dialog) answered() error {
	res, err := http.ReadResponse(d.r, nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, res.Body)
	return errors.Join(err, res.Body.Close())
}

// waits reports an error unless nothing comes over a connection for a while.
func (d dialog) waits() error {
	_ = d.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	defer func() { _ = d.SetReadDeadline(time.Time{}) }()
	_, err := d.r.Peek(1)
	switch {
	case err == nil:
		return errors.New("an answer, want to wait")
	case !errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("it ended, want to wait: %w", err)
	}
	return nil
}

func TestMaxConnections(t *testing.T) {
	b := start(t, setup{settings: "max_connections = 2\n"})
	one, two, three := b.dial(), b.dial(), b.dial()
	// Two are in use: their requests have begun.
	for _, d := range []dialog{one, two} {
		_, _ = io.WriteString(d, "GET /livez HTTP/1.1\r\n")
		if err := d.waits(); err != nil {
			t.Fatal(err)
		}
	}
	three.ask()
	if err := three.waits(); err != nil {
		t.Fatalf("the third connection: %v", err)
	}
	// Answered, the first is idle, and gives way.
	_, _ = io.WriteString(one, "Host: berry\r\n\r\n")
	if err := errors.Join(one.answered(), three.answered()); err != nil {
		t.Fatal(err)
	}
	if _, err := one.r.ReadByte(); err == nil {
		t.Error("the first connection stays open")
	}
	// One that is closed makes room as well.
	four, five := b.dial(), b.dial()
	_, _ = io.WriteString(four, "GET /livez HTTP/1.1\r\n")
	if _, err := three.r.ReadByte(); err == nil {
		t.Error("the third connection stays open, though it is idle")
	}
	five.ask()
	if err := five.waits(); err != nil {
		t.Fatalf("the fifth connection: %v", err)
	}
	_ = two.Close()
	if err := five.answered(); err != nil {
		t.Errorf("the fifth connection, after the second is gone: %v", err)
	}
}

// The connections that clients keep for later keep nobody out, with TLS neither.
func TestIdleConnectionsGiveWay(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeCertificate(t, cert, key, 1)
	f := func(settings string, dial func(*berry) dialog) {
		t.Helper()
		b := start(t, setup{settings: settings + "max_connections = 1\n"})
		last := dial(b)
		last.ask()
		if err := last.answered(); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			next := dial(b)
			next.ask()
			if err := next.answered(); err != nil {
				t.Fatalf("a new connection: %v", err)
			}
			if _, err := last.r.ReadByte(); err == nil {
				t.Error("the idle one stays open")
			}
			last = next
		}
	}
	f("", (*berry).dial)
	f("tls.cert_file = \""+cert+"\"\ntls.key_file = \""+key+"\"\n", func(b *berry) dialog {
		c, err := net.Dial("tcp", b.srv.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		secure := tls.Client(c, &tls.Config{InsecureSkipVerify: true})
		t.Cleanup(func() { _ = secure.Close() })
		return dialog{secure, bufio.NewReader(secure)}
	})
}

// hanging streams a first chunk, and the rest when it may.
func hanging(more <-chan struct{}) mockllm.Script {
	return func(*mockllm.Seen) []mockllm.Step {
		return []mockllm.Step{mockllm.SSE(chunk("first")), mockllm.Wait(more), mockllm.SSE(chunk("second"), finish, "[DONE]"), mockllm.EOF()}
	}
}

// stream begins a stream and waits for its first content.
func (b *berry) stream() (*http.Response, *bytes.Buffer) {
	b.t.Helper()
	res := b.open(`{"model":"pool","stream":true,"messages":[]}`)
	var got bytes.Buffer
	buf := make([]byte, 4096)
	for !strings.Contains(got.String(), "first") {
		n, err := res.Body.Read(buf)
		if err != nil {
			b.t.Fatal(err)
		}
		got.Write(buf[:n])
	}
	return res, &got
}

func TestDrain(t *testing.T) {
	more := make(chan struct{})
	b := start(t, setup{one: hanging(more)})
	res, got := b.stream()
	stopped := make(chan error, 1)
	go func() { stopped <- b.stop() }()
	eventually(t, "no new connections", func() bool { return refused(b.srv.Addr().String()) })
	select {
	case err := <-stopped:
		t.Fatalf("it stopped before the stream ended: %v", err)
	default:
	}
	close(more)
	if _, err := got.ReadFrom(res.Body); err != nil || !strings.HasSuffix(got.String(), "data: [DONE]\n\n") {
		t.Errorf("the stream: %v %q", err, got)
	}
	if err := <-stopped; err != nil {
		t.Errorf("Run: %v", err)
	}
	lines := b.lines("Backend selected")
	if len(lines) != 1 || lines[0].Fields["error"] != nil {
		t.Errorf("%+v", lines)
	}
	if lines := b.lines("Draining"); len(lines) != 1 || lines[0].Fields["in_flight"] != 1.0 {
		t.Errorf("%+v", lines)
	}
}

// F18: told to stop while 50 streams run, it takes no new connection, lets
// them end, and stops well.
func TestF18StopsUnderStreams(t *testing.T) {
	more := make(chan struct{})
	b := start(t, setup{one: hanging(more)})
	var streams sync.WaitGroup
	for range 50 {
		res, got := b.stream()
		streams.Go(func() {
			if _, err := got.ReadFrom(res.Body); err != nil || !strings.HasSuffix(got.String(), "data: [DONE]\n\n") {
				t.Errorf("the stream: %v %q", err, got)
			}
		})
	}
	stopped := make(chan error, 1)
	go func() { stopped <- b.stop() }()
	eventually(t, "no new connections", func() bool { return refused(b.srv.Addr().String()) })
	close(more)
	streams.Wait()
	if err := <-stopped; err != nil {
		t.Errorf("Run: %v", err)
	}
	if lines := b.lines("Backend selected"); len(lines) != 50 {
		t.Errorf("%d lines", len(lines))
	}
}

func TestLogFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "logs", "berry-api.log")
	b := start(t, setup{settings: "log_file = \"" + path + "\"\nlog_format = \"console\"\n"})
	b.ask("GET", "/v1/models", annToken)
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// The file is always JSON, standard output is as configured.
	for line := range strings.Lines(string(file)) {
		if !strings.HasPrefix(line, `{"timestamp":"`) {
			t.Errorf("file: %q", line)
		}
	}
	for name, text := range map[string]string{"file": string(file), "stdout": b.log.String()} {
		if strings.Count(text, "Starting Berry API") != 1 || strings.Count(text, "Request completed") != 1 || strings.Count(text, "Berry API stopped") != 1 {
			t.Errorf("%s: %s", name, text)
		}
	}
	if strings.Contains(b.log.String(), "{") {
		t.Errorf("stdout: %s", b.log)
	}
}

// However many connections clients hold, an operator gets in at the address for that.
func TestMaxConnectionsSpareTheAdmin(t *testing.T) {
	b := start(t, setup{settings: "max_connections = 1\nadmin_bind_address = \"127.0.0.1:0\"\n"})
	one, two := b.dialAt(b.srv.AdminAddr()), b.dialAt(b.srv.AdminAddr())
	_, _ = io.WriteString(one, "GET /livez HTTP/1.1\r\n") // in use: its request has begun
	if err := one.waits(); err != nil {
		t.Fatal(err)
	}
	two.ask()
	// The first is in use still: it did not give way.
	if err := errors.Join(two.answered(), one.waits()); err != nil {
		t.Error(err)
	}
}
