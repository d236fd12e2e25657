package direct

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// Pieces is a request body that lies in memory. Where a body says so, it is
// sent from where it lies.
type Pieces interface {
	// AppendPieces appends the body's bytes, piece by piece, to dst. They are
	// read until the body's Close.
	AppendPieces(dst [][]byte) [][]byte
}

const (
	// together is the largest request that is copied to be written at once;
	// above it the system collects the pieces itself.
	together = 32 << 10
	// firstOut is the room that a request's buffer begins with.
	firstOut = 4 << 10
)

// out is what a request is put together in.
type out struct {
	buf    []byte
	pieces [][]byte
}

var outs = sync.Pool{New: func() any { return &out{buf: make([]byte, 0, firstOut)} }}

// bodyError is that of a request's body, not of the connection.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return "cannot read the request's body: " + e.err.Error() }
func (e *bodyError) Unwrap() error { return e.err }

// send writes req to nc.
func send(nc net.Conn, address string, req *http.Request) error {
	o := outs.Get().(*out)
	defer func() {
		clear(o.pieces)
		o.buf, o.pieces = o.buf[:0], o.pieces[:0]
		outs.Put(o)
	}()
	var err error
	if o.buf, err = appendHeader(o.buf, address, req); err != nil {
		return &bodyError{err}
	}
	n := int(req.ContentLength)
	in, ok := req.Body.(Pieces)
	switch {
	case n == 0:
		_, err = nc.Write(o.buf)
		return err
	case !ok:
		return sendReader(nc, o, req)
	}
	o.pieces = in.AppendPieces(append(o.pieces, nil))
	if len(o.buf)+n <= together {
		for _, p := range o.pieces {
			o.buf = append(o.buf, p...)
		}
		_, err = nc.Write(o.buf)
		return err
	}
	o.pieces[0] = o.buf
	all := net.Buffers(o.pieces)
	_, err = all.WriteTo(nc)
	return err
}

// sendReader writes a body that is read.
func sendReader(nc net.Conn, o *out, req *http.Request) error {
	left := req.ContentLength
	for {
		from := len(o.buf)
		to := from + int(min(left, together))
		if cap(o.buf) < to {
			o.buf = append(make([]byte, 0, to), o.buf...)
		}
		o.buf = o.buf[:to]
		if _, err := io.ReadFull(req.Body, o.buf[from:]); err != nil {
			return &bodyError{err}
		}
		if _, err := nc.Write(o.buf); err != nil {
			return err
		}
		if left -= int64(to - from); left == 0 {
			return nil
		}
		o.buf = o.buf[:0]
	}
}

// appendHeader appends the request line and header. The names that frame the
// message are the transport's own.
func appendHeader(dst []byte, address string, req *http.Request) ([]byte, error) {
	host := req.Host
	if host == "" {
		host = req.URL.Host
	}
	if host == "" {
		host = address
	}
	host = withoutZone(host)
	dst = append(dst, req.Method...)
	dst = append(dst, ' ')
	dst = append(dst, req.URL.RequestURI()...)
	dst = append(dst, " HTTP/1.1\r\nHost: "...)
	dst = append(dst, host...)
	dst = append(dst, "\r\n"...)
	for name, values := range req.Header {
		switch name {
		case "Host", "Content-Length", "Transfer-Encoding", "Trailer", "Connection":
			continue
		}
		for _, v := range values {
			if !plain(name) || !plain(v) {
				return dst, fmt.Errorf("the header %q has a character that ends lines", name)
			}
			dst = append(dst, name...)
			dst = append(dst, ": "...)
			dst = append(dst, v...)
			dst = append(dst, "\r\n"...)
		}
	}
	if req.ContentLength > 0 || req.Method == http.MethodPost || req.Method == http.MethodPut {
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, req.ContentLength, 10)
		dst = append(dst, "\r\n"...)
	}
	return append(dst, "\r\n"...), nil
}

// withoutZone takes the zone out of an IPv6 address in brackets: it means
// something on this machine only (RFC 6874).
func withoutZone(host string) string {
	end := strings.IndexByte(host, ']')
	if zone := strings.IndexByte(host, '%'); strings.HasPrefix(host, "[") && zone > 0 && zone < end {
		return host[:zone] + host[end:]
	}
	return host
}

// plain reports whether s cannot end a line of a header.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' && s[i] != '\t' || s[i] == 0x7f {
			return false
		}
	}
	return true
}
