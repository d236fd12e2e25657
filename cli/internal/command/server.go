package command

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/PPKunOfficial/berry-api/core/config"
)

const (
	// serverTimeout bounds one question to the running server.
	serverTimeout = 10 * time.Second
	// maxServerAnswer bounds what is read of an answer.
	maxServerAnswer = 64 << 20
	// adminTokenVariable is where the admin's token is, if not in the configuration.
	adminTokenVariable = "BERRY_ADMIN_TOKEN"
)

// serverFlags are those of commands that ask a running server.
type serverFlags struct{ url, token string }

func (f *serverFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.url, "url", "", "`URL` of the running server; else the configuration's own address")
	flags.StringVar(&f.token, "token", "", "an admin's `TOKEN`; else "+adminTokenVariable+", else the configuration's admin")
}

// server is a running server.
type server struct {
	base   string // without a slash at the end
	token  string // "": none is known
	client *http.Client
}

// server finds the running server, and the token for it. The configuration is
// read only for what the flags and the environment do not say.
func (s *session) server(f serverFlags) (*server, error) {
	srv := &server{
		base: strings.TrimRight(f.url, "/"), token: cmp.Or(f.token, s.Getenv(adminTokenVariable)),
		client: &http.Client{
			Transport: &http.Transport{},
			// The token is for the server that was named, not for one that it names.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	if f.url != "" {
		if u, err := url.Parse(f.url); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, errors.New("--url must begin with http:// or https:// and a host")
		}
		if srv.token != "" {
			return srv, nil
		}
	}
	cfg, err := s.serverConfig(f)
	if err != nil {
		return nil, err
	}
	if cfg == nil {
		return srv, nil
	}
	own, socket := address(cfg)
	if srv.base == "" {
		srv.base = own
		srv.client.Transport = ownTransport(socket, cfg.Settings.TLS.CertFile)
	}
	// The configuration's token goes to the configuration's server or to this
	// machine only: elsewhere another one may listen.
	if srv.token == "" && (srv.base == own || isLocal(srv.base)) {
		srv.token = adminToken(cfg)
	}
	return srv, nil
}

// serverConfig is the configuration that the flags leave something to. With a
// URL there need not be one: then nil stands for one that cannot be used.
func (s *session) serverConfig(f serverFlags) (*config.Config, error) {
	if f.url == "" {
		return s.load()
	}
	if at, err := config.Locate(s.config, s.Getenv); err == nil {
		if loaded, err := config.Load(at.Path); err == nil {
			return loaded.Config, nil
		}
	}
	return nil, nil
}

func isLocal(base string) bool {
	u, err := url.Parse(base)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// adminToken is that of the first enabled admin whose token the file holds; ""
// if there is none.
func adminToken(cfg *config.Config) string {
	for _, id := range slices.Sorted(maps.Keys(cfg.Users)) {
		u := cfg.Users[id]
		if u.Enabled && slices.Contains(u.Tags, "admin") && !u.Token.IsEmpty() {
			return u.Token.Reveal()
		}
	}
	return ""
}

// get asks for one JSON object. The error says what to do, and never holds the
// token.
func (srv *server) get(ctx context.Context, path string) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, serverTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.base+path, nil)
	if err != nil {
		return nil, cannot("ask the server: %w", err)
	}
	r.Header.Set("Accept", "application/json")
	if srv.token != "" {
		r.Header.Set("Authorization", "Bearer "+srv.token)
	}
	res, err := srv.client.Do(r)
	if err != nil {
		if ctx.Err() == nil || errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
			return nil, cannot("ask the server: %w", &away{err})
		}
		return nil, &failed{errors.New("interrupted")}
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxServerAnswer))
	if err != nil {
		return nil, cannot("read the server's answer: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return nil, srv.refused(res.StatusCode, body)
	}
	if !json.Valid(body) {
		return nil, &failed{fmt.Errorf("what %s answers is not Berry's", srv.base)}
	}
	return body, nil
}

// away is the error of a server that cannot be reached.
type away struct{ err error }

func (a *away) Error() string { return a.err.Error() + "; is berry-api running there?" }
func (a *away) Unwrap() error { return a.err }

// absence lets what goes on until it is interrupted outlast a restart of the
// server: one that has answered before is waited for, and that is said once.
type absence struct{ seen, said bool }

// present notes an answer.
func (a *absence) present() { a.seen, a.said = true, false }

// bear reports whether to ask again after err.
func (a *absence) bear(s *session, err error) bool {
	var gone *away
	if !a.seen || !errors.As(err, &gone) {
		return false
	}
	if !a.said {
		s.warn(s.Err, "%v; waiting for it", err)
	}
	a.said = true
	return true
}

// refused is the error of an answer that is not 200.
func (srv *server) refused(status int, body []byte) error {
	var envelope struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	message := fmt.Sprintf("status %d", status)
	if json.Unmarshal(body, &envelope) == nil && envelope.Error.Message != "" {
		message = fmt.Sprintf("status %d: %s", status, envelope.Error.Message)
	}
	if srv.token != "" { // a server that repeats it must not make it shown
		message = strings.ReplaceAll(message, srv.token, "***")
	}
	if status == http.StatusUnauthorized && srv.token == "" {
		message += "; give an admin's token with --token or " + adminTokenVariable
	}
	return &failed{fmt.Errorf("%s answered with %s", srv.base, message)}
}

// ask is get into v.
func (srv *server) ask(ctx context.Context, path string, v any) (json.RawMessage, error) {
	body, err := srv.get(ctx, path)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(body, v); err != nil {
		return nil, &failed{fmt.Errorf("what %s answers is not Berry's: %w", srv.base, err)}
	}
	return body, nil
}

func (srv *server) close() { srv.client.CloseIdleConnections() }

// pause waits for d; false: ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
