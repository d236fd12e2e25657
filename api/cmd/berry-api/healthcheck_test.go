package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// checkHealth runs --healthcheck in this process.
func checkHealth(t *testing.T, code int, stdout, stderr string, args ...string) {
	t.Helper()
	var out, errs bytes.Buffer
	if got := run(append([]string{"--healthcheck"}, args...), &out, &errs); got != code {
		t.Errorf("%q: exit code %d, want %d", args, got, code)
	}
	if out.String() != stdout || !strings.Contains(errs.String(), stderr) || stderr == "" && errs.Len() > 0 {
		t.Errorf("%q: stdout %q, want %q; stderr %q, want %q", args, out.String(), stdout, errs.String(), stderr)
	}
}

// freeAddress is a loopback address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func at(t *testing.T, address, more string) string {
	t.Helper()
	text := fmt.Sprintf(good, "http://127.0.0.1:1")
	return write(t, strings.Replace(text, `bind_address = "127.0.0.1:0"`, fmt.Sprintf("bind_address = %q\n%s", address, more), 1))
}

func TestHealthcheck(t *testing.T) {
	for _, name := range []string{"CONFIG_PATH", "BIND_ADDRESS", "MAX_CONNECTIONS"} {
		t.Setenv(name, "")
	}
	address := freeAddress(t)
	path := at(t, address, "")
	checkHealth(t, exitFailed, "", "not ready at "+address+": ", "-c", path)
	startWith(t, nil, "-c", path)
	checkHealth(t, exitGood, "✅ ready at "+address+"\n", "", "-c", path)

	// A file that the running server refused does not make it a sick one, as
	// long as the environment says where it is.
	if err := os.WriteFile(path, []byte("nonsense = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	checkHealth(t, exitFailed, "", "cannot tell where the server listens (BIND_ADDRESS would say it): ", "-c", path)
	_, port, _ := net.SplitHostPort(address)
	for _, everywhere := range []string{address, "0.0.0.0:" + port, ":" + port, "[::]:" + port} {
		t.Setenv("BIND_ADDRESS", everywhere)
		checkHealth(t, exitGood, "✅ ready at "+everywhere+"\n", "", "-c", path)
	}
	t.Setenv("BIND_ADDRESS", "127.0.0.1:0")
	checkHealth(t, exitFailed, "", "its port is chosen anew at every start")
	t.Setenv("BIND_ADDRESS", "nonsense")
	checkHealth(t, exitFailed, "", "missing port in address")
}

func TestHealthcheckOfSocketAndTLS(t *testing.T) {
	t.Setenv("BIND_ADDRESS", "")
	socket := "unix:" + filepath.Join(t.TempDir(), "s")
	path := at(t, socket, "")
	startWith(t, nil, "-c", path)
	checkHealth(t, exitGood, "✅ ready at "+socket+"\n", "", "-c", path)

	cert, key := selfSigned(t)
	address := freeAddress(t)
	path = at(t, address, fmt.Sprintf("[settings.tls]\ncert_file = %q\nkey_file = %q\n", cert, key))
	text, _ := os.ReadFile(path)
	// The keys after the new table belong above it.
	moved := strings.Replace(string(text), "health_check_interval_seconds = 0\nshutdown_grace_seconds = 30\n", "", 1)
	if err := os.WriteFile(path, []byte(moved), 0o600); err != nil {
		t.Fatal(err)
	}
	startWith(t, nil, "-c", path)
	checkHealth(t, exitGood, "✅ ready at "+address+"\n", "", "-c", path)
}

// A server that drains, or one that is not Berry's, is not ready.
func TestHealthcheckOfOthers(t *testing.T) {
	answer := http.StatusServiceUnavailable
	var asked string
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.Method + " " + r.URL.Path
		w.WriteHeader(answer)
	}))
	defer other.Close()
	address := other.Listener.Addr().String()
	t.Setenv("BIND_ADDRESS", address)
	checkHealth(t, exitFailed, "", "not ready at "+address+": it answers with status 503\n")
	if asked != "GET /readyz" {
		t.Errorf("asked %q", asked)
	}
	answer = http.StatusBadRequest // which a server with TLS says too
	checkHealth(t, exitFailed, "", "not ready at "+address+": ")
}

func TestHealthcheckUsage(t *testing.T) {
	var out, errs bytes.Buffer
	for _, args := range [][]string{{"--healthcheck", "--demo"}, {"--healthcheck", "--check-config"}} {
		if got := run(args, &out, &errs); got != exitUsage {
			t.Errorf("%q: exit code %d", args, got)
		}
	}
}

// The version that the linker is given goes before what the go command knows.
func TestVersionStamp(t *testing.T) {
	program := filepath.Join(t.TempDir(), "berry-api")
	if out, err := exec.Command("go", "build", "-ldflags=-X main.stamp=v9.8.7", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command(program, "--version").CombinedOutput()
	if got := string(out); err != nil || got != "berry-api v9.8.7\n" {
		t.Errorf("%v %q", err, got)
	}
}

// The service manager is told when the server serves, reloads and drains.
func TestNotify(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	told := func(want string) {
		t.Helper()
		b := make([]byte, 4096)
		_ = socket.SetReadDeadline(time.Now().Add(30 * time.Second))
		n, err := socket.Read(b)
		if got := string(b[:n]); err != nil || got != want {
			t.Fatalf("%v: told %q, want %q", err, got, want)
		}
	}
	config := at(t, "127.0.0.1:0", "")
	p := startWith(t, []string{"NOTIFY_SOCKET=" + path}, "-c", config)
	told("READY=1\nSTATUS=Serving")
	hangUp := func(text, want string) {
		t.Helper()
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		p.signal(syscall.SIGHUP)
		told(want)
	}
	whole, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	hangUp("nonsense = 1\n", "STATUS=Serving; the new configuration was refused, the log says why")
	hangUp(string(whole), "READY=1\nSTATUS=Serving")
	p.signal(os.Interrupt)
	told("STOPPING=1\nSTATUS=Draining")
	if code := p.exit(); code != exitGood {
		t.Errorf("exit code %d", code)
	}

	// One that cannot be told is no reason not to serve.
	p = startWith(t, []string{"NOTIFY_SOCKET=" + path + "-that-is-not-there"}, "-c", config)
	p.await("cannot tell the service manager (NOTIFY_SOCKET)")
	p.signal(os.Interrupt)
	if code := p.exit(); code != exitGood {
		t.Errorf("exit code %d", code)
	}
}

// selfSigned writes a certificate that nobody has to trust, and its key.
func selfSigned(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"elsewhere.example"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}
