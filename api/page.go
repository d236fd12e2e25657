package api

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/PPKunOfficial/berry-api/api/dashboard"
)

// home is the dashboard for browsers, and one line that says where to look for
// all others.
func (x *exchange) home() {
	x.w.Header().Add("Vary", "Accept")
	if asksForHTML(x.r.Header.Values("Accept")) {
		x.page()
		return
	}
	x.secured()
	state := "/health and /metrics"
	if x.route.apart { // metrics are at admin_bind_address
		state = "/health"
	}
	x.text(http.StatusOK, fmt.Sprintf("Berry API %s: the API is under /v1, its state under %s, the dashboard under /status", x.server.version, state))
}

// asksForHTML reports whether a client names HTML among what it accepts, as
// browsers do; curl and SDKs take anything.
func asksForHTML(accept []string) bool {
	return strings.Contains(strings.ToLower(strings.Join(accept, ",")), "text/html")
}

// page is the dashboard. What it may ask for here is written into it, so that it
// does not have to find out by errors.
func (x *exchange) page() {
	data := dashboard.Private
	switch {
	case x.route.apart:
		data = dashboard.Elsewhere
	case x.view.settings.PublicStatus:
		data = dashboard.Public
	}
	x.file(x.server.pages.Page(data))
}

// asset is one of the files that the page loads.
func (x *exchange) asset() {
	f, ok := x.server.pages.Asset(x.rest())
	if !ok {
		x.unknownRoute()
		return
	}
	x.file(f)
}

// file sends a file of the dashboard. Browsers keep it, and ask each time
// whether it is still the same: its name does not change with its content.
func (x *exchange) file(f dashboard.File) {
	x.secured()
	h := x.w.Header()
	h.Set("Content-Security-Policy", dashboard.ContentSecurityPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", f.ETag)
	for known := range strings.SplitSeq(x.r.Header.Get("If-None-Match"), ",") {
		if strings.TrimPrefix(strings.TrimSpace(known), "W/") == f.ETag {
			x.w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	h.Set("Content-Type", f.ContentType)
	x.w.WriteHeader(http.StatusOK)
	_, _ = x.w.Write(f.Body) // the client's connection: nothing to be done
}

// secured adds what settings.security_headers is about.
func (x *exchange) secured() {
	if x.view.settings.SecurityHeaders {
		h := x.w.Header()
		h.Set("X-Frame-Options", "DENY")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-XSS-Protection", "1; mode=block")
	}
}
