package upstream

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"

	"github.com/PPKunOfficial/berry-api/core/apierror"
)

// Send makes a user's request. The answer's body is decompressed where it came in
// gzip, and Uncompressed then says so; the caller closes it.
func (up *Upstream) Send(req *http.Request) (*http.Response, error) {
	return unzipped(up.Transport.RoundTrip(req))
}

// SendCheck is Send for the request of a check.
func (up *Upstream) SendCheck(req *http.Request) (*http.Response, error) {
	return unzipped(up.Checks.RoundTrip(req))
}

func unzipped(resp *http.Response, err error) (*http.Response, error) {
	if err == nil && gzipped(resp.Header.Get("Content-Encoding")) { // unasked, but some do
		resp.Body, resp.Uncompressed = &gunzip{src: resp.Body}, true
	}
	return resp, err
}

// gzipped reports whether a content coding is gzip under either of its names, in
// any case (RFC 9110, 8.4.1).
func gzipped(coding string) bool {
	return strings.EqualFold(coding, "gzip") || strings.EqualFold(coding, "x-gzip")
}

// gunzip decompresses a body from its first read on.
type gunzip struct {
	src io.ReadCloser
	z   *gzip.Reader
}

func (g *gunzip) Read(p []byte) (int, error) {
	if g.z == nil {
		z, err := gzip.NewReader(g.src)
		if err != nil {
			return 0, err
		}
		g.z = z
	}
	return g.z.Read(p)
}

func (g *gunzip) Close() error { return g.src.Close() }

// maxFault bounds how much of an error body is read.
const maxFault = 64 << 10

// Fault reads an answer with a status that is not 2xx. What could be read of a
// body that broke off still says why the request failed; err is what broke it off.
// The fault's texts are the provider's, secrets and all.
func (up *Upstream) Fault(resp *http.Response) (fault *apierror.Error, err error) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxFault))
	return up.Dialect.Fault(resp.StatusCode, resp.Header, body), err
}

// IsJSON reports whether an answer is one JSON text by its content type.
func IsJSON(h http.Header) bool {
	ct := h.Get("Content-Type")
	return strings.Contains(ct, "json") && !strings.Contains(ct, "stream")
}
