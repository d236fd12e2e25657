package direct_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/relay/direct"
)

// BenchmarkRoundTrip compares one request and answer over loopback, server
// included, with net/http's client.
func BenchmarkRoundTrip(b *testing.B) {
	answer := bytes.Repeat([]byte("x"), 1024)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = w.Write(answer)
	}))
	defer s.Close()
	f := func(name string, tr http.RoundTripper, body []byte) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					req, _ := http.NewRequestWithContext(b.Context(), http.MethodPost, s.URL, bytes.NewReader(body))
					resp, err := tr.RoundTrip(req)
					if err != nil {
						b.Error(err)
						return
					}
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
				}
			})
		})
	}
	std := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	defer std.CloseIdleConnections()
	ours := direct.New(strings.TrimPrefix(s.URL, "http://"), direct.Options{MaxIdle: 64})
	defer ours.CloseIdleConnections()
	small, large := make([]byte, 1024), make([]byte, 100<<10)
	f("1KB/nethttp", std, small)
	f("1KB/direct", ours, small)
	f("100KB/nethttp", std, large)
	f("100KB/direct", ours, large)
}
