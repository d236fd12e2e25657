package upstream

import (
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/PPKunOfficial/berry-api/relay/direct"
)

// How upstream connections are kept. The idle pool is far above net/http's
// default of 2 per host, with which a busy gateway closes and opens a
// connection for nearly every request.
const (
	maxIdlePerProvider = 4096
	idleTimeout        = 90 * time.Second
	tcpKeepAlive       = 30 * time.Second
	// readBuffer and writeBuffer trade memory per open stream for system calls.
	readBuffer  = 16 << 10
	writeBuffer = 16 << 10
	// maxHeaderBytes bounds an upstream's answer header.
	maxHeaderBytes = 256 << 10
)

// dial is how a provider is reached. One whose base and connect stay the same
// keeps its open connections through a reload.
type dial struct {
	base    string
	connect time.Duration
	*http.Transport
	direct *direct.Transport // nil where users' requests go through the other
}

// Connections are those to all providers, by provider id. They outlive the
// runtimes that use them. A map belongs to whoever builds the next runtime; the
// connections themselves are safe for concurrent use.
type Connections map[string]dial

// Connect gives up, which is not in use yet, its transports and puts them into
// next: those of c where neither the URL nor the time to connect has changed, else
// new ones. It opens nothing.
func (c Connections) Connect(next Connections, up *Upstream) {
	base, connect := up.Provider.BaseURL, up.made.Connect
	d, ok := c[up.Provider.ID]
	if !ok || d.base != base || d.connect != connect {
		d = dial{base: base, connect: connect, Transport: newTransport(connect)}
		if up.Base.Scheme == "http" && isASCII(up.Base.Host) && !proxied(d.Transport, up.Base) {
			d.direct = direct.New(address(up.Base), direct.Options{
				Dial: d.DialContext, MaxIdle: maxIdlePerProvider, IdleTime: idleTimeout, MaxHeader: maxHeaderBytes,
			})
		}
	}
	next[up.Provider.ID] = d
	up.Transport, up.Checks = d.Transport, d.Transport
	if d.direct != nil {
		up.Transport = d.direct
	}
}

// proxied reports whether requests to u go through a proxy.
func proxied(t *http.Transport, u *url.URL) bool {
	if t.Proxy == nil {
		return false
	}
	via, err := t.Proxy(&http.Request{URL: u})
	return err != nil || via != nil
}

// address is where to dial for u.
func address(u *url.URL) string {
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// isASCII reports whether a host stands as it goes over the wire; net/http knows
// how other alphabets are written there.
func isASCII(host string) bool {
	return !strings.ContainsFunc(host, func(r rune) bool { return r >= utf8.RuneSelf })
}

// CloseUnless closes the connections of c that next does not hold. Requests under
// way on them end undisturbed.
func (c Connections) CloseUnless(next Connections) {
	for id, d := range c {
		if n, ok := next[id]; ok && n.Transport == d.Transport {
			continue
		}
		d.CloseIdleConnections()
		if d.direct != nil {
			d.direct.Retire()
		}
	}
}

// newTransport makes a transport whose TCP connect and TLS handshake may take
// connect each. Answers arrive as the upstream sent them: it asks for no
// compression, which only delays a stream's events.
func newTransport(connect time.Duration) *http.Transport {
	t := &http.Transport{
		DialContext:            (&net.Dialer{Timeout: connect, KeepAlive: tcpKeepAlive}).DialContext,
		TLSHandshakeTimeout:    connect,
		MaxIdleConnsPerHost:    maxIdlePerProvider,
		IdleConnTimeout:        idleTimeout,
		DisableCompression:     true,
		ForceAttemptHTTP2:      true,
		ReadBufferSize:         readBuffer,
		WriteBufferSize:        writeBuffer,
		MaxResponseHeaderBytes: maxHeaderBytes,
	}
	if proxyConfigured() {
		t.Proxy = http.ProxyFromEnvironment
	}
	return t
}

// proxyConfigured spares every request the look at proxy rules where there are none.
func proxyConfigured() bool {
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"} {
		if os.Getenv(name) != "" {
			return true
		}
	}
	return false
}
