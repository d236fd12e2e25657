package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// healthcheckTimeout bounds the whole check: far longer than a server that is
// well takes, shorter than what containers give it.
const healthcheckTimeout = 3 * time.Second

// healthcheck asks the server that runs on this machine whether it is ready:
// what an image without a shell and without curl has for its health check. It
// says on which address it asked, and what came of it.
func healthcheck(path string, stdout, stderr io.Writer) int {
	address, err := serverAddress(path)
	if err != nil {
		fmt.Fprintf(stderr, "❌ cannot tell where the server listens (BIND_ADDRESS would say it): %v\n", err)
		return exitFailed
	}
	ctx, cancel := context.WithTimeout(context.Background(), healthcheckTimeout)
	defer cancel()
	if err := ready(ctx, address); err != nil {
		fmt.Fprintf(stderr, "❌ not ready at %s: %v\n", address, err)
		return exitFailed
	}
	fmt.Fprintf(stdout, "✅ ready at %s\n", address)
	return exitGood
}

// serverAddress is the bind address of the server. The configuration is not
// looked at when the environment names it: the running server must not be taken
// for a sick one because the file was changed into one that it refused.
func serverAddress(path string) (string, error) {
	if address := os.Getenv("BIND_ADDRESS"); address != "" {
		return address, nil
	}
	cfg, err := load(path)
	if err != nil {
		return "", err
	}
	return cfg.Config.Settings.BindAddress, nil
}

// ready asks /readyz, without TLS first: a server with TLS answers that with 400.
func ready(ctx context.Context, address string) error {
	network, where, err := target(address)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, where)
		},
		// The certificate is for the server's public name, and this is the same
		// machine: nothing is sent that anybody could want.
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // see above
		DisableKeepAlives: true,
	}}
	status, err := ask(ctx, client, "http")
	if err == nil && status == http.StatusBadRequest {
		status, err = ask(ctx, client, "https")
	}
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("it answers with status %d", status)
	}
	return err
}

func ask(ctx context.Context, client *http.Client, scheme string) (status int, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://localhost/readyz", nil)
	if err != nil {
		return 0, err
	}
	r.Header.Set("User-Agent", "berry-api-healthcheck")
	res, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	_ = res.Body.Close()
	return res.StatusCode, nil
}

// target is what to dial for a bind address. One that means all addresses of
// the machine is asked on the loopback one.
func target(address string) (network, where string, err error) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		return "unix", path, nil
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", "", err
	}
	if port == "0" {
		return "", "", errors.New("its port is chosen anew at every start")
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = ""
	}
	return "tcp", net.JoinHostPort(cmp.Or(host, "localhost"), port), nil
}
