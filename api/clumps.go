package api

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"

	"github.com/gin-gonic/gin"
)

// clumpWriter writes an answer over HTTP/1.1 so that what is written up to a
// flush, a clump, leaves in one system call.
//
// The header goes through net/http, and with it the first clump. From then on, if
// the answer goes out in chunks, a clump is put into one here and written to the
// connection at once: by way of net/http's two buffers it would cost more than all
// else that is done for an event of a stream. The last clump, behind which there
// is no flush, goes through net/http again, which ends the answer with it.
type clumpWriter struct {
	gin     gin.ResponseWriter
	raw     http.ResponseWriter // what gin's wraps
	flusher interface{ FlushError() error }
	conn    *watchedConn
	inParts bool // net/http sends the answer in chunks, if its length is not known

	begun   bool   // the header is out
	chunked bool   // ... and the answer is in chunks
	chunk   *chunk // the clump, where it goes past net/http; nil for none
	clump   int    // its bytes, where it goes through net/http
	held    bool   // conn holds them
}

// clumpsOver returns what writes to of, the answer to r; nil where that has no
// connection of its own, as over HTTP/2. It is the connection's, which has one
// answer at a time, and is to be ended when that is over.
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
	conn.clumps = clumpWriter{
		gin: of, raw: raw, flusher: flusher, conn: conn,
		inParts: r.ProtoAtLeast(1, 1) && r.Method != http.MethodHead,
	}
	return &conn.clumps
}

// end hands what was not flushed to net/http, and ends the use of w for an answer.
func (w *clumpWriter) end() {
	if w == nil {
		return
	}
	if c := w.chunk; c != nil {
		w.chunk, w.chunked = nil, false
		_, _ = w.Write(c.bytes()) // a client that has gone is noticed by who wrote to it
		c.release()
	}
	*w = clumpWriter{}
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
	if w.chunked && w.clump == 0 && w.add(p) {
		return len(p), nil
	}
	if err := w.sendChunk(); err != nil {
		return 0, err
	}
	w.begin()
	if w.clump += len(p); w.clump > smallClump && !w.held {
		w.held = true
		w.conn.hold()
	}
	return w.raw.Write(p)
}

// add puts p into the chunk; it is false for one that is too large for it.
func (w *clumpWriter) add(p []byte) bool {
	have := 0
	if w.chunk != nil {
		have = w.chunk.size()
	}
	if have+len(p) > largeChunk {
		return false
	}
	if len(p) == 0 { // an empty chunk is the answer's end
		return true
	}
	if w.chunk == nil {
		w.chunk = newChunk()
	}
	w.chunk.add(p)
	return true
}

// sendChunk sends the chunk, if there is one. net/http, which tells the handler of
// a client that has gone, does not see a write that fails here, but sees the
// connection close.
func (w *clumpWriter) sendChunk() error {
	c := w.chunk
	if c == nil {
		return nil
	}
	w.chunk = nil
	_, err := w.conn.outer.Write(c.framed())
	c.release()
	if err != nil {
		_ = w.conn.Close()
	}
	return err
}

// FlushError is what http.ResponseController calls.
func (w *clumpWriter) FlushError() error {
	if w.chunk != nil {
		return w.sendChunk()
	}
	w.begin()
	err := w.flusher.FlushError()
	if w.clump = 0; w.held {
		w.held = false
		if sent := w.conn.release(); err == nil {
			err = sent
		}
	}
	w.chunked = err == nil && w.inParts && w.lengthless()
	return err
}

// lengthless reports whether the header tells no length of the answer.
func (w *clumpWriter) lengthless() bool {
	h := w.raw.Header()
	return w.gin.Status() == http.StatusOK && h["Content-Length"] == nil && h["Transfer-Encoding"] == nil
}

// Unwrap lets http.ResponseController reach the connection.
func (w *clumpWriter) Unwrap() http.ResponseWriter { return w.gin }

// connectionKey is under what a request's context has its connection.
type connectionKey struct{}

// withConnection is http.Server's ConnContext.
func withConnection(ctx context.Context, c net.Conn) context.Context {
	var outer io.Writer
	if secure, ok := c.(*tls.Conn); ok {
		c, outer = secure.NetConn(), secure
	}
	if l, ok := c.(*limitedConn); ok {
		c = l.Conn
	}
	if watched, ok := c.(*watchedConn); ok && outer != nil {
		watched.outer = outer
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
