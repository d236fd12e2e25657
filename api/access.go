package api

import (
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/core/auth"
)

// access is what a route asks of its caller.
type access uint8

const (
	accessOpen   access = iota // nothing
	accessStatus               // nothing, or what accessAdmin does when settings.public_status is false
	accessUser                 // a user
	accessAdmin                // a user with the tag admin
)

// admit checks who is asking. It answers those that it refuses.
func (x *exchange) admit() bool {
	want := x.route.access
	if want == accessStatus {
		want = accessAdmin
		if x.view.settings.PublicStatus {
			want = accessOpen
		}
	}
	if want == accessOpen {
		return true
	}
	u, err := x.server.auth.Authenticate(x.r, x.view.rt.Keys)
	switch {
	case err != nil || u == nil:
		x.refuse(err)
	case !u.Enabled:
		x.rec.User = u
		x.fail(apierror.New(apierror.UserDisabled, "user %q is disabled, ask the operator of this gateway", u.ID))
	case want == accessAdmin && !u.Admin:
		x.rec.User = u
		x.fail(apierror.New(apierror.AdminRequired, "%s is for users with the tag %q", x.route.shown, auth.AdminTag))
	default:
		x.rec.User = u
		return true
	}
	return false
}

// refuse answers a request without a good credential. Only a bad one is shown
// to the guard: having none guesses nothing.
func (x *exchange) refuse(err error) {
	var e *apierror.Error
	if !errors.As(err, &e) {
		e = apierror.New(apierror.InvalidAPIKey, "the API key is not valid for this gateway; ask its operator for one")
	}
	x.refused = true
	x.server.metrics.refused.Inc()
	if e.Code == string(apierror.InvalidAPIKey) {
		if v := x.server.guard.Failed(clientAddr(x.r, x.view.trusted)); v.Blocked {
			x.silent = !v.JustBlocked
			e = apierror.New(apierror.RateLimitExceeded, "too many invalid API keys from this address").WithRetryAfter(v.RetryAfter)
		}
	}
	x.fail(e)
}

// tokenList is the Authenticator of the configuration's own users.
type tokenList struct{}

func (tokenList) Authenticate(r *http.Request, keys *auth.Keyring) (*auth.User, error) {
	missing := true
	for token := range auth.Tokens(r.Header) {
		missing = false
		if u, ok := keys.Lookup(token); ok {
			return u, nil
		}
	}
	if missing {
		return nil, apierror.New(apierror.MissingAPIKey, "no API key: send it as Authorization: Bearer KEY")
	}
	return nil, apierror.New(apierror.InvalidAPIKey, "the API key is not valid for this gateway; ask its operator for one")
}

// clientAddr is the address that a request is from: the peer's or, behind
// proxies that are trusted, the last one in X-Forwarded-For that is not such a
// proxy's. A peer on a unix socket is as trusted as any listed proxy, if any is.
// The zero Addr means that none is known.
func clientAddr(r *http.Request, trusted []netip.Prefix) netip.Addr {
	var peer netip.Addr
	if ap, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		peer = ap.Addr().Unmap()
	}
	if len(trusted) == 0 || peer.IsValid() && !within(trusted, peer) {
		return peer
	}
	hops := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	for _, hop := range slices.Backward(hops) {
		a, ok := hopAddr(hop)
		if !ok {
			break // whoever wrote it, what is left of it cannot be believed
		}
		peer = a
		if !within(trusted, a) {
			break
		}
	}
	return peer
}

// hopAddr reads one entry of X-Forwarded-For, some proxies write the port too.
func hopAddr(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return a.Unmap().WithZone(""), true
	}
	ap, err := netip.ParseAddrPort(s)
	return ap.Addr().Unmap().WithZone(""), err == nil
}

func within(list []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(a) })
}
