package mockllm

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Seen is one request as it arrived. Values that the server hands out are copies, owned by the receiver.
type Seen struct {
	Number  int         // from 1, in the order of arrival over all connections
	Conn    int         // the connection it came on, from 1: two requests with one number shared a connection
	Method  string      // as sent
	Path    string      // as sent, escapes kept
	Query   string      // as sent, without the question mark
	Proto   string      // such as HTTP/1.1
	Host    string      // the Host header
	Header  http.Header // without Host and Transfer-Encoding
	Chunked bool        // the body came chunked
	Body    []byte      // nil when there was none, or it was over the limit of 64 MiB
	Arrived time.Time   // when the header was complete
	Left    time.Time   // when the peer closed the connection, during the answer or after it; zero: it did not

	rec *record
}

// ErrNotLeft is what WaitLeft returns when the peer did not close the connection: it sent another request on it, or
// this side closed it first.
var ErrNotLeft = errors.New("mockllm: the peer did not leave first")

// WaitLeft blocks until the peer closes the connection that this request came on, and returns the moment at which it
// did. It returns ctx's error when that ends first, and ErrNotLeft when it cannot happen any more.
func (r *Seen) WaitLeft(ctx context.Context) (time.Time, error) {
	select {
	case <-ctx.Done():
		return time.Time{}, ctx.Err()
	case <-r.rec.over:
		if left := r.rec.copy().Left; !left.IsZero() {
			return left, nil
		}
		return time.Time{}, ErrNotLeft
	}
}

// A record is the server's own entry for a request.
type record struct {
	over chan struct{} // closed when Left is final

	mu    sync.Mutex
	seen  Seen
	final bool
}

func newRecord(req *http.Request, body []byte) *record {
	if len(body) == 0 {
		body = nil
	}
	rec := &record{over: make(chan struct{})}
	rec.seen = Seen{
		Method:  req.Method,
		Path:    req.URL.EscapedPath(),
		Query:   req.URL.RawQuery,
		Proto:   req.Proto,
		Host:    req.Host,
		Header:  req.Header,
		Chunked: slices.Contains(req.TransferEncoding, "chunked"),
		Body:    body,
		rec:     rec,
	}
	return rec
}

func (r *record) copy() *Seen {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := r.seen
	seen.Header = seen.Header.Clone()
	seen.Body = bytes.Clone(seen.Body)
	return &seen
}

func (r *record) leave(at time.Time) {
	r.settle(at)
}

// finish says that the peer cannot leave any more.
func (r *record) finish() {
	r.settle(time.Time{})
}

// settle fixes Left; the first word counts.
func (r *record) settle(left time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.final {
		return
	}
	r.final = true
	r.seen.Left = left
	close(r.over)
}

// A journal keeps the requests that arrived.
type journal struct {
	keep int // as Options.Keep

	mu      sync.Mutex
	count   int
	records []*record
	arrived chan struct{} // closed and replaced at each arrival
}

func newJournal(keep int) journal {
	return journal{keep: keep, arrived: make(chan struct{})}
}

// add enters a request and gives it its number.
func (j *journal) add(rec *record, at time.Time, conn int) *record {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.count++
	rec.seen.Number, rec.seen.Conn, rec.seen.Arrived = j.count, conn, at
	if j.keep != KeepNone {
		j.records = append(j.records, rec)
		if j.keep > 0 && len(j.records) > j.keep {
			j.records = slices.Delete(j.records, 0, len(j.records)-j.keep)
		}
	}
	close(j.arrived)
	j.arrived = make(chan struct{})
	return rec
}

// Requests returns the remembered requests, oldest first.
func (s *Server) Requests() []Seen {
	s.journal.mu.Lock()
	records := slices.Clone(s.journal.records)
	s.journal.mu.Unlock()
	seen := make([]Seen, len(records))
	for i, rec := range records {
		seen[i] = *rec.copy()
	}
	return seen
}

// Count returns how many requests arrived since the start, remembered or not.
func (s *Server) Count() int {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	return s.journal.count
}

// Wait blocks until at least n requests arrived since the start and returns the remembered ones, or ctx's error.
func (s *Server) Wait(ctx context.Context, n int) ([]Seen, error) {
	for {
		s.journal.mu.Lock()
		count, arrived := s.journal.count, s.journal.arrived
		s.journal.mu.Unlock()
		if count >= n {
			return s.Requests(), nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-arrived:
		}
	}
}
