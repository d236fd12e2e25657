package relay

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

// transportKey is what makes two transports differ. A provider whose key stays
// the same keeps its open connections through a reload.
type transportKey struct {
	base    string
	connect time.Duration
}

// dial is how a provider is reached.
type dial struct {
	key transportKey
	*http.Transport
	direct *direct.Transport // nil where requests go through the other
}

// tripper is what carries users' requests.
func (d dial) tripper() http.RoundTripper {
	if d.direct != nil {
		return d.direct
	}
	return d.Transport
}

// transports are the upstream connections by provider id.
type transports map[string]dial

// reuse puts the provider's transports into next: the old ones where the key is
// unchanged, else new ones. It opens nothing.
func (t transports) reuse(next transports, provider string, base *url.URL, key transportKey) dial {
	d, ok := t[provider]
	if !ok || d.key != key {
		d = dial{key: key, Transport: newTransport(key.connect)}
		if base.Scheme == "http" && isASCII(base.Host) && !proxied(d.Transport, base) {
			d.direct = direct.New(address(base), direct.Options{
				Dial: d.DialContext, MaxIdle: maxIdlePerProvider, IdleTime: idleTimeout, MaxHeader: maxHeaderBytes,
			})
		}
	}
	next[provider] = d
	return d
}

// isASCII reports whether a host stands as it goes over the wire; net/http knows
// how other alphabets are written there.
func isASCII(host string) bool {
	return !strings.ContainsFunc(host, func(r rune) bool { return r >= utf8.RuneSelf })
}

// closeUnless closes the connections of transports that next does not hold.
// Requests under way on them end undisturbed.
func (t transports) closeUnless(next transports) {
	for id, d := range t {
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
