package api

import (
	"net/netip"
	"slices"
	"sync"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay"
)

// view is what one runtime means to this package. It is immutable.
type view struct {
	rt       *relay.Runtime
	settings *config.Settings
	trusted  []netip.Prefix // proxies whose X-Forwarded-For is believed
	origins  []string       // allowed by CORS; empty: CORS is off
	anyOne   bool           // origins has "*"
	bodies   bool           // request or response bodies are logged
	secrets  func() *masker // made at the first use
}

// view returns that of the current runtime: two atomic loads. Requests that
// meet in the moment after a reload may each build it; they are equal.
func (s *Server) view() *view {
	rt := s.gateway.Current()
	if v := s.viewed.Load(); v != nil && v.rt == rt {
		return v
	}
	v := newView(rt)
	s.viewed.Store(v)
	return v
}

func newView(rt *relay.Runtime) *view {
	st := &rt.Config.Settings
	v := &view{
		rt:       rt,
		settings: st,
		trusted:  prefixes(st.TrustedProxies),
		origins:  st.CORSAllowedOrigins,
		anyOne:   slices.Contains(st.CORSAllowedOrigins, "*"),
		bodies:   st.LogRequestBody || st.LogResponseBody,
	}
	v.secrets = sync.OnceValue(func() *masker { return newMasker(rt.Config) })
	return v
}

// prefixes reads addresses and networks; the loader has refused what is neither.
func prefixes(list []string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		if p, err := netip.ParsePrefix(s); err == nil {
			out = append(out, p.Masked())
		} else if a, err := netip.ParseAddr(s); err == nil {
			a = a.Unmap() // as the addresses that are compared with it
			out = append(out, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	return out
}
