package api

import (
	"bytes"
	"io"
	"net/http"
	"sync"
)

// loggedBody is how much of a body log_request_body and log_response_body show.
const loggedBody = 8 << 10

// serveRecorded is relay with settings.log_request_body or log_response_body on.
func (x *exchange) serveRecorded(w http.ResponseWriter, serve serving) {
	st := x.view.settings
	var asked, answered clipping
	r := x.r
	if st.LogRequestBody {
		r = r.WithContext(r.Context())
		r.Body = recordedBody{x.r.Body, &asked}
	}
	if st.LogResponseBody {
		w = &recordedWriter{w, &answered}
	}
	defer x.logBodies(&asked, &answered) // also of an answer that Serve breaks off
	serve(x.server.gateway, w, r, x.view.rt, &x.rec)
}

// logBodies writes the line that shows bodies.
func (x *exchange) logBodies(asked, answered *clipping) {
	st := x.view.settings
	n := x.server.log.line(targetRelay, levelInfo, "Bodies")
	if n.whole == nil {
		return
	}
	n.fields.Str("request_id", x.rec.RequestID)
	if st.LogRequestBody {
		n.fields.Str("request_body", x.masked(asked.text()))
	}
	if st.LogResponseBody {
		n.fields.Str("response_body", x.masked(answered.text()))
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

// text is what was kept, and whether that is not all.
func (c *clipping) text() (text string, cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.buf.String(), c.total > c.buf.Len()
}

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
