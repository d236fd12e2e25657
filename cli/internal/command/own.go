package command

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/PPKunOfficial/berry-api/core/config"
)

// address is where a configuration's server has its operator's routes: a base
// URL, and the path of the socket if it is one. With TLS that is on both.
func address(cfg *config.Config) (base, socket string) {
	scheme := "http"
	if cfg.Settings.TLS.CertFile != "" {
		scheme = "https"
	}
	bind := cmp.Or(cfg.Settings.AdminBindAddress, cfg.Settings.BindAddress)
	if path, ok := strings.CutPrefix(bind, "unix:"); ok {
		return scheme + "://localhost", path
	}
	host, port, err := net.SplitHostPort(bind)
	if err != nil {
		return scheme + "://" + bind, ""
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return scheme + "://" + net.JoinHostPort(host, port), ""
}

// ownTransport reaches the configuration's own server: over its socket, if it
// has one, and by its own certificate. That is for the server's public name,
// and its address here is another; so it must be the very one in the file.
func ownTransport(socket, certFile string) *http.Transport {
	t := &http.Transport{}
	if socket != "" {
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}
	}
	own := leaf(certFile)
	if own == nil {
		return t // it is verified as any other
	}
	t.TLSClientConfig = &tls.Config{
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection is stricter
		VerifyConnection: func(c tls.ConnectionState) error {
			if !bytes.Equal(c.PeerCertificates[0].Raw, own) {
				return errors.New("it shows another certificate than settings.tls.cert_file has; --url asks it by the name in its own")
			}
			return nil
		},
	}
	return t
}

// leaf is the first certificate of a PEM file, nil if it cannot be read.
func leaf(file string) []byte {
	if file == "" {
		return nil
	}
	rest, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	for {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		switch {
		case block == nil:
			return nil
		case block.Type == "CERTIFICATE":
			return block.Bytes
		}
	}
}
