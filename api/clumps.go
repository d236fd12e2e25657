package api

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"

	"github.com/gin-gonic/gin"
)

// clumpWriter writes an answer over HTTP/1.1 so that what is written up to a
// flush leaves in one system call. net/http's own buffer holds 4 KiB and is
// flushed each time that it is full: a larger clump of a stream costs three.
type clumpWriter struct {
	gin     gin.ResponseWriter
	raw     http.ResponseWriter // what gin's wraps
	flusher interface{ FlushError() error }
	conn    *watchedConn
	begun   bool // the header is out
	clump   int  // bytes written since the last flush
	held    bool // conn holds them
}

// clumpsOver returns what writes to of, the answer to r; nil where that has no
// connection of its own, as over HTTP/2. It is the connection's, which has one
// answer at a time, and is to be forgotten when that is over.
func clumpsOver(of gin.ResponseWriter, r *http.Request) *clumpWriter {
	conn, ok := r.Context().Value(connectionKey{}).(*watchedConn)
	if !ok || r.ProtoMajor != 1 {
		return nil
	}
	wrapped, ok := of.(interface{ Unwrap() http.ResponseWriter })
	if !ok {
		return nil
	}
	raw := wrapped.Unwrap()
	flusher, ok := raw.(interface{ FlushError() error })
	if !ok {
		return nil
	}
	conn.clumps = clumpWriter{gin: of, raw: raw, flusher: flusher, conn: conn}
	return &conn.clumps
}

// forget ends the use of w for an answer.
func (w *clumpWriter) forget() {
	if w != nil {
		*w = clumpWriter{}
	}
}

// Header implements http.ResponseWriter.
func (w *clumpWriter) Header() http.Header { return w.raw.Header() }

// WriteHeader implements http.ResponseWriter.
func (w *clumpWriter) WriteHeader(status int) {
	w.gin.WriteHeader(status)
	w.gin.WriteHeaderNow()
}

// begin has gin send the header, and know of it.
func (w *clumpWriter) begin() {
	if !w.begun {
		w.begun = true
		w.gin.WriteHeaderNow()
	}
}

// smallClump is what net/http sends in one call by itself.
const smallClump = 2 << 10

// Write implements io.Writer. Without a flush the answer's end sends it.
func (w *clumpWriter) Write(p []byte) (int, error) {
	w.begin()
	if w.clump += len(p); w.clump > smallClump && !w.held {
		w.held = true
		w.conn.hold()
	}
	return w.raw.Write(p)
}

// FlushError is what http.ResponseController calls.
func (w *clumpWriter) FlushError() error {
	w.begin()
	err := w.flusher.FlushError()
	if w.clump = 0; w.held {
		w.held = false
		if sent := w.conn.release(); err == nil {
			err = sent
		}
	}
	return err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *clumpWriter) Unwrap() http.ResponseWriter { return w.gin }

// connectionKey is under what a request's context has its connection.
type connectionKey struct{}

// withConnection is http.Server's ConnContext.
func withConnection(ctx context.Context, c net.Conn) context.Context {
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	if l, ok := c.(*limitedConn); ok {
		c = l.Conn
	}
	return context.WithValue(ctx, connectionKey{}, c)
}

// breakOff lets the client of an answer that broke off see that. Over HTTP/1.0 an
// answer of unknown length ends with its connection, however that ends but for a
// reset; net/http closes it in order.
func breakOff(r *http.Request) {
	if conn, ok := r.Context().Value(connectionKey{}).(*watchedConn); ok && !r.ProtoAtLeast(1, 1) {
		conn.reset()
	}
}
