package httplb

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
)

// source is where the attempts of one request get its body from.
type source struct {
	first   io.ReadCloser                 // of the first attempt; nil: there is no body
	again   func() (io.ReadCloser, error) // of the further ones; nil: there can be none
	getBody func() (io.ReadCloser, error) // for Request.GetBody of an attempt; nil: none
}

// newSource looks at a request's body, and reads it if it is to be kept. It
// takes over the body: on an error it is closed.
func newSource(r *http.Request, most int64) (source, error) {
	switch {
	case r.Body == nil || r.Body == http.NoBody:
		body := r.Body
		return source{first: body, again: func() (io.ReadCloser, error) { return body, nil }}, nil
	case r.GetBody != nil:
		return source{first: r.Body, again: r.GetBody, getBody: r.GetBody}, nil
	case r.ContentLength <= 0 || r.ContentLength > most:
		// A body of unknown length may be one that is written while the answer
		// is read: reading ahead could wait for ever.
		return source{first: r.Body}, nil
	}
	kept := make([]byte, r.ContentLength)
	_, err := io.ReadFull(r.Body, kept)
	if closing := r.Body.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return source{}, fmt.Errorf("httplb: cannot read the request's body: %w", err)
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(kept)), nil }
	first, _ := open()
	return source{first: first, again: open, getBody: open}, nil
}

// closeBody closes a request's body, as a RoundTripper has to.
func closeBody(body io.ReadCloser) {
	if body != nil {
		_ = body.Close() // nobody could do anything about it
	}
}
