//go:build unix

package api_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	idleConnections = 10_000
	// idleBytes is what one of them may cost the server, heap and stack: two
	// buffers of 4 KiB, a goroutine, and what net/http keeps of a connection.
	idleBytes = 40 << 10
	// idleTarget is the variable that makes a test process the attacker.
	idleTarget = "BERRY_TEST_IDLE_TARGET"
)

// TestAttackIdleConnectionsClient is the attacker of TestAttackIdleConnections,
// in a process of its own: both ends would be too many files for one.
func TestAttackIdleConnectionsClient(t *testing.T) {
	target := os.Getenv(idleTarget)
	if target == "" {
		t.Skip("TestAttackIdleConnections starts it")
	}
	held := make([]net.Conn, 0, idleConnections)
	for range idleConnections {
		c, err := net.Dial("tcp", target)
		if err != nil {
			t.Fatal(err)
		}
		// One request each, so that they are idle and not just slow to begin.
		if _, err := io.WriteString(c, "GET /livez HTTP/1.1\r\nHost: berry\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		held = append(held, c)
	}
	answered := 0
	first := make([]byte, len("HTTP/1.1 200 OK"))
	for _, c := range held {
		if _, err := io.ReadFull(c, first); err == nil && string(first) == "HTTP/1.1 200 OK" {
			answered++
		}
	}
	fmt.Printf("answered %d\n", answered)
	_, _ = io.Copy(io.Discard, os.Stdin) // until the other test is done
	for _, c := range held {
		_ = c.Close()
	}
}

// 10,000 connections that are held and not used cost little, and nobody else a thing.
func TestAttackIdleConnections(t *testing.T) {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil || files.Cur < idleConnections+500 {
		t.Skipf("it takes %d open files, and %d are allowed (%v): raise the limit, as with ulimit -n 20000", idleConnections+500, files.Cur, err)
	}
	b := start(t, setup{})
	if a := b.chat(annToken, hello("pool")); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	before := inUse()

	attacker := exec.Command(os.Args[0], "-test.run=^TestAttackIdleConnectionsClient$")
	attacker.Env = append(os.Environ(), idleTarget+"="+b.srv.Addr().String())
	stdin, err := attacker.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := attacker.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := attacker.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = stdin.Close()
		if err := attacker.Wait(); err != nil {
			t.Errorf("the attacker: %v", err)
		}
	}()
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() || lines.Text() != fmt.Sprintf("answered %d", idleConnections) {
		t.Fatalf("the attacker says %q", lines.Text())
	}

	each := (inUse() - before) / idleConnections
	t.Logf("%d bytes for each of %d idle connections", each, idleConnections)
	if each > idleBytes {
		t.Errorf("%d bytes for each idle connection, want at most %d", each, idleBytes)
	}
	fresh := b.dial()
	defer fresh.Close()
	_ = fresh.SetDeadline(time.Now().Add(10 * time.Second)) // the server's own limit for a header
	fresh.ask()
	if err := fresh.answered(); err != nil {
		t.Errorf("a fresh connection: %v", err)
	}
	if a := b.chat(annToken, hello("pool")); a.status != 200 {
		t.Errorf("a fresh request: %d %s", a.status, a.body)
	}
	if n := b.scrape().samples["http_requests_in_flight"]; n != 1 {
		t.Errorf("%v requests in flight", n)
	}
	// They do not hold up the end either.
	if err := b.stop(); err != nil {
		t.Errorf("Run: %v", err)
	}
	if strings.Contains(b.log.String(), `"level":"ERROR"`) {
		t.Errorf("the log: %.500s", b.log)
	}
}

// inUse is the memory of this process that is not free.
func inUse() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapInuse + m.StackInuse)
}
