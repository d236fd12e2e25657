package api

import (
	"net"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// stream is an answer that notes what deadlines it is given, from its start.
type stream struct {
	*httptest.ResponseRecorder
	start     time.Time
	deadlines []string
}

func (s *stream) SetWriteDeadline(t time.Time) error {
	if t.IsZero() {
		s.deadlines = append(s.deadlines, "none")
	} else {
		s.deadlines = append(s.deadlines, t.Sub(s.start).String())
	}
	return nil
}

// A relayed answer over HTTP/2 may take as long as it likes to begin, and then
// as long as something of it is taken.
func TestPatientWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stream{ResponseRecorder: httptest.NewRecorder(), start: time.Now()}
		w := newPatientWriter(s)
		time.Sleep(time.Hour)
		for range 4 { // the limit is set anew at most every 30 s
			_, _ = w.Write([]byte("x"))
			time.Sleep(20 * time.Second)
		}
		if d := cmp.Diff([]string{"none", "1h10m0s", "1h10m40s"}, s.deadlines); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		if s.Body.String() != "xxxx" || w.Unwrap() != s {
			t.Errorf("%q", s.Body)
		}
	})
}

// deadlines is a connection that notes its deadlines for writing.
type deadlines struct {
	net.Conn
	stream
}

func (d *deadlines) SetWriteDeadline(t time.Time) error { return d.stream.SetWriteDeadline(t) }
func (d *deadlines) SetReadDeadline(time.Time) error    { return nil }
func (d *deadlines) Write(p []byte) (int, error)        { return d.Body.Write(p) }

// A deadline of somebody else's, as TLS sets one to say farewell, stands.
func TestWatchedConn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &deadlines{stream: stream{ResponseRecorder: httptest.NewRecorder(), start: time.Now()}}
		c := newWatchedConn(d)
		write := func(n int) {
			t.Helper()
			if m, err := c.Write(make([]byte, n)); m != n || err != nil {
				t.Errorf("%d %v", m, err)
			}
		}
		write(3*stallPiece + 1)
		_ = c.SetWriteDeadline(time.Now().Add(time.Second))
		write(1)
		_ = c.SetDeadline(time.Time{})
		write(0)
		write(1)
		time.Sleep(time.Minute)
		write(1)
		if want := []string{"10m0s", "1s", "none", "10m0s", "11m0s"}; cmp.Diff(want, d.deadlines) != "" {
			t.Errorf("%v, want %v", d.deadlines, want)
		}
		if d.Body.Len() != 3*stallPiece+4 {
			t.Errorf("%d bytes", d.Body.Len())
		}
	})
}
