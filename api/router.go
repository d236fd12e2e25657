package api

import (
	"net/http"
	"os"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/PPKunOfficial/berry-api/relay"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

// route is one method and path pattern.
type route struct {
	method string
	path   string // as the router takes it; a part that begins with : is any, one with * the rest of the path
	shown  string // path as logs and metrics show it
	access access
	serve  func(*exchange)
	known  bool // false: what answers for all that is not a route
	polled bool // the dashboard asks for it every few seconds
	apart  bool // served on the API's address while the operator's routes are on another

	endpoint dialect.Endpoint // what relay is asked for, where it is
	format   relay.Format     // in which failures are told
	shared   bool             // Anthropic's clients ask here too, who want another format

	series *routeSeries
}

// routes are all that Berry answers. GET routes answer HEAD too.
func (s *Server) routes() []*route {
	const get, post = http.MethodGet, http.MethodPost
	return append(endpointRoutes(), []*route{
		{method: get, path: "/", access: accessOpen, serve: (*exchange).home},
		{method: get, path: "/status", access: accessOpen, serve: (*exchange).page},
		{method: get, path: "/status/*asset", access: accessOpen, serve: (*exchange).asset},
		{method: get, path: "/health", access: accessOpen, serve: (*exchange).health},
		{method: get, path: "/livez", access: accessOpen, serve: (*exchange).livez},
		{method: get, path: "/readyz", access: accessOpen, serve: (*exchange).readyz},
		{method: get, path: "/v1/health", access: accessOpen, serve: (*exchange).v1Health},

		// The API's lists, also without /v1.
		{method: get, path: "/v1/models", access: accessUser, shared: true, serve: (*exchange).models},
		{method: get, path: "/v1/models/*id", access: accessUser, shared: true, serve: (*exchange).model},
		{method: get, path: "/models", access: accessUser, shared: true, serve: (*exchange).models},
		{method: get, path: "/models/*id", access: accessUser, shared: true, serve: (*exchange).model},

		// The operator's: on the admin address only, if there is one.
		{method: get, path: "/metrics", access: accessStatus, serve: (*exchange).metrics},
		{method: get, path: "/prometheus", access: accessStatus, serve: (*exchange).prometheus},
		{method: get, path: "/smart-ai/weights", access: accessStatus, serve: (*exchange).smartWeights},
		{method: get, path: "/smart-ai/models/*model", access: accessStatus, serve: (*exchange).smartModel},
		{method: get, path: "/admin/model-weights", access: accessAdmin, polled: true, serve: (*exchange).modelWeights},
		{method: get, path: "/admin/backend-health", access: accessAdmin, polled: true, serve: (*exchange).backendHealth},
		{method: get, path: "/admin/system-stats", access: accessAdmin, polled: true, serve: (*exchange).systemStats},
		{method: get, path: "/admin/rate-limit-usage", access: accessAdmin, polled: true, serve: (*exchange).rateLimitUsage},
		{method: get, path: "/admin/history", access: accessAdmin, polled: true, serve: (*exchange).history},
		{method: get, path: "/admin/config", access: accessAdmin, serve: (*exchange).config},
		{method: post, path: "/admin/reload-config", access: accessAdmin, serve: (*exchange).reloadConfig},
		{method: get, path: "/admin/decisions", access: accessAdmin, polled: true, serve: (*exchange).decisions},
		{method: get, path: "/admin/decisions/*request_id", access: accessAdmin, serve: (*exchange).decision},
		{method: post, path: "/admin/backends/*backend", access: accessAdmin, serve: (*exchange).drainOrEnable},
	}...)
}

// endpointRoutes are those that ask a model for something, also without /v1 for
// clients whose base URL lacks it.
func endpointRoutes() (all []*route) {
	for _, e := range []dialect.Endpoint{
		dialect.Chat, dialect.Completions, dialect.Embeddings, dialect.Moderations,
		dialect.ImageGenerations, dialect.ImageEdits, dialect.ImageVariations,
		dialect.Transcriptions, dialect.Translations, dialect.Speech,
		dialect.Responses, dialect.InputTokens, dialect.Compact,
		dialect.Messages, dialect.CountTokens,
	} {
		for _, prefix := range []string{"/v1/", "/"} {
			all = append(all, &route{
				method: http.MethodPost, path: prefix + e.Path(), access: accessUser, serve: (*exchange).relay,
				endpoint: e, format: relay.FormatOf(e),
			})
		}
	}
	return append(all, storedRoutes()...)
}

// routers returns the handler of the API's address and, if the operator's
// routes are apart, that of the admin address.
func (s *Server) routers(apart bool) (public, admin http.Handler) {
	all := s.routes()
	if !apart {
		return s.router(all), nil
	}
	var ours, theirs []*route
	for _, rt := range all {
		switch rt.access {
		case accessOpen:
			there := *rt
			there.apart = true
			ours, theirs = append(ours, rt), append(theirs, &there)
		case accessUser:
			theirs = append(theirs, rt)
		default:
			ours = append(ours, rt)
		}
	}
	return s.router(theirs), s.router(ours)
}

func (s *Server) router(routes []*route) http.Handler {
	quietGin()
	e := gin.New()
	// Berry finds the client's address itself, by settings.trusted_proxies,
	// which a reload may change; gin by default believes anybody's header.
	_ = e.SetTrustedProxies(nil) // nil cannot be malformed
	e.RedirectTrailingSlash = false
	e.HandleMethodNotAllowed = true
	// Routing by the decoded path, gin's default, makes /v1/models/org%2Fm1 and
	// /v1/models/org/m1 one; by the raw path gin would turn + into a space.
	for _, rt := range routes {
		s.register(e, rt)
	}
	e.NoRoute(s.otherwise((*exchange).unknownRoute))
	e.NoMethod(s.otherwise((*exchange).wrongMethod))
	return e
}

func (s *Server) register(e *gin.Engine, rt *route) {
	rt.known = true
	methods := []string{rt.method}
	if rt.method == http.MethodGet {
		methods = append(methods, http.MethodHead)
	}
	for _, m := range methods {
		own := *rt
		own.method = m
		own.shown = pattern(rt.path)
		own.series = s.metrics.route(m, own.shown)
		e.Handle(m, rt.path, s.handle(&own))
	}
}

// pattern is a path as metrics and logs show it.
func pattern(path string) string {
	if before, part, ok := strings.Cut(path, "/:"); ok {
		name, after, _ := strings.Cut(part, "/")
		return strings.TrimSuffix(before+"/{"+name+"}/"+after, "/")
	}
	fixed, rest, wild := strings.Cut(path, "*")
	if !wild {
		return path
	}
	return fixed + "{" + rest + "...}"
}

// otherwise handles what is not a route. Its series have the label path="other"
// and only methods that exist: no label may hold what a client chose.
func (s *Server) otherwise(serve func(*exchange)) gin.HandlerFunc {
	handlers := map[string]gin.HandlerFunc{}
	for _, m := range []string{
		http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodOptions, http.MethodTrace, http.MethodConnect, otherMethod,
	} {
		handlers[m] = s.handle(&route{method: m, path: "other", shown: "other", shared: true, serve: serve, series: s.metrics.route(m, "other")})
	}
	return func(c *gin.Context) {
		h, ok := handlers[c.Request.Method]
		if !ok {
			h = handlers[otherMethod]
		}
		h(c)
	}
}

const otherMethod = "other"

// quietGin keeps gin from printing its routes to standard output, unless
// GIN_MODE asks for it. The mode is gin's global variable; there is no other way.
func quietGin() {
	if gin.Mode() == gin.DebugMode && os.Getenv(gin.EnvGinMode) == "" {
		gin.SetMode(gin.ReleaseMode)
	}
}
