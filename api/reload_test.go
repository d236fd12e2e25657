package api_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/PPKunOfficial/berry-api/api"
	"github.com/PPKunOfficial/berry-api/core/config"
)

func TestReload(t *testing.T) {
	b := start(t, setup{})
	if err := b.srv.Reload(b.load(setup{})); err != nil {
		t.Fatal(err)
	}
	if got := b.scrape().samples["berry_config_generation"]; got != 1 {
		t.Errorf("unchanged content made generation %v", got)
	}
	// Users, limits, levels and flags take effect for the next request.
	next := strings.Replace(usual, annToken, "berry-canary-09-new-token", 1)
	if err := b.srv.Reload(b.load(setup{config: next, settings: "public_status = false\nlog_level = \"debug\"\n"})); err != nil {
		t.Fatal(err)
	}
	f := func(route, token, want string) {
		t.Helper()
		if got := b.outcome(route, token); got != want {
			t.Errorf("%s: %s, want %s", route, got, want)
		}
	}
	f("GET /v1/models", annToken, "401 invalid_api_key")
	f("GET /v1/models", "berry-canary-09-new-token", "200")
	f("GET /metrics", "", "401 missing_api_key")
	f("GET /livez", "", "200")
	const fixed = "bind_address = \"127.0.0.1:1\"\nadmin_bind_address = \"127.0.0.1:2\"\nmax_connections = 7\n" +
		"log_file = \"berry.log\"\nlog_format = \"json\"\ntls = { cert_file = \"c.pem\", key_file = \"k.pem\" }\n"
	if err := b.srv.Reload(b.load(setup{settings: fixed})); err != nil {
		t.Fatal(err)
	}
	f("GET /metrics", "", "200")

	if lines := b.lines("Configuration reloaded"); len(lines) != 2 || lines[1].Fields["generation"] != 3.0 {
		t.Errorf("%+v", lines)
	}
	if lines := b.lines("Configuration is unchanged"); len(lines) != 1 {
		t.Errorf("%+v", lines)
	}
	if lines := b.lines("A changed address, connection limit, log file, log format or use of TLS takes effect after a restart"); len(lines) != 1 ||
		fmt.Sprint(lines[0].Fields["settings"]) != "[bind_address admin_bind_address max_connections log_file log_format tls]" {
		t.Errorf("%+v", lines)
	}
	if lines := b.lines("Request completed"); len(lines) != 2 || lines[1].Fields["path"] != "/livez" || lines[1].Level != "DEBUG" {
		t.Errorf("%+v", lines)
	}
}

// Levels by part come with the configuration too, and a reload changes them.
func TestReloadOfLevelsByPart(t *testing.T) {
	b := start(t, setup{settings: "log_level = \"warn,relay=debug\"\n"})
	ask := func() { b.wantStatus(200, annToken, hello("pool")) }
	ask() // "Attempt ended"
	reload := func(levels string) {
		t.Helper()
		if err := b.srv.Reload(b.load(setup{settings: "log_level = \"" + levels + "\"\n"})); err != nil {
			t.Fatal(err)
		}
	}
	reload("warn,loadbalance=debug")
	ask() // "selected backend", "Backend selected"
	reload("error")
	ask()
	count := map[string]int{}
	for _, message := range []string{"Attempt ended", "selected backend", "Backend selected", "Configuration reloaded"} {
		count[message] = len(b.lines(message))
	}
	want := map[string]int{"Attempt ended": 1, "selected backend": 1, "Backend selected": 1, "Configuration reloaded": 0}
	if d := cmp.Diff(want, count); d != "" {
		t.Errorf("lines (-want +got):\n%s", d)
	}
}

