package api

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/PPKunOfficial/berry-api/core/config"
)

// loggedBody is how much of a body log_request_body and log_response_body show.
const loggedBody = 8 << 10

// serveRecorded is chat with settings.log_request_body or log_response_body on.
func (x *exchange) serveRecorded() {
	st := x.view.settings
	var asked, answered clipping
	r, w := x.r, http.ResponseWriter(x.w)
	if st.LogRequestBody {
		r = r.WithContext(r.Context())
		r.Body = recordedBody{x.r.Body, &asked}
	}
	if st.LogResponseBody {
		w = &recordedWriter{x.w, &answered}
	}
	x.server.gateway.Serve(w, r, x.view.rt, &x.rec)

	n := x.server.log.line(targetRelay, levelInfo, "Bodies")
	if n.whole == nil {
		return
	}
	n.fields.Str("request_id", x.rec.RequestID)
	mask := x.view.secrets()
	if st.LogRequestBody {
		n.fields.Str("request_body", mask.apply(asked.String()))
	}
	if st.LogResponseBody {
		n.fields.Str("response_body", mask.apply(answered.String()))
	}
	n.send()
}

// clipping keeps the beginning of what is written to it. A stream's comments
// are written by a timer, so it is locked.
type clipping struct {
	mu    sync.Mutex
	buf   bytes.Buffer
	total int
}

func (c *clipping) add(p []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total += len(p)
	c.buf.Write(p[:min(len(p), loggedBody-c.buf.Len())])
}

func (c *clipping) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.buf.String()
	if c.total > len(s) {
		// A secret that the cut goes through is no longer recognised as one:
		// drop the end as far as one could reach.
		s = s[:max(0, len(s)-cutMargin)]
		for len(s) > 0 && !utf8.ValidString(s[max(0, len(s)-utf8.UTFMax):]) && !utf8.RuneStart(s[len(s)-1]) {
			s = s[:len(s)-1]
		}
		s += "... (cut)"
	}
	return s
}

// cutMargin is longer than any credential of a provider known today.
const cutMargin = 512

type recordedBody struct {
	io.ReadCloser
	into *clipping
}

func (b recordedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.into.add(p[:n])
	return n, err
}

type recordedWriter struct {
	http.ResponseWriter
	into *clipping
}

func (w *recordedWriter) Write(p []byte) (int, error) {
	w.into.add(p)
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *recordedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// masker replaces the configuration's secrets.
type masker struct{ r *strings.Replacer }

func newMasker(cfg *config.Config) *masker {
	var pairs []string
	add := func(secret string) {
		if secret != "" {
			pairs = append(pairs, secret, "***")
		}
	}
	for _, p := range cfg.Providers {
		add(p.APIKey.Reveal())
		for _, v := range p.Headers {
			add(v)
		}
	}
	for _, u := range cfg.Users {
		add(u.Token.Reveal())
	}
	return &masker{strings.NewReplacer(pairs...)}
}

func (m *masker) apply(s string) string { return m.r.Replace(s) }
