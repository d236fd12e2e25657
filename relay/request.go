package relay

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/PPKunOfficial/berry-api/core/apierror"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

const (
	// bodyPatience is how long a client may take for each bodyStep of its
	// body: a server's header timeout does not stop a body that trickles in.
	bodyPatience = 30 * time.Second
	bodyStep     = 1 << 20
	// firstBody is the room made for a body whose length is not announced.
	firstBody = 4 << 10
	// bodySlack lets the read that finds the end of the body have room, so that
	// a body of announced length never grows its buffer.
	bodySlack = 512
)

// readBody reads a request body of at most limit bytes, decompressed. The
// caller releases it.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) (*dialect.Body, *apierror.Error) {
	if r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	var from io.Reader = r.Body
	// More than one line is a list of them, and no list is one that is known.
	// Case means nothing, and x-gzip is gzip (RFC 9110, 8.4.1).
	switch enc := strings.ToLower(strings.Join(r.Header["Content-Encoding"], ", ")); enc {
	case "", "identity":
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, apierror.New(apierror.InvalidJSON, "the request body is not valid gzip, as its Content-Encoding says")
		}
		from = z
	default:
		return nil, apierror.New(apierror.UnsupportedMedia, "Content-Encoding %.40q is not supported: send the body plain or with gzip", enc)
	}
	size := int64(firstBody)
	if r.ContentLength > 0 {
		size = min(r.ContentLength+bodySlack, bodyStep)
	}
	body := dialect.NewBody(int(size))
	in := inflow{from: from, limit: limit}
	if from == r.Body {
		in.announced = int(r.ContentLength) // below the limit, or -1
	}
	p, err := in.fill(body.Bytes(), http.NewResponseController(w))
	body.Set(p)
	if err == nil {
		return body, nil
	}
	body.Release()
	switch {
	case errors.Is(err, errTooLarge):
		return nil, tooLarge(limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, notInTime(w)
	case errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader):
		return nil, apierror.New(apierror.InvalidJSON, "the request body is not valid gzip, as its Content-Encoding says")
	default:
		return nil, apierror.New(apierror.InvalidJSON, "the request body could not be read to its end")
	}
}

// notInTime is the error of a body past its deadline; its connection cannot be used again.
func notInTime(w http.ResponseWriter) *apierror.Error {
	w.Header().Set("Connection", "close")
	return apierror.New(apierror.RequestTimeout, "the request body did not arrive in time")
}

var errTooLarge = errors.New("body is over the limit")

func tooLarge(limit int64) *apierror.Error {
	return apierror.New(apierror.RequestTooLarge, "the request body is larger than %d bytes, the limit set by max_request_body_bytes", limit)
}

// inflow is a request body while it is read.
type inflow struct {
	from      io.Reader
	limit     int64
	announced int // its length; 0 or less where it is not known
}

// room is how much longer the storage of a body becomes, of which have bytes
// have arrived: twice as long, or four times where it was announced how much is
// to come, and never longer than that. A client that announces much and sends
// little must not hold much.
func (in *inflow) room(have int) int {
	if in.announced <= have {
		return max(bodySlack, have)
	}
	return min(3*have, in.announced-have) + bodySlack
}

// fill reads to the body's end into p, giving the client bodyPatience for each
// step. What it returns may be longer storage than p.
func (in *inflow) fill(p []byte, rc *http.ResponseController) ([]byte, error) {
	// A connection without deadlines (a test's recorder) is read without.
	deadlines := rc.SetReadDeadline(time.Now().Add(bodyPatience)) == nil
	if deadlines {
		defer func() { _ = rc.SetReadDeadline(time.Time{}) }()
	}
	next := bodyStep
	for {
		if len(p) == cap(p) {
			p = slices.Grow(p, in.room(len(p)))
		}
		n, err := in.from.Read(p[len(p):cap(p)])
		p = p[:len(p)+n]
		if int64(len(p)) > in.limit {
			return p, errTooLarge
		}
		if errors.Is(err, io.EOF) {
			return p, nil
		}
		if err != nil {
			return p, err
		}
		if deadlines && len(p) >= next {
			next = len(p) + bodyStep
			_ = rc.SetReadDeadline(time.Now().Add(bodyPatience))
		}
	}
}
