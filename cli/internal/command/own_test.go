package command

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// certificate is one that nobody vouches for, for a name that is not this
// machine's, as PEM.
func certificate(t *testing.T) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"gateway.example"}, NotAfter: time.Now().Add(time.Hour)}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

// The server of the configuration is found wherever it listens, with TLS too,
// and one that shows another certificate gets no token.
func TestOwnServer(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Unix sockets as files are not tried there")
	}
	const token = "berry-canary-70-admin"
	const settings = "[settings]\nbind_address = %q\nadmin_bind_address = %q\n"
	const others = "[providers.p]\nbase_url = \"http://127.0.0.1:1\"\n[models.m]\n[[models.m.backends]]\nprovider = \"p\"\nmodel = \"m\"\n" +
		"[users.ops]\ntoken = \"" + token + "\"\ntags = [\"admin\"]\n"
	folder := t.TempDir()
	save := func(name string, data []byte) string {
		t.Helper()
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cert, key := certificate(t)
	save("cert.pem", append(bytes.Clone(key), cert...)) // the certificate need not be first in its file
	save("key.pem", key)
	served, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = certificate(t)
	other, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}

	f := func(network, where string, shown *tls.Certificate, wantErr string) {
		t.Helper()
		l, err := net.Listen(network, where)
		if err != nil {
			t.Fatal(err)
		}
		asked := false
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked = r.Header.Get("Authorization") == "Bearer "+token
			_, _ = io.WriteString(w, `{"newest":0,"decisions":[]}`)
		}))
		_ = srv.Listener.Close()
		srv.Listener, srv.Config.ErrorLog = l, log.New(io.Discard, "", 0)
		bind := l.Addr().String()
		if network == "unix" {
			bind = "unix:" + bind
		}
		text := fmt.Sprintf(settings, "127.0.0.1:1", bind)
		if shown == nil {
			srv.Start()
		} else {
			srv.TLS = &tls.Config{Certificates: []tls.Certificate{*shown}}
			srv.StartTLS()
			text += "tls = { cert_file = \"cert.pem\", key_file = \"key.pem\" }\n"
		}
		defer srv.Close()
		var out, errs bytes.Buffer
		code := Run(context.Background(), Process{
			Args: []string{"decisions", "-c", save("config.toml", []byte(text+others))}, In: strings.NewReader(""),
			Out: &out, Err: &errs, Getenv: func(string) string { return "" },
		})
		if wantErr == "" && (code != exitGood || !asked) || wantErr != "" && (code != exitNotGood || asked) ||
			!strings.Contains(errs.String(), wantErr) || strings.Contains(errs.String(), token) {
			t.Errorf("%s %s: exit code %d, asked %v\n%s%s", network, where, code, asked, out.String(), errs.String())
		}
	}
	socket := filepath.Join(folder, "admin.sock")
	f("tcp", "127.0.0.1:0", nil, "")
	f("tcp", "127.0.0.1:0", &served, "")
	f("tcp", "127.0.0.1:0", &other, "another certificate than settings.tls.cert_file")
	f("unix", socket, nil, "")
	f("unix", socket, &served, "")
	f("unix", socket, &other, "another certificate than settings.tls.cert_file")
}
