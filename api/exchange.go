package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/relay"
)

// exchange is one request and its answer. It is pooled: nothing keeps it after end.
type exchange struct {
	server *Server
	route  *route
	view   *view
	w      gin.ResponseWriter
	clumps *clumpWriter // around w, while an answer is relayed over HTTP/1.1
	r      *http.Request
	// rec has the request's id, user and start; relay fills in the rest of it.
	rec relay.Record

	served  bool            // relay had it: its status is rec's
	failure *apierror.Error // what fail answered
	refused bool            // by authentication
	silent  bool            // write no line: the guard announced this address already
}

// handle makes the router's handler of a route: what all routes have in common
// stands here, in order.
func (s *Server) handle(rt *route) gin.HandlerFunc {
	return func(c *gin.Context) {
		x := s.exchanges.Get().(*exchange)
		x.begin(rt, c)
		defer x.end()
		if x.admit() {
			rt.serve(x)
		}
	}
}

func (x *exchange) begin(rt *route, c *gin.Context) {
	x.route, x.w, x.r = rt, c.Writer, c.Request
	x.rec.Start = time.Now()
	x.rec.RequestID = requestID(c.Request.Header)
	x.rec.Endpoint = rt.endpoint
	x.view = x.server.view()
	x.server.metrics.inFlight.Add(1)
	if rt.method != http.MethodPost || rt.access != accessUser { // what reads bodies has limits of its own
		x.leaveBody()
	}
	if x.r.ProtoMajor > 1 {
		_ = http.NewResponseController(x.w).SetWriteDeadline(x.rec.Start.Add(streamPatience))
	}

	h := x.w.Header()
	id := []string{x.rec.RequestID}
	// OpenAI's clients show the first, Anthropic's the second.
	h["X-Request-Id"], h["Request-Id"] = id, id
	if x.view.settings.HSTS {
		h["Strict-Transport-Security"] = hsts
	}
	if len(x.view.origins) > 0 {
		x.allowOrigin()
	}
}

var hsts = []string{"max-age=31536000"}

// end is deferred: it answers a panic, counts and logs.
func (x *exchange) end() {
	abort := false
	if p := recover(); p != nil {
		abort = x.panicked(p)
	}
	if len(x.rec.Attempts) == 0 {
		x.leaveBody()
	}
	s, status, took := x.server, x.status(), time.Since(x.rec.Start)
	x.route.series.observe(status, took)
	x.log(status, took)
	r := x.r
	x.clumps.end()
	*x = exchange{server: s}
	s.exchanges.Put(x)
	s.left()
	if abort {
		breakOff(r)
		panic(http.ErrAbortHandler)
	}
}

// leaveBody bounds how long the rest of a body is waited for that was not read:
// net/http reads on after the handler, to use the connection again, and without
// a limit, so that a client could hold it for ever with a few bytes.
func (x *exchange) leaveBody() {
	if x.r.ContentLength != 0 { // below 0 for an unknown length
		_ = http.NewResponseController(x.w).SetReadDeadline(time.Now().Add(unreadPatience))
	}
}

// status is what the client got, or 499.
func (x *exchange) status() int {
	if x.served && x.rec.Status != 0 {
		return x.rec.Status
	}
	return x.w.Status()
}

// panicked answers for a bug, and reports whether the connection must be
// dropped: after the first byte that is the only honest end.
func (x *exchange) panicked(p any) (abort bool) {
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		return true
	}
	n := x.server.log.line(targetAPI, levelError, "Request handler panicked")
	n.fields.Str("request_id", x.rec.RequestID).Str("path", x.route.shown).Str("panic", x.masked(fmt.Sprint(p), false)).Bytes("stack", debug.Stack())
	n.send()
	if x.w.Written() {
		return true
	}
	x.fail(apierror.New(apierror.Internal, "internal error, please report it with the request id %s", x.rec.RequestID))
	x.rec.Status = http.StatusInternalServerError
	return false
}

// fail answers with an error.
func (x *exchange) fail(e *apierror.Error) {
	x.failure = e
	x.format().Fail(x.w, e)
}

// json answers with v. Maps come out sorted by key.
func (x *exchange) json(status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("cannot encode %T: %v", v, err)) // a bug: answered as one
	}
	h := x.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	x.w.WriteHeader(status)
	_, _ = x.w.Write(append(b, '\n')) // the client's connection: nothing to be done
}

// text answers with one line of text.
func (x *exchange) text(status int, s string) {
	h := x.w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	x.w.WriteHeader(status)
	_, _ = x.w.WriteString(s + "\n")
}

// rest is what the path has after the route's fixed part, decoded: an escaped
// slash is a slash like any other.
func (x *exchange) rest() string {
	fixed, _, _ := strings.Cut(x.route.path, "*")
	return strings.TrimPrefix(x.r.URL.Path, fixed)
}

// requestID adopts the client's id if it is of a safe form, else makes one.
func requestID(h http.Header) string {
	if v := h["X-Request-Id"]; len(v) == 1 && safeID(v[0]) {
		return v[0]
	}
	const hex = "0123456789abcdef"
	var b [4 + 32]byte
	copy(b[:], "req_")
	for i := 0; i < 32; i += 16 {
		for n, j := rand.Uint64(), 0; j < 16; n, j = n>>4, j+1 {
			b[4+i+j] = hex[n&15]
		}
	}
	return string(b[:])
}

func safeID(s string) bool {
	if len(s) == 0 || len(s) > 128 {
		return false
	}
	for _, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}

// stamp is a moment as all answers show it; nil, which is null, for the zero time.
func stamp(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := t.UTC().Format(time.RFC3339)
	return &s
}
