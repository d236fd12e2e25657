package config

import (
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// reason is why a file could not be read, without its path, which may come
// out of a variable.
func reason(err error) string {
	if wrapped, ok := errors.AsType[*fs.PathError](err); ok {
		err = wrapped.Err
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "it does not exist"
	case errors.Is(err, fs.ErrPermission):
		return "permission denied"
	}
	return scrub(err.Error())
}

// checkSettings checks what concerns several settings or the form of one, and
// fills in what depends on others.
func (l *loader) checkSettings(s *Settings) {
	at := func(keys ...any) []any { return append([]any{"settings"}, keys...) }
	l.checkAddress(at("bind_address"), s.BindAddress)
	l.applyEnvironment(s)
	switch admin := s.AdminBindAddress; {
	case admin == "":
	case admin == s.BindAddress && !strings.HasSuffix(admin, ":0"):
		l.wrong(at("admin_bind_address"), "must not be the same as bind_address")
	default:
		l.checkAddress(at("admin_bind_address"), admin)
	}
	level := l.checkLogLevel(at("log_level"), s.LogLevel)
	if !s.MaskAPIKeys && level != "debug" && level != "trace" {
		l.wrong(at("mask_api_keys"), "false is allowed only with log_level debug or trace")
	}
	if (s.TLS.CertFile == "") != (s.TLS.KeyFile == "") {
		l.wrong(at("tls"), "needs both cert_file and key_file")
	}
	s.TLS.CertFile, s.TLS.KeyFile = l.fromHere(s.TLS.CertFile), l.fromHere(s.TLS.KeyFile)
	secure := s.TLS.CertFile != "" && s.TLS.KeyFile != ""
	if !l.has("settings", "hsts") {
		s.HSTS = secure
	}
	if !l.has("settings", "security_headers") {
		s.SecurityHeaders = secure
	}
	for i, origin := range s.CORSAllowedOrigins {
		if !validOrigin(origin) {
			path := at("cors_allowed_origins", i)
			l.wrong(path, "%s is not an origin: write https://host, http://host:port or *", l.quote(path, origin))
		}
	}
	for i, proxy := range s.TrustedProxies {
		if !validNetwork(proxy) {
			path := at("trusted_proxies", i)
			l.wrong(path, "%s is neither an address nor a network such as 10.0.0.0/8", l.quote(path, proxy))
		}
	}
	if ai := s.SmartAI; ai.MinConfidence > ai.InitialConfidence {
		key := "min_confidence"
		if !l.has("settings", "smart_ai", key) {
			key = "initial_confidence"
		}
		l.wrong(at("smart_ai", key), "min_confidence (%v) must not be above initial_confidence (%v)", ai.MinConfidence, ai.InitialConfidence)
	}
}

// applyEnvironment lets the variables win that go before the file.
func (l *loader) applyEnvironment(s *Settings) {
	if value, _ := l.env.Lookup("BIND_ADDRESS"); value != "" {
		s.BindAddress = value
		if complaint := addressComplaint(value); complaint != "" {
			l.wrong([]any{"settings", "bind_address"}, "the environment variable BIND_ADDRESS %s", complaint)
		}
	}
	if value, _ := l.env.Lookup("MAX_CONNECTIONS"); value != "" {
		f := l.schema.lookup("settings").sub.lookup("max_connections")
		n, err := strconv.Atoi(value)
		if err != nil || float64(n) < *f.min || float64(n) > *f.max {
			l.wrong([]any{"settings", "max_connections"}, "the environment variable MAX_CONNECTIONS must be a whole number %s", f.bounds())
			return
		}
		s.MaxConnections = n
	}
}

func (l *loader) checkAddress(path []any, address string) {
	if complaint := addressComplaint(address); complaint != "" {
		l.wrong(path, "%s %s", l.quote(path, address), complaint)
	}
}

// addressComplaint says what is wrong with an address to listen on, or "".
func addressComplaint(address string) string {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		// The kernel's limit for the path of a socket, with its closing zero, is 108 bytes.
		if path == "" || len(path) > 107 || strings.ContainsRune(path, 0) {
			return "must have a path of 1 to 107 bytes behind unix:"
		}
		return ""
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "must be host:port, [IPv6]:port or unix:/path"
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		return "must have a port from 0 to 65535"
	}
	if strings.ContainsAny(host, " \t/@") {
		return "must have a host name or an address before the port"
	}
	return ""
}

// validOrigin accepts * and what a browser sends as Origin.
func validOrigin(origin string) bool {
	if origin == "*" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "" &&
		u.Scheme+"://"+u.Host == origin && validPort(u.Port()) && !strings.ContainsAny(u.Host, "*, ")
}

func validPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil && n > 0
}

func validNetwork(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	_, err := netip.ParsePrefix(s)
	return err == nil
}
