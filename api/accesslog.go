package api

import (
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/core/auth"
	"github.com/PPKunOfficial/berry-api/relay"
)

// logPick writes a line for each pick; "Backend selected" is that of the whole request.
func (o *watcher) logPick(r *relay.Record, a *relay.Attempt) {
	if !o.log.enabled(targetLoadbalance, levelDebug) {
		return
	}
	n := o.log.line(targetLoadbalance, levelDebug, "selected backend")
	n.fields.Str("request_id", r.RequestID).Str("model", r.Model.Name).Str("strategy", r.Model.Strategy)
	n.fields.Str("provider", a.Provider).Str("upstream_model", a.Model).Str("why", string(a.Why))
	n.send()
}

func (o *watcher) logAttempt(r *relay.Record, a *relay.Attempt) {
	if !o.log.enabled(targetRelay, levelDebug) {
		return
	}
	n := o.log.line(targetRelay, levelDebug, "Attempt ended")
	n.fields.Str("request_id", r.RequestID).Str("provider", a.Provider).Str("upstream_model", a.Model)
	n.fields.Str("why", string(a.Why)).Str("kind", a.Kind.String()).Int("status", a.Status)
	n.fields.Float64("latency_ms", millis(a.Duration)).Float64("ttft_ms", millis(a.FirstContent)).Float64("pause_ms", millis(a.Pause))
	n.send()
}

// logRequest writes the one line of a request that reached a backend.
func (o *watcher) logRequest(r *relay.Record, a *relay.Attempt) {
	n := o.log.line(targetLoadbalance, severity(r.Status, r.Error), "Backend selected")
	if n.whole == nil {
		return
	}
	f := n.fields
	f.Str("request_id", r.RequestID)
	if r.User != nil {
		f.Str("user", r.User.ID)
	}
	f.Str("model", r.Model.Name).Str("strategy", r.Model.Strategy)
	f.Str("provider", a.Provider).Str("upstream_model", a.Model)
	f.Int("status", r.Status).Int("attempts", len(r.Attempts)).Float64("latency_ms", millis(r.Duration))
	if r.FirstContent > 0 {
		f.Float64("ttft_ms", millis(r.FirstContent))
	}
	if !r.Usage.IsZero() {
		f.Int("input_tokens", r.Usage.Input).Int("output_tokens", r.Usage.Output)
		if r.Usage.Estimated {
			f.Bool("estimated", true)
		}
	}
	if r.Cost > 0 {
		f.Float64("cost", rounded(r.Cost))
	}
	f.Str("endpoint", r.Endpoint.String()).Bool("stream", r.Stream)
	switch {
	case r.Error != nil:
		f.Str("error", clip(r.Error.Code)).Str("kind", a.Kind.String())
	case r.Disconnected:
		f.Str("error", string(apierror.ClientClosed))
	}
	n.send()
}

// severity is the level of a request's line: an answer that the gateway or a
// backend failed to give is an error, whatever the client did is not.
func severity(status int, e *apierror.Error) level {
	if status >= 500 || e != nil && e.Status >= 500 {
		return levelError
	}
	return levelInfo
}

// log writes the one line of a request that reached no backend, and of one that
// was refused at the door.
func (x *exchange) log(status int, took time.Duration) {
	if x.silent || x.served && len(x.rec.Attempts) > 0 {
		return
	}
	lv, tg, message := severity(status, nil), targetAPI, "Request completed"
	switch {
	case x.refused:
		lv, tg, message = levelWarn, targetAuth, "Authentication failed"
	case x.route.access <= accessStatus && x.route.known, x.route.polled && status < http.StatusBadRequest:
		lv = levelDebug // probes, scrapes and open dashboards, many and all alike
	}
	n := x.server.log.line(tg, lv, message)
	if n.whole == nil {
		return
	}
	f := n.fields.Str("request_id", x.rec.RequestID)
	if x.rec.User != nil {
		f.Str("user", x.rec.User.ID)
	}
	f.Str("method", x.route.method).Str("path", x.route.shown)
	if !x.route.known {
		f.Str("url_path", clip(x.masked(x.r.URL.Path, false)))
	}
	if x.rec.Model != nil {
		f.Str("model", x.rec.Model.Name)
	}
	f.Int("status", status).Float64("latency_ms", millis(took))
	if e := x.failed(); e != nil {
		f.Str("error", clip(e.Code))
	}
	if x.refused {
		x.logCaller(n)
	}
	n.send()
}

// failed is the error that the request ended with, nil if it did not.
func (x *exchange) failed() *apierror.Error {
	if x.served {
		return x.rec.Error
	}
	return x.failure
}

// logCaller adds where a request without a good credential came from.
func (x *exchange) logCaller(n line) {
	if a := clientAddr(x.r, x.view.trusted); a.IsValid() {
		n.fields.Str("client", a.String())
	}
	if x.view.settings.MaskAPIKeys {
		return
	}
	// The configuration allows this at debug and trace only.
	if token, ok := auth.Token(x.r.Header); ok {
		n.fields.Str("token", hint(token))
	}
}

// hint is a secret as an operator who asked for it may see it: its ends, if
// they are the smaller part of it.
func hint(secret string) string {
	const ends = 4
	if len(secret) < 4*ends {
		return "***"
	}
	return secret[:ends] + "***" + secret[len(secret)-ends:]
}

// clip bounds text of a client's that goes into a log line.
func clip(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	for i := most; i > most-utf8.UTFMax; i-- {
		if utf8.RuneStart(s[i]) {
			return s[:i] + "..."
		}
	}
	return s[:most] + "..."
}
