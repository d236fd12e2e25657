package relay_test

import (
	"bytes"
	"crypto/sha256"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/core/config"
	"github.com/PPKunOfficial/berry-api/relay/dialect"
)

// behind starts a gateway in front of a server that keeps nothing of what it gets.
func behind(t *testing.T, h http.HandlerFunc) *berry {
	t.Helper()
	up := httptest.NewServer(h)
	t.Cleanup(up.Close)
	return start(t, setup{
		provider: func(_ string, p *config.Provider) { p.BaseURL = up.URL + "/v1" },
		settings: func(s *config.Settings) { s.NonStreamTimeoutSeconds = 120 }, // a slow machine is no fault
	})
}

// A form is held once, and never copied: all that serving it allocates, the
// client's and the upstream's part included, is less than four times its size.
func TestFormMemory(t *testing.T) {
	const size = 24 << 20
	sums := make(chan [sha256.Size]byte, 2)
	b := behind(t, func(w http.ResponseWriter, r *http.Request) {
		in, err := r.MultipartReader()
		if err != nil {
			t.Error(err)
			return
		}
		file, err := in.NextPart()
		if err != nil {
			t.Error(err)
			return
		}
		h := sha256.New()
		n, err := io.Copy(h, file)
		if err != nil || n != size {
			t.Errorf("%d bytes, %v", n, err)
		}
		sums <- [sha256.Size]byte(h.Sum(nil))
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"text":"hello"}`)
	})
	frame, contentType := makeForm([2]string{"file=a.mp3", "SOUND"}, [2]string{"model", "gpt-a"})
	before, after, _ := strings.Cut(frame, "SOUND")
	sound := noise(size)
	want := sha256.Sum256([]byte(sound))
	send := func() {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+"/v1/audio/transcriptions",
			io.MultiReader(strings.NewReader(before), strings.NewReader(sound), strings.NewReader(after)))
		if err != nil {
			t.Fatal(err)
		}
		req.ContentLength = int64(len(before) + size + len(after))
		req.Header.Set("Authorization", "Bearer "+userToken)
		req.Header.Set("Content-Type", contentType)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if a := b.whole(resp); a.Status != 200 || a.Body != `{"text":"hello"}` {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		if got := <-sums; got != want {
			t.Error("the file's bytes are others")
		}
	}
	send() // so that connections and pools are there
	var m0, m1 runtime.MemStats
	runtime.ReadMemStats(&m0)
	send()
	runtime.ReadMemStats(&m1)
	grown := m1.TotalAlloc - m0.TotalAlloc
	if grown > 4*size {
		t.Errorf("%d bytes allocated for a form of %d", grown, size)
	}
	t.Logf("%.2f times the form", float64(grown)/size)
}

// An answer beyond what is held in memory passes all the same.
func TestLargeImages(t *testing.T) {
	const picture = 65 << 20
	b := behind(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"created":1,"data":[{"b64_json":"`)
		for range picture >> 20 {
			_, _ = w.Write(bytes.Repeat([]byte("A"), 1<<20))
		}
		_, _ = io.WriteString(w, `"}]}`)
	})
	resp := b.send(t.Context(), dialect.ImageGenerations, `{"model":"gpt-a","prompt":"x"}`, "application/json")
	defer resp.Body.Close()
	h := sha256.New()
	n, err := io.Copy(h, resp.Body)
	want := sha256.New()
	_, _ = io.WriteString(want, `{"created":1,"data":[{"b64_json":"`+strings.Repeat("A", picture)+`"}]}`)
	if err != nil || resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/json" || !bytes.Equal(h.Sum(nil), want.Sum(nil)) {
		t.Errorf("%d %v: %d bytes, %v", resp.StatusCode, resp.Header, n, err)
	}
}