// A file with problems changes nothing, and each of them is logged.
func TestReloadFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.toml")
	const good = "[settings]\nbind_address = \"127.0.0.1:0\"\nhealth_check_interval_seconds = 0\n" +
		"[providers.one]\nbase_url = \"http://127.0.0.1:1\"\n" +
		"[models.m]\n[[models.m.backends]]\nprovider = \"one\"\nmodel = \"x\"\n" +
		"[users.ann]\ntoken = \"" + annToken + "\"\n"
	writeFile(t, path, good)
	t.Setenv("BIND_ADDRESS", "")
	t.Setenv("MAX_CONNECTIONS", "")
	cfg, err := config.Env{ReadFile: os.ReadFile}.Load(path) // not watched: only asked for
	if err != nil {
		t.Fatal(err)
	}
	log := &syncBuffer{}
	srv, err := api.New(cfg, api.Options{Stdout: log})
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx) }()
	b := &berry{t: t, srv: srv, url: "http://" + srv.Addr().String(), log: log, stop: func() error { return nil }}

	writeFile(t, path, good+"strategie = 1\nweight = \"heavy\"\n")
	if err := srv.ReloadFile(); err == nil {
		t.Error("a bad file: no error")
	}
	if got := b.outcome("GET /v1/models", annToken); got != "200" {
		t.Errorf("after a bad file: %s", got)
	}
	b.scrape().want(t, "berry_config_last_reload_successful", 0)
	writeFile(t, path, strings.Replace(good, "models.m", "models.better", 2))
	if err := srv.ReloadFile(); err != nil {
		t.Error(err)
	}
	p := b.scrape()
	p.want(t, "berry_config_last_reload_successful", 1)
	p.want(t, "berry_config_generation", 2)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := srv.ReloadFile(); err == nil {
		t.Error("no file: no error")
	}
	b.scrape().want(t, "berry_config_last_reload_successful", 0)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	http.DefaultClient.CloseIdleConnections()
	lines := b.lines("Configuration refused, the old one stays")
	if len(lines) != 2 || lines[0].Level != "ERROR" {
		t.Fatalf("%+v", lines)
	}
	problems, _ := lines[0].Fields["problems"].([]any)
	if len(problems) != 2 || !strings.Contains(problems[0].(string), path+":12:1: ") {
		t.Errorf("%q", problems)
	}
	if strings.Contains(log.String(), canary) {
		t.Error("the log holds a secret")
	}
}

// writeCertificate makes a certificate with a serial number.
func writeCertificate(t *testing.T, cert, key string, serial int64) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"berry"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, cert, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	writeFile(t, key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})))
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeCertificate(t, cert, key, 1)
	b := start(t, setup{settings: "tls.cert_file = \"" + cert + "\"\ntls.key_file = \"" + key + "\"\n"})
	serial := func() int64 {
		t.Helper()
		c, err := tls.Dial("tcp", b.srv.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true,
	}}
	defer client.CloseIdleConnections()
	r, _ := http.NewRequest(http.MethodGet, "https://"+b.srv.Addr().String()+"/v1/models", nil)
	r.Header.Set("Authorization", "Bearer "+annToken)
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	// HSTS is on with TLS, and clients that can get HTTP/2.
	if a := b.read(res); a.status != 200 || res.ProtoMajor != 2 || a.header.Get("Strict-Transport-Security") == "" {
		t.Errorf("%d %s %v", a.status, res.Proto, a.header)
	}

	if got := serial(); got != 1 {
		t.Errorf("serial %d", got)
	}
	writeCertificate(t, cert, key, 2)
	eventually(t, "the new certificate", func() bool { return serial() == 2 })
	writeFile(t, cert, "no certificate")
	eventually(t, "the line about the bad file", func() bool {
		if got := serial(); got != 2 {
			t.Fatalf("serial %d after a bad file", got)
		}
		return strings.Contains(b.log.String(), "Cannot reload the TLS certificate, the old one stays")
	})
	// Another path, by a reload; a bad one is refused.
	other := filepath.Join(dir, "other.pem")
	writeCertificate(t, other, key, 3)
	moved := b.load(setup{settings: "tls.cert_file = \"" + other + "\"\ntls.key_file = \"" + key + "\"\n"})
	if err := b.srv.Reload(moved); err != nil {
		t.Fatal(err)
	}
	if got := serial(); got != 3 {
		t.Errorf("serial %d after a reload", got)
	}
	bad := b.load(setup{settings: "tls.cert_file = \"" + cert + "\"\ntls.key_file = \"" + key + "\"\n"})
	if err := b.srv.Reload(bad); err == nil || serial() != 3 {
		t.Errorf("a bad certificate: %v, serial %d", err, serial())
	}
}

func TestTLSNeedsItsFiles(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "cert.pem"), "no certificate")
	cfg, err := config.Parse(filepath.Join(dir, "c.toml"), []byte("[settings]\nbind_address = \"127.0.0.1:0\"\ntls.cert_file = \"cert.pem\"\ntls.key_file = \"cert.pem\"\n"),
		config.Env{Lookup: func(string) (string, bool) { return "", false }})
	if err != nil {
		t.Fatal(err)
	}
	srv, err := api.New(cfg, api.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "settings.tls") {
		t.Errorf("Run: %v", err)
	}
}
